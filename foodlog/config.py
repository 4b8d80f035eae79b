"""YAML and environment become a frozen :class:`Config`.

The settings themselves are declared in :mod:`foodlog.settings`. What a provider's ``options``
hold is checked later, by the provider's own schema (:mod:`foodlog.plugins`).
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields, validate

from foodlog import keyfile, strict_yaml
from foodlog.errors import ConfigError
from foodlog.expansion import ExpansionError, UnsetError, expand
from foodlog.settings import (
    SECTIONS,
    Api,
    Auth,
    Breaker,
    Concurrency,
    Cors,
    Limits,
    Logging,
    Prediction,
    Use,
    section_fields,
)
from foodlog.validation import Origin, Origins, Problem, load, raise_problems, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration, checked but for the providers' options."""

    name: str
    """The file it was read from."""
    storage: Use
    classifiers: tuple[Use, ...] = ()
    nutrition: tuple[Use, ...] = ()
    fallback: Use
    auth: Auth
    limits: Limits = Limits()
    cors: Cors = Cors()
    prediction: Prediction = Prediction()
    concurrency: Concurrency = Concurrency()
    breaker: Breaker = Breaker()
    api: Api = Api()
    logging: Logging = Logging()
    origins: Origins = dataclasses.field(default_factory=dict, repr=False, compare=False)
    """Where each setting that was given was given, by path."""


def load_config(file: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in ``file``; else the one ``FOODLOG_CONFIG`` names; else the shipped one
    ``STORAGE_BACKEND`` stands for (``aws``; ``sqlite`` or ``local``); else local.yaml.

    Raises :class:`foodlog.errors.ConfigError`, with everything that is wrong in one message.
    """
    environ = os.environ if environ is None else environ
    path, named_by = _choose(file, environ)
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(strict_yaml.MAX_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"the configuration file {path} ({named_by}) cannot be read: {reason}. "
            f"Shipped: {', '.join(sorted(map(str, shipped_files())))}."
        ) from None
    return parse_config(text, str(path), environ)


def parse_config(text: str, name: str, environ: Mapping[str, str]) -> Config:
    """The configuration in a YAML text; ``name`` is what messages call it.

    Raises :class:`foodlog.errors.ConfigError`, with everything that is wrong in one message.
    """
    document = strict_yaml.parse(text, name)
    if document.value is None:
        shipped = ", ".join(map(str, shipped_files()))
        raise ConfigError(f"the configuration {name} is empty. Copy one to begin with: {shipped}.")
    reader = _Reader(document, environ)
    config = reader.read()
    raise_problems(name, reader.problems)
    return config


def shipped_files() -> list[Path]:
    """The configurations that come with FoodLog."""
    folder = Path(str(files("foodlog_config").joinpath("local.yaml"))).parent
    return sorted(folder.glob("*.yaml"))


_BACKENDS = {"": "local.yaml", "local": "local.yaml", "sqlite": "local.yaml", "aws": "aws.yaml"}


def _choose(file: str | Path | None, environ: Mapping[str, str]) -> tuple[Path, str]:
    if file:
        return _relative(Path(file)), "given as argument"
    if named := environ.get("FOODLOG_CONFIG"):
        return _relative(Path(named)), "named by FOODLOG_CONFIG"
    backend = environ.get("STORAGE_BACKEND", "").strip().lower()
    if backend not in _BACKENDS:
        raise ConfigError(
            f"STORAGE_BACKEND is {backend!r}; allowed: {', '.join(filter(None, _BACKENDS))}. "
            "Any other storage: write a YAML file and name it in FOODLOG_CONFIG."
        )
    path = Path(str(files("foodlog_config").joinpath(_BACKENDS[backend])))
    return _relative(path), f"STORAGE_BACKEND={backend}" if backend else "the default"


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


class _UseSchema(Schema):
    use = fields.String(required=True, validate=validate.Length(1, 100))
    options = fields.Dict()


class _OptionalUseSchema(_UseSchema):
    optional = fields.Boolean(load_default=False)


class _Reader:
    """Reads one document, and gathers all that is wrong with it."""

    def __init__(self, document: strict_yaml.Document, environ: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._document, self._environ = document, environ
        self._origins: dict[str, Origin] = {}

    def read(self) -> Config:
        tree = self._mapping(self._expand(self._document.value, ""), "")
        unreadable = {problem.path for problem in self.problems}
        known = {field.name for field in dataclasses.fields(Config)} - {"name", "origins"}
        for key in tree.keys() - known:
            self._problem(key, f"no such setting{self._where(key)}; {unknown(key, known)}")
        config = Config(
            name=self._document.name,
            storage=self._use(tree.get("storage"), "storage", _UseSchema()),
            classifiers=self._uses(tree.get("classifiers"), "classifiers"),
            nutrition=self._uses(tree.get("nutrition"), "nutrition"),
            fallback=self._use(tree.get("fallback"), "fallback", _UseSchema()),
            **{name: self._section(tree.get(name), name) for name in SECTIONS},
            origins=self._origins,
        )
        self._check_together(config)
        # What could not be expanded was reported once already.
        self.problems = [
            problem
            for index, problem in enumerate(self.problems)
            if index < len(unreadable) or problem.path not in unreadable
        ]
        return config

    def _expand(self, value: Any, path: str) -> Any:
        origin = Origin(self._document.name, self._document.lines.get(path, 1))
        self._origins[path] = origin
        if isinstance(value, dict):
            return {k: self._expand(v, strict_yaml.join(path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self._expand(v, strict_yaml.join(path, i)) for i, v in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            expanded = expand(value, self._environ)
        except ExpansionError as error:
            remedy = "; set it, or write a default: ${NAME:-default}"
            hint = remedy if isinstance(error, UnsetError) else ""
            self._problem(path, f"{error} ({origin}){hint}.")
            return value
        self._origins[path] = dataclasses.replace(
            origin, used=expanded.used, consulted=expanded.consulted
        )
        return expanded.text

    def _section(self, given: Any, name: str) -> Any:
        section = SECTIONS[name]
        schema = Schema.from_dict(section_fields(section))()
        values, problems = load(schema, self._mapping(given, name), name, self._origins)
        self.problems += problems
        return section(**values)

    def _uses(self, given: Any, path: str) -> tuple[Use, ...]:
        if given is None:
            return ()
        if not isinstance(given, list):
            self._problem(path, f"must be a list of providers{self._where(path)}.")
            return ()
        return tuple(
            self._use(entry, strict_yaml.join(path, index), _OptionalUseSchema())
            for index, entry in enumerate(given)
        )

    def _use(self, given: Any, path: str, schema: Schema) -> Use:
        values, problems = load(schema, self._mapping(given, path), path, self._origins)
        # Of a missing name those tell who know which there are (foodlog.plugins).
        self.problems += [problem for problem in problems if not problem.missing]
        return Use(setting=path, **{"use": "", **values})

    def _mapping(self, given: Any, path: str) -> dict[str, Any]:
        if isinstance(given, dict):
            return given
        if given is not None:
            self._problem(path or "the file", f"must be a mapping{self._where(path)}.")
        return {}

    def _check_together(self, config: Config) -> None:
        """What no setting can be checked for alone."""
        broken = {problem.path.partition(".")[0] for problem in self.problems}
        if "auth" not in broken:
            self._check_keys(config.auth)
        if "limits" not in broken:
            for low, high in _ORDERED:
                if getattr(config.limits, low) > getattr(config.limits, high):
                    self._out_of_order(f"limits.{low}", "more than", f"limits.{high}", config)
        if "prediction" not in broken and config.prediction.reserve >= config.prediction.deadline:
            self._out_of_order("prediction.reserve", "not less than", "prediction.deadline", config)

    def _check_keys(self, auth: Auth) -> None:
        if auth.secret and len(auth.secret.reveal().encode()) < keyfile.MIN_BYTES:
            self._problem(
                "auth.secret", f"the secret is too short{self._where('auth.secret')}; {_KEY}"
            )
        if any(len(old.reveal().encode()) < keyfile.MIN_BYTES for old in auth.previous_secrets):
            path = "auth.previous_secrets"
            text = f"a key in it has fewer than {keyfile.MIN_BYTES} bytes, so it signed nothing"
            self._problem(path, f"{text}{self._where(path)}; leave it out.")
        if not auth.secret and auth.secret_file is None:
            self._problem("auth.secret", f"required, but empty{self._where('auth.secret')}; {_KEY}")

    def _out_of_order(self, low: str, how: str, high: str, config: Config) -> None:
        less, more = (attrgetter(path)(config) for path in (low, high))
        where = self._where(low) or self._where(high)
        self._problem(low, f"{less} is {how} {high}, {more}{where}.")

    def _where(self, path: str) -> str:
        origin = self._origins.get(path)
        return f" ({origin})" if origin else ""

    def _problem(self, path: str, text: str) -> None:
        self.problems.append(Problem(path, text))


_KEY = (
    "set it (JWT_SECRET_KEY in the shipped files) to at least 32 random bytes, such as the output "
    "of: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'. "
    "Or name a file for it in auth.secret_file, on one machine alone: several must share the key."
)
_ORDERED = (
    ("photo_bytes", "body_bytes"),
    ("body_bytes", "bodies_bytes"),
    ("history_default", "history_max"),
    ("password_min", "password_max"),
)

"""``foodlog plugin new``: the beginning of a plugin, as a distribution whose tests pass."""

import argparse
import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from foodlog.discovery import discover
from foodlog.errors import ConfigError
from foodlog.providers import KINDS, NOT_CLASSIFIED

LONGEST_NAME = 60
_DISTRIBUTION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PREFIX = "foodlog_"

_YAML = {
    "storage": "storage:\n  use: {}\n  options: {{timeout: 5}}",
    "classifier": "classifiers:\n  - use: {}\n    options: {{label: pizza, confidence: 0.9}}",
    "nutrition": "nutrition:\n  - use: {}\n    options: {{calories: 450}}\n  - use: food_table",
    "fallback": "fallback:\n  use: {}\n  options: {{portion: 1}}",
}
_OPTIONS = {
    "storage": "| `timeout` | longest wait for an answer, in seconds |",
    "classifier": "| `label` | what is seen on every photo |\n"
    "| `confidence` | how sure it is of that, 0 to 1 |",
    "nutrition": "| `calories` | kcal of 100 g of house granola |",
    "fallback": "| `portion` | how many times a usual plate it is |",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What a new plugin is called where."""

    distribution: str
    """As `pip` knows it: lower case, hyphens (PEP 503)."""
    module: str
    provider: str
    """The word in YAML."""
    class_name: str

    @classmethod
    def of(cls, name: str, kind: str) -> "Names":
        """All names from the one given, for a provider of ``kind``.

        Raises ConfigError where they cannot be used.
        """
        distribution = re.sub(r"[-_.]+", "-", name).lower()
        if len(name) > LONGEST_NAME or not _DISTRIBUTION.fullmatch(distribution):
            raise ConfigError(
                f"{name!r} cannot be the name of a distribution. Allowed: letters and digits with "
                f"single hyphens between, {LONGEST_NAME} characters at most, as in foodlog-onnx."
            )
        module = distribution.replace("-", "_")
        provider = module.removeprefix(_PREFIX)
        _refuse_what_python_cannot_import(name, module, provider)
        words = "".join(word.capitalize() for word in provider.split("_"))
        return cls(distribution, module, provider, words + KINDS[kind].__name__)


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("plugin", help="begin a plugin of your own")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = actions.add_parser(
        "new",
        help="write a distribution with a provider and tests that pass",
        description="Write a distribution with a provider of one kind, its entry point, and tests "
        "that pass: FoodLog's own suite for that kind, and one through the whole application.",
    )
    new.add_argument("name", metavar="NAME", help="of the distribution, as in foodlog-onnx")
    new.add_argument("--kind", choices=list(KINDS), required=True, help="what it provides")
    new.add_argument(
        "--to", metavar="FOLDER", type=Path, help="folder to make (default: one named NAME)"
    )
    new.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the distribution and say what to do next."""
    names = Names.of(arguments.name, arguments.kind)
    folder: Path = arguments.to or Path(names.distribution)
    _refuse_what_is_there(folder)
    _refuse_what_is_taken(names, arguments.kind)
    if arguments.kind == "classifier":
        _refuse_what_means_something_else(names)
    _write(folder, contents(names, arguments.kind))
    print(
        f"{folder} holds the {arguments.kind} provider '{names.provider}'. Next:\n\n"
        f"  cd {folder}\n"
        "  pip install -e '.[test]'   # FoodLog finds it from now on\n"
        "  pytest                     # every rule of the port\n"
        "  foodlog plugins            # lists it\n\n"
        f"Then replace what {names.module}.py does with what it should do; README.md has the YAML."
    )
    return 0


def contents(names: Names, kind: str) -> dict[str, str]:
    """The files of the distribution: text by path."""
    major, minor = version("foodlog").split(".")[:2]
    values = {
        "distribution": names.distribution,
        "module": names.module,
        "provider": names.provider,
        "class_name": names.class_name,
        "kind": kind,
        "versions": f">={major}.{minor},<{int(major) + 1}",
        "yaml": _YAML[kind].format(names.provider),
        "options": _OPTIONS[kind],
    }
    templates = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{names.module}.py": f"{kind}.py",
        "tests/conftest.py": "conftest.py",
        f"tests/test_{names.module}.py": f"test_{kind}.py",
    }
    return {path: _filled(template, values) for path, template in templates.items()}


def _filled(template: str, values: Mapping[str, str]) -> str:
    source = files("foodlog.commands").joinpath("templates", f"{template}.tmpl")
    return Template(source.read_text(encoding="utf-8")).substitute(values)


def _refuse_what_python_cannot_import(name: str, module: str, provider: str) -> None:
    for word in (module, provider):
        if not re.fullmatch("[a-z][a-z0-9_]*", word) or keyword.iskeyword(word):
            raise ConfigError(
                f"{name!r} gives the name {word!r}, which Python cannot import; begin with a "
                "letter, and use no keyword of Python, as in foodlog-onnx."
            )


def _refuse_what_is_there(folder: Path) -> None:
    if folder.exists() or folder.is_symlink():
        raise ConfigError(
            f"{folder} exists already and is left alone; name another folder with --to."
        )


def _refuse_what_is_taken(names: Names, kind: str) -> None:
    offer = discover().of(kind).get(names.provider)
    if offer:
        raise ConfigError(
            f"there is a {kind} provider '{names.provider}' already, of {offer.source}; "
            "choose another name."
        )
    if find_spec(names.module):
        raise ConfigError(
            f"a module {names.module!r} is installed already, and the plugin would hide it; "
            f"choose another name, as in foodlog-{names.distribution}."
        )


def _refuse_what_means_something_else(names: Names) -> None:
    """A classifier's name is its word in a meal's ``inference_source`` and ``metadata``."""
    from foodlog.openapi.answers import Metadata  # no other command needs it

    others = [offer.provider for offer in discover().of("classifier").values()]
    sources = {getattr(other, "inference_source", other.name) for other in others}
    if names.provider in {*NOT_CLASSIFIED, *sources, *Metadata().fields}:
        raise ConfigError(
            f"a classifier cannot be named '{names.provider}': in the inference_source or the "
            "metadata of a meal clients take that word for something else; choose another name."
        )


def _write(folder: Path, contents: Mapping[str, str]) -> None:
    """All files or none: they are written beside the folder, which is then given its name."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".foodlog-plugin-", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        for path, text in contents.items():
            target = unfinished / path
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
        unfinished.chmod(0o777 & ~_umask())
        unfinished.rename(folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{folder} cannot be made ({error.strerror}: {error.filename}); "
        "name a folder you may write to with --to."
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

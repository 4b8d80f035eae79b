"""Settings checked against a marshmallow schema; what is wrong, in an operator's words."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing, validate

from foodlog.errors import ConfigError
from foodlog.options import MASK, Secret, SecretField, SecretList, Size, shown, size_text
from foodlog.strict_yaml import join


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written, and the environment variables it was made of."""

    file: str
    line: int
    used: tuple[str, ...] = ()
    """Variables whose value it holds."""
    consulted: tuple[str, ...] = ()
    """Variables that would change it."""

    def __str__(self) -> str:
        variables = f", from {', '.join(self.used)}" if self.used else ""
        return f"{self.file}:{self.line}{variables}"


Origins = Mapping[str, Origin]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the configuration."""

    path: str
    text: str
    missing: bool = False
    """A required setting is not given or empty."""


def load(
    schema: Schema, given: Mapping[str, Any], path: str, origins: Origins
) -> tuple[dict[str, Any], list[Problem]]:
    """``given`` loaded by ``schema``; no values where there are problems.

    An empty text counts as not given, but for options that are text and not required.
    """
    known = _by_key(schema)
    present = {key: value for key, value in given.items() if not _empty(known.get(key), value)}
    try:
        return dict(schema.load(present)), []
    except ValidationError as error:
        messages = error.messages_dict
        report = _Report(known, present, path, origins)
        return {}, [p for key, found in messages.items() for p in report.problems(key, found)]


def raise_problems(name: str, problems: Sequence[Problem]) -> None:
    """Raise one :class:`foodlog.errors.ConfigError` that tells all problems, if there are any."""
    if problems:
        lines = "\n".join(f"  {problem.path}: {problem.text}" for problem in problems)
        raise ConfigError(f"the configuration {name} cannot be used:\n{lines}")


def allowed(field: fields.Field[Any]) -> str:
    """What a field accepts, in words."""
    own = getattr(field, "allowed", None)
    if isinstance(own, str):
        return own
    text = next((word for kind, word in _WORDS.items() if isinstance(field, kind)), "any value")
    return ", ".join([text, *filter(None, map(_constraint, field.validators))])


def default(field: fields.Field[Any]) -> str:
    """The default of a field as an operator writes it; "required" where there is none."""
    if field.required:
        return "required"
    value = None if field.load_default is missing else field.load_default
    return display(field, value() if callable(value) else value)


def display(field: fields.Field[Any], value: object) -> str:
    """A loaded value of the field as an operator reads it; a secret is masked."""
    if isinstance(field, Size) and isinstance(value, int):
        return size_text(value)
    return MASK if value and is_secret(field) else shown(value)


def is_secret(field: fields.Field[Any]) -> bool:
    """Whether the field's value must not be shown."""
    return isinstance(field, SecretField | SecretList) or bool(field.metadata.get("secret"))


def unknown(key: str, known: Collection[str]) -> str:
    """The sentence about a word that is none of ``known``: the nearest, and all there are."""
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}Known: {', '.join(sorted(known)) or 'none'}."


_WORDS: dict[type[fields.Field[Any]], str] = {
    fields.Boolean: "true or false",
    fields.Integer: "a whole number",
    fields.Number: "a number",
    fields.Url: "a URL",
    fields.String: "text",
    fields.List: "a list",
    fields.Mapping: "a mapping",
}
_CONTAINERS = (fields.Mapping, fields.List, fields.Nested)


def _constraint(validator: object) -> str:
    if isinstance(validator, validate.Range | validate.Length):
        low = "" if validator.min is None else f"at least {validator.min}"
        high = "" if validator.max is None else f"at most {validator.max}"
        unit = " characters" if isinstance(validator, validate.Length) else ""
        return " and ".join(filter(None, (low, high))) + unit
    if isinstance(validator, validate.OneOf):
        return "one of " + ", ".join(shown(choice) for choice in validator.choices)
    return ""


def _by_key(schema: Schema) -> dict[str, fields.Field[Any]]:
    return {field.data_key or name: field for name, field in schema.fields.items()}


def _empty(field: fields.Field[Any] | None, value: object) -> bool:
    if field is None:
        return False
    if value is None:
        return field.required or isinstance(field, _CONTAINERS)
    if isinstance(value, Secret) or value == "":
        return not value and (field.required or not _is_text(field))
    return False


def _is_text(field: fields.Field[Any]) -> bool:
    return isinstance(field, fields.String) and not isinstance(field, fields.Url)


class _Report:
    """Turns marshmallow's messages into problems."""

    def __init__(
        self,
        known: Mapping[str, fields.Field[Any]],
        given: Mapping[str, Any],
        path: str,
        origins: Origins,
    ) -> None:
        self._known, self._given, self._path, self._origins = known, given, path, origins

    def problems(self, key: str, messages: Any) -> Iterator[Problem]:
        path = self._path if key == "_schema" else join(self._path, key)
        if key == "_schema":
            yield from (Problem(path, f"{text}{self._where(path)}") for text in _flat(messages))
        elif key not in self._known:
            yield Problem(path, f"no such setting{self._where(path)}; {unknown(key, self._known)}")
        elif key not in self._given and self._known[key].required:
            yield Problem(path, self._missing(path, self._known[key]), missing=True)
        else:
            yield Problem(path, self._refused(path, key, "; ".join(_flat(messages))))

    def _missing(self, path: str, field: fields.Field[Any]) -> str:
        origin = self._origins.get(path)
        variables = " or ".join(origin.consulted) if origin else ""
        remedy = f"set {variables} in the environment" if variables else "give it a value"
        return f"required, but empty{self._where(path)}; {remedy}. Allowed: {allowed(field)}."

    def _refused(self, path: str, key: str, reason: str) -> str:
        field = self._known[key]
        value = self._given.get(key)
        text = "the secret" if is_secret(field) else _excerpt(value)
        if value is None:
            text, reason = "null", "remove the line for the default"
        instead = "" if field.required else f" Default: {default(field)}."
        return (
            f"{text} is refused{self._where(path)}: {reason.rstrip('.')}. "
            f"Allowed: {allowed(field)}.{instead}"
        )

    def _where(self, path: str) -> str:
        origin = self._origins.get(path)
        return f" ({origin})" if origin else ""


def _excerpt(value: object) -> str:
    text = re.sub(r"(?<=//)[^/\s]*@", f"{MASK}@", repr(value))  # credentials in a URL
    return text if len(text) <= 80 else text[:77] + "..."


def _flat(messages: Any, path: str = "") -> Iterator[str]:
    """Every message below, with the place inside the setting where it is not the setting itself."""
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            yield from _flat(below, join(path, key))
    elif isinstance(messages, list):
        for below in messages:
            yield from _flat(below, path)
    else:
        yield f"{path}: {messages}" if path else str(messages)

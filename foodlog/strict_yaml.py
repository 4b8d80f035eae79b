"""YAML without surprises: one document of mappings, lists, texts, numbers, booleans and nulls.

Refused: a key given twice, keys that are no text, tags, merge keys, and documents that are too
large, too deep, or grow by their aliases. Times are texts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from foodlog.errors import ConfigError

MAX_CHARACTERS = 256 * 1024
MAX_NODES = 20_000
"""Counted with every use of an alias."""
MAX_DEPTH = 20

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_PLAIN = {_PREFIX + name for name in ("int", "float", "bool", "null")}
_TOO_MUCH = f"more than {MAX_NODES} entries or {MAX_DEPTH} levels, aliases counted"
_TEXT = {_PREFIX + name for name in ("str", "timestamp", "value")}


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML text holds, and the line (from 1) of everything in it."""

    name: str
    value: Any
    lines: dict[str, int] = field(default_factory=dict)
    """By path: ``classifiers[0].options.url``."""


def parse(text: str, name: str) -> Document:
    """The document in ``text``; ``name`` is what messages call it.

    Raises :class:`foodlog.errors.ConfigError` with name and line.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{name} is longer than {MAX_CHARACTERS} characters.")
    try:
        _check_depth(text, name)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        hint = _hint(*text.splitlines()[mark.line : mark.line + 1]) if mark else ""
        raise ConfigError(f"{name}{where}: no valid YAML: {error.problem}{hint}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: no valid YAML: {str(error).splitlines()[0]}.") from None
    reader = _Reader(name)
    value = None if node is None else reader.read(node, "", depth=0)
    return Document(name, value, reader.lines)


def _hint(line: str = "") -> str:
    """What is most likely wrong with a line that is no YAML."""
    if re.match(r"\s*\t", line):
        return "; indent with spaces, not with tabs"
    return "; put quotes around text with ${…}, * or @ in it" if re.search(r"[$*@]", line) else ""


def _check_depth(text: str, name: str) -> None:
    # Composing recurses in C, where there is no limit but the end of the stack.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _error(name, event, _TOO_MUCH)


def _error(name: str, at: yaml.Node | yaml.Event, text: str) -> ConfigError:
    line = at.start_mark.line + 1 if at.start_mark else 1
    return ConfigError(f"{name}, line {line}: {text}.")


def _small(value: Any) -> Any:
    # Python refuses to print a number of thousands of digits, or to make a float of it.
    if isinstance(value, int) and value.bit_length() > 1000:
        raise ValueError
    return value


class _Reader:
    def __init__(self, name: str) -> None:
        self.lines: dict[str, int] = {}
        self._name = name
        self._nodes = 0

    def read(self, node: yaml.Node, path: str, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _error(self._name, node, _TOO_MUCH)
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode) and node.tag == _PREFIX + "map":
            return dict(self._entries(node, path, depth))
        if isinstance(node, yaml.SequenceNode) and node.tag == _PREFIX + "seq":
            return [self.read(n, f"{path}[{i}]", depth + 1) for i, n in enumerate(node.value)]
        return self._scalar(node)

    def _entries(self, node: yaml.MappingNode, path: str, depth: int) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _TEXT:
                raise _error(
                    self._name, key_node, f"a key must be plain text, and {key!r:.40} is not"
                )
            if key in seen:
                raise _error(
                    self._name,
                    key_node,
                    f"{join(path, key)} is given twice, first in line {seen[key]}",
                )
            seen[key] = key_node.start_mark.line + 1
            yield key, self.read(value_node, join(path, key), depth + 1)

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag in _TEXT:
            return node.value
        try:
            if node.tag in _PLAIN:
                return _small(yaml.constructor.SafeConstructor().construct_object(node))
        except ValueError:
            raise _error(
                self._name, node, f"{node.value!r:.40} is not a number that can be used"
            ) from None
        raise _error(
            self._name, node, f"the tag {node.tag.replace(_PREFIX, '!!')} is not supported"
        )


def join(path: str, key: str | int) -> str:
    """The path of an entry below ``path``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key

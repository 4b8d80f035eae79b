"""``${NAME}`` in a text, replaced from the environment as a shell and Compose do.

| form               | meaning                                               |
|--------------------|-------------------------------------------------------|
| ``${NAME}``        | the variable; :class:`UnsetError` where it is unset   |
| ``${NAME:-text}``  | the variable; ``text`` where it is unset or empty     |
| ``${NAME-text}``   | the variable; ``text`` where it is unset              |
| ``$$``             | a dollar sign                                         |

``text`` ends at the next ``}`` and may hold further forms: ``${A:-${B:-none}}``. What a variable
holds is never looked through for forms. Any other use of ``$`` is :class:`FormError`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_NESTING = 20
"""How deep defaults may hold defaults."""

_OPENING = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-|-|\})")


class ExpansionError(ValueError):
    """A text cannot be expanded; the message says which form is at fault."""


class UnsetError(ExpansionError):
    """A variable without default is not set."""


class FormError(ExpansionError):
    """A dollar sign begins none of the known forms."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """The text, and the variables that had a say in it, each once and in order."""

    text: str
    used: tuple[str, ...] = ()
    """Variables whose value is in the text."""
    consulted: tuple[str, ...] = ()
    """Variables that were asked for, set or not."""


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    operator: str
    default: "tuple[str | _Variable, ...]" = ()


_Parts = tuple[str | _Variable, ...]


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """``text`` with every form replaced from ``environ``.

    A default is looked at only where it is wanted, but its forms must be well made in any case.
    Raises :class:`UnsetError` and :class:`FormError`.
    """
    if "$" not in text:
        return Expanded(text)
    parts, _ = _parse(text, 0, depth=0)
    used: dict[str, None] = {}
    consulted: dict[str, None] = {}
    result = "".join(_evaluate(parts, environ, used, consulted))
    return Expanded(result, tuple(used), tuple(consulted))


def _parse(text: str, position: int, depth: int) -> tuple[_Parts, int]:
    """The parts from ``position`` up to the end (of the default, where ``depth`` > 0)."""
    if depth > MAX_NESTING:
        raise FormError(f"defaults are nested deeper than {MAX_NESTING}")
    stops = re.compile(r"[$}]" if depth else r"\$")
    parts: list[str | _Variable] = []
    while stop := stops.search(text, position):
        parts.append(text[position : stop.start()])
        if stop.group() == "}":
            return tuple(parts), stop.end()
        part, position = _parse_form(text, stop.start(), depth)
        parts.append(part)
    if depth:
        raise FormError("a '${' is never closed by '}'")
    return (*parts, text[position:]), len(text)


def _parse_form(text: str, position: int, depth: int) -> tuple[str | _Variable, int]:
    if text.startswith("$$", position):
        return "$", position + 2
    opening = _OPENING.match(text, position)
    if not opening:
        raise FormError(
            f"{_excerpt(text[position:])} is not understood; the forms are ${{NAME}}, "
            "${NAME:-default}, ${NAME-default}, and $$ for a dollar sign"
        )
    name, operator = opening.groups()
    if operator == "}":
        return _Variable(name, ""), opening.end()
    default, end = _parse(text, opening.end(), depth + 1)
    return _Variable(name, operator, default), end


def _excerpt(text: str) -> str:
    form, closed, _ = text[:30].partition("}")
    return repr(form + closed)


def _evaluate(
    parts: _Parts, environ: Mapping[str, str], used: dict[str, None], consulted: dict[str, None]
) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
            continue
        consulted[part.name] = None
        value = environ.get(part.name)
        if value or (value is not None and part.operator != ":-"):
            used[part.name] = None
            yield value
        elif part.operator:
            yield from _evaluate(part.default, environ, used, consulted)
        else:
            raise UnsetError(f"the environment variable {part.name} is not set")

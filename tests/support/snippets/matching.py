"""Whether a program printed what a page shows."""

import re

_VARYING = (
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"\b\d\d:\d\d:\d\d\b", "<clock>"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "<token>"),
    (r"\b(signature=)[\w-]+", r"\1<signature>"),
    (r"\b(expires=)\d+", r"\1<expires>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\b[0-9a-f]{32}(-[0-9a-f]{8,16}(?=\.))?", "<id>"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "<duration>"),
    (r"\b(ms=)[\d.]+", r"\1<duration>"),
)
"""What differs from run to run: times, ids, tokens, signatures, durations."""

_WILD = re.compile(r"…|\.\.\.")


def matches(shown: str, printed: str) -> bool:
    """Whether ``printed`` is what is shown. ``…`` or ``...`` in a line stands for any text, on a
    line of its own for any lines; what varies from run to run may differ."""
    pattern = "".join(_line_pattern(line) for line in _lines(shown))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    for varying, name in _VARYING:
        text = re.sub(varying, name, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def _line_pattern(line: str) -> str:
    if _WILD.fullmatch(line.strip()):
        return r"(?:.*\n)*?"
    return r"[^\n]*?".join(re.escape(part) for part in _WILD.split(line)) + r"\n"

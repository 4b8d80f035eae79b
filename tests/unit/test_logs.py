"""One event is one line."""

import logging

import pytest

from foodlog.logs import TextFormatter


def line(formatter: logging.Formatter, **extra: object) -> str:
    return formatter.format(logging.makeLogRecord({"msg": "event", "levelname": "INFO", **extra}))


def test_text_shows_values_as_they_are() -> None:
    shown = line(TextFormatter(), reason="no route to caf\u00e9", port=9)
    assert shown.endswith(" INFO event reason=no route to caf\u00e9 port=9")


@pytest.mark.parametrize("ending", ["\n", "\r", "\x85", "\u2028", "\x1b[2K", "\0", "\ud800"])
def test_a_value_cannot_look_like_another_event(ending: str) -> None:
    shown = line(TextFormatter(), reason=f"no{ending}12:00:00 ERROR forged", other=[ending])
    assert ending not in shown
    assert "forged" in shown

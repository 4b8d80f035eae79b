"""Structured logs: one line per event, with the id of the request it belongs to.

An event is a fixed sentence; what varies stands in ``extra`` and becomes fields of its own.
Nothing secret is ever passed to a logger: secrets are masked by their type, photos and
passwords are never logged.
"""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request being served; also in the answer's ``X-Request-ID``."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, event, request_id, and the extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its line break."""
        return orjson.dumps(_fields(record, self), default=str).decode()


class TextFormatter(logging.Formatter):
    """The same for a person at a terminal: ``12:00:00 WARNING event name=value …``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback follows on lines of its own."""
        fields = _fields(record, self)
        time, level, event = fields.pop("time")[11:19], fields.pop("level"), fields.pop("event")
        fields.pop("logger")
        trace = fields.pop("exception", None)
        shown = [f"{name}={_shown(value)}" for name, value in fields.items() if value != "-"]
        line = " ".join([time, level, event, *shown])
        return f"{line}\n{trace}" if trace else line


def configure(level: str, style: str) -> None:
    """Log to standard error from ``level`` up, as ``json`` or ``text``.

    What no line shows is not gathered: a request costs a line, and finding out which source line
    and thread wrote it would take a third of that line's time.
    """
    logging._srcfile = None  # as the logging HOWTO has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    # It writes the whole URL at DEBUG, and with it whatever stands in the query.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _shown(value: object) -> str:
    """On one line, whatever it holds: nothing that comes from outside can look like an event."""
    text = str(value)
    return text if text.isprintable() else repr(text)


def _fields(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "event": record.getMessage(),
        "request_id": request_id.get(),
    }
    fields |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
    if record.exc_info:
        fields["exception"] = formatter.formatException(record.exc_info)
    return fields

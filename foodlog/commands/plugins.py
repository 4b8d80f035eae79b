"""``foodlog plugins``: what is installed, what of it is in use, and why not."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from foodlog.commands.tables import table
from foodlog.config import load_config
from foodlog.discovery import Offer, Plugins, Source, discover
from foodlog.errors import ConfigError
from foodlog.plugins import Selection, select

COLUMNS = ("name", "kind", "distribution", "version", "status")


@dataclass(frozen=True, slots=True)
class _Situation:
    """What the configuration makes of the plugins; no selection where it cannot be used."""

    plugins: Plugins
    selection: Selection | None
    error: ConfigError | None = None


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("plugins", help="list the installed providers")
    parser.add_argument("--json", action="store_true", help="as a JSON array")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the list, also where the configuration cannot be used; then say why it cannot."""
    situation = _look(arguments.config)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in _rows(situation)]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print(table([COLUMNS, *(tuple(row.values()) for row in rows)]))
    if situation.error:
        raise situation.error
    return 0


def _look(file: str | None) -> _Situation:
    plugins = discover()
    try:
        return _Situation(plugins, select(plugins, load_config(file), quiet=True))
    except ConfigError as error:
        return _Situation(plugins, None, error)


def _rows(situation: _Situation) -> Iterator[tuple[str, ...]]:
    for offer in sorted(situation.plugins.offers, key=lambda offer: (offer.kind, offer.name)):
        status = _status(offer, situation.selection)
        yield (offer.name, offer.kind, *_distribution(offer.source), status)
    for broken in situation.plugins.broken:
        name, why = broken.source.entry_point, f"broken: {broken.reason}; {broken.remedy}"
        yield (name, "?", *_distribution(broken.source), why)


def _distribution(source: Source) -> tuple[str, str]:
    return source.distribution or "-", source.version or "-"


def _status(offer: Offer, selection: Selection | None) -> str:
    if selection is None:
        return "unknown: the configuration cannot be used"
    active = [c.setting for c in selection.chosen if c.offer is offer]
    if active:
        return f"active: {', '.join(active)}"
    reasons = [f"skipped: {s.reason}" for s in selection.skipped if s.offer is offer]
    return reasons[0] if reasons else "not in use: the configuration does not name it"

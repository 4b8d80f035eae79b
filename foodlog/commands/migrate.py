"""``foodlog migrate``: copy users, photos and meals from one storage to another, and compare."""

import argparse
import sys
from typing import Any, Self, TextIO

from foodlog import logs
from foodlog.commands.storages import open_storage
from foodlog.providers import Storage
from foodlog.services.migration import WORKERS, Migration

MOST_SENTENCES = 50
"""Differences that are listed; all are counted."""


class ProgressBar:
    """A line that is written over on a terminal; elsewhere a line for each tenth.

    A context manager: what is said after it begins on a line of its own.
    """

    width = 30

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._terminal = stream, stream.isatty()
        self._told = ("", -1)
        self._line_is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line_is_open:
            self._stream.write("\n")
            self._stream.flush()

    def __call__(self, doing: str, done: int, total: int) -> None:
        """``done`` of ``total``; both may grow while the source is in use."""
        share = min(1.0, done / total) if total else 1.0
        told = (doing, int(share * (1000 if self._terminal else 10)))
        if told == self._told:
            return
        self._told = told
        bar = "#" * int(share * self.width)
        line = f"{doing:16} [{bar:{self.width}}] {share:4.0%} {done}/{total}"
        self._line_is_open = self._terminal and done < total
        start, end = "\r" if self._terminal else "", "" if self._line_is_open else "\n"
        self._stream.write(f"{start}{line}{end}")
        self._stream.flush()


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "migrate",
        help="copy everything from one storage to another",
        description="Copies users, photos and meals, then compares them one by one. Nothing in "
        "the target is overwritten but a photo of another size. It may be stopped and run again at "
        "any time.",
    )
    for name, what in (("from", "source"), ("to", "target")):
        parser.add_argument(
            f"--{name}",
            dest=what,
            metavar="CONFIG",
            required=True,
            help=f"the YAML file that names the {what} storage",
        )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Copy and compare; 1 where the two differ in the end."""
    logs.configure("WARNING", "text")
    with (
        open_storage(arguments.source, WORKERS) as source,
        open_storage(arguments.target, WORKERS) as target,
    ):
        differences = _migrate(source, target)
    for sentence in differences[:MOST_SENTENCES]:
        print(sentence)
    print(f"{len(differences)} differences." if differences else "Source and target are the same.")
    return 1 if differences else 0


def _migrate(source: Storage, target: Storage) -> list[str]:
    try:
        with ProgressBar(sys.stderr) as bar:
            migration = Migration(source, target, bar)
            migration.copy()
            return migration.verify()
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where this one was.", file=sys.stderr)
        raise

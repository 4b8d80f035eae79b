"""``foodlog check``: is the configuration right, and does every provider work?"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

from foodlog import keyfile, logs
from foodlog.commands.tables import table
from foodlog.config import load_config
from foodlog.discovery import discover, reason
from foodlog.errors import ProviderError
from foodlog.plugins import Built, Selection, select
from foodlog.providers import Context, Provider
from foodlog.worker import dish_table, now

Row = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Result:
    text: str
    """Empty where the provider works."""
    milliseconds: float


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("check", help="check the configuration and every provider")
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long a provider may take (default: 10)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each provider; 1 where one does not work.

    Raises :class:`foodlog.errors.ConfigError` for a signing key the server could not start with.
    """
    config = load_config(arguments.config)
    logs.configure("WARNING", "text")
    if config.auth.secret_file is not None and not config.auth.secret:
        keyfile.check(config.auth.secret_file)
    selection = select(discover(), config)
    providers = selection.build(Context(dishes=dish_table(config), clock=now))
    try:
        results = _ask(providers.built, arguments.timeout)
    finally:
        providers.close()
    print(table([*_rows(providers.built, results), *_skipped(selection)]))
    return 1 if any(result.text for result in results) else 0


def _rows(built: Sequence[Built], results: Sequence[_Result]) -> list[Row]:
    return [
        (
            "failed" if result.text else "ok",
            entry.chosen.setting,
            entry.provider.name,
            result.text or f"{result.milliseconds:.0f} ms",
        )
        for entry, result in zip(built, results, strict=True)
    ]


def _skipped(selection: Selection) -> list[Row]:
    return [("skipped", s.setting, s.offer.name, s.reason) for s in selection.skipped]


def _ask(built: Sequence[Built], timeout: float) -> list[_Result]:
    """All at once; a provider that never answers keeps neither the others nor the exit waiting."""
    end = monotonic() + timeout
    answers: list[SimpleQueue[_Result]] = [SimpleQueue() for _ in built]
    for entry, answer in zip(built, answers, strict=True):
        Thread(target=_check, args=(entry.provider, answer), daemon=True).start()
    late = _Result(f"no answer within {timeout:g} s", timeout * 1000)
    return [_wait(answer, end, late) for answer in answers]


def _check(provider: Provider, answer: "SimpleQueue[_Result]") -> None:
    start = monotonic()
    text = ""
    try:
        provider.check()
    except ProviderError as error:
        text = str(error)
    except Exception as error:
        text = reason(error)
    answer.put(_Result(text, (monotonic() - start) * 1000))


def _wait(answer: "SimpleQueue[_Result]", end: float, late: _Result) -> _Result:
    try:
        return answer.get(timeout=max(0.0, end - monotonic()))
    except Empty:
        return late

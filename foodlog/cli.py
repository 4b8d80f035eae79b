"""The command ``foodlog``: reads the arguments, runs one subcommand, and turns errors into a
line and an exit code.

A subcommand is a module of :mod:`foodlog.commands` with ``register(subparsers)``, which adds a
parser and sets its default ``run`` to a function of the parsed arguments that returns the exit
code. Exit codes: 0 all is well, 1 it is not, 2 wrong arguments or configuration, 130 interrupted,
141 nobody reads the output any more.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from foodlog.commands import (
    adopt,
    aws,
    check,
    config,
    lookup,
    migrate,
    openapi,
    plugin_new,
    plugins,
    predict,
    serve,
)
from foodlog.errors import ConfigError, FoodLogError, ProviderError

COMMANDS = (
    serve,
    predict,
    lookup,
    check,
    config,
    plugins,
    aws,
    migrate,
    adopt,
    openapi,
    plugin_new,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (without the program's name); return the exit code."""
    arguments = parser().parse_args(argv)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
    except FoodLogError as error:
        print(f"foodlog: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | ProviderError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Python itself would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; ``--config`` may stand before or after a command."""
    whole = argparse.ArgumentParser(prog="foodlog", description="Photos of meals become a log.")
    _add_config(whole, default=None)
    subparsers = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.register(subparsers)
    for subparser in subparsers.choices.values():
        _add_config(subparser, default=argparse.SUPPRESS)
    return whole


def _add_config(to: argparse.ArgumentParser, default: str | None) -> None:
    to.add_argument(
        "--config",
        metavar="FILE",
        default=default,
        help="the YAML file to use (default: what FOODLOG_CONFIG or STORAGE_BACKEND names, "
        "else the embedded local.yaml)",
    )

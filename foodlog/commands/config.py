"""``foodlog config``: every setting, its value, and where that came from."""

import argparse
from typing import Any

from foodlog import reference
from foodlog.config import load_config
from foodlog.discovery import discover
from foodlog.plugins import select


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "config", help="print the effective configuration, secrets masked"
    )
    parser.add_argument(
        "--reference", action="store_true", help="print what can be set instead, as Markdown"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print."""
    plugins = discover()
    if arguments.reference:
        print(reference.markdown(plugins), end="")
        return 0
    config = load_config(arguments.config)
    selection = select(plugins, config, quiet=True)
    print(f"# {config.name}")
    for setting in reference.effective(config, selection):
        print(f"{setting.path}: {setting.value}  # {setting.origin}")
    return 0

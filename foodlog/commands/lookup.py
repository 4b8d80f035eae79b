"""``foodlog lookup``: how a dish or food is resolved: ingredients, grams, nutrition, records."""

import argparse
from dataclasses import asdict
from typing import Any

import orjson

from foodlog import logs
from foodlog.commands.predict import nutrition_table
from foodlog.config import load_config
from foodlog.discovery import discover
from foodlog.errors import ConfigError
from foodlog.plugins import select
from foodlog.worker import Pipeline


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("lookup", help="show what a dish or food resolves to")
    parser.add_argument("name", metavar="NAME", help='such as "pepperoni pizza" or banana')
    parser.add_argument("--grams", type=float, metavar="N", help="of so much of it")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what it resolves to; 1 where nobody knows it."""
    if arguments.grams is not None and not 0 < arguments.grams <= 100_000:
        raise ConfigError(f"--grams is {arguments.grams:g}; allowed: above 0, to 100000.")
    config = load_config(arguments.config)
    logs.configure("WARNING", "text")
    pipeline = Pipeline(config, select(discover(), config).without("storage"))
    try:
        found = pipeline.analyst.resolve(arguments.name, arguments.grams, pipeline.deadline())
    finally:
        pipeline.close()
    body: dict[str, Any]
    if found is None:
        body = {"name": arguments.name, "found": False}
        text = f"{arguments.name}: no dish and no food of this name is known"
    else:
        body = asdict(found)
        text = f"{found.food}\n\n{nutrition_table(found.components, found.nutrients)}"
    print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode() if arguments.json else text)
    return 1 if found is None else 0

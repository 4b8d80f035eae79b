"""``foodlog openapi``: the API document."""

import argparse
from importlib.resources import files
from typing import Any


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("openapi", help="print the OpenAPI document of this version")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the document as the code has it now; without apispec, as the release has it."""
    try:
        from foodlog.openapi.document import document, text
    except ModuleNotFoundError as error:
        if error.name != "apispec":
            raise
        print(files("foodlog").joinpath("openapi.yaml").read_text(encoding="utf-8"), end="")
    else:
        print(text(document()), end="")
    return 0

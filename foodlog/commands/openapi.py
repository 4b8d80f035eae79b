"""``foodlog openapi``: the API document, made from the code."""

import argparse
from typing import Any

from foodlog.errors import ConfigError


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "openapi", help="print the OpenAPI document of this version, made from its code"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print."""
    try:
        from foodlog.openapi.document import document, text
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"making the document needs {error.name}, which is not installed: "
            "pip install 'foodlog[dev]'; the document as made at the release is served at "
            "/openapi.yaml"
        ) from error
    print(text(document()), end="")
    return 0

"""``foodlog serve``: gunicorn with the right settings, once the configuration is known to work."""

import argparse
import os
import socket
import sys
from typing import Any, NoReturn

from foodlog.config import load_config
from foodlog.discovery import discover
from foodlog.errors import ConfigError
from foodlog.plugins import select
from foodlog.worker import dish_table


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", help="serve the API")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="%(default)s")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("PORT", "5000")), help="%(default)s"
    )
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Become gunicorn. Raises :class:`foodlog.errors.ConfigError` before, where it could not."""
    config = load_config(arguments.config)
    select(discover(), config)
    dish_table(config)
    _require_free(arguments.host, arguments.port)
    os.environ["FOODLOG_CONFIG"] = config.name
    command = [sys.executable, "-m", "gunicorn", "--config", "python:foodlog.gunicorn_settings"]
    command += ["--bind", f"{arguments.host}:{arguments.port}"]
    if arguments.workers:
        command += ["--workers", str(arguments.workers)]
    sys.stdout.flush()
    os.execv(sys.executable, [*command, "foodlog:create_app()"])  # noqa: S606


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                f"cannot listen at {host} port {port}: {reason}. "
                "Choose another with --port (make run PORT=...) or --host."
            ) from None

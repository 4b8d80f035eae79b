"""``foodlog serve``: gunicorn with the right settings, once the configuration is known to work."""

import argparse
import os
import socket
import sys
from typing import Any, NoReturn

import gunicorn.__main__
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.errors import HaltServer

from foodlog.app import Application, create_app
from foodlog.config import load_config
from foodlog.errors import ConfigError


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", help="serve the API")
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "5000"
    parser.add_argument("--host", default=host, help="address to listen at (HOST; %(default)s)")
    parser.add_argument("--port", type=_port, default=port, help="port (PORT; %(default)s)")
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Become gunicorn. Raises :class:`foodlog.errors.ConfigError` before, where it could not."""
    config = load_config(arguments.config)
    application = create_app(config)
    _require_free(arguments.host, arguments.port)
    os.environ["FOODLOG_CONFIG"] = config.name
    command = ["--config", "python:foodlog.gunicorn_settings"]
    command += ["--bind", f"{arguments.host}:{arguments.port}"]
    if arguments.workers:
        command += ["--workers", str(arguments.workers)]
    # Gunicorn reads its own arguments there, and runs them when it replaces itself at SIGUSR2.
    sys.argv[:] = [gunicorn.__main__.__file__, *command, "foodlog:create_app()"]
    try:
        _Gunicorn(application).run()
    except HaltServer as failure:
        # Gunicorn stops over the first worker that cannot start, and trips over the second.
        raise SystemExit(failure.exit_status) from None
    raise SystemExit(0)


class _Gunicorn(WSGIApplication):  # type: ignore[misc]
    """Gunicorn in this process, so that nothing is imported, read and checked twice."""

    def __init__(self, application: Application) -> None:
        self._made: Application | None = application
        super().__init__()

    def load(self) -> Any:
        """The application that was made already; at a reload (SIGHUP) a new one."""
        made, self._made = self._made, None
        return made or super().load()


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} (--port or PORT) is no port: 0 to 65535")
    return int(text)


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(
                f"cannot listen at {host} port {port}: {reason}. "
                "Choose another with --port (make run PORT=...) or --host."
            ) from None

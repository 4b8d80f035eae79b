"""``foodlog serve``: gunicorn with the right settings, once FoodLog is known to start."""

import argparse
import gc
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from foodlog.app import Application, create_app
from foodlog.config import load_config
from foodlog.errors import ConfigError
from foodlog.trial import Trial


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", help="serve the API")
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "5000"
    parser.add_argument("--host", default=host, help="address to listen at (HOST; %(default)s)")
    parser.add_argument("--port", type=_port, default=port, help="port (PORT; %(default)s)")
    parser.add_argument(
        "--workers", metavar="N", help="processes (WEB_CONCURRENCY; default: one a core)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Become gunicorn.

    Raises :class:`foodlog.errors.ConfigError` or :class:`foodlog.errors.ProviderError` before,
    where it could not.
    """
    given = _gunicorn_arguments(arguments)
    config = load_config(arguments.config)
    application = create_app(config)
    _require_free(arguments.host, arguments.port)
    os.environ["FOODLOG_CONFIG"] = config.name
    trial = Trial(application)
    server = _gunicorn(application, given)
    trial.end()
    gc.freeze()  # what is there stays: workers share it, as long as nobody looks for garbage in it
    _serve(server)


def _gunicorn_arguments(arguments: argparse.Namespace) -> list[str]:
    """Ours in gunicorn's words; all that the environment sets is checked as well."""
    from foodlog.gunicorn_settings import address, processes

    if not os.environ.get("WEB_CONCURRENCY"):
        # Compose passes on what is unset as empty, which gunicorn takes for a number.
        os.environ.pop("WEB_CONCURRENCY", None)
    bind = ["--bind", address(arguments.host, arguments.port)]
    if arguments.workers is None:
        return bind
    return [*bind, "--workers", str(processes("--workers", arguments.workers))]


def _gunicorn(application: Application, arguments: Sequence[str]) -> Any:
    """Gunicorn in this process, so that nothing is imported, read and checked twice."""
    # Imported once the environment is known to be right: gunicorn reads it at once.
    import gunicorn.__main__
    from gunicorn.app.wsgiapp import WSGIApplication

    import foodlog.gunicorn_worker  # noqa: F401 - gunicorn would, but once the trial is over

    settings = ["--config", "python:foodlog.gunicorn_settings"]
    # Gunicorn reads its own arguments there, and runs them when it replaces itself at SIGUSR2.
    sys.argv[:] = [gunicorn.__main__.__file__, *settings, *arguments, "foodlog:create_app()"]
    server = WSGIApplication()
    server.callable = application
    return server


def _serve(server: Any) -> NoReturn:
    from gunicorn.errors import HaltServer

    try:
        server.run()
    except HaltServer as failure:
        # Gunicorn stops over the first worker that cannot start, and trips over the second.
        raise SystemExit(failure.exit_status) from None
    raise SystemExit(0)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
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

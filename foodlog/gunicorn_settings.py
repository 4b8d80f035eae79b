"""How gunicorn serves FoodLog; ``gunicorn.conf.py`` and ``foodlog serve`` both use it.

Every name here is a setting of gunicorn's; see its documentation for what each means.
"""

import logging
import os
import sys
from typing import Any

from gunicorn import glogging

from foodlog.errors import ConfigError


class Logger(glogging.Logger):  # type: ignore[misc]
    """Gunicorn's own messages go where FoodLog's go, in the same format."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's handlers off, so that the root logger's are used."""
        super().setup(cfg)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


def _number(name: str, default: int, least: int, most: int) -> int:
    value = os.environ.get(name, "")
    if not value:
        return default
    if not value.isdigit() or not least <= int(value) <= most:
        raise ConfigError(f"{name} is {value!r}; allowed: {least} to {most}, or unset ({default}).")
    return int(value)


def when_ready(server: Any) -> None:
    """Say where it listens, which providers are active, and what to try."""
    print(server.app.wsgi().greeting(str(server.LISTENERS[0])), file=sys.stderr, flush=True)


bind = f"{os.environ.get('HOST', '127.0.0.1')}:{_number('PORT', 5000, 0, 65535)}"
worker_class = "uvicorn_worker.UvicornWorker"
workers = _number("WEB_CONCURRENCY", min(os.cpu_count() or 1, 8), 1, 64)
# The application is loaded once and forked: workers share its memory, and an operator's mistake
# is told once. Threads and connections are made after the fork, when a worker's lifespan starts.
preload_app = True
timeout = 60
graceful_timeout = 30
keepalive = 75
backlog = 1024
# Workers are replaced after a while, each at another moment, so that no leak grows for ever.
max_requests = 50_000
max_requests_jitter = 5_000
# One control socket in the home directory would be shared by all instances of a user.
control_socket_disable = True
logger_class = Logger
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")

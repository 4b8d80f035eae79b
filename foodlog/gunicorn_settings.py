"""How gunicorn serves FoodLog; ``gunicorn.conf.py`` and ``foodlog serve`` both use it.

Every name here is a setting of gunicorn's; see its documentation for what each means.
"""

import contextlib
import logging
import math
import os
import sys
from pathlib import Path
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


def _number(name: str, value: str | None, default: int, least: int, most: int) -> int:
    if not value:
        return default
    if not value.isdecimal() or not least <= int(value) <= most:
        raise ConfigError(f"{name} is {value!r}; allowed: {least} to {most}, or unset ({default}).")
    return int(value)


def _variable(name: str, default: int, least: int, most: int) -> int:
    return _number(name, os.environ.get(name), default, least, most)


def usable_cpus(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """How many CPUs this process may keep busy: those it may run on, within a container's quota.

    ``quota``: where Linux tells it, as microseconds of time in each period of microseconds.
    """
    # No such file: no container; "max": no quota.
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        time, period = map(int, quota.read_text(encoding="ascii").split())
        cpus = min(cpus, math.ceil(time / period))
    return max(cpus, 1)


def processes(name: str, value: str | None) -> int:
    """How many workers; ``name`` is what set the value, if there is one.

    Raises :class:`foodlog.errors.ConfigError`.
    """
    # Two at least, so that somebody answers while the other one is replaced.
    return _number(name, value, min(max(usable_cpus(), 2), 8), 1, 64)


def address(host: str, port: int) -> str:
    """Where to listen, in gunicorn's way: an IPv6 address, such as ``::1``, is in brackets."""
    host = host.strip("[]")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def when_ready(server: Any) -> None:
    """Say where it listens, which providers are active, and what to try."""
    sys.stderr.write(server.app.wsgi().greeting(str(server.LISTENERS[0])) + "\n")
    sys.stderr.flush()


bind = address(os.environ.get("HOST") or "127.0.0.1", _variable("PORT", 5000, 0, 65535))
worker_class = "foodlog.gunicorn_worker.Worker"
workers = processes("WEB_CONCURRENCY", os.environ.get("WEB_CONCURRENCY"))
# The application is loaded once and forked: workers share its memory, and an operator's mistake
# is told once. Threads and connections are made after the fork, when a worker's lifespan starts.
preload_app = True
# A worker that has not been heard of for so long is killed. Requests have deadlines of their own.
timeout = 60
# Less than the 30 seconds that Amazon ECS and Render wait between SIGTERM and SIGKILL.
graceful_timeout = _variable("GRACEFUL_TIMEOUT", 25, 5, 300)
# More than the 60 seconds of load balancers, which otherwise use a connection that is closing.
keepalive = 75
backlog = 1024
# Workers are replaced after a while, each at another moment, so that no leak grows for ever.
max_requests = _variable("MAX_REQUESTS", 50_000, 0, 10_000_000)
max_requests_jitter = max_requests // 10
# Workers show that they live by touching a file; on a slow disk that alone can take too long.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
# One control socket in the home directory would be shared by all instances of a user.
control_socket_disable = True
logger_class = Logger

"""The worker gunicorn runs: uvicorn's, but for how it ends.

A worker ends at SIGTERM and when it has served ``max_requests``. Uvicorn then closes every
connection on which no request has begun; one whose first bytes are on the way, or which a client
is just about to use again, is cut off without an answer. Here such connections get a moment, and
the answers given in it say ``Connection: close``.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Iterable, Iterator

from gunicorn.arbiter import Arbiter
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

LAST_CALL = 1.0
"""Seconds in which connections that are open may still begin a request."""
CLOSING = 4.0
"""Seconds of gunicorn's ``graceful_timeout`` kept for the last call and for closing what is open;
the rest is for requests that have begun."""


class DrainingServer(Server):
    """Answers what has been accepted before it closes."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, serve what begins during the last call, then end as uvicorn does."""
        if self.config.callback_notify is not None:
            await self.config.callback_notify()  # gunicorn kills workers that are silent for long
        accepted = list(_waiting(sockets or ()))
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]
        for connection in accepted:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        await _wait(lambda: not self.server_state.connections, LAST_CALL)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _waiting(listeners: Iterable[socket.socket]) -> Iterator[socket.socket]:
    """The connections the kernel has made for us; it resets them where the last listener closes."""
    for listener in listeners:
        with contextlib.suppress(OSError):  # none left
            while True:
                connection, _ = listener.accept()
                connection.setblocking(False)
                yield connection


async def _wait(done: Callable[[], bool], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await asyncio.sleep(0.05)  # what was just accepted is not counted yet
    while not done() and loop.time() < end:
        await asyncio.sleep(0.02)


class Worker(UvicornWorker):  # type: ignore[misc]
    """Serves with a :class:`DrainingServer`."""

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        self.config.timeout_graceful_shutdown = max(1, int(self.cfg.graceful_timeout - CLOSING))
        server = DrainingServer(self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

"""The worker gunicorn runs: uvicorn's, but for how it ends and what it waits for.

Uvicorn reads a request's head without end and waits for it for ever; :class:`BoundedHead` does
neither. A worker ends at SIGTERM and when it has served ``max_requests``. Uvicorn then closes every
connection on which no request has begun; one whose first bytes are on the way, or which a client
is just about to use again, is cut off without an answer. Here such connections get a moment, and
the answers given in it say ``Connection: close``.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import uvicorn.lifespan.on  # noqa: F401 - imported late by uvicorn; so workers share it
from gunicorn.arbiter import Arbiter
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

with contextlib.suppress(ImportError):  # there is none for Windows
    import uvloop  # noqa: F401 - as the other one

MAX_HEAD = 64 * 1024
"""Bytes of a request's line and headers together, give or take what one read from the socket
brings."""
HEAD_SECONDS = 30.0
"""How long a request's head may take to arrive, and a new connection to begin one."""
_NO_MORE = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
NEXT_TRY = 1.0
"""Seconds until a worker that could not take another's place is itself replaced."""
LAST_CALL = 1.0
"""Seconds in which connections that are open may still begin a request."""
CLOSING = 4.0
"""Seconds of gunicorn's ``graceful_timeout`` kept for the last call and for closing what is open;
the rest is for requests that have begun."""


class BoundedHead(HttpToolsProtocol):
    """One connection, on which a request's line and headers are bounded in size and time."""

    _head_size = 0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that goes on for too long."""
        super().data_received(data)
        if self._waiting is None:
            return
        self._head_size += len(data)
        if self._head_size > MAX_HEAD:
            self._end(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Wait for the rest of the head."""
        super().on_message_begin()
        if self._waiting is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_is_there()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._head_size = 0
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._end, b"408 Request Timeout")

    def _head_is_there(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _end(self, status: bytes) -> None:
        self._head_is_there()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + _NO_MORE)
            self.transport.close()


class DrainingServer(Server):
    """Answers what has been accepted before it closes."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._gunicorn = os.getppid()

    async def on_tick(self, counter: int) -> bool:
        """Whether to end: also where gunicorn is gone, whose port would stay taken."""
        return await super().on_tick(counter) or os.getppid() != self._gunicorn

    def handle_exit(self, sig: int, frame: object) -> None:
        """End, whatever the signal, but not of it: gunicorn would tell that as a mishap."""
        self.should_exit = True

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
    """Serves with a :class:`DrainingServer` over :class:`BoundedHead` connections."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "auto",
        "http": BoundedHead,
        "ws": "none",  # there are no web sockets here
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Uvicorn's own messages go where all others go, in the same format.
        logging.getLogger("uvicorn.error").propagate = True

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        self.config.timeout_graceful_shutdown = max(1, int(self.cfg.graceful_timeout - CLOSING))
        server = DrainingServer(self.config)
        # What gunicorn sends where it is interrupted itself; the others are uvicorn's to catch.
        signal.signal(signal.SIGQUIT, server.handle_exit)
        try:
            await server.serve(sockets=self.sockets)
        except SystemExit:
            if self.age <= self.cfg.workers:
                raise  # gunicorn ends them all
            # What the first workers found, a disk say, is away: the next one may find it again.
            await asyncio.sleep(NEXT_TRY)
            sys.exit(1)
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)  # it is ending
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

"""A closed-loop HTTP load: each connection sends a request, reads the answer, sends the next.

One thread over non-blocking sockets, because the generator shares the machine with what it
measures: about 20 µs a request. Only what the servers here do is understood: HTTP/1.1 with a
Content-Length.
"""

import re
import selectors
import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECE = 1 << 18
TIMEOUT = 30.0
"""Seconds without any answer after which a load is given up."""


@dataclass(slots=True)
class Load:
    """What came back."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds each answer with status 200 or 201 took."""
    warm_ups: int = 0
    """Good answers during the warm-up; no part of the latencies."""
    failures: list[str] = field(default_factory=list)
    """Status lines of answers other than 200 and 201, and lost connections."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.latencies)


def drive(
    port: int, request: bytes, *, connections: int, seconds: float, warm_up: float = 0.0
) -> Load:
    """Send ``request`` on so many connections to 127.0.0.1 for so many seconds, after
    ``warm_up`` seconds (no more than ``seconds``) whose good answers do not count.

    Raises :class:`TimeoutError` when nothing is answered for :data:`TIMEOUT` seconds.
    """

    return _drive(port, request, connections, lambda load: load.seconds < seconds, warm_up)


def once(port: int, request: bytes) -> Load:
    """Send ``request`` once, on a connection of its own; raises as :func:`drive`."""
    return _drive(port, request, 1, lambda load: not load.latencies and not load.failures)


def _drive(
    port: int,
    request: bytes,
    connections: int,
    go_on: Callable[[Load], bool],
    warm_up: float = 0.0,
) -> Load:
    load = Load()
    with selectors.DefaultSelector() as selector:
        clients = [_Connection(selector, port, request, load, go_on) for _ in range(connections)]
        started = time.perf_counter()
        while go_on(load):
            ready = selector.select(TIMEOUT)
            if not ready:
                raise TimeoutError(f"no answer in {TIMEOUT:g} s")
            for key, _ in ready:
                key.data.proceed()
            load.seconds = time.perf_counter() - started
            if 0 < warm_up <= load.seconds:
                load.warm_ups = len(load.latencies)
                load.latencies.clear()
                started, warm_up, load.seconds = time.perf_counter(), 0.0, 0.0
        for client in clients:
            client.close()
    return load


def get(path: str, token: str | None = None) -> bytes:
    """A GET request."""
    return _head("GET", path, token) + b"\r\n"


def post(path: str, body: bytes, content_type: str, token: str | None = None) -> bytes:
    """A POST request."""
    head = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return _head("POST", path, token) + head.encode() + body


def _head(method: str, path: str, token: str | None) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    return (head + (f"Authorization: Bearer {token}\r\n" if token else "")).encode()


class _Connection:
    """One client; :meth:`proceed` when its socket can be written to or read from."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        port: int,
        request: bytes,
        load: Load,
        go_on: Callable[[Load], bool],
    ) -> None:
        self._selector = selector
        self._port = port
        self._request = memoryview(request)
        self._load = load
        self._go_on = go_on
        self._open()

    def proceed(self) -> None:
        try:
            if self._unsent:
                self._write()
            else:
                self._read()
        except OSError as error:
            self._load.failures.append(type(error).__name__)
            self._reopen()

    def close(self) -> None:
        self._selector.unregister(self._socket)
        self._socket.close()

    def _open(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._selector.register(self._socket, selectors.EVENT_WRITE, self)
        self._begin()

    def _reopen(self) -> None:
        self.close()
        self._open()

    def _begin(self) -> None:
        self._unsent = self._request
        self._head = b""
        self._missing: int | None = None
        self._started = time.perf_counter()

    def _write(self) -> None:
        self._unsent = self._unsent[self._socket.send(self._unsent) :]
        if not self._unsent:
            self._selector.modify(self._socket, selectors.EVENT_READ, self)

    def _read(self) -> None:
        piece = self._socket.recv(_PIECE)
        if not piece:
            raise ConnectionResetError
        if self._missing is None:
            self._head += piece
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end)
            self._missing = int(length[1] if length else 0) - (len(self._head) - end - 4)
        else:
            self._missing -= len(piece)
        if self._missing <= 0:
            self._end()

    def _end(self) -> None:
        status = self._head[9:12]
        if status in (b"200", b"201"):
            self._load.latencies.append(time.perf_counter() - self._started)
        else:
            self._load.failures.append(self._head.partition(b"\r\n")[0].decode("latin-1"))
        if b"\r\nconnection: close" in self._head.lower():
            self._reopen()
            return
        if not self._go_on(self._load):
            return
        self._begin()
        # Small requests go out at once; the selector is only asked again for the answer.
        self._write_at_once()

    def _write_at_once(self) -> None:
        self._unsent = self._unsent[self._socket.send(self._unsent) :]
        if self._unsent:
            self._selector.modify(self._socket, selectors.EVENT_WRITE, self)

"""Connections to upstream services that keep a deadline and admit when they have gone stale.

The socket time-out of ``requests`` starts again with every byte received: a server that sends a
byte now and then holds a thread for ever. Here each read gets only what is left of the time for
the whole exchange, headers included.

Importing this module imports ``requests``; :mod:`foodlog.upstream` does so when the first remote
provider is built.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from foodlog.errors import ProviderError, ProviderTimeout


class _StaleConnection(ConnectionError):
    """The server closed a kept-alive connection instead of answering on it."""


class _DeadlineReader(io.RawIOBase):
    """Reads the socket until its time-out, counted from now, and no longer."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole answer is over")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response
    _answers = 0

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        reused = self._answers > 0
        try:
            response = super().getresponse()
        except ConnectionError as error:
            if reused:
                raise _StaleConnection("kept-alive connection was closed") from error
            raise
        self._answers += 1
        return response

    def close(self) -> None:
        self._answers = 0
        super().close()


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: where a redirect is not followed, its body would still be read without bound."""
        return None


class Transport:
    """Connections to one host, up to ``connections`` of them kept open.

    Takes nothing from the environment (no proxy, no .netrc), verifies TLS, follows no redirect
    and keeps no cookies. ``headers`` go with every request.
    """

    def __init__(self, host: str, connections: int, headers: Mapping[str, str]) -> None:
        self._host = host
        self._session = _Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.headers.update(headers)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=connections))

    def close(self) -> None:
        """Let go of all connections."""
        self._session.close()

    @contextmanager
    def open(
        self, method: str, url: str, timeout: float, **request: Any
    ) -> Iterator[requests.Response]:
        """The response, its body still to be read from ``raw``, within ``timeout`` seconds in all.

        Whatever goes wrong until the context is left is raised as a ProviderError in a sentence
        of our own, for those of the libraries quote what was sent.
        """
        deadline = monotonic() + timeout
        try:
            with self._send(method, url, deadline, request) as response:
                yield response
        except ProviderError:
            raise
        except Exception as error:
            raise _explanation(self._host, timeout, list(_causes(error))) from None

    def _send(
        self, method: str, url: str, deadline: float, request: Mapping[str, Any]
    ) -> requests.Response:
        try:
            return self._try(method, url, deadline, request)
        except requests.ConnectionError as error:
            if not any(isinstance(cause, _StaleConnection) for cause in _causes(error)):
                raise
        return self._try(method, url, deadline, request)

    def _try(
        self, method: str, url: str, deadline: float, request: Mapping[str, Any]
    ) -> requests.Response:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        limit: Any = Timeout(total=left)  # requests takes urllib3's own, its stubs do not say so
        return self._session.request(
            method, url, timeout=limit, stream=True, allow_redirects=False, **request
        )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and every exception inside it, whichever way the libraries packed it."""
    pending, seen = [error], set[int]()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inside = (current.__cause__, current.__context__, getattr(current, "reason", None))
        pending.extend(e for e in (*inside, *current.args) if isinstance(e, BaseException))


def _explanation(host: str, timeout: float, causes: list[BaseException]) -> ProviderError:
    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if among(socket.gaierror):
        return ProviderError(f"{host} is unknown: its name could not be looked up")
    if among(TimeoutError, urllib3.exceptions.ReadTimeoutError):
        return ProviderTimeout(f"{host} did not answer within {timeout:.3g} s")
    if among(ssl.SSLError):
        return ProviderError(f"{host} could not be trusted: the TLS connection failed")
    if among(ConnectionRefusedError):
        return ProviderError(f"{host} refused the connection: nothing listens there")
    if among(urllib3.exceptions.NewConnectionError):
        return ProviderError(f"{host} could not be reached over the network")
    unsendable = isinstance(causes[0], ValueError)
    if not unsendable and among(OSError, http.client.HTTPException, urllib3.exceptions.HTTPError):
        return ProviderError(f"the connection to {host} broke before the whole answer had come")
    return ProviderError(f"{host} could not be asked ({type(causes[0]).__name__})")

"""Questions to a remote service over HTTP, each with one deadline and a bounded answer.

A remote provider holds one :class:`Upstream` and asks through it. It is for questions only:
asking twice must change nothing, because a question that met a connection the server had
already closed is asked once more. What a status means is the provider's business; that no
usable answer came is a :class:`~foodlog.errors.ProviderError` raised here.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from re import search
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from foodlog.errors import ProviderError
from foodlog.logs import request_id
from foodlog.options import Secret

if TYPE_CHECKING:
    from requests import Response

MAX_BYTES = 1 << 20
"""Decoded bytes an answer may have where nothing else is said."""
MAX_RETRY_AFTER = 3600.0
"""Seconds; no service is believed when it asks to be left alone for longer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names compare without regard to case."""
    content: bytes = field(repr=False)
    """Decoded; at most the upstream's ``max_bytes``."""

    def json(self) -> Any:
        """The body as JSON; no NaN, no infinity. Raises ProviderError where it is none."""
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            raise ProviderError(
                f"the answer (HTTP {self.status}, {len(self.content)} bytes) is not JSON"
            ) from None

    def retry_after(self) -> float | None:
        """Seconds to leave the service alone, as ``RateLimit`` or ``Retry-After`` say.

        ``RateLimit`` (``"api";r=0;t=55``, or several) counts where nothing is left (``r=0``).
        Between 0 and an hour; None where neither header says anything that can be read.
        """
        waits = [
            float(wait[1])
            for limit in self.headers.get("RateLimit", "").split(",")
            if search(r";\s*r=0\b", limit) and (wait := search(r";\s*t=(\d{1,9})\b", limit))
        ]
        seconds = max(waits) if waits else self._retry_after_header()
        return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER)

    def _retry_after_header(self) -> float | None:
        text = self.headers.get("Retry-After", "").strip()[:64]
        try:
            seconds = float(text)
        except ValueError:
            return _seconds_until(text, self.headers.get("Date", ""))
        return seconds if isfinite(seconds) else None


class Upstream:
    """One remote service.

    ``provider``: the provider's name, for the log. ``url``: where the service is, as
    :class:`foodlog.options.Url` lets it pass; paths are appended to it. ``threads``: how many
    threads ask at once (``context.threads``). ``headers``: sent with every question, secrets
    among them; none is ever logged or shown. ``bearer``: for ``Authorization``, where not empty.
    """

    def __init__(
        self,
        provider: str,
        url: str,
        *,
        threads: int = 1,
        headers: Mapping[str, str | Secret] | None = None,
        bearer: Secret | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        from foodlog.transport import Transport  # a worker without remote providers is spared it

        sent = {"User-Agent": "FoodLog", "Accept-Encoding": "gzip"}
        for name, value in (headers or {}).items():
            sent[name] = value.reveal() if isinstance(value, Secret) else value
        if bearer:
            sent["Authorization"] = f"Bearer {bearer.reveal()}"
        self.url = url
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self._provider = provider
        self._max_bytes = max_bytes
        self._transport = Transport(self.host, threads, _sendable(sent))

    def __repr__(self) -> str:
        return f"<Upstream {self._provider} at {self.host}>"

    def close(self) -> None:
        """Let go of all connections."""
        self._transport.close()

    def request(
        self,
        method: str,
        path: str = "",
        *,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> Answer:
        """Ask, and wait no longer than ``timeout`` seconds for the last byte of the answer.

        The body is ``content``, or ``json`` encoded, or multipart of ``form`` and ``files``
        (field to file name, bytes and media type). Name look-up and several dead addresses of
        one host are the operating system's to bound, not ``timeout``'s.

        Any status but a redirect is an :class:`Answer`. Raises ProviderTimeout, or ProviderError
        in a sentence that tells an unknown host, a refused or broken connection, a failure of
        TLS, a redirect and an answer over the limit apart; none holds a secret.
        """
        if json is not None:
            content, headers = orjson.dumps(json), {**(headers or {}), **_JSON}
        request = {"params": params, "data": content or form, "files": files, "headers": headers}
        with (
            self._logged(method) as line,
            self._transport.open(method, self.url + path, timeout, **request) as response,
        ):
            line["status"] = response.status_code
            line["upstream_request_id"] = response.headers.get("X-Request-Id", "-")[:128]
            answer = Answer(response.status_code, response.headers, self._body(response))
            line["bytes"] = len(answer.content)
        return answer

    def _body(self, response: "Response") -> bytes:
        if 300 <= response.status_code < 400:
            raise ProviderError(_redirected(self.host, response), permanent=True)
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared[:20]) > self._max_bytes:
            raise self._oversized()
        body = bytearray()
        for part in response.raw.stream(1 << 16, decode_content=True):
            body += part
            if len(body) > self._max_bytes:
                raise self._oversized()
        return bytes(body)

    def _oversized(self) -> ProviderError:
        return ProviderError(f"{self.host} answered with more than {self._max_bytes} bytes")

    @contextmanager
    def _logged(self, method: str) -> Iterator[dict[str, Any]]:
        line: dict[str, Any] = {
            "provider": self._provider,
            "method": method,
            "host": self.host,
            "status": None,
            "upstream_request_id": "-",
            "bytes": 0,
            "request_id": request_id.get(),
        }
        started = monotonic()
        try:
            yield line
        except ProviderError as error:
            line["error"] = str(error)
            raise
        finally:
            line["ms"] = round((monotonic() - started) * 1000, 1)
            log.info("upstream call", extra=line)


_JSON = {"Content-Type": "application/json"}


def _sendable(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ProviderError(
                f"the value for the header {name} holds a line break or a character that cannot "
                "be sent; look at the setting it is taken from",
                permanent=True,
            )
    return headers


def _redirected(host: str, response: "Response") -> str:
    try:
        target = urlsplit(response.headers.get("Location", "")).hostname or host
    except ValueError:
        target = "a place that cannot be read"
    return (
        f"{host} sends us on to {target[:100]!r} (HTTP {response.status_code}); redirects are not "
        "followed: set the URL to where the service is"
    )


def _seconds_until(text: str, date: str) -> float | None:
    """From the server's own ``Date`` (now, where it sent none) to the HTTP date ``text``."""
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return (until - now).total_seconds()
    except (TypeError, ValueError):
        return None

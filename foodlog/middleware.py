"""What happens around every request: its id, its log line, limits on its size and time."""

import logging
import os
import re
from time import perf_counter

from falcon import CORSMiddleware, Request, Response, asgi

from foodlog.concurrency import Deadline, request_deadline
from foodlog.errors import TooLarge
from foodlog.logs import request_id

logger = logging.getLogger("foodlog.requests")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Gives each request an id (the client's own, where it is plain), a deadline, and one line in
    the log. One middleware for all, as each costs a request some microseconds."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: until the deadline."""
        self._seconds = seconds

    async def process_request(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Set the id before anything can be logged, the deadline before anything is asked."""
        given = req.get_header("X-Request-ID") or ""
        identity = given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
        request_id.set(identity)
        request_deadline.set(Deadline(self._seconds))
        resp.set_header("X-Request-ID", identity)
        req.context.started = perf_counter()

    async def process_response(
        self, req: asgi.Request, resp: asgi.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Write the line. The route's template is logged, not the path, which holds keys.

        A resource that is asked every few seconds says so by ``probe``: what it answers well
        is logged at DEBUG only.
        """
        probed = getattr(resource, "probe", False) and resp.status_code < 400
        level = logging.DEBUG if probed else logging.INFO
        if not logger.isEnabledFor(level):
            return
        logger.log(
            level,
            "request",
            extra={
                "method": req.method,
                "route": req.uri_template or "-",
                "status": resp.status_code,
                "ms": round((perf_counter() - req.context.started) * 1000, 1),
            },
        )


class BodyLimit:
    """Refuses a body that says it is too long before a byte of it is read.

    One that does not say so is counted as it comes: see :mod:`foodlog.bodies`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def process_request(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Raises :class:`TooLarge`."""
        if (req.content_length or 0) > self._limit:
            raise TooLarge(f"The body is over {self._limit} bytes.")


class SafeHeaders:
    """Headers that keep a browser from doing more with an answer than showing it."""

    async def process_request(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Set them first, so that a resource may set its own."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


class CrossOrigin(CORSMiddleware):  # type: ignore[type-arg]
    """Cross-origin access without cookies: the token travels in a header."""

    def __init__(self, origins: tuple[str, ...], max_age: int) -> None:
        """``origins``: who may read answers, or ``*``; ``max_age``: seconds for which a browser
        may remember what a preflight said."""
        super().__init__(
            allow_origins="*" if "*" in origins else origins,
            expose_headers=("X-Request-ID", "Retry-After", "Location", "Link"),
        )
        self._max_age = str(max_age)

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        """Add the headers, which depend on the origin; caches are told so, lest a photo kept for
        an ``<img>``, which names none, is handed to a script without them."""
        super().process_response(req, resp, resource, req_succeeded)
        if self.allow_origins != "*" or resp.get_header("Cache-Control") != "no-store":
            resp.append_header("Vary", "Origin")
        if resp.get_header("Access-Control-Max-Age"):
            resp.set_header("Access-Control-Max-Age", self._max_age)

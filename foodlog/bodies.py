"""Bounded request bodies, below the framework: none is read without end, answered or not.

Falcon has no limit on a body's size, waits for its first bytes before it looks at a request,
and leaves what nobody read to the server, which reads on for as long as the client sends.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from foodlog.errors import Overloaded, RequestTimeout, TooLarge

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

IDLE_SECONDS = 30.0
"""How long the next bytes of a body are waited for."""
LINGER_SECONDS = 5.0
LINGER_BODIES = 3
"""How long, and how many times the limit, is read and thrown away after an early answer: a client
that is still sending would lose the answer if the connection were closed under it."""


class Budget:
    """How many bytes of all bodies together may be in memory. For one event loop."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """Count bytes that came in; raises :class:`Overloaded`, and counts none, where there is no
        room for them."""
        if size > self._left:
            raise Overloaded("the bodies being read are over limits.bodies_bytes", retry_after=2)
        self._left -= size

    def give_back(self, size: int) -> None:
        """Count bytes that are let go."""
        self._left += size


class BoundedBody:
    """The ``receive`` and ``send`` of one request whose body may have ``limit`` bytes."""

    def __init__(
        self, scope: Any, receive: Receive, send: Send, limit: int, budget: Budget
    ) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._budget = budget
        self._taken = 0
        self._size = 0
        self._complete = False
        self._announced = _is_announced(scope)
        self._asked = False

    async def receive(self) -> Event:
        """The next event; raises :class:`TooLarge` once more than the limit has come,
        :class:`Overloaded` once all bodies together are over their budget, and
        :class:`RequestTimeout` where nothing comes.

        Of a body that was announced the first event is empty and not waited for. So the framework,
        which asks for one before it handles errors, looks at the request first.
        """
        if self._announced and not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": True}
        event = await self._next()
        if self._size > self._limit:
            raise TooLarge(f"The body is over {self._limit} bytes.")
        size = len(event.get("body", b""))
        self._budget.take(size)
        self._taken += size
        return event

    def close(self) -> None:
        """The request is over and its body let go."""
        self._budget.give_back(self._taken)

    async def send(self, event: Event) -> None:
        """Pass the event on. An answer to a body that has not come whole closes the connection,
        but only once the client had time to read it."""
        if self._complete:
            await self._send(event)
        elif event["type"] == "http.response.start":
            event["headers"] = [*event.get("headers", ()), (b"connection", b"close")]
            await self._send(event)
        elif event.get("more_body"):
            await self._send(event)
        else:
            await self._send({**event, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b""})

    async def _next(self) -> Event:
        event = await (self._arriving() if self._announced else self._receive())
        self._size += len(event.get("body", b""))
        self._complete = not event.get("more_body", False)
        return event

    async def _arriving(self) -> Event:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._receive()
        except TimeoutError as expired:
            raise RequestTimeout("The body did not arrive in time.") from expired

    async def _linger(self) -> None:
        end = self._size + LINGER_BODIES * self._limit
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._complete and self._size < end:
                    await self._next()
        except TimeoutError:
            pass


def _is_announced(scope: Any) -> bool:
    """Whether the headers say that there is a body (RFC 9112, section 6.3)."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 "))
        for name, value in scope["headers"]
    )

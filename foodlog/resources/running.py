"""Running synchronous services in bounded threads, from asynchronous resources."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from foodlog.concurrency import Pool, request_deadline
from foodlog.errors import ProviderTimeout

T = TypeVar("T")


class Workers:
    """The thread pools requests run in, one for each kind of waiting.

    A full pool refuses at once with :class:`foodlog.errors.Overloaded`.
    """

    def __init__(
        self, *, quick: Pool, analyses: Pool, passwords: Pool, seconds: float, grace: float
    ) -> None:
        """``seconds``: how long a quick or password call may take; ``grace``: seconds after the
        request's deadline for which an analysis is still waited for."""
        self._quick = quick
        self._analyses = analyses
        self._passwords = passwords
        self._seconds = seconds
        self._grace = grace

    async def quick(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Storage work."""
        return await _run(self._quick, self._seconds, function, *args, **kwargs)

    async def passwords(self, function: Callable[..., T], *args: Any) -> T:
        """Hashing, which keeps a core busy for a quarter of a second."""
        return await _run(self._passwords, self._seconds, function, *args)

    async def analysis(self, function: Callable[..., T], *args: Any) -> T:
        """Photos and predictions."""
        deadline = request_deadline.get()
        left = deadline.left() if deadline else self._seconds
        return await _run(self._analyses, left + self._grace, function, *args)


async def _run(
    pool: Pool, seconds: float, function: Callable[..., T], *args: Any, **kwargs: Any
) -> T:
    future = asyncio.wrap_future(pool.submit(function, *args, **kwargs))
    try:
        async with asyncio.timeout(seconds):
            return await future
    except TimeoutError as error:
        raise ProviderTimeout(f"the {pool.name} pool gave no answer in {seconds:g} s") from error

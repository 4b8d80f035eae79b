"""Running synchronous services in bounded threads, from asynchronous resources."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from foodlog.concurrency import Pool, request_left
from foodlog.errors import ProviderTimeout

T = TypeVar("T")


class Workers:
    """The thread pools requests run in, one for each kind of waiting.

    A full pool refuses at once with :class:`foodlog.errors.Overloaded`.
    """

    def __init__(self, *, quick: Pool, analyses: Pool, passwords: Pool, seconds: float) -> None:
        """``seconds``: how long a quick or password call may take."""
        self._quick = quick
        self._analyses = analyses
        self._passwords = passwords
        self._seconds = seconds

    async def quick(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Storage work."""
        return await _run(self._quick, self._seconds, function, *args, **kwargs)

    async def timely(self, function: Callable[..., T], *args: Any) -> T:
        """Storage work before an analysis, with which it shares the request's deadline."""
        return await _run(self._quick, request_left(self._seconds), function, *args)

    async def passwords(self, function: Callable[..., T], *args: Any) -> T:
        """Hashing, which keeps a core busy for a quarter of a second."""
        return await _run(self._passwords, self._seconds, function, *args)

    async def analysis(self, function: Callable[..., T], *args: Any) -> T:
        """Photos and predictions; what the storage still does after the deadline it does alone."""
        return await _run(self._analyses, request_left(self._seconds), function, *args)


async def _run(
    pool: Pool, seconds: float, function: Callable[..., T], *args: Any, **kwargs: Any
) -> T:
    if seconds <= 0:
        raise ProviderTimeout(f"no time was left for the {pool.name} pool")
    future = asyncio.wrap_future(pool.submit(function, *args, **kwargs))
    try:
        async with asyncio.timeout(seconds):
            return await future
    except TimeoutError as error:
        raise ProviderTimeout(f"the {pool.name} pool gave no answer in {seconds:g} s") from error

"""What was learnt, remembered for a while, with one look-up per key under way at a time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """At most ``size`` values, each for ``ttl`` seconds; the least lately used goes first.

    "Nothing found" is a value like any other. Who gets a key by :meth:`claim` looks it up and
    must end the claim by :meth:`settle` or :meth:`fail`; all others wait on the same future.
    """

    def __init__(self, size: int, ttl: float, clock: Callable[[], float] = monotonic) -> None:
        self._size = size
        self._ttl = ttl
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._under_way: dict[Hashable, Future[V]] = {}

    def claim(self, key: Hashable) -> tuple["Future[V]", bool]:
        """The future of the key's value, and whether the caller is to bring it about."""
        with self._lock:
            until, value = self._known.get(key, (0.0, None))
            if key in self._known and until > self._clock():
                self._known.move_to_end(key)
                done: Future[V] = Future()
                done.set_result(value)  # type: ignore[arg-type]
                return done, False
            if key in self._under_way:
                return self._under_way[key], False
            future = self._under_way[key] = Future()
            return future, True

    def settle(self, key: Hashable, value: V) -> None:
        """End a claim with its value."""
        with self._lock:
            future = self._under_way.pop(key)
            if self._size:
                self._known[key] = (self._clock() + self._ttl, value)
                self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        future.set_result(value)

    def fail(self, key: Hashable, error: BaseException) -> None:
        """End a claim without a value; nothing is remembered."""
        with self._lock:
            future = self._under_way.pop(key)
        future.set_exception(error)

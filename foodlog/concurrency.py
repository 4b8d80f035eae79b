"""Waiting, kept within bounds: thread pools that refuse, deadlines, circuit breakers, guards.

Every provider that may be slow is called through a :class:`Guard`: in threads of its own, with
the time that is left, behind a breaker. So a provider that hangs, raises or talks nonsense
costs itself and nobody else.
"""

import logging
import queue
import random
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from time import monotonic, time
from typing import Any, TypeVar

from foodlog.errors import (
    Declined,
    Overloaded,
    PartialAnswer,
    ProviderError,
    ProviderTimeout,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

FAIR_CHANCE = 1.0
"""Seconds that are always enough for a provider to be blamed for its silence."""
NEARLY_ALL = 0.9
"""Of a time-out: some is kept for handing over what there is, some goes by before a call begins."""
LONGEST_PAUSE = 3600.0
"""Seconds a breaker stays open at most, whatever the provider asks for."""


Call = Callable[[], None]


class Pool:
    """At most ``threads`` calls at once and ``backlog`` waiting; one more is refused at once.

    Threads start when none is idle. They are daemons: a call that hangs for ever must not keep
    the process from ending.
    """

    def __init__(self, name: str, threads: int, backlog: int = 0) -> None:
        self.name = name
        self.threads = threads
        self._capacity = threads + backlog
        self._lock = threading.Lock()
        self._open = True
        self._pending = 0
        self._started: list[threading.Thread] = []
        self._waiting: deque[Call] = deque()
        # Whoever became idle last is called first: what it works with is still in the caches.
        self._idle: list[queue.SimpleQueue[Call | None]] = []

    @property
    def pending(self) -> int:
        """Calls running or waiting."""
        return self._pending

    def submit(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> "Future[T]":
        """Run in a thread, with a copy of the caller's context variables.

        Raises :class:`Overloaded` when the pool is full or closed. Cancelling the future keeps
        a call that has not begun from running.
        """
        future: Future[T] = Future()
        run = partial(copy_context().run, function, *args, **kwargs)
        self._begin(partial(self._call, future, run))
        return future

    def close(self, seconds: float = 0.0) -> None:
        """Take no more calls and let threads end; calls that run or wait get so long to end."""
        with self._lock:
            self._open = False
            while self._idle:
                self._idle.pop().put(None)
        deadline = Deadline(seconds)
        for thread in self._started:
            thread.join(deadline.left())

    def _begin(self, call: Call) -> None:
        with self._lock:
            if not self._open or self._pending >= self._capacity:
                raise Overloaded(f"the {self.name} pool is full", retry_after=1)
            if self._idle:
                self._idle.pop().put(call)
            elif len(self._started) < self.threads:
                self._start(call)
            else:
                self._waiting.append(call)
            self._pending += 1

    def _start(self, call: Call) -> None:
        name = f"{self.name}-{len(self._started) + 1}"
        thread = threading.Thread(target=self._work, args=(call,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads
            raise Overloaded(f"the {self.name} pool cannot grow", retry_after=1) from error
        self._started.append(thread)

    def _call(self, future: "Future[T]", run: Callable[[], T]) -> None:
        settle: Call | None = None
        if future.set_running_or_notify_cancel():
            try:
                settle = partial(future.set_result, run())
            except Exception as error:
                settle = partial(future.set_exception, error)
            except BaseException as error:
                # SystemExit and its like are for the main thread to raise, not for a call.
                raised = RuntimeError(f"raised {type(error).__name__}")
                settle = partial(future.set_exception, raised)
        with self._lock:
            self._pending -= 1
        # Only now, so that whoever has the answer finds room for the next call.
        if settle:
            settle()

    def _work(self, call: Call | None) -> None:
        inbox: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        while call is not None:
            call()
            call = None  # what it holds is let go before the next one is waited for
            call = self._next(inbox)

    def _next(self, inbox: "queue.SimpleQueue[Call | None]") -> Call | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if not self._open:
                return None
            self._idle.append(inbox)
        return inbox.get()


class Deadline:
    """A moment by which an answer must be there."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds left; 0 when it has passed."""
        return max(0.0, self._end - self._clock())


request_deadline: ContextVar[Deadline | None] = ContextVar("request_deadline", default=None)
"""By when the request that is served must be answered; None where none is. Pools pass it on, so
that a provider may read it wherever it works. What is begun may end later."""


def request_left(otherwise: float) -> float:
    """Seconds until the deadline of the request that is served; ``otherwise`` where none is."""
    deadline = request_deadline.get()
    return otherwise if deadline is None else deadline.left()


def is_fair(seconds: float, own: float | None) -> bool:
    """Whether a provider that got ``seconds`` can be blamed for its silence.

    ``own``: its own time-out, if it has one. With less than nearly all of it, and less than
    :data:`FAIR_CHANCE`, those before it used up the time.
    """
    return seconds >= min(FAIR_CHANCE, NEARLY_ALL * (own or FAIR_CHANCE))


class CircuitBreaker:
    """Stops asking a provider that keeps failing; lets one call through to see if it is back.

    ``closed``: calls pass. After ``failures`` in a row, or at once when the provider says how
    long to stay away, it is ``open``: calls are refused for ``seconds`` (up to a fifth more, so
    that workers do not probe in step). Then it is ``half-open``: one call passes, the others
    are refused; its outcome closes or opens the breaker again.

    An outcome counts only in the era its call passed in, which ends when the breaker opens,
    probes or closes: what began before an outage says nothing about what came after.
    """

    def __init__(
        self,
        failures: int = 3,
        seconds: float = 30.0,
        clock: Callable[[], float] = monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False
        self._era = 1

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        with self._lock:
            if self._open_until is None:
                return "closed"
            return "open" if self._clock() < self._open_until else "half-open"

    def retry_after(self) -> float:
        """Seconds until it lets a call through; 0 when it does."""
        with self._lock:
            if self._open_until is None:
                return 0.0
            return max(0.0, self._open_until - self._clock())

    def allow(self) -> int:
        """The era in which a call may pass now, and with which it must report its outcome; 0
        where it may not."""
        with self._lock:
            if self._open_until is None:
                return self._era
            if self._clock() < self._open_until or self._probing:
                return 0
            self._begin_era(self._open_until, probing=True)
            return self._era

    def succeeded(self, era: int) -> None:
        """A call that passed was answered."""
        with self._lock:
            if era != self._era:
                return
            self._failures = 0
            if self._open_until is not None:
                self._begin_era(None)

    def released(self, era: int) -> None:
        """A call that passed told nothing about the provider."""
        with self._lock:
            if era == self._era:
                self._probing = False

    def failed(self, era: int, stay_away: float | None = None) -> None:
        """A call that passed failed; ``stay_away``: seconds the provider asked for."""
        with self._lock:
            if era != self._era:
                return
            self._failures += 1
            if stay_away is not None or self._probing or self._failures >= self._limit:
                pause = stay_away or self._seconds * (1 + self._jitter() / 5)
                self._begin_era(self._clock() + min(pause, LONGEST_PAUSE))

    def _begin_era(self, open_until: float | None, *, probing: bool = False) -> None:
        self._era += 1
        self._open_until = open_until
        self._probing = probing


@dataclass(frozen=True, slots=True)
class GuardStatus:
    """What a guard has seen, for readiness."""

    breaker: str
    last_error: str | None
    last_error_at: float | None
    """Seconds since the epoch."""


class Guard:
    """Calls one provider: own threads, a deadline, a breaker.

    The threads are as many as may call at once, so a call never waits for one unless others
    hang; when all of them hang, further calls fail at once.
    """

    def __init__(self, name: str, threads: int, breaker: CircuitBreaker) -> None:
        self.name = name
        self._pool = Pool(name, threads)
        self._breaker = breaker
        self._last_error: tuple[str, float] | None = None

    def call(self, function: Callable[..., T], *args: Any, timeout: float, fair: bool = True) -> T:
        """``function(*args)`` within ``timeout`` seconds.

        ``fair``: whether that is time enough; where it is not, running out of it does not count
        against the provider. Raises :class:`ProviderError` for whatever goes wrong, with a
        sentence for operators.
        """
        if timeout <= 0:
            raise ProviderTimeout(f"{self.name}: no time was left to ask")
        era = self._breaker.allow()
        if not era:
            raise ProviderError(
                f"{self.name}: not asked, it failed repeatedly"
                + (f" (last: {self._last_error[0]})" if self._last_error else ""),
                retry_after=self._breaker.retry_after(),
            )
        try:
            answer = self._run(function, args, timeout)
        except Declined:
            self._breaker.succeeded(era)
            raise
        except PartialAnswer as error:
            self._tell(error)
            self._breaker.succeeded(era)
            raise
        except ProviderError as error:
            if fair or not isinstance(error, ProviderTimeout):
                self._tell(error)
                self._breaker.failed(era, error.retry_after)
            else:
                self._breaker.released(era)
            raise
        self._breaker.succeeded(era)
        return answer

    @property
    def status(self) -> GuardStatus:
        """The breaker's state and the last error seen."""
        error, at = self._last_error or (None, None)
        return GuardStatus(self._breaker.state, error, at)

    def close(self) -> None:
        """Let the threads end."""
        self._pool.close()

    def _run(self, function: Callable[..., T], args: tuple[Any, ...], timeout: float) -> T:
        try:
            future = self._pool.submit(function, *args)
        except Overloaded as error:
            raise ProviderError(f"{self.name}: all its threads hang") from error
        try:
            return future.result(timeout)
        except ProviderError:
            raise
        except FutureTimeout as error:
            future.cancel()
            raise ProviderTimeout(f"{self.name}: no answer within {timeout:.1f} s") from error
        except Exception as error:
            logger.exception("provider raised", extra={"provider": self.name})
            raise ProviderError(f"{self.name}: raised {type(error).__name__}") from error

    def _tell(self, error: ProviderError) -> None:
        self._last_error = (str(error), time())
        logger.warning("provider failed", extra={"provider": self.name, "reason": str(error)})

"""What works and what does not, told without burdening anybody: only storage is asked."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from foodlog.concurrency import Guard, GuardStatus
from foodlog.errors import ProviderError
from foodlog.providers import Storage

FRESH = 5.0
"""Seconds a report is good for."""
PATIENCE = 2.0
"""Seconds the storage has to answer."""


@dataclass(frozen=True, slots=True)
class Report:
    """``ready``: whether the storage works; ``rows``: one for each provider."""

    ready: bool
    rows: tuple[Mapping[str, Any], ...]


class Readiness:
    """Reports at most every five seconds anew. The storage is checked; of the others is told
    what their last calls showed, since asking them would cost money or quota."""

    def __init__(
        self,
        storage: Storage,
        storage_guard: Guard,
        others: Sequence[tuple[str, str, Guard]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``others``: kind, name and guard of each provider that is not the storage."""
        self._storage = storage
        self._guard = storage_guard
        self._others = tuple(others)
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[float, Report] | None = None

    def report(self) -> Report:
        """The state of all providers.

        One thread looks, for as long as the storage takes; the others are given what was seen
        last, so that probes of a storage that hangs do not take all threads of the requests.
        """
        before = self._last
        if before is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return before[1]
        try:
            now = self._clock()
            if self._last is None or now - self._last[0] >= FRESH:
                self._last = (now, self._look())
            return self._last[1]
        finally:
            self._lock.release()

    def _look(self) -> Report:
        ready = True
        status = GuardStatus("closed", None, None)
        try:
            self._guard.call(self._storage.check, timeout=PATIENCE)
        except ProviderError as error:
            ready = False
            # What a storage says names paths, buckets and tables: of it only the kind is told.
            # What the others say names hosts at most, and stands in their rows as it is.
            status = replace(self._guard.status, last_error=error.title)
        rows = [_row("storage", self._storage.name, status, ready)]
        for kind, name, guard in self._others:
            status = guard.status
            rows.append(_row(kind, name, status, status.breaker == "closed"))
        return Report(ready, tuple(rows))


def _row(kind: str, name: str, status: GuardStatus, works: bool) -> dict[str, Any]:
    at = status.last_error_at
    return {
        "kind": kind,
        "name": name,
        "state": "ok" if works else "failing",
        "breaker": status.breaker,
        "last_error": status.last_error,
        "last_error_at": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
    }

"""Questions to the FoodData Central API, and what its statuses and error codes mean."""

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import Any

from foodlog.concurrency import CircuitBreaker, is_fair
from foodlog.errors import ProviderError, ProviderTimeout
from foodlog.options import Secret
from foodlog.upstream import Answer, Upstream
from foodlog_plugins.usda.parsing import NUTRIENT_NUMBERS, Record, parse_foods, parse_search

MAX_IDS = 20
"""Ids FoodData Central takes in one request."""
SEARCH_RESERVE = 0.05
"""Share of the hourly requests kept for pinned foods: below it no search is made."""
_LIMIT = 1000
_REMEMBERED = 300.0
"""Seconds what is left of the limit is believed; it is counted over a rolling hour."""
_PAUSE = 60.0
"""Seconds to stay away when the limit is used up and no ``Retry-After`` says how long."""
_KEY_ERRORS = {
    "API_KEY_MISSING": "got no API key; set the option 'api_key'",
    "API_KEY_INVALID": "does not know the API key; look at the option 'api_key'",
    "API_KEY_DISABLED": "has disabled the API key; ask for another at api.data.gov",
    "API_KEY_UNVERIFIED": "waits for the API key to be verified; follow the link in the e-mail",
    "API_KEY_UNAUTHORIZED": "does not let this API key use FoodData Central",
}


class Client:
    """The two questions FoodLog asks. Both raise ProviderError; a spent limit carries
    ``retry_after``, a key or setting that is wrong is ``permanent``."""

    def __init__(
        self,
        url: str,
        key: Secret,
        threads: int,
        timeout: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``timeout``: the longest a question is ever given, in seconds."""
        self._timeout = timeout
        self._upstream = Upstream(
            "usda", url.rstrip("/"), threads=threads, headers={"X-Api-Key": key}
        )
        self._quota = Quota(clock)
        self._searches = CircuitBreaker(clock=clock)

    def foods(self, ids: Sequence[int], timeout: float) -> dict[int, Record]:
        """The records with these ids (at most :data:`MAX_IDS`) by id; unknown ids are left out."""
        answer = self._ask("/foods", _pinned(ids), timeout)
        if answer.status == 404 and not answer.content.strip():
            return {}
        return parse_foods(self._body(answer))

    def check(self, fdc_id: int, timeout: float) -> None:
        """Ask for a food, known or not; an empty 404 is a wrong address here."""
        parse_foods(self._body(self._ask("/foods", _pinned([fdc_id]), timeout)))

    def search(
        self, text: str, data_types: Sequence[str], size: int, owner: str, timeout: float
    ) -> list[Record]:
        """The first ``size`` hits, best first.

        Searches have a breaker of their own: while they fail, pinned foods are still answered.
        """
        question: dict[str, Any] = {"query": text, "dataType": list(data_types), "pageSize": size}
        if owner and "Branded" in data_types:
            question["brandOwner"] = owner
        era = self._searches.allow()
        if not era:
            raise ProviderError(f"{self._upstream.host} is not searched: that failed repeatedly")
        try:
            hits = parse_search(self._body(self._ask("/foods/search", question, timeout)))
        except ProviderError as error:
            if is_fair(timeout, self._timeout) or not isinstance(error, ProviderTimeout):
                self._searches.failed(era, error.retry_after)
            else:
                self._searches.released(era)
            raise
        self._searches.succeeded(era)
        return hits

    @property
    def may_search(self) -> bool:
        """Whether enough of the limit is left to spend some on searches."""
        return self._quota.may_search()

    def close(self) -> None:
        """Let go of the connections."""
        self._upstream.close()

    def _ask(self, path: str, question: object, timeout: float) -> Answer:
        self._quota.check()
        answer = self._upstream.request("POST", path, json=question, timeout=timeout)
        self._quota.learn(answer)
        return answer

    def _body(self, answer: Answer) -> Any:
        if answer.status == 200:
            return answer.json()
        code = _error_code(answer)
        if answer.status == 429 or code == "OVER_RATE_LIMIT":
            raise self._quota.spent(answer.retry_after())
        raise _failure(self._upstream.host, answer.status, code)


class Quota:
    """What is left of the hourly limit, as far as the answers told."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._low_until = 0.0
        self._spent_until = 0.0

    def check(self) -> None:
        """Raises ProviderError while the limit is known to be used up."""
        with self._lock:
            left = self._spent_until - self._clock()
        if left > 0:
            raise self._error(left)

    def may_search(self) -> bool:
        """False while what is left is kept for pinned foods."""
        with self._lock:
            return self._clock() >= self._low_until

    def learn(self, answer: Answer) -> None:
        """Take note of the rate-limit headers."""
        remaining = _count(answer, "X-RateLimit-Remaining")
        if remaining is None:
            return
        limit = _count(answer, "X-RateLimit-Limit") or _LIMIT
        with self._lock:
            low = remaining < SEARCH_RESERVE * limit
            self._low_until = self._clock() + _REMEMBERED if low else 0.0

    def spent(self, retry_after: float | None) -> ProviderError:
        """The error for a spent limit; from now on nothing is asked until it is over."""
        pause = _PAUSE if retry_after is None else retry_after
        with self._lock:
            self._spent_until = max(self._spent_until, self._clock() + pause)
        return self._error(pause)

    def _error(self, pause: float) -> ProviderError:
        return ProviderError(
            "the request limit of the USDA API key is used up; wait, or ask for a higher one",
            retry_after=pause,
        )


def _pinned(ids: Sequence[int]) -> dict[str, Any]:
    return {
        "fdcIds": list(ids),
        "format": "abridged",
        "nutrients": [float(n) if "." in n else int(n) for n in NUTRIENT_NUMBERS],
    }


def _count(answer: Answer, header: str) -> int | None:
    text = answer.headers.get(header, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _error_code(answer: Answer) -> str:
    """The gateway's code; "" where the body is of another kind."""
    try:
        body = answer.json()
    except ProviderError:
        return ""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""


def _failure(host: str, status: int, code: str) -> ProviderError:
    if code in _KEY_ERRORS:
        return ProviderError(f"{host} {_KEY_ERRORS[code]} (HTTP {status})", permanent=True)
    if code == "HTTPS_REQUIRED":
        return ProviderError(f"{host} wants https in the option 'url'", permanent=True)
    if status in (401, 403):
        return ProviderError(f"{host} refuses us (HTTP {status})", permanent=True)
    if status in (404, 405, 410):
        return ProviderError(
            f"{host} has no such service (HTTP {status}); look at the option 'url'", permanent=True
        )
    if 400 <= status < 500:
        return ProviderError(f"{host} did not understand the question (HTTP {status})")
    return ProviderError(f"{host} is in trouble (HTTP {status})")

"""Nutrition from USDA FoodData Central.

Pinned foods are fetched together, in one request; the others are searched for, several at once,
tier by tier, until the ranking has what it wants. Liquids that
are given per 100 ml are taken for 100 g.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from marshmallow import Schema, fields, validate

import foodlog
from foodlog.concurrency import Deadline, Pool
from foodlog.errors import Overloaded, PartialAnswer, ProviderError, ProviderTimeout
from foodlog.models import FoodQuery, Nutrition
from foodlog.options import CommaList, Seconds, SecretField, Url, Whole
from foodlog.providers import Context, NutritionSource
from foodlog_plugins.usda.cache import Cache
from foodlog_plugins.usda.client import MAX_IDS, Client
from foodlog_plugins.usda.parsing import Record
from foodlog_plugins.usda.plausibility import plausible

TIERS = (("Foundation", "SR Legacy"), ("Survey (FNDDS)",), ("Branded",))
"""Searched one after the other; a branded food only where there is no other."""
DEFAULT_PAGE_SIZE = 20
"""Enough to rank among; 25 of the largest hits come to more than the 1 MiB an answer may have."""
WIDTH = 5
"""Questions one look-up has under way at once."""
CHECK_TIMEOUT = 2.0
_CHECKED_ID = 173410

log = logging.getLogger(__name__)

Key = int | tuple[str, str | None]
"""An FDC id, or the words to search for and the state wanted."""


class Usda(NutritionSource):
    """USDA FoodData Central."""

    name = "usda"
    metadata_key = "usda_fdc"

    class Options(Schema):
        """Settings of the USDA source."""

        api_key = SecretField(
            required=True, metadata={"help": "Key for the API, from api.data.gov."}
        )
        url = Url(
            load_default="https://api.nal.usda.gov/fdc/v1",
            metadata={"help": "Where the API is."},
        )
        page_size = Whole(
            1,
            25,
            load_default=DEFAULT_PAGE_SIZE,
            metadata={"help": "Hits of a search to choose among."},
        )
        data_types = CommaList(
            choices=[kind for tier in TIERS for kind in tier],
            load_default=(),
            metadata={"help": "Kinds of records to search, best first; empty for all."},
        )
        brand_owner = fields.String(
            load_default="",
            validate=validate.Length(max=100),
            metadata={"help": "Branded foods of this owner only."},
        )
        timeout = Seconds(
            60, load_default=4.0, metadata={"help": "Longest time for all of a meal's foods."}
        )
        cache_size = Whole(
            0,
            1_000_000,
            load_default=5000,
            metadata={"help": "Foods each worker remembers, the ones not found included."},
        )
        cache_ttl = Seconds(
            30 * 86400, load_default=86400.0, metadata={"help": "How long they are remembered."}
        )

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        super().__init__(options, context)
        # Here, since their tables of words take as long as the rest of the plugin together, and
        # most who start FoodLog have no key for USDA.
        from foodlog_plugins.usda.ranking import choose_from
        from foodlog_plugins.usda.reading import search_text

        self._choose_from, self._search_text = choose_from, search_text
        self._client = Client(
            options["url"], options["api_key"], context.threads * WIDTH, options["timeout"]
        )
        self._cache: Cache[Record | None] = Cache(options["cache_size"], options["cache_ttl"])
        # As many threads as all look-ups together can use, so that none waits for another's.
        self._pool = Pool("usda-fan-out", context.threads * (WIDTH - 1))
        self._tiers = _tiers(options["data_types"])

    def lookup(self, foods: Sequence[FoodQuery], timeout: float) -> Sequence[Nutrition | None]:
        """One request for all that is pinned, beside it a ranked search for each of the others.

        A pinned id that is not known, or whose record cannot be true, is searched for by name.
        Raises PartialAnswer where some foods are answered and others fail.
        """
        deadline = Deadline(min(timeout, self.options["timeout"]))
        errors: list[ProviderError] = []
        keys = [food.fdc_id or self._search_key(food) for food in foods]
        found = self._resolve(dict(zip(keys, foods, strict=True)), deadline, errors)
        lost = [f for k, f in zip(keys, foods, strict=True) if f.fdc_id and found.get(k, f) is None]
        again = self._resolve({self._search_key(food): food for food in lost}, deadline, errors)
        records = [
            found.get(key) or again.get(self._search_key(food))
            for key, food in zip(keys, foods, strict=True)
        ]
        if errors and not any(records):
            raise errors[0]
        answers = [None if record is None else _nutrition(record) for record in records]
        if errors:
            raise PartialAnswer(str(errors[0]), answers)
        return answers

    def check(self) -> None:
        """Asks for one food, which tells a key that is not accepted from a host that is away."""
        self._client.check(_CHECKED_ID, min(self.options["timeout"], CHECK_TIMEOUT))

    def close(self) -> None:
        """Let go of threads and connections."""
        self._pool.close()
        self._client.close()

    def _resolve(
        self, wanted: Mapping[Key, FoodQuery], deadline: Deadline, errors: list[ProviderError]
    ) -> dict[Key, Record | None]:
        """What is known by each key, None where nothing is; failed keys are left out.

        A key that another look-up is asking for is waited for, and fails as it does there; but
        one that only had less time is asked for again, for as long as there is time here.
        """
        searching = self._client.may_search
        keys = [key for key in wanted if isinstance(key, int) or (key[0] and searching)]
        found: dict[Key, Record | None] = {}
        while keys:
            claims = {key: self._cache.claim(key) for key in keys}
            mine = [key for key, (_, claimed) in claims.items() if claimed]
            self._ask({key: wanted[key] for key in mine}, deadline)
            keys = []
            for key, (future, claimed) in claims.items():
                try:
                    found[key] = _result(future, deadline)
                except ProviderError as error:
                    if isinstance(error, ProviderTimeout) and not claimed and deadline.left() > 0:
                        keys.append(key)
                    else:
                        errors.append(error)
        return found

    def _ask(self, wanted: Mapping[Key, FoodQuery], deadline: Deadline) -> None:
        """Bring the keys about that were claimed here."""
        ids = [key for key in wanted if isinstance(key, int)]
        tasks = [
            partial(self._fetch, ids[i : i + MAX_IDS], deadline)
            for i in range(0, len(ids), MAX_IDS)
        ]
        tasks += [
            partial(self._search, key, food, deadline)
            for key, food in wanted.items()
            if not isinstance(key, int)
        ]
        self._side_by_side(tasks)

    def _fetch(self, ids: Sequence[int], deadline: Deadline) -> None:
        def ask() -> Mapping[Hashable, Record | None]:
            answered = self._client.foods(ids, _left(deadline))
            return {i: _possible(answered.get(i)) for i in ids}

        self._end_claims(ids, ask)

    def _search(self, key: tuple[str, str | None], food: FoodQuery, deadline: Deadline) -> None:
        def ask() -> Mapping[Hashable, Record | None]:
            return {key: self._best(key[0], food, deadline)}

        self._end_claims([key], ask)

    def _best(self, text: str, food: FoodQuery, deadline: Deadline) -> Record | None:
        size, owner = self.options["page_size"], self.options["brand_owner"]
        searches = (
            self._client.search(text, tier, size, owner, _left(deadline)) for tier in self._tiers
        )
        return self._choose_from(food, searches)

    def _search_key(self, food: FoodQuery) -> tuple[str, str | None]:
        return self._search_text(food.name), food.state

    def _end_claims(
        self, keys: Sequence[Hashable], ask: Callable[[], Mapping[Hashable, Record | None]]
    ) -> None:
        """Whatever happens, nobody waits for these keys any longer."""
        try:
            answered = ask()
        except Exception as error:
            if not isinstance(error, ProviderError):
                log.exception("look-up failed", extra={"provider": self.name})
                error = ProviderError(f"raised {type(error).__name__}")
            for key in keys:
                self._cache.fail(key, error)
            return
        for key in keys:
            self._cache.settle(key, answered[key])

    def _side_by_side(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Begin all tasks, in this thread and up to ``WIDTH - 1`` others; one alone ends here.

        Each task bounds its own time and ends its own claims, so nothing needs collecting; but
        each must run, whatever becomes of the other threads.
        """
        queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        for task in tasks:
            queue.put(task)
        try:
            for _ in range(min(len(tasks), WIDTH) - 1):
                self._pool.submit(_drain, queue)
        except Overloaded:
            pass
        except Exception:
            log.exception("look-up goes on in one thread", extra={"provider": self.name})
        _drain(queue)


def _drain(queue: "SimpleQueue[Callable[[], None]]") -> None:
    while True:
        try:
            task = queue.get_nowait()
        except Empty:
            return
        task()


def _tiers(data_types: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    if not data_types:
        return TIERS
    wanted = (tuple(kind for kind in tier if kind in data_types) for tier in TIERS)
    return tuple(tier for tier in wanted if tier)


def _left(deadline: Deadline) -> float:
    left = deadline.left()
    if left <= 0:
        raise ProviderTimeout("USDA: the time is over")
    return left


def _result(future: "Future[Record | None]", deadline: Deadline) -> Record | None:
    try:
        return future.result(deadline.left())
    except FutureTimeout:
        raise ProviderTimeout("USDA: no answer in time") from None


def _possible(record: Record | None) -> Record | None:
    return record if record and plausible(record) else None


def _nutrition(record: Record) -> Nutrition:
    return Nutrition(
        per_100g=record.nutrients,
        source=Usda.name,
        source_id=str(record.fdc_id),
        description=record.description,
        data_type=record.data_type or None,
        serving_grams=record.serving_grams,
    )


@foodlog.hookimpl
def foodlog_nutrition_sources() -> Iterable[type[NutritionSource]]:
    """FoodData Central."""
    return [Usda]

"""The part of the storage suite that is about meals."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import pytest

from foodlog.models import Component, Label, Meal, MealQuery, Nutrients
from foodlog.providers import MealStore, Storage
from foodlog.testing.rules import rules

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TURNS = 25
"""Pages of a long history after each of which others write."""
T = TypeVar("T")


def meal(number: int, user_id: str = "ann", **fields: Any) -> Meal:
    """A meal of which nothing is known but what must be; eaten at noon."""
    times = {"created_at": NOON, "consumed_at": NOON}
    return Meal(**{"id": f"{number:032x}", "user_id": user_id, "food": "Soup", **times, **fields})


def full_meal() -> Meal:
    """A meal with every field filled, and with values that are easily damaged."""
    nutrients = Nutrients(
        calories=0.1 + 0.2,
        proteins=1 / 3,
        fats=0.0,
        carbohydrates=1e-7,
        fiber=12345.678901234567,
        sugars=5e-324,
        saturated_fats=2.5,
        sodium_mg=1040.0,
    )
    return meal(
        255,
        food="Crème brûlée 🍮 \u202eevil\u202c 'quoted' -- \"too\"",
        created_at=NOON.replace(microsecond=1),
        consumed_at=NOON.replace(microsecond=999999),
        nutrients=nutrients,
        ingredients=("Ei", "卵", "sugar, brown", ""),
        components=(
            Component(
                name="egg",
                grams=33.3,
                nutrients=nutrients,
                source="food_table",
                source_id="171287",
                description="Egg, whole, raw",
                data_type="SR Legacy",
            ),
            Component(name="sugar"),
        ),
        inference_source="huggingface_space",
        nutrition_source="usda",
        coverage=0.875,
        estimated=True,
        confidence=0.93,
        candidates=(Label("creme_brulee", 0.93), Label("flan")),
        ml_service_error="answered 503",
        photo_key="ann/ff.jpg",
        image_url="https://bucket.example/ff.jpg",
        metadata={
            "hf_space": {"label": "creme_brulee", "nested": [1, 2.5, None, True, {"deep": "x"}]},
            "empty": {},
            "large": 2**53,
            "small": -0.1,
        },
        meal_type="dinner",
        note="two\nlines\t",
        corrected_at=NOON + MINUTE,
        prediction={"food": "Flan", "calories": 300.5},
        fingerprint="f" * 64,
        version=7,
    )


def asked(limit: int, user_id: str = "ann", **filters: Any) -> MealQuery:
    """The query for a page of this many meals."""
    return MealQuery(user_id=user_id, limit=limit, **filters)


def history(store: MealStore, user_id: str = "ann", limit: int = 500, **filters: Any) -> list[Meal]:
    """All of the user's meals, page by page."""
    return [m for page in pages(store, user_id, limit, **filters) for m in page]


def pages(store: MealStore, user_id: str, limit: int, **filters: Any) -> Iterator[tuple[Meal, ...]]:
    """The user's meals page by page; each page is read when it is asked for."""
    query = asked(limit, user_id, **filters)
    while True:
        page = store.list(query)
        assert len(page.meals) <= limit, "a page holds at most `limit` meals"
        yield page.meals
        if page.next is None:
            return
        assert page.meals, "a page that is not the last holds a meal, or reading might never end"
        query = replace(query, after=page.next)


def race(work: Callable[[int], T], times: int = 8) -> Sequence[T]:
    """The results of ``work(0)``, ``work(1)`` ... done by as many threads at once."""
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(work, range(times)))


def assert_utc(moment: datetime | None, what: str) -> None:
    """``moment``, where there is one, is told in UTC."""
    assert moment is None or moment.utcoffset() == timedelta(0), (
        f"{what} came back as {moment}, but must be in UTC with its zone: clients are told it as "
        "it is, and the day of a meal is taken from it"
    )


@rules
class MealStoreTests:
    """Every rule of :class:`foodlog.providers.MealStore`."""

    meals_in_history: int = 5000
    """Size of the history that is paged through; lower it where a write is slow."""

    @pytest.mark.parametrize("original", [meal(1), full_meal()], ids=["minimal", "full"])
    def test_a_meal_comes_back_as_it_was_stored(self, provider: Storage, original: Meal) -> None:
        """add() loses nothing: unknown stays unknown, numbers and texts stay exact."""
        assert provider.meals.add(original) == original, "add() returns what it stored"
        assert provider.meals.get(original.id) == original, "get() returns the meal unchanged"
        assert provider.meals.list(asked(1)).meals == (original,), "and so does list()"
        assert list(provider.meals.scan()) == [original], "and so does scan()"

    def test_times_come_back_in_utc(self, provider: Storage) -> None:
        """A moment is the same in any zone, but what clients read is not."""
        provider.meals.add(full_meal())
        found = [provider.meals.get(full_meal().id), *provider.meals.list(asked(1)).meals]
        for stored in (*found, *provider.meals.scan()):
            for name in ("created_at", "consumed_at", "corrected_at"):
                assert_utc(getattr(stored, name), f"`{name}` of a meal")

    def test_large_metadata_is_kept(self, provider: Storage) -> None:
        """350 KB of metadata are stored whole; no backend may cut them."""
        large = meal(1, metadata={"text": "é" * 160_000, "numbers": list(range(6_000))})
        provider.meals.add(large)
        assert provider.meals.get(large.id) == large, "350 KB of metadata come back whole"

    def test_a_meal_that_is_not_there_is_none(self, provider: Storage) -> None:
        """get() of an unknown id answers None, and does not raise."""
        assert provider.meals.get("0" * 32) is None, "an unknown id is None"
        assert provider.meals.get("") is None, "even where it cannot be an id"

    def test_adding_an_id_again_returns_the_first(self, provider: Storage) -> None:
        """add() is idempotent by id, so that a repeated request finds its own meal."""
        first = meal(1, note="first")
        provider.meals.add(first)
        assert provider.meals.add(meal(1, note="second")) == first, "add() returns what is stored"
        assert history(provider.meals) == [first], "a taken id is never overwritten"

    def test_of_many_that_add_one_id_at_once_one_wins(self, provider: Storage) -> None:
        """All who add the same id at once are told the same winner."""
        told = race(lambda number: provider.meals.add(meal(1, note=str(number))))
        assert len({answer.note for answer in told}) == 1, "all are told the same meal"
        assert history(provider.meals) == [told[0]], "and it is the one that is stored"

    def test_history_is_newest_first_and_ties_go_by_id(self, provider: Storage) -> None:
        """The order is consumed_at descending, then id ascending, to the microsecond."""
        moments = [0, 60, 60, 60.000001, 60.5, 61, 7200, 86400 * 400]
        meals = [meal(n, consumed_at=NOON + timedelta(seconds=s)) for n, s in enumerate(moments)]
        for unordered in (*meals[::2], *meals[::-2]):
            provider.meals.add(unordered)
        expected = sorted(meals, key=lambda m: (-m.consumed_at.timestamp(), m.id))
        assert history(provider.meals) == expected, "newest consumed first, ties by id"

    def test_times_are_compared_as_moments(self, provider: Storage) -> None:
        """A time given in another zone takes its place by the moment it means."""
        tokyo = timezone(timedelta(hours=9))
        provider.meals.add(meal(1, consumed_at=NOON + MINUTE))
        provider.meals.add(meal(2, consumed_at=NOON.astimezone(tokyo)))
        assert [m.id for m in history(provider.meals)] == [meal(1).id, meal(2).id], (
            "21:00 in Tokyo is noon in UTC"
        )

    def test_a_clock_that_steps_back_changes_no_order(self, provider: Storage) -> None:
        """Only consumed_at and id order a history; when a row was written does not matter."""
        for number in range(3):
            written = NOON - number * MINUTE
            eaten = NOON + number * MINUTE
            provider.meals.add(meal(number, created_at=written, consumed_at=eaten))
        assert [m.id for m in history(provider.meals)] == [meal(n).id for n in (2, 1, 0)], (
            "created_at plays no part in the order"
        )

    def test_paging_while_others_write_shows_every_stable_meal_once(
        self, provider: Storage
    ) -> None:
        """Meals added or deleted between pages make no other meal appear twice or go missing."""
        store = provider.meals
        stable = {self._add_at(store, number, number // 3).id for number in range(self._size)}
        seen: list[str] = []
        for turn, page in enumerate(pages(store, "ann", max(3, self._size // TURNS))):
            seen += [m.id for m in page]
            if turn < TURNS:  # older meals are added, too: the history must end one day
                store.delete(page[-1].id)  # the very meal the next page starts after
                for place in (-1, self._size // 3 + 1, (self._size - turn * 7) // 3):
                    self._add_at(store, 10**9 + 1000 * turn + place, place)
        counts = Counter(seen)
        missing = [meal_id for meal_id in stable if not counts[meal_id]]
        assert not missing, f"{len(missing)} of {len(stable)} meals went missing between pages"
        assert max(counts.values()) == 1, "no meal appears on two pages"

    @property
    def _size(self) -> int:
        return self.meals_in_history

    @staticmethod
    def _add_at(store: MealStore, number: int, minutes: int) -> Meal:
        return store.add(meal(number, consumed_at=NOON + minutes * MINUTE))

    def test_the_last_page_says_so(self, provider: Storage) -> None:
        """next is None on the last page, also where it is exactly full, and on an empty one."""
        assert provider.meals.list(asked(3)).next is None, "an empty history has no next page"
        for number in range(6):
            self._add_at(provider.meals, number, number)
        sizes = [len(page) for page in pages(provider.meals, "ann", 3)]
        assert sum(sizes) == 6, "the pages of a history hold all of it"
        assert sizes[-1], (
            "`next` of the last page must be None, also where the page is exactly full: a client "
            "that scrolls is otherwise sent for a page with nothing on it"
        )
        assert len(history(provider.meals, limit=1)) == 6, "a limit of 1 pages through all"

    def test_users_never_see_each_other(self, provider: Storage) -> None:
        """A history holds the user's own meals alone, even where one id begins with another."""
        owners = ["ann", "ann2", "an", "Ann", "an_", "a%"]
        for number, owner in enumerate(owners):
            provider.meals.add(meal(number, user_id=owner))
        for number, owner in enumerate(owners):
            found = [m.id for m in history(provider.meals, owner)]
            assert found == [meal(number).id], f"{owner!r} sees exactly the meals of {owner!r}"
        assert history(provider.meals, "bob") == [], "a user without meals sees none"

    def test_since_is_included_and_until_is_not(self, provider: Storage) -> None:
        """since <= consumed_at < until, so that days meet without gap or overlap."""
        for number, minutes in enumerate([*range(10), 3, 3, 7]):
            self._add_at(provider.meals, number, minutes)
        since, until = NOON + 3 * MINUTE, NOON + 7 * MINUTE
        for limit in (1, 2, 500):
            found = history(provider.meals, limit=limit, since=since, until=until)
            assert [m.id for m in found] == [meal(n).id for n in (6, 5, 4, 3, 10, 11)], (
                f"since is included, until is not, on pages of {limit}"
            )
        assert len(history(provider.meals, limit=4, since=since)) == 10, "since alone"
        assert len(history(provider.meals, limit=4, until=until)) == 9, "until alone"

    def test_meal_type_filters_before_pages_are_cut(self, provider: Storage) -> None:
        """A filtered history is paged like any other, and unknown types are no type."""
        types = ["lunch", None, "dinner", *["breakfast"] * 4]
        for number in range(28):
            kind = types[number % 7]
            provider.meals.add(meal(number, consumed_at=NOON + number * MINUTE, meal_type=kind))
        since = NOON + MINUTE
        found = history(provider.meals, limit=3, meal_type="lunch", since=since)
        assert [m.id for m in found] == [meal(n).id for n in (21, 14, 7)], (
            "meal_type narrows the history together with since"
        )
        page = provider.meals.list(asked(3, meal_type="lunch", since=since))
        assert len(page.meals) == 3, (
            "meals of another type must not take up the page: of 3 lunches on a page of 3 it "
            f"holds {len(page.meals)}"
        )
        assert history(provider.meals, meal_type="snack") == [], "no such meal, no answer"

    def test_a_replacement_raises_the_version(self, provider: Storage) -> None:
        """replace() stores over the version it names, moves it in the history, and counts up."""
        self._add_at(provider.meals, 2, 1)
        stored = provider.meals.add(meal(1))
        change = replace(full_meal(), id=stored.id, version=stored.version)
        replaced = provider.meals.replace(change)
        assert replaced == replace(change, version=2), "replace() returns the meal, one up"
        assert provider.meals.get(stored.id) == replaced, "and that is what is stored"
        later = replace(replaced, consumed_at=NOON + 2 * MINUTE)
        assert provider.meals.replace(later), "the version it returned may be replaced in turn"
        assert [m.id for m in history(provider.meals)] == [stored.id, meal(2).id], (
            "a meal with a new time moves in the history, and leaves no second row"
        )

    def test_a_replacement_of_another_version_changes_nothing(self, provider: Storage) -> None:
        """replace() answers None where somebody was faster, or the row is gone."""
        stored = provider.meals.add(meal(1))
        current = provider.meals.replace(stored)
        assert provider.meals.replace(replace(stored, note="late")) is None, (
            "version 1 is gone; storing over version 2 would lose somebody's correction"
        )
        assert provider.meals.get(stored.id) == current, "and nothing changed"
        assert provider.meals.replace(meal(2)) is None, "a row that is not there is not replaced"
        assert provider.meals.get(meal(2).id) is None, "nor made"

    def test_of_many_that_replace_one_version_one_wins(self, provider: Storage) -> None:
        """Of replacements that race for a version exactly one succeeds; none is lost unseen."""
        stored = provider.meals.add(meal(1))
        told = race(lambda number: provider.meals.replace(replace(stored, note=str(number))))
        winners = [answer for answer in told if answer]
        assert len(winners) == 1, "exactly one of the racing replacements may succeed"
        assert provider.meals.get(stored.id) == winners[0], "and it is the one that is stored"

    def test_deleting_a_meal_twice_is_deleting_it_once(self, provider: Storage) -> None:
        """delete() of what is gone does nothing, so that it is safe to repeat."""
        provider.meals.add(meal(1))
        kept = provider.meals.add(meal(2))
        for _ in range(2):
            provider.meals.delete(meal(1).id)
        assert provider.meals.get(meal(1).id) is None, "a deleted meal is gone"
        assert history(provider.meals) == [kept], "and no other meal with it"

    def test_scan_sees_every_meal(self, provider: Storage) -> None:
        """scan() yields the meals of all users, and those without one, each once."""
        meals = [meal(n, user_id=f"user{n % 7}") for n in range(min(self._size, 600))]
        meals += [replace(meal(10**6), user_id=None)]
        for each in meals:
            provider.meals.add(each)
        scanned = sorted(provider.meals.scan(), key=lambda m: m.id)
        assert scanned == meals, "scan() yields every meal exactly once"

    def test_many_threads_lose_no_meal(self, provider: Storage) -> None:
        """The store is called by several threads at once; every add that returned is kept."""

        def add_some(worker: int) -> int:
            return len([provider.meals.add(meal(100 * worker + n)) for n in range(10)])

        assert sum(race(add_some)) == 80, "all threads could write"
        assert len(history(provider.meals)) == 80, "every acknowledged meal is in the history"

"""Each rule of the storage suite fails where a storage breaks it, and says what it is for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

import pytest

from foodlog.models import Meal, MealQuery, Page, Position, StoredPhoto, User
from foodlog.testing import StorageTests, build
from foodlog.testing.provider import again
from foodlog.testing.storage_memory import MemoryMeals, MemoryPhotos, MemoryStorage, MemoryUsers

SUITE = StorageTests()
BERN = timezone(timedelta(hours=2))


@contextmanager
def caught(message: str) -> Iterator[None]:
    """The rule in the block fails with a message that matches."""
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        yield


def storage(**stores: type[Any]) -> MemoryStorage:
    """One in memory, with a store or two that are wrong."""
    made = build(MemoryStorage)
    for name, kind in stores.items():
        getattr(made, name).__class__ = kind
    return made


def outlives(made: MemoryStorage, reopen: Callable[[], MemoryStorage]) -> None:
    SUITE.test_what_was_acknowledged_outlives_the_instance(made, made.close, reopen)


def test_a_storage_that_forgets() -> None:
    made = storage()
    outlives(made, lambda: made)  # as one that keeps all of it
    with caught("another worker does not see a meal and an account and a photo.*power cut"):
        outlives(made, lambda: again(made))


def test_a_storage_that_forgets_at_the_end() -> None:
    made = storage()
    opened = iter([made, again(made)])
    with caught("after a restart it no longer has a meal"):
        outlives(made, lambda: next(opened))


def test_a_storage_that_forgets_on_purpose_says_so() -> None:
    class Stand(StorageTests):
        durable = False

    made = storage()
    with pytest.raises(pytest.skip.Exception, match="says so"):
        Stand().test_what_was_acknowledged_outlives_the_instance(
            made, made.close, lambda: again(made)
        )


class FilteredTooLate(MemoryMeals):
    """Cuts the page, and leaves out of it what was not asked for."""

    def list(self, query: MealQuery) -> Page:
        page = super().list(replace(query, meal_type=None))
        return replace(page, meals=tuple(filter(query.takes, page.meals)))


class FilteredTooLateAndOn(FilteredTooLate):
    """Leaves out pages on which nothing is left."""

    def list(self, query: MealQuery) -> Page:
        page = super().list(query)
        while page.next and not page.meals:
            page = super().list(replace(query, after=page.next))
        return page


@pytest.mark.parametrize(
    ("meals", "message"),
    [
        (FilteredTooLate, "a page that is not the last holds a meal"),
        (FilteredTooLateAndOn, "of another type must not take up the page.* holds 1"),
    ],
)
def test_pages_that_are_cut_before_they_are_filtered(meals: type[Any], message: str) -> None:
    SUITE.test_meal_type_filters_before_pages_are_cut(storage())
    with caught(message):
        SUITE.test_meal_type_filters_before_pages_are_cut(storage(meals=meals))


class OneMore(MemoryMeals):
    """Says that there is a page after each that is full."""

    def list(self, query: MealQuery) -> Page:
        page = super().list(query)
        if len(page.meals) < query.limit:
            return page
        last = page.meals[-1]
        return replace(page, next=Position(last.consumed_at, last.id))


def test_a_last_page_that_does_not_say_so() -> None:
    SUITE.test_the_last_page_says_so(storage())
    with caught("also where the page is exactly full"):
        SUITE.test_the_last_page_says_so(storage(meals=OneMore))


class MealsInBern(MemoryMeals):
    """Tells the time as its own place has it."""

    def get(self, meal_id: str) -> Meal | None:
        found = super().get(meal_id)
        return found and replace(found, corrected_at=found.created_at.astimezone(BERN))


class UsersInBern(MemoryUsers):
    """Tells the time as its own place has it."""

    def scan(self) -> Iterator[User]:
        for user in super().scan():
            yield replace(user, created_at=user.created_at.astimezone(BERN))


class PhotosInBern(MemoryPhotos):
    """Tells the time as its own place has it."""

    def list(self, prefix: str = "") -> Iterator[StoredPhoto]:
        for photo in super().list(prefix):
            yield replace(photo, modified_at=photo.modified_at.astimezone(BERN))


class PhotosAnywhere(PhotosInBern):
    """Tells the time without its zone."""

    def list(self, prefix: str = "") -> Iterator[StoredPhoto]:
        for photo in super().list(prefix):
            yield replace(photo, modified_at=datetime.now())


def test_times_in_another_zone() -> None:
    SUITE.test_times_come_back_in_utc(storage())
    with caught("`corrected_at` of a meal came back as .*02:00, but must be in UTC"):
        SUITE.test_times_come_back_in_utc(storage(meals=MealsInBern))
    with caught("`created_at` of an account"):
        SUITE.test_an_account_comes_back_as_it_was_stored(storage(users=UsersInBern))
    for photos in (PhotosInBern, PhotosAnywhere):
        with caught("`modified_at` of a photo"):
            SUITE.test_list_tells_size_and_time(storage(photos=photos))


class FirstPhotos(MemoryPhotos):
    """Lists what a service tells at once, and does not ask for more."""

    def list(self, prefix: str = "") -> Iterator[StoredPhoto]:
        return islice(super().list(prefix), 1000)


class AnyKey(MemoryPhotos):
    """Takes every key, and keeps bad ones to itself."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        if key == "ann/1.jpg":
            super().put(key, data, content_type)


def test_a_list_of_photos_that_stops() -> None:
    SUITE.test_list_sees_every_photo(storage())
    with caught("of 1001 photos list.. yields 1000.*sweeping"):
        SUITE.test_list_sees_every_photo(storage(photos=FirstPhotos))


def test_a_key_that_is_not_refused() -> None:
    with caught("took the key '../outside.jpg': a key that might lead out of the store must be"):
        SUITE.test_a_hostile_key_reaches_nothing(storage(photos=AnyKey), "../outside.jpg")


def test_a_write_that_is_lost_and_not_told() -> None:
    with caught("nobody repeats it"):
        SUITE.test_writes_are_safe_to_repeat_after_a_failure(storage(), nothing_happens)


@contextmanager
def nothing_happens() -> Iterator[None]:
    yield


class Strict(MemoryMeals):
    """Raises where there is nothing."""

    def get(self, meal_id: str) -> Meal:
        return self._meals[meal_id]


def test_what_a_store_may_not_raise() -> None:
    with caught("raised KeyError: .*; but a meal that is not there is none: get.. of an unknown"):
        SUITE.test_a_meal_that_is_not_there_is_none(storage(meals=Strict))

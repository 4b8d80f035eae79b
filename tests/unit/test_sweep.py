from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from foodlog.dishes import Dishes
from foodlog.models import Meal, StoredPhoto
from foodlog.providers import Context
from foodlog.services.sweep import delete_orphans, find_orphans
from foodlog.testing.storage_memory import MemoryStorage

NOW = datetime(2024, 5, 17, 12, tzinfo=UTC)
OLD = NOW - timedelta(hours=1, seconds=1)
MEAL = Meal(id="a" * 32, user_id="ann", food="Soup", created_at=OLD, consumed_at=OLD)


class Clock:
    now = OLD

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(clock: Clock) -> MemoryStorage:
    return MemoryStorage({}, Context(dishes=Dishes([]), clock=clock))


def orphans(storage: MemoryStorage) -> list[str]:
    return [photo.key for photo in find_orphans(storage, NOW)]


@pytest.mark.parametrize(
    "key",
    [f"ann/{'a' * 32}.jpg", f"ann/{'a' * 32}-0123abcd.webp", f"{'b' * 32}.jpg"],
)
def test_a_photo_of_a_meal_without_a_row_is_an_orphan(storage: MemoryStorage, key: str) -> None:
    storage.photos.put(key, b"photo", "image/jpeg")
    assert orphans(storage) == [key]


@pytest.mark.parametrize(
    "key", [f"ann/upload-{'a' * 32}-0123.jpg", "logo.png", f"web/app/{'a' * 32}.jpg", "ann/x.jpg"]
)
def test_what_is_no_photo_of_a_meal_is_left_alone(storage: MemoryStorage, key: str) -> None:
    # It may be of somebody else in the same bucket, under a key no photo store would take.
    found = StoredPhoto(key=key, size=5, modified_at=OLD)
    storage.photos.list = lambda prefix="": iter([found])  # type: ignore[method-assign]
    assert orphans(storage) == []


def test_photos_that_rows_name_are_kept(storage: MemoryStorage) -> None:
    new, old = f"ann/{'a' * 32}-0123abcd.jpg", f"{'b' * 32}.jpg"
    for key in (new, old, f"{'c' * 32}.jpg"):
        storage.photos.put(key, b"photo", "image/jpeg")
    storage.meals.add(replace(MEAL, photo_key=new))
    url = f"https://bucket.s3.amazonaws.com/{old}"
    storage.meals.add(replace(MEAL, id="b" * 32, image_url=url))
    assert orphans(storage) == [f"{'c' * 32}.jpg"]


def test_a_photo_in_a_folder_that_a_row_names_at_another_address_is_kept(
    storage: MemoryStorage,
) -> None:
    for key in (f"uploads/{'b' * 32}.jpg", f"uploads/{'c' * 32}.jpg"):
        storage.photos.put(key, b"photo", "image/jpeg")
    url = f"https://cdn.example.org/{'b' * 32}.jpg?v=1"
    storage.meals.add(replace(MEAL, image_url=url))
    assert orphans(storage) == [f"uploads/{'c' * 32}.jpg"]


def test_a_photo_within_the_hour_may_be_about_to_get_its_row(
    storage: MemoryStorage, clock: Clock
) -> None:
    clock.now = NOW - timedelta(hours=1)
    storage.photos.put(f"ann/{'a' * 32}.jpg", b"photo", "image/jpeg")
    assert orphans(storage) == []


def test_a_row_written_after_the_photos_were_listed_keeps_its_photo(
    storage: MemoryStorage,
) -> None:
    key = f"ann/{'a' * 32}.jpg"
    storage.photos.put(key, b"photo", "image/jpeg")
    listing = storage.photos.list

    def list_and_then_write(prefix: str = ""):  # type: ignore[no-untyped-def]
        yield from listing(prefix)
        storage.meals.add(replace(MEAL, photo_key=key))

    storage.photos.list = list_and_then_write  # type: ignore[method-assign]
    assert orphans(storage) == []


def test_only_orphans_that_are_as_they_were_found_are_deleted(
    storage: MemoryStorage, clock: Clock
) -> None:
    gone, rewritten = f"ann/{'a' * 32}.jpg", f"ann/{'b' * 32}.jpg"
    for key in (gone, rewritten):
        storage.photos.put(key, b"photo", "image/jpeg")
    found = find_orphans(storage, NOW)
    clock.now = NOW
    storage.photos.put(rewritten, b"photo", "image/jpeg")
    assert [photo.key for photo in delete_orphans(storage, found)] == [gone]
    assert [photo.key for photo in storage.photos.list()] == [rewritten]

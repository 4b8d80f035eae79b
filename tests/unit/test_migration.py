from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from foodlog.errors import ProviderError, TooLarge
from foodlog.models import Meal, User
from foodlog.services.migration import Migration
from foodlog.testing.storage_memory import MemoryStorage

THEN = datetime(2024, 5, 17, 12, tzinfo=UTC)
KEY = "ann/1.jpg"
MEAL = Meal(
    id="1", user_id="ann", food="Soup", created_at=THEN, consumed_at=THEN, photo_key=KEY, version=3
)
OLD_MEAL = replace(MEAL, id="2", photo_key=None, image_url="https://old.example/old.jpg")
LINKED_MEAL = replace(OLD_MEAL, id="3", image_url="https://elsewhere.example/never-ours.jpg")
USER = User(id="ann", email="ann@example.com", created_at=THEN, password_hash="h", epoch=2)
SAME: list[str] = []


@pytest.fixture
def source() -> MemoryStorage:
    storage = MemoryStorage()
    storage.users.add(USER)
    for key in (KEY, "old.jpg", "ann/upload-1.jpg"):
        storage.photos.put(key, key.encode() * 9, "image/jpeg")
    for meal in (MEAL, OLD_MEAL, LINKED_MEAL):
        storage.meals.add(meal)
    return storage


def migrate(source: MemoryStorage, target: MemoryStorage) -> list[str]:
    migration = Migration(source, target, lambda doing, done, total: None)
    migration.copy()
    return migration.verify()


def test_everything_arrives(source: MemoryStorage) -> None:
    target = MemoryStorage()
    assert migrate(source, target) == SAME
    assert list(target.users.scan()) == [USER]
    assert {p.key for p in target.photos.list()} == {p.key for p in source.photos.list()}
    assert target.photos.get(KEY) == (KEY.encode() * 9, "image/jpeg")
    assert target.meals.get("1") == MEAL


def test_a_photo_of_the_flask_service_is_shown_from_its_new_place(source: MemoryStorage) -> None:
    target = MemoryStorage()
    migrate(source, target)
    assert target.meals.get("2") == replace(OLD_MEAL, photo_key="old.jpg", image_url=None)
    assert target.meals.get("3") == LINKED_MEAL, "a photo we do not have stays where it is"


@pytest.mark.parametrize("calls_before", range(1, 14))
def test_it_goes_on_where_it_was_stopped(source: MemoryStorage, calls_before: int) -> None:
    target, done = MemoryStorage(), []

    def stop(doing: str, at: int, total: int) -> None:
        done.append(at)
        if len(done) == calls_before:
            raise KeyboardInterrupt

    def begin() -> None:
        migration = Migration(source, target, stop)
        migration.copy()
        migration.verify()

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert migrate(source, target) == SAME


def test_a_second_run_reads_no_photo_to_copy_it(source: MemoryStorage) -> None:
    target = MemoryStorage()
    migrate(source, target)
    said = []
    Migration(source, target, lambda *progress: said.append(progress)).copy()
    assert ("photos", 0, 0) in said
    assert ("meals", 3, 3) in said


def test_photos_are_there_before_the_meals(source: MemoryStorage) -> None:
    target = MemoryStorage()

    def progress(doing: str, done: int, total: int) -> None:
        if list(target.meals.scan()):
            assert len(list(target.photos.list())) == 3

    Migration(source, target, progress).copy()


def test_nothing_in_the_target_is_overwritten_and_the_difference_is_told(
    source: MemoryStorage,
) -> None:
    target = MemoryStorage()
    other_user, other_meal = replace(USER, id="bob"), replace(MEAL, food="Cake")
    target.users.add(other_user)
    target.meals.add(other_meal)
    assert migrate(source, target) == [
        "The user ann is missing in the target, or differs.",
        "The meal 1 is missing in the target, or differs.",
    ]
    assert target.users.get(USER.email) == other_user
    assert target.meals.get("1") == other_meal


class Capitals(MemoryStorage):
    """Holds accounts under their e-mail as it was typed, as the Flask service did."""

    def __init__(self, *users: User) -> None:
        super().__init__()
        self.users = self
        self._accounts = {user.email: user for user in users}

    def get(self, email: str) -> User | None:
        return self._accounts.get(email.lower())

    def scan(self) -> Iterator[User]:
        return iter(self._accounts.values())


def test_an_email_arrives_in_lower_case() -> None:
    typed = replace(USER, email="Ann@Example.com")
    target = MemoryStorage()
    assert migrate(Capitals(typed), target) == SAME
    assert list(target.users.scan()) == [USER]
    assert migrate(Capitals(typed, USER), target) == SAME, "as where moving them was stopped"


def test_of_accounts_with_one_email_the_one_in_lower_case_arrives() -> None:
    other = replace(USER, id="eve", email="Ann@Example.com")
    target = MemoryStorage()
    told = migrate(Capitals(other, USER), target)
    assert told == ["The user eve is missing in the target, or differs."]
    assert list(target.users.scan()) == [USER]


def test_photos_are_compared_byte_by_byte(source: MemoryStorage) -> None:
    target = MemoryStorage()
    target.photos.put(KEY, KEY.encode() * 8 + b"ann/2.jpg", "image/jpeg")
    assert migrate(source, target) == [f"The photo {KEY} is missing in the target, or differs."]


def test_a_meal_whose_photo_is_lost_already_is_told(source: MemoryStorage) -> None:
    source.photos.delete(KEY)
    told = migrate(source, MemoryStorage())
    assert told == ["The meal 1 names a photo the source does not have."]


def test_a_photo_deleted_meanwhile_is_no_difference(source: MemoryStorage) -> None:
    target = MemoryStorage()
    migration = Migration(source, target, lambda *_: None)
    source.photos.delete("ann/upload-1.jpg")
    migration.copy()
    assert migration.verify() == SAME


def test_what_the_target_refuses_is_told_with_the_reason_and_the_rest_arrives(
    source: MemoryStorage,
) -> None:
    target = MemoryStorage()
    add, put = target.meals.add, target.photos.put

    def refuse(meal: Meal) -> Meal:
        if meal.id == "1":
            raise TooLarge("The meal is larger than the 400 KB that can be stored of one.")
        if meal.id == "2":
            raise ValueError("not a photo key")
        return add(meal)

    def refuse_uploads(key: str, data: bytes, content_type: str) -> None:
        if "upload" in key:
            raise ValueError("not a photo key")
        put(key, data, content_type)

    target.meals.add = refuse  # type: ignore[method-assign]
    target.photos.put = refuse_uploads  # type: ignore[method-assign]
    assert migrate(source, target) == [
        "The photo ann/upload-1.jpg was refused by the target: not a photo key",
        "The meal 1 was refused by the target: The meal is larger than the 400 KB that can be "
        "stored of one.",
        "The meal 2 was refused by the target: not a photo key",
    ]
    assert list(target.meals.scan()) == [LINKED_MEAL]
    assert {photo.key for photo in target.photos.list()} == {KEY, "old.jpg"}


def test_a_failing_storage_stops_it(source: MemoryStorage) -> None:
    target = MemoryStorage()
    migration = Migration(source, target, lambda *_: None)
    target.failure = ProviderError("down")
    with pytest.raises(ProviderError, match="down"):
        migration.copy()

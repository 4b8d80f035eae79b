from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from foodlog.dishes import Dishes
from foodlog.errors import ProviderError
from foodlog.models import Meal, MealQuery, User
from foodlog.providers import Context
from foodlog.testing.storage_memory import MemoryStorage

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture
def storage():
    return MemoryStorage({}, Context(dishes=Dishes([]), clock=lambda: NOW))


def meal(meal_id, minutes=0, **kwargs):
    at = NOW - timedelta(minutes=minutes)
    return Meal(
        **{"id": meal_id, "user_id": "u1", "food": "Soup", "created_at": at, "consumed_at": at}
        | kwargs
    )


def ids(page):
    return [meal.id for meal in page.meals]


def test_photos(storage):
    photos = storage.photos
    photos.put("u1/a.jpg", b"one", "image/jpeg")
    photos.put("u1/a.jpg", b"second", "image/png")
    photos.put("u2/b.jpg", b"", "image/jpeg")
    assert photos.get("u1/a.jpg") == (b"second", "image/png")
    assert [(p.key, p.size, p.modified_at) for p in photos.list("u1/")] == [("u1/a.jpg", 6, NOW)]
    assert len([*photos.list()]) == 2
    photos.delete("u1/a.jpg")
    photos.delete("u1/a.jpg")
    assert photos.get("u1/a.jpg") is None
    assert photos.url("u1/a.jpg") is None
    photos.base_url = "https://photos.example"
    assert photos.url("u1/a.jpg") == "https://photos.example/u1/a.jpg"


def test_the_first_meal_with_an_id_stays(storage):
    first = meal("m1")
    assert storage.meals.add(first) is first
    assert storage.meals.add(meal("m1", food="Cake")) is first
    assert storage.meals.get("m1") is first
    assert [*storage.meals.scan()] == [first]
    storage.meals.delete("m1")
    storage.meals.delete("m1")
    assert storage.meals.get("m1") is None


def test_meals_are_listed_newest_first_page_by_page(storage):
    for each in (
        meal("b", 5),
        meal("a", 5),
        meal("c", 1),
        meal("x", 0, user_id="u2"),
        meal("d", 9),
    ):
        storage.meals.add(each)
    first = storage.meals.list(MealQuery(user_id="u1", limit=2))
    assert ids(first) == ["c", "a"]
    storage.meals.delete("a")
    storage.meals.add(meal("new"))
    second = storage.meals.list(MealQuery(user_id="u1", limit=2, after=first.next))
    assert ids(second) == ["b", "d"]
    assert second.next is None
    assert ids(storage.meals.list(MealQuery(user_id="nobody", limit=1))) == []


def test_meals_are_filtered_by_time_and_type(storage):
    for minutes, kind in ((1, "lunch"), (2, None), (3, "lunch")):
        storage.meals.add(meal(f"m{minutes}", minutes, meal_type=kind))
    since, until = NOW - timedelta(minutes=2), NOW - timedelta(minutes=1)
    assert ids(storage.meals.list(MealQuery(user_id="u1", limit=9, since=since))) == ["m1", "m2"]
    assert ids(storage.meals.list(MealQuery(user_id="u1", limit=9, until=until))) == ["m2", "m3"]
    assert ids(storage.meals.list(MealQuery(user_id="u1", limit=9, meal_type="lunch"))) == [
        "m1",
        "m3",
    ]


def test_a_meal_is_replaced_over_the_version_it_names(storage):
    stored = storage.meals.add(meal("m1"))
    renewed = storage.meals.replace(replace(stored, food="Cake"))
    assert (renewed.food, renewed.version) == ("Cake", 2)
    assert storage.meals.get("m1") == renewed
    assert storage.meals.replace(replace(stored, food="Pie")) is None
    assert storage.meals.replace(meal("m2")) is None
    assert [*storage.meals.scan()] == [renewed]


def test_users(storage):
    users = storage.users
    user = User(id="u1", email="ann@example.org", created_at=NOW, password_hash="x")
    assert users.add(user)
    assert not users.add(replace(user, id="u2"))
    assert not users.add(user)
    assert users.get("ANN@example.org") == user
    users.replace(replace(user, epoch=1))
    users.replace(replace(user, email="bob@example.org"))
    assert [u.epoch for u in users.scan()] == [1]
    users.delete("ann@example.org")
    users.delete("ann@example.org")
    assert users.get("ann@example.org") is None


def test_a_failure_that_is_set_is_raised_by_every_call_until_it_is_gone():
    storage = MemoryStorage()
    storage.check()
    storage.failure = ProviderError("The disk is gone.")
    calls = (
        storage.check,
        lambda: storage.photos.get("a"),
        lambda: storage.meals.list(MealQuery(user_id="u1", limit=1)),
        lambda: [*storage.users.scan()],
    )
    for call in calls:
        with pytest.raises(ProviderError, match="The disk is gone"):
            call()
    storage.failure = None
    storage.photos.put("a", b"", "image/jpeg")
    (photo,) = storage.photos.list()
    assert photo.modified_at.tzinfo is UTC

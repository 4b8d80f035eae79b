import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foodlog.dishes import Dishes, load
from foodlog.models import Estimate
from foodlog.photos import Photo
from foodlog.providers import Context
from foodlog_plugins.synthetic import Synthetic, foodlog_fallbacks


@dataclass(frozen=True)
class FakePhoto:
    digest: str


def photo(content: bytes = b"a photo") -> Photo:
    return cast(Photo, FakePhoto(hashlib.sha256(content).hexdigest()))


def synthetic(dishes: Dishes | None = None) -> Synthetic:
    table = load() if dishes is None else dishes
    return Synthetic({}, Context(dishes=table, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)))


def assert_complete(estimate: Estimate) -> None:
    assert estimate.food
    assert estimate.ingredients
    amounts = estimate.nutrients
    for amount in (amounts.calories, amounts.proteins, amounts.fats, amounts.carbohydrates):
        assert amount is not None
        assert amount >= 0


def test_the_plugin_offers_it() -> None:
    assert foodlog_fallbacks() == [Synthetic]
    synthetic().check()


@given(st.binary(max_size=40))
def test_the_same_photo_gives_the_same_complete_guess_in_every_process(content: bytes) -> None:
    estimate = synthetic().predict(photo(content))
    assert_complete(estimate)
    reversed_table = Dishes(reversed(list(load())))
    assert synthetic(reversed_table).predict(photo(content)) == estimate


def test_photos_are_spread_over_the_table() -> None:
    foods = {synthetic().predict(photo(str(n).encode())).food for n in range(300)}
    assert len(foods) > len(load()) / 2


def test_a_dish_more_changes_the_guess_of_hardly_any_photo() -> None:
    dishes = list(load())
    before, after = synthetic(Dishes(dishes[1:])), synthetic(Dishes(dishes))
    photos = [photo(str(n).encode()) for n in range(300)]
    changed = [p for p in photos if before.predict(p) != after.predict(p)]
    assert len(changed) < 20
    assert {after.predict(p).food for p in changed} <= {dishes[0].name}


def test_a_label_is_the_dish_it_means() -> None:
    estimate = synthetic().predict(photo(), "pepperoni_pizza")
    dish = load().match("pepperoni pizza")
    assert dish is not None
    assert estimate.food == "Pepperoni pizza"
    assert estimate.ingredients == dish.ingredients
    assert estimate.nutrients == dish.typical


@given(st.text(max_size=300))
def test_any_label_gives_a_complete_guess(label: str) -> None:
    estimate = synthetic().predict(photo(), label)
    assert_complete(estimate)
    assert len(estimate.food) <= 100
    assert estimate.food.isprintable()


@pytest.mark.parametrize("label", [None, "", "__", "\ud800"])
def test_a_label_without_a_word_is_none(label: str | None) -> None:
    assert synthetic().predict(photo(), label) == synthetic().predict(photo())


def test_a_label_nobody_knows_is_a_mixed_plate_of_that_name() -> None:
    estimate = synthetic().predict(photo(), "grandmas_secret")
    assert estimate.food == "Grandmas secret"
    assert_complete(estimate)
    assert estimate.nutrients.calories == pytest.approx(616, abs=5)


def test_an_empty_table_still_gives_a_guess() -> None:
    assert_complete(synthetic(Dishes([])).predict(photo()))

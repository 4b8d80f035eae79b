import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foodlog.dishes import Dishes, canonical
from foodlog.models import FoodQuery, Nutrition
from foodlog.providers import Context
from foodlog_plugins.food_table import Food, FoodTable, foodlog_nutrition_sources, load

TABLE = FoodTable({}, Context(dishes=Dishes([]), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)))
ALCOHOL = ("beer", "wine", "sake", "marsala", "vodka", "vanilla extract")
# Raising agents and acids have specific factors far from 4 kcal a gram.
OTHER_FACTORS = ("vinegar", "lemon", "lime", "baking powder")


def find(name: str, fdc_id: int | None = None, state: str | None = None) -> Nutrition | None:
    [found] = TABLE.lookup([FoodQuery(name=name, fdc_id=fdc_id, state=state)], timeout=1)
    return found


def test_the_plugin_offers_the_table() -> None:
    assert foodlog_nutrition_sources() == [FoodTable]
    TABLE.check()


def test_the_readme_says_how_many_foods_there_are() -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    [said] = re.findall(r"knows some (\d+) foods", readme)
    assert int(said) == pytest.approx(len(load()), abs=5)


def test_no_name_is_given_twice() -> None:
    names = Counter(canonical(name) for food in load() for name in food.names)
    assert [name for name, times in names.items() if times > 1] == []
    assert "" not in names


def test_no_record_is_given_twice() -> None:
    for ids in (
        [food.nutrition.source_id for food in load()],
        [food.cells["code"] for food in load()],
    ):
        assert len(set(ids)) == len(ids)


def test_every_food_names_its_record() -> None:
    for food in load():
        nutrition, code = food.nutrition, food.cells["code"]
        assert re.fullmatch(r"fdc:\d{6,7}|ndb:\d{5}|fndds:\d{8}", nutrition.source_id), food
        digits = {"SR Legacy": 5, "FNDDS 2021-2023": 8}[nutrition.data_type or ""]
        assert re.fullmatch(rf"\d{{{digits}}}", code), food
        assert nutrition.source == "food_table"
        assert nutrition.description, food
        assert food.state in (None, "raw", "cooked"), food


def _macronutrients(food: Food) -> tuple[float, float, float, float]:
    amounts = food.nutrition.per_100g
    known = (amounts.calories, amounts.proteins, amounts.fats, amounts.carbohydrates)
    assert None not in known, food
    return cast(tuple[float, float, float, float], known)


def test_survey_foods_are_found_by_id_and_named_by_the_code_that_stays() -> None:
    survey = [food for food in load() if food.cells["source"].startswith("FNDDS")]
    assert survey
    for food in survey:
        found = find("", fdc_id=food.fdc_id)
        assert found is not None
        assert found.source_id == f"fndds:{food.cells['code']}"


def test_every_food_is_possible() -> None:
    for food in load():
        amounts = food.nutrition.per_100g
        calories, protein, fat, carbohydrate = _macronutrients(food)
        assert 0 <= calories <= 902, food
        assert min(protein, fat, carbohydrate) >= 0, food
        assert protein + fat + carbohydrate <= 105, food
        assert 0 <= (amounts.fiber or 0) <= carbohydrate + 0.1, food
        assert 0 <= (amounts.sugars or 0) <= carbohydrate * 1.1 + 1, food
        assert 0 <= (amounts.saturated_fats or 0) <= fat + 0.1, food
        assert 0 <= (amounts.sodium_mg or 0) <= 40_000, food
        assert 0 < (food.nutrition.serving_grams or 1) <= 1000, food


def _exempt(food: Food) -> bool:
    name = food.names[0].lower()
    return any(word in name for word in (*ALCOHOL, *OTHER_FACTORS))


def test_the_energy_agrees_with_the_macronutrients() -> None:
    for food in load():
        calories, protein, fat, carbohydrate = _macronutrients(food)
        most = 4 * protein + 9 * fat + 4 * carbohydrate
        least = most - 4 * (food.nutrition.per_100g.fiber or 0)
        assert _exempt(food) or 0.75 * least - 5 <= calories <= 1.25 * most + 5, food


def test_only_few_foods_are_exempt_from_that() -> None:
    assert sum(map(_exempt, load())) < 25


def test_unknown_is_none_and_zero_is_zero() -> None:
    unknown = [food for food in load() if not food.cells["sugars"]]
    assert unknown
    assert all(food.nutrition.per_100g.sugars is None for food in unknown)
    water = find("water")
    assert water is not None
    assert water.per_100g.calories == 0


def test_every_food_is_found_by_each_of_its_names_and_by_its_id() -> None:
    for food in load():
        for name in food.names:
            assert find(name) == find(name.upper(), state=food.state) == food.nutrition, name
        if food.fdc_id:
            assert find("whatever", fdc_id=food.fdc_id) == food.nutrition


@pytest.mark.parametrize(
    ("name", "state", "description"),
    [
        ("eggs", None, "Egg, whole, raw, fresh"),
        ("Cheddar", None, "Cheese, cheddar"),
        ("fresh basil", None, "Basil, fresh"),
        ("diced tomatoes", None, "Tomatoes, red, ripe, raw, year round average"),
        ("slice of cheddar", None, "Cheese, cheddar"),
        ("raw spinach", None, "Spinach, raw"),
        ("steamed broccoli", None, "Broccoli, cooked, boiled, drained, without salt"),
        ("broccoli", "cooked", "Broccoli, cooked, boiled, drained, without salt"),
        ("broccoli", "raw", "Broccoli, raw"),
        ("rice", "raw", "Rice, white, long-grain, regular, raw, enriched"),
    ],
)
def test_a_food_is_found_by_its_telling_words(
    name: str, state: str | None, description: str
) -> None:
    found = find(name, state=state)
    assert found is not None
    assert found.description == description


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("", None),
        ("fresh", None),
        ("strawberry milk", None),
        ("apple pie", None),
        ("apple juice concentrate", None),
        ("banana bread", None),
        ("salmon oil", None),
        ("grilled cheese", None),
        ("butternut", None),
        ("rice pudding", None),
        ("raw cooked spinach", None),
        ("boiled spinach", "raw"),
        ("fried egg", "raw"),
        ("unobtainium", None),
    ],
)
def test_a_wrong_food_is_worse_than_none(name: str, state: str | None) -> None:
    assert find(name, state=state) is None


def test_an_id_that_is_not_in_the_table_falls_back_on_the_name() -> None:
    assert find("butter", fdc_id=1) == find("butter")


def test_the_answers_come_in_the_order_of_the_questions() -> None:
    queries = [FoodQuery(name=n) for n in ("butter", "unobtainium", "honey")]
    found = TABLE.lookup(queries, timeout=1)
    assert [f and f.description for f in found] == ["Butter, salted", None, "Honey"]


@given(st.text(max_size=200), st.sampled_from([None, "raw", "cooked"]))
def test_any_text_may_be_looked_up(name: str, state: str | None) -> None:
    found = find(name, state=state)
    assert found is None or found.source == "food_table"

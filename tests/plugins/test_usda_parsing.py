from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foodlog.errors import ProviderError
from foodlog.models import Nutrients
from foodlog.testing.usda import StubFood
from foodlog_plugins.usda.parsing import Record, parse_food, parse_foods, parse_search
from foodlog_plugins.usda.plausibility import plausible

AMOUNTS = {"208": 408, "203": 23.3, "204": 34, "205": 2.44, "269": 0.33, "307": 654, "606": 19.2}
CHEDDAR = StubFood(328637, "Cheese, cheddar", AMOUNTS, "Foundation", "Dairy and Egg Products")
NUTRIENTS = Nutrients(
    calories=408,
    proteins=23.3,
    fats=34,
    carbohydrates=2.44,
    sugars=0.33,
    saturated_fats=19.2,
    sodium_mg=654,
)


def row(number: object, amount: object, unit: object = "G") -> dict[str, Any]:
    return {"number": number, "amount": amount, "unitName": unit}


def parsed(*rows: object) -> Nutrients:
    record = parse_food({"fdcId": 1, "description": "x", "foodNutrients": list(rows)})
    assert record is not None
    return record.nutrients


def record(description: str = "x", category: str = "", alcohol: float | None = None, **n: float):
    return Record(
        fdc_id=1,
        description=description,
        data_type="SR Legacy",
        category=category,
        nutrients=Nutrients(**n),
        alcohol=alcohol,
    )


@pytest.mark.parametrize("shape", [CHEDDAR.abridged(), CHEDDAR.full(), CHEDDAR.hit()])
def test_the_three_shapes_say_the_same(shape: dict[str, Any]) -> None:
    found = parse_food(shape)
    assert found is not None
    assert (found.fdc_id, found.description, found.data_type) == (
        328637,
        "Cheese, cheddar",
        "Foundation",
    )
    assert found.nutrients == pytest.approx(NUTRIENTS.as_dict()) or found.nutrients == NUTRIENTS
    assert found.nutrients.fiber is None


def test_numbers_may_be_text_or_integers() -> None:
    assert parsed(row(208, 52, "kcal"), row("203", 1)).as_dict()["calories"] == 52
    assert parsed(row(203.0, 1)).proteins == 1


def test_zero_with_an_exponent_is_zero() -> None:
    assert parsed(*orjson.loads(b'[{"number":"204","amount":0E-8,"unitName":"G"}]')).fats == 0


@pytest.mark.parametrize(
    ("rows", "calories"),
    [
        ([row("268", 1000, "kJ"), row("957", 98, "KCAL"), row("208", 99, "KCAL")], 99),
        ([row("957", 98, "KCAL"), row("958", 97, "KCAL")], 97),
        ([row("957", 98, "KCAL")], 98),
        ([row("208", 1707, "kJ"), row("957", 98, "KCAL")], 98),
        ([row("268", 1000, "kJ"), row("203", 1), row("204", 2), row("205", 3)], 34),
        ([row("268", 1000, "kJ")], None),
        ([row("203", 1), row("204", 2)], None),
    ],
)
def test_energy_is_208_then_958_then_957_then_4_9_4(rows: list[Any], calories: float) -> None:
    assert parsed(*rows).calories == calories


def test_sugars_by_the_second_number_where_the_first_is_missing() -> None:
    assert parsed(row("269.3", 5)).sugars == 5
    assert parsed(row("269.3", 5), row("269", 6)).sugars == 6


def test_units_are_converted_and_unknown_ones_refused() -> None:
    found = parsed(row("307", 0.5, "G"), row("203", 500, "MG"), row("204", 5, "IU"))
    assert (found.sodium_mg, found.proteins, found.fats) == (500, 0.5, None)


@pytest.mark.parametrize("amount", [None, True, "5", float("nan"), float("inf"), 10**400, [], {}])
def test_what_is_no_amount_is_unknown_and_never_zero(amount: object) -> None:
    assert parsed(row("203", amount)).proteins is None


def test_rows_without_nutrient_or_amount_are_passed_over() -> None:
    assert parsed({"type": "FoodNutrient"}, {"nutrient": None}, 5, row("203", 2)).proteins == 2


def test_a_literal_object_stands_for_no_foods() -> None:
    assert parse_foods({}) == {}


@pytest.mark.parametrize("answer", [None, "x", 5, {"foods": []}, {"error": "x"}])
def test_what_is_no_list_of_foods_is_an_error(answer: object) -> None:
    with pytest.raises(ProviderError, match="not a list of foods"):
        parse_foods(answer)


@pytest.mark.parametrize("answer", [None, [], {}, {"foods": None}, {"foods": {}}])
def test_what_is_no_search_result_is_an_error(answer: object) -> None:
    with pytest.raises(ProviderError, match="not a search result"):
        parse_search(answer)


@pytest.mark.parametrize(
    "food",
    [
        None,
        {"description": "x"},
        {"fdcId": True, "description": "x"},
        {"fdcId": "1", "description": "x"},
        {"fdcId": 0, "description": "x"},
        {"fdcId": 1},
        {"fdcId": 1, "description": "  "},
    ],
)
def test_a_food_without_id_or_description_is_none(food: object) -> None:
    assert parse_food(food) is None


def test_the_serving_of_a_label_and_of_a_survey_food() -> None:
    head = {"fdcId": 1, "description": "x"}
    measures = [None, {"disseminationText": "1 egg", "gramWeight": 50}]
    measures.append({"disseminationText": "Quantity not specified", "gramWeight": 155})
    servings = [
        {"servingSize": 28, "servingSizeUnit": "g"},
        {"servingSize": 240, "servingSizeUnit": "MLT"},
        {"servingSize": -5, "servingSizeUnit": "g"},
        {"foodMeasures": measures},
        {},
    ]
    found = [parse_food({**head, **serving}) for serving in servings]
    assert [f and f.serving_grams for f in found] == [28, None, None, 155, None]


def test_a_category_is_text_or_an_object() -> None:
    head = {"fdcId": 1, "description": "x"}
    foods = [{"foodCategory": {"description": "Beer"}}, {"brandedFoodCategory": "Candy"}]
    assert [parse_food({**head, **f}).category for f in foods] == ["Beer", "Candy"]  # type: ignore[union-attr]


def test_the_brand_of_a_branded_food_is_its_name_and_its_maker() -> None:
    food = {"fdcId": 1, "description": "KETCHUP", "brandName": "HEINZ", "brandOwner": "Acme Inc"}
    assert parse_food(food).brand == "HEINZ Acme Inc"  # type: ignore[union-attr]
    assert parse_food({**food, "brandName": None, "brandOwner": 3}).brand == ""  # type: ignore[union-attr]


def test_other_names_stand_between_semicolons() -> None:
    food = {"fdcId": 1, "description": "x", "commonNames": "", "additionalDescriptions": "a; b c"}
    assert parse_food(food).other_names == ("a", "b c")  # type: ignore[union-attr]
    assert parse_food({**food, "additionalDescriptions": ["a"]}).other_names == ()  # type: ignore[union-attr]


KEYS = ("foods", "fdcId", "description", "foodNutrients", "nutrient", "number", "amount", "value")
KEYS += ("unitName", "nutrientNumber", "foodCategory", "foodMeasures")
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(json)
def test_garbage_never_raises_but_a_provider_error(answer: object) -> None:
    parse_food(answer)
    for parse in (parse_foods, parse_search):
        with suppress(ProviderError):
            parse(answer)


@given(st.sampled_from(["208", "203", "307", "269.3"]), json, json)
def test_an_amount_is_finite_or_unknown(number: str, amount: object, unit: object) -> None:
    found = parsed(row(number, amount, unit), row(number, amount, "G"))
    assert all(v is None or abs(v) < 1e12 for v in found.as_dict().values())


@pytest.mark.parametrize(
    ("food", "possible"),
    [
        (record(calories=408, proteins=23, fats=34, carbohydrates=2), True),
        (record(calories=None), False),
        (record(calories=100, proteins=-1, fats=5, carbohydrates=14), False),
        (record(calories=100, proteins=10, fats=5, carbohydrates=4, sodium_mg=-1), False),
        (record(calories=500, proteins=60, fats=10, carbohydrates=40), False),
        (record(calories=903), False),
        (record(calories=902, fats=100, proteins=0, carbohydrates=0), True),
        (record(calories=130, proteins=5, fats=4, carbohydrates=11), False),
        (record(calories=120, proteins=5, fats=4, carbohydrates=11), True),
        (record(calories=70, proteins=5, fats=4, carbohydrates=11), False),
        (record(calories=100 * 4.184, proteins=5, fats=4, carbohydrates=11), False),
        (record(calories=23, proteins=2.9, fats=0.4, carbohydrates=3.6), True),
        (record("Wine, red", calories=85, proteins=0.1, fats=0, carbohydrates=2.6), True),
        (record("x", alcohol=9, calories=85, proteins=0.1, fats=0, carbohydrates=2.6), True),
        (record(calories=216, proteins=16, fats=4, carbohydrates=65, fiber=43), True),
        (
            record(calories=4.184 * 360, proteins=16, fats=4, carbohydrates=65, fiber=43),
            False,
        ),
        (record(calories=100, proteins=5), True),
        (record("Lime juice", calories=25, proteins=0.4, fats=0.1, carbohydrates=8.4), True),
        (record("Baking powder", calories=53, proteins=0, fats=0, carbohydrates=27.7), True),
        (record("Gum, sugarless", calories=268, proteins=0, fats=0, carbohydrates=95), True),
        (record("Juice", calories=25 * 4.184, proteins=0, fats=0, carbohydrates=6.5), False),
    ],
)
def test_impossible_figures_are_refused(food: Record, possible: bool) -> None:
    assert plausible(food) is possible

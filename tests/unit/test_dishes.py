import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foodlog.dishes import (
    MAX_GRAMS,
    MAX_LABEL,
    Dish,
    Dishes,
    Reference,
    canonical,
    load,
    mixed_plate,
    normalise,
)
from foodlog.errors import ConfigError
from foodlog.models import Ingredient, Nutrients


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("apple_pie", "apple pie"),
        ("  Crème   Brûlée! ", "creme brulee"),
        ("Shepherd's pie", "shepherds pie"),
        ("Mac & Cheese", "mac and cheese"),
        ("PIZZA, pepperoni (large)", "pizza pepperoni large"),
        ("寿司", "寿司"),
        ("\x00\ud800", ""),
        ("_-_", ""),
        ("", ""),
    ],
)
def test_a_label_is_normalised(label: str, expected: str) -> None:
    assert normalise(label) == expected


@given(st.text(max_size=3000))
def test_normalising_is_idempotent_bounded_and_clean(label: str) -> None:
    once = normalise(label)
    assert normalise(once) == once
    assert len(once) <= MAX_LABEL
    assert once == " ".join(once.split())
    assert all(c.isalnum() or c == " " for c in once)


@given(st.text(alphabet="abcdefgh XYZ_-'é", max_size=60))
def test_case_and_underscores_make_no_difference(label: str) -> None:
    assert normalise(label.upper()) == normalise(label) == normalise(label.replace(" ", "_"))


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("tomato", "tomatoes"),
        ("berry", "berries"),
        ("cookie", "cookies"),
        ("pie", "pies"),
        ("peach", "peaches"),
        ("quiche", "quiches"),
        ("taco", "tacos"),
        ("box", "boxes"),
        ("leaf", "leaves"),
        ("half", "halves"),
        ("loaf", "loaves"),
        ("olive", "olives"),
        ("clove", "cloves"),
        ("French fry", "french_fries"),
        ("mac 'n' cheese", "mac and cheese"),
    ],
)
def test_trivial_plurals_are_equal(one: str, many: str) -> None:
    assert canonical(one) == canonical(many)


@pytest.mark.parametrize("word", ["hummus", "couscous", "swiss", "asparagus", "gas"])
def test_words_that_only_look_like_plurals_stay_apart_from_shorter_ones(word: str) -> None:
    assert canonical(word) != canonical(word[:-2])


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("pizza", "pizza"),
        ("Pizza", "pizza"),
        ("pancake", "pancakes"),
        ("cupcake", "cup cakes"),
        ("crème brûlée", "creme brulee"),
        ("mac & cheese", "macaroni and cheese"),
        ("pepperoni pizza slice", "pepperoni pizza"),
        ("homemade pepperoni pizza", "pepperoni pizza"),
        ("slice of pizza", "pizza"),
        ("big bowl of miso soup", "miso soup"),
        ("pizza with pineapple", "pizza"),
        ("grilled salmon with rice", "grilled salmon"),
        ("bacon cheeseburger", "cheeseburger"),
        ("french onion soup", "french onion soup"),
        ("chocolate pancakes", "pancakes"),
        ("turkey sandwich", "sandwich"),
        ("fish and chips", "fish and chips"),
    ],
)
def test_a_label_finds_its_dish(label: str, key: str) -> None:
    dish = load().match(label)
    assert dish is not None
    assert dish.key == key


@pytest.mark.parametrize(
    "label",
    [
        "",
        "cake",  # within "pancakes", "carrot cake", "cup cakes", and none of them
        "carrot",
        "dog",
        "hot dog bun",
        "pizza cutter",
        "soup spoon",
        "steak sauce",
        "oyster mushroom",
        "smoked salmon",
        "ice cream sandwich",
        "ice cream cake",
        "crab salad sandwich",
        "taco salad",
        "waffle ice cream",
        "pizza with hummus",
        "dumpling soup",
        "fruit salad",
        "potato salad",
        "tomato soup",
        "cream of mushroom soup",
        "soup of the day",
        "tofu burger",
        "tofu steak",
        "sweet potato fries",
        "seafood lasagna",
        "rice with hummus",
        "chicken and waffles",
        "steak and eggs",
        "piza",
        "pizzas2go",
    ],
)
def test_a_label_of_another_food_finds_nothing(label: str) -> None:
    assert load().match(label) is None


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("ham sandwich", "ham sandwich"),
        ("ham & cheese sandwich", "ham and cheese sandwich"),
        ("cheese sandwich", "cheese sandwich"),
        ("tuna sandwich", "tuna sandwich"),
        ("egg sandwich", "egg sandwich"),
        ("chicken salad sandwich", "chicken salad sandwich"),
        ("chicken burger", "chicken sandwich"),
        ("grilled chicken sandwich", "grilled chicken sandwich"),
        ("turkey burger", "turkey burger"),
        ("veggie burger", "veggie burger"),
        ("BLT", "blt sandwich"),
        ("pb&j", "peanut butter and jelly sandwich"),
        ("chicken pasta", "chicken pasta"),
        ("pesto pasta", "pesto pasta"),
        ("spaghetti with meatballs", "spaghetti and meatballs"),
        ("vegetable lasagna", "vegetable lasagna"),
        ("chicken tacos", "chicken tacos"),
        ("beef tacos", "tacos"),
        ("fish tacos", "fish tacos"),
        ("burrito", "beef burrito"),
        ("chicken wrap", "wrap"),
        ("veggie wrap", "veggie wrap"),
        ("ham and cheese omelette", "ham and cheese omelette"),
        ("cheese omelet", "cheese omelette"),
        ("chicken salad", "grilled chicken salad"),
        ("egg salad", "egg salad"),
        ("chicken stir fry", "chicken stir fry"),
        ("shepherd's pie", "shepherds pie"),
        ("chicken and rice", "chicken and rice"),
    ],
)
def test_a_common_meal_is_a_dish_of_its_own(label: str, key: str) -> None:
    dish = load().match(label)
    assert dish is not None
    assert dish.key == key


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("cheese fries", "french fries"),
        ("loaded fries", "french fries"),
        ("lamb burger", "hamburger"),
        ("cauliflower pizza", "pizza"),
        ("savory waffles", "waffles"),
        ("pastrami sandwich", "sandwich"),
        ("bacon wrap", "wrap"),
        ("minestrone soup", "soup"),
        ("vegetable pasta", "pasta"),
        ("green smoothie", "fruit smoothie"),
    ],
)
def test_a_variety_is_its_dish(label: str, key: str) -> None:
    dish = load().match(label)
    assert dish is not None
    assert dish.key == key


@pytest.mark.parametrize(
    "label",
    [
        "no pizza",
        "not pizza",
        "this is not a pizza",
        "never sushi",
        "non pizza",
        "pizza without crust",
        "pizza box",
        "pizza cutter",
        "soup pot",
        "empty pizza plate",
        "empty bowl of soup",
        "toy burger",
        "plastic sushi",
        "bubble wrap",
        "plastic wrap",
        "burger king logo",
    ],
)
def test_a_label_that_denies_the_dish_or_means_no_food_finds_nothing(label: str) -> None:
    assert load().match(label) is None


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("box of donuts", "donuts"),
        ("pot of miso soup", "miso soup"),
        ("plastic cup of fruit smoothie", "fruit smoothie"),
        ("hot dog with no bun", "hot dog"),
        ("fish n chips", "fish and chips"),
        ("fish 'n' chips", "fish and chips"),
        ("mac n cheese", "macaroni and cheese"),
    ],
)
def test_a_label_of_food_is_not_taken_for_a_thing(label: str, key: str) -> None:
    dish = load().match(label)
    assert dish is not None
    assert dish.key == key


def test_no_two_dishes_share_a_name() -> None:
    names = Counter(canonical(name) for dish in load() for name in {dish.key, *dish.aliases})
    assert [name for name, times in names.items() if times > 1] == []


@given(st.text(max_size=200))
def test_matching_takes_any_text(label: str) -> None:
    dish = load().match(label)
    assert dish is None or canonical(dish.key) or dish in load()


@given(
    st.sampled_from(sorted(d.key for d in load())), st.sampled_from(["{}", "fresh {}", "{} bowl"])
)
def test_every_dish_is_found_within_a_label_about_it(key: str, label: str) -> None:
    dish = load().match(label.format(key))
    assert dish is not None
    assert dish.key == key


def test_no_word_that_makes_another_food_is_in_a_name_of_the_dish_itself() -> None:
    for dish in load():
        assert dish.unless.isdisjoint(canonical(dish.key).split()), dish.key


def _dish(**grams: float) -> Dish:
    ingredients = tuple(Ingredient(name=n, grams=g, fdc_id=7) for n, g in grams.items())
    figures = Nutrients(calories=200, proteins=10, fats=5, carbohydrates=20)
    return Dish(
        key="stew", name="Stew", ingredients=ingredients, reference=Reference(per_100g=figures)
    )


def test_the_typical_figures_are_those_of_the_serving() -> None:
    assert _dish(Beef=100, Carrots=50).typical == Nutrients(
        calories=300, proteins=15, fats=7.5, carbohydrates=30
    )


def test_weights_are_merged_over_the_dish_and_leave_the_first_table_as_it_was() -> None:
    table = Dishes([_dish(Beef=100, Carrots=50)])
    merged = table.with_weights({"STEWS": {"carrot": 80, "bay_leaf": 1}}).match("stew")
    assert merged is not None
    assert [(i.name, i.grams, i.fdc_id) for i in merged.ingredients] == [
        ("Beef", 100, 7),
        ("Carrots", 80, 7),
        ("Bay leaf", 1, None),
    ]
    assert table.match("stew") == _dish(Beef=100, Carrots=50)


def test_weights_of_an_unknown_dish_make_a_new_one_with_typical_figures() -> None:
    table = Dishes([]).with_weights({"house_bowl": {"rice": 200, "tofu": 100}})
    dish = table.match("House bowl")
    assert dish is not None
    assert dish.name == "House bowl"
    assert [i.name for i in dish.ingredients] == ["Rice", "Tofu"]
    assert dish.typical.calories == pytest.approx(3 * 134)
    assert dish.reference.reason


@pytest.mark.parametrize(
    "grams",
    [0, -1, math.nan, math.inf, MAX_GRAMS + 1, 10**400, "120", None, True, [1]],
    ids=lambda grams: str(grams)[:9],
)
def test_a_weight_that_is_none_is_an_error_that_names_dish_and_ingredient(grams: Any) -> None:
    with pytest.raises(ConfigError, match=r"'stew'.*'beef'.*up to 5000"):
        Dishes([_dish(Beef=1)]).with_weights({"stew": {"beef": grams}})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["stew"], "not a mapping of dishes"),
        ({"stew": 3}, "'stew'.*not a mapping"),
        ({"stew": {}}, "'stew'.*not a mapping"),
        ({"": {"beef": 1}}, "''.*needs a name"),
        ({7: {"beef": 1}}, "7.*needs a name"),
        ({"stew": {"--": 1}}, "'stew'.*'--' is not the name"),
        ({"stew": {"Egg": 1, "eggs": 2}}, "'stew': ingredients 'Egg' and 'eggs' are the same"),
        ({"Stew": {"egg": 1}, "stews": {"egg": 2}}, "dishes 'Stew' and 'stews' are the same"),
    ],
)
def test_weights_of_another_shape_are_an_error(weights: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Dishes([]).with_weights(weights)


def test_a_dish_by_two_of_its_names_is_an_error_that_names_both() -> None:
    table = Dishes([replace(_dish(Beef=1), aliases=("ragout",))])
    with pytest.raises(ConfigError, match="dishes 'Ragouts' and 'stew' are the same; leave one"):
        table.with_weights({"Ragouts": {"beef": 1}, "soup": {"leek": 1}, "stew": {"beef": 2}})


@given(st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(), st.floats(), max_size=3)))
def test_weights_are_merged_or_refused(weights: Mapping[str, Mapping[str, float]]) -> None:
    try:
        table = load().with_weights(weights)
    except ConfigError:
        return
    assert len(table) <= len(load()) + len(weights)
    assert all(0 < i.grams <= MAX_GRAMS for dish in table for i in dish.ingredients)


def test_a_mixed_plate_has_the_name_it_is_asked_for() -> None:
    plate = mixed_plate("unknown_THING")
    assert (plate.key, plate.name) == ("unknown thing", "Unknown THING")
    assert plate.grams == 460


AMOUNTS = st.none() | st.floats(min_value=0, max_value=1e6)
NUTRIENTS = st.builds(
    Nutrients, **dict.fromkeys(["calories", "proteins", "fats", "sodium_mg"], AMOUNTS)
)


@given(NUTRIENTS, st.floats(min_value=0.1, max_value=5000))
def test_twice_the_grams_are_twice_every_nutrient(per_100g: Nutrients, grams: float) -> None:
    once, twice = per_100g.scaled(grams / 100), per_100g.scaled(2 * grams / 100)
    for amount, doubled in zip(once.as_dict().values(), twice.as_dict().values(), strict=True):
        assert doubled == (None if amount is None else pytest.approx(2 * amount))


@given(st.lists(NUTRIENTS, max_size=6))
def test_the_total_is_the_sum_of_the_parts_that_know_it(parts: list[Nutrients]) -> None:
    for name, amount in Nutrients.total(parts).as_dict().items():
        known = [v for part in parts if (v := part.as_dict()[name]) is not None]
        assert amount == (pytest.approx(sum(known)) if known else None)

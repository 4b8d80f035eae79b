"""The typical servings of the shipped table, against what a serving of such a food can weigh."""

import re
from typing import NamedTuple

import pytest

from foodlog_plugins.food_table import Food, load


class Kind(NamedTuple):
    """How much of a kind of food is a serving, and how the codes of such foods begin."""

    least: float
    """Grams."""
    most: float
    """Grams."""
    calories: float
    """At most, kcal."""
    codes: str


KINDS = {
    "drink": Kind(200, 500, 350, "111 113 115 612 641 743 920 921 923 924 925 931 940 953 42403"),
    "espresso, wine or spirits": Kind(40, 200, 250, "92101610 934 935"),
    "soup or stew": Kind(200, 300, 320, "27111 28340 323 416 584 746 ndb:06963"),
    "yogurt": Kind(120, 200, 150, "114"),
    "ice or pudding": Kind(50, 200, 300, "1146 13 915 916"),
    "cheese": Kind(5, 40, 120, "14"),
    "soft cheese": Kind(100, 150, 220, "142"),
    "cream": Kind(10, 40, 120, "112 12 143 42401010"),
    "egg": Kind(15, 120, 200, "31 321"),
    "meat": Kind(50, 250, 660, "20 21 22 23 24 25 ndb:05 ndb:07 ndb:13 ndb:23"),
    "fish or seafood": Kind(80, 150, 400, "26 272 274 ndb:15"),
    "beans or tofu": Kind(80, 200, 320, "41 ndb:16"),
    "falafel": Kind(20, 60, 200, "41209"),
    "dip": Kind(30, 70, 180, "11440 41205070 63409"),
    "nuts": Kind(20, 60, 220, "421 425"),
    "nut butter": Kind(10, 40, 220, "422 433"),
    "seeds": Kind(5, 30, 180, "43 ndb:12"),
    "bread": Kind(20, 115, 300, "51 522"),
    "cake, pie or pastry": Kind(25, 150, 650, "5116 521 523 53 ndb:18337"),
    "dough": Kind(15, 40, 150, "53391 ndb:18338 ndb:18368"),
    "cracker or snack": Kind(15, 60, 260, "52215300 5371 54 712"),
    "crumbs": Kind(5, 30, 120, "51185 ndb:18079"),
    "cereal": Kind(20, 60, 150, "57 ndb:08"),
    "cooked grain": Kind(100, 350, 350, "51182 56 58"),
    "dry pasta": Kind(50, 100, 370, "ndb:20120"),
    "fruit": Kind(50, 350, 250, "61 63 ndb:09"),
    "dried fruit": Kind(20, 60, 150, "62"),
    "potato or plantain": Kind(80, 300, 450, "71 734 ndb:11507"),
    "vegetable": Kind(30, 200, 150, "72 73 74 75 ndb:11"),
    "fried onions or coleslaw": Kind(100, 150, 450, "75141 75415"),
    "leaves": Kind(
        10,
        50,
        10,
        "72101 72104 72116 72119 72125100 7213 751005 75113 75114 ndb:11213",
    ),
    "wedge, pickle or bulb": Kind(
        2,
        50,
        75,
        "61113 61116 61204 61207 742060 751115 75117 75127500 75230 755 ndb:02054 "
        "ndb:11216 ndb:11238 ndb:11677 ndb:11819 ndb:11979",
    ),
    "herb, spice or raising agent": Kind(
        0.5,
        8,
        30,
        "751094 751095 75119 ndb:02 ndb:18369 ndb:18372 ndb:18375 ndb:19177",
    ),
    "fat": Kind(10, 15, 130, "811 812 82 ndb:045"),
    "sauce": Kind(
        5,
        70,
        180,
        "1465 2715 285 414201 414202 414203 414204 42204 644 744 75506 813 83 91361 "
        "ndb:04135 ndb:06 ndb:11546 ndb:16124",
    ),
    "sugar, syrup or spread": Kind(5, 40, 220, "9110 913 914 ndb:01225 ndb:19353 ndb:19228"),
    "sweets": Kind(15, 60, 270, "917"),
    "powder": Kind(1, 35, 120, "118 92191 952"),
    "bacon, jerky or a morsel": Kind(15, 50, 150, "216 225 226 242085 26211 ndb:05282 ndb:15002"),
}
PREFIXES = {prefix: name for name, kind in KINDS.items() for prefix in kind.codes.split()}
NOBODY_EATS_AS_IT_IS = [
    "Tomato puree",
    "Cornstarch",
    "Pizza dough",
    "Pancake mix",
    "Flour",
    "Whole wheat flour",
    "Semolina",
    "Rice flour",
    "Cornmeal",
    "Dry white rice",
    "Couscous, dry",
    "Dry quinoa",
    "Dried chickpeas",
    "Dry lentils",
    "Almond flour",
]


def _kind(food: Food) -> str:
    """By the code behind the serving, of which the first digits say the group of foods."""
    source = food.cells["serving_source"]
    code = source.removeprefix("fndds:") if ":" in source else f"ndb:{food.cells['code']}"
    fitting = [prefix for prefix in PREFIXES if code.startswith(prefix)]
    assert fitting, f"{food.names[0]}: no kind has foods like {code}"
    return PREFIXES[max(fitting, key=len)]


def _grams(food: Food) -> float:
    return food.nutrition.serving_grams or 0


SERVED = [food for food in load() if food.nutrition.serving_grams]


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_a_serving_weighs_what_its_kind_of_food_can(name: str, kind: Kind) -> None:
    foods = [food for food in SERVED if _kind(food) == name]
    assert foods
    implausible = {
        food.names[0]: (_grams(food), round(kcal))
        for food in foods
        if (kcal := (food.nutrition.per_100g.calories or 0) * _grams(food) / 100) > kind.calories
        or not kind.least <= _grams(food) <= kind.most
    }
    assert implausible == {}


def test_only_what_nobody_eats_as_it_is_has_no_serving() -> None:
    without = [f.names[0] for f in load() if not f.nutrition.serving_grams]
    assert without == NOBODY_EATS_AS_IT_IS


def test_every_serving_says_where_it_is_from() -> None:
    for food in load():
        source = food.cells["serving_source"]
        assert bool(source) == bool(food.cells["serving_grams"]), food
        assert not source or re.fullmatch(r"fndds:\d{8}|[\d/]+ [a-z].*", source), food
        if food.cells["source"].startswith("FNDDS") and source:
            assert source == f"fndds:{food.cells['code']}", food


@pytest.mark.parametrize(
    ("name", "grams"),
    [
        ("Roast chicken", 85),
        ("Hard-boiled egg", 50),
        ("Lentils", 90),
        ("Coffee", 360),
        ("Oatmeal", 240),
        ("Cooked carrots", 78),
        ("Beer", 360),
        ("Chocolate milkshake", 280),
        ("Pecan pie", 150),
        ("Garlic", 5),
        ("Coconut", 28),
        ("Almonds", 28),
        ("Banana", 126),
    ],
)
def test_the_serving_is_the_one_fndds_assumes(name: str, grams: float) -> None:
    [food] = [food for food in SERVED if food.names[0] == name]
    assert _grams(food) == grams
    assert food.cells["serving_source"].startswith("fndds:")

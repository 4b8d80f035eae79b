"""The dishes, worked out from the foods of the table, against the figures each of them carries."""

from datetime import UTC, datetime

import pytest

from foodlog.dishes import Dish, Dishes, load, mixed_plate
from foodlog.models import Nutrients, Nutrition
from foodlog.providers import Context
from foodlog_plugins.food_table import FoodTable

TABLE = FoodTable({}, Context(dishes=Dishes([]), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)))
MACRONUTRIENTS = ("proteins", "fats", "carbohydrates")
CLASSIFIER = """
    apple_pie baby_back_ribs baklava beef_carpaccio beef_tartare beet_salad beignets bibimbap
    bread_pudding breakfast_burrito bruschetta caesar_salad cannoli caprese_salad carrot_cake
    ceviche cheese_plate cheesecake chicken_curry chicken_quesadilla chicken_wings chocolate_cake
    chocolate_mousse churros clam_chowder club_sandwich crab_cakes creme_brulee croque_madame
    cup_cakes deviled_eggs donuts dumplings edamame eggs_benedict escargots falafel filet_mignon
    fish_and_chips foie_gras french_fries french_onion_soup french_toast fried_calamari fried_rice
    frozen_yogurt garlic_bread gnocchi greek_salad grilled_cheese_sandwich grilled_salmon guacamole
    gyoza hamburger hot_and_sour_soup hot_dog huevos_rancheros hummus ice_cream lasagna
    lobster_bisque lobster_roll_sandwich macaroni_and_cheese macarons miso_soup mussels nachos
    omelette onion_rings oysters pad_thai paella pancakes panna_cotta peking_duck pho pizza
    pork_chop poutine prime_rib pulled_pork_sandwich ramen ravioli red_velvet_cake risotto samosa
    sashimi scallops seaweed_salad shrimp_and_grits spaghetti_bolognese spaghetti_carbonara
    spring_rolls steak strawberry_shortcake sushi tacos takoyaki tiramisu tuna_tartare waffles
"""
LABELS = CLASSIFIER.split()
FLASK_SERVICE = [
    "grilled chicken salad",
    "veggie power bowl",
    "salmon sushi roll",
    "mediterranean wrap",
    "pepperoni pizza",
    "margherita pizza",
    "burger",
    "cheeseburger",
    "sandwich",
    "wrap",
    "salad",
    "soup",
    "pasta",
    "falafel wrap",
    "avocado toast",
    "greek yogurt parfait",
    "fruit smoothie",
    "chicken burrito",
    "omelette",
    "pancakes",
    "spaghetti bolognese",
]


def by_key(dish: Dish) -> str:
    return dish.key


def _found(dish: Dish) -> list[Nutrition | None]:
    return TABLE.lookup([i.query for i in dish.ingredients], timeout=1)


def _per_100g(dish: Dish) -> Nutrients:
    parts = [
        found.per_100g.scaled(ingredient.grams / dish.grams)
        for ingredient, found in zip(dish.ingredients, _found(dish), strict=True)
        if found
    ]
    return Nutrients.total(parts)


def _deviations(dish: Dish, share: float) -> dict[str, float]:
    """By how many times the tolerance each figure is off; above 1 is too much."""
    ours, theirs = _per_100g(dish).as_dict(), dish.reference.per_100g.as_dict()
    calories = theirs["calories"] or 0
    off = {"calories": abs((ours["calories"] or 0) - calories) / (share * calories)}
    for name in MACRONUTRIENTS:
        expected = theirs[name] or 0
        off[name] = abs((ours[name] or 0) - expected) / max(share * expected, 1)
    return {name: times for name, times in off.items() if times > 1}


@pytest.mark.parametrize("label", LABELS)
def test_every_label_of_the_classifier_is_a_dish(label: str) -> None:
    dish = load().match(label)
    assert dish is not None
    assert dish.key == label.replace("_", " ")


def test_there_are_as_many_labels_as_the_classifier_has() -> None:
    assert len(set(LABELS)) == 101


@pytest.mark.parametrize("label", FLASK_SERVICE)
def test_every_dish_of_the_flask_service_is_known(label: str) -> None:
    assert load().match(label) is not None


@pytest.mark.parametrize("dish", list(load()), ids=by_key)
def test_every_ingredient_is_answerable(dish: Dish) -> None:
    unanswered = [
        i.name for i, found in zip(dish.ingredients, _found(dish), strict=True) if not found
    ]
    assert unanswered == []


@pytest.mark.parametrize("dish", list(load()), ids=by_key)
def test_a_pinned_id_and_the_name_beside_it_mean_the_same_food(dish: Dish) -> None:
    unpinned = [i.query for i in dish.ingredients]
    by_name = TABLE.lookup([type(q)(name=q.name, state=q.state) for q in unpinned], timeout=1)
    assert by_name == _found(dish)


@pytest.mark.parametrize("dish", [d for d in load() if d.reference.food_code], ids=by_key)
def test_a_dish_agrees_with_fndds(dish: Dish) -> None:
    assert _deviations(dish, 0.15 if dish.reference.proxy else 0.10) == {}
    assert dish.reference.description
    assert dish.reference.reason is None


@pytest.mark.parametrize("dish", [d for d in load() if not d.reference.food_code], ids=by_key)
def test_a_dish_that_fndds_does_not_know_says_why_and_carries_its_own_figures(dish: Dish) -> None:
    assert dish.reference.reason
    assert not dish.reference.proxy
    ours, carried = _per_100g(dish).as_dict(), dish.reference.per_100g.as_dict()
    for name in ("calories", *MACRONUTRIENTS):
        assert carried[name] == pytest.approx(ours[name], rel=0.01, abs=0.06)


def test_a_dish_with_twice_of_one_ingredient_would_not_agree() -> None:
    twice = {"apple pie": {"butter": 60}, "pho": {"beef stew meat": 300}}
    changed = load().with_weights(twice)
    for label in twice:
        dish = changed.match(label)
        assert dish is not None
        assert _deviations(dish, 0.10)


@pytest.mark.parametrize("dish", list(load()), ids=by_key)
def test_a_serving_is_a_plausible_meal(dish: Dish) -> None:
    assert 40 <= dish.grams <= 600
    assert 30 <= (dish.typical.calories or 0) <= 1000
    assert all(0.1 <= i.grams <= 300 for i in dish.ingredients)
    assert len({i.name for i in dish.ingredients}) == len(dish.ingredients)


def test_the_mixed_plate_has_the_figures_of_its_ingredients() -> None:
    plate = mixed_plate("anything")
    assert all(_found(plate))
    ours, carried = _per_100g(plate).as_dict(), plate.reference.per_100g.as_dict()
    for name in ("calories", *MACRONUTRIENTS):
        assert carried[name] == pytest.approx(ours[name], rel=0.03)

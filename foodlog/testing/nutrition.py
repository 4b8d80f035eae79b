"""The conformance suite of nutrition sources: what ``foodlog.providers.NutritionSource`` promises.

In a plugin's tests, with pytest::

    from foodlog.testing import NutritionSourceTests, build

    class TestSwissFoods(NutritionSourceTests):
        @pytest.fixture
        def provider(self):
            return build(SwissFoods)                       # the suite closes it

        @pytest.fixture
        def known(self):
            return FoodQuery(name="cheddar cheese")        # a food it knows
"""

from collections.abc import Sequence
from typing import Any

import pytest

from foodlog.models import FoodQuery, Nutrition
from foodlog.providers import NutritionSource
from foodlog.testing import provider as common

UNKNOWN = FoodQuery(name="qwxzv brglm 7f3a")
GRAMS = ("proteins", "fats", "carbohydrates", "fiber", "sugars", "saturated_fats")
MACRONUTRIENTS = ("proteins", "fats", "carbohydrates")
MOST_ENERGY = 902.0
"""kcal in 100 g of pure fat, the most any food has."""
MOST_SODIUM = 40_000.0
"""mg in 100 g, a little more than table salt has."""
HEAVIEST = 5000.0
"""Grams of a serving."""
ROUNDING = 105.0
"""Grams that the macronutrients of 100 g may add up to: each is rounded, and measured apart."""


class NutritionSourceTests(common.AskedTests):
    """Every rule of the nutrition port. Inherit and give the fixtures ``provider`` and ``known``;
    where the source depends on a service, also ``down`` and ``hanging``."""

    @pytest.fixture
    def known(self) -> FoodQuery:
        """A food that the source knows; override this."""
        raise NotImplementedError("give a `known` fixture that returns a FoodQuery it can answer")

    @pytest.fixture(autouse=True)
    def _remember(self, known: FoodQuery) -> None:
        self._known = known

    def use(self, provider: Any, timeout: float = 10.0) -> None:
        """Look a food up."""
        provider.lookup([self._known], timeout)

    def test_a_known_food_is_answered_per_100_g(
        self, provider: NutritionSource, known: FoodQuery
    ) -> None:
        """What is in a meal is worked out from these figures and its weight."""
        (answer,) = provider.lookup([known], 10.0)
        assert answer is not None, f"the source does not know {known}, its own `known` food"
        assert_nutrition(answer, provider)

    def test_an_unknown_food_is_none(self, provider: NutritionSource) -> None:
        """The next source is asked for it."""
        answers = provider.lookup([UNKNOWN], 10.0)
        assert list(answers) == [None], (
            f"{UNKNOWN.name!r} is no food, but it answered {answers!r:.200}: a wrong food is worse "
            "than none, and the next source may know it"
        )

    def test_answers_come_in_the_order_asked(
        self, provider: NutritionSource, known: FoodQuery
    ) -> None:
        """They are matched to the ingredients by their place alone."""
        answers = provider.lookup((UNKNOWN, known, UNKNOWN, known), 10.0)
        assert isinstance(answers, Sequence), "lookup() must return a sequence, not an iterator"
        assert [answer is not None for answer in answers] == [False, True, False, True], (
            "lookup() must answer one entry for each food, in the same order: by its place alone "
            "an answer finds its ingredient"
        )

    def test_no_food_at_all_is_no_answer(self, provider: NutritionSource) -> None:
        """A dish all of whose foods others know."""
        assert list(provider.lookup([], 10.0)) == [], "nothing was asked: the answer is empty"

    def test_any_name_can_be_asked_for(self, provider: NutritionSource, known: FoodQuery) -> None:
        """Clients send what they like, and it reaches the sources."""
        foods = [FoodQuery(name=name) for name in common.HOSTILE]
        answers = provider.lookup([*foods, known], 10.0)
        assert len(answers) == len(foods) + 1, "one entry for each food, whatever its name"
        for answer in answers:
            if answer is not None:
                assert_nutrition(answer, provider)
        assert answers[-1] is not None, (
            "a food that it knows got no answer beside odd names: one odd ingredient must not "
            "cost the whole meal its nutrition"
        )

    def test_a_large_batch_is_answered(self, provider: NutritionSource, known: FoodQuery) -> None:
        """A meal may have fifty ingredients."""
        answers = provider.lookup([known] * 50, 10.0)
        assert len(answers) == 50, f"50 foods were asked for, {len(answers)} answered"
        assert None not in answers, "the same food is known each time it is asked for"

    def test_several_threads_may_ask_at_once(
        self, provider: NutritionSource, known: FoodQuery
    ) -> None:
        """One instance serves all threads of a worker."""
        foods = [known, UNKNOWN]
        for answers in common.together(12, lambda _: provider.lookup(foods, 10.0)):
            assert [answer is not None for answer in answers] == [True, False], (
                "asked from several threads at once, it answers something else than alone"
            )


def assert_nutrition(answer: object, provider: NutritionSource) -> None:
    """``answer`` is a record FoodLog can use, and its figures can be those of 100 g."""
    assert isinstance(answer, Nutrition), f"an answer must be Nutrition, not {answer!r:.80}"
    assert answer.source == provider.name, (
        f"`source` is {answer.source!r}, but must be the provider's name {provider.name!r}: "
        "the records of a meal are listed by it"
    )
    common.assert_text(answer.source_id, "`source_id`")
    common.assert_text(answer.description, "`description`")
    serving = answer.serving_grams
    assert serving is None or (common.is_number(serving) and 0 < serving <= HEAVIEST), (
        f"`serving_grams` is {serving!r}, but must be a weight above 0 and up to {HEAVIEST:g} g, "
        "or None where unknown"
    )
    _assert_amounts_of_100_g(answer)


def _assert_amounts_of_100_g(answer: Nutrition) -> None:
    common.assert_amounts(answer.per_100g, answer.description)
    amounts = answer.per_100g.as_dict()
    assert any(amount is not None for amount in amounts.values()), (
        "no nutrient is known: answer None, so that the next source is asked"
    )
    most = {"calories": MOST_ENERGY, "sodium_mg": MOST_SODIUM} | dict.fromkeys(GRAMS, 100.0)
    above = {name: amount for name, amount in amounts.items() if (amount or 0) > most[name]}
    assert not above, (
        f"{answer.description}: 100 g cannot hold {above}; `per_100g` is in kcal, g and mg of 100 g"
    )
    total = sum(amounts[name] or 0 for name in MACRONUTRIENTS)
    assert total <= ROUNDING, (
        f"{answer.description}: {total:g} g of macronutrients in 100 g; are these of a serving?"
    )

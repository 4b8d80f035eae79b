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
from contextlib import suppress
from typing import Any

import pytest

from foodlog.errors import PartialAnswer, ProviderError
from foodlog.models import FoodQuery, Nutrition
from foodlog.providers import NutritionSource
from foodlog.services import checking
from foodlog.testing import provider as common
from foodlog.testing.rules import rules

UNKNOWN = FoodQuery(name="qwxzv brglm 7f3a")
GRAMS = ("proteins", "fats", "carbohydrates", "fiber", "sugars", "saturated_fats")
MACRONUTRIENTS = ("proteins", "fats", "carbohydrates")
MOST_ENERGY = 902.0
"""kcal in 100 g of pure fat, the most any food has."""
MOST_SODIUM = 40_000.0
"""mg in 100 g, a little more than table salt has."""
_NO_SEQUENCE = (
    "lookup() must return a sequence, not {}: by its place alone an answer finds its ingredient"
)
ROUNDING = 105.0
"""Grams that the macronutrients of 100 g may add up to: each is rounded, and measured apart."""


@rules
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

    def use(self, provider: Any, timeout: float | None = None) -> None:
        """Look a food up."""
        look_up(provider, [self._known], timeout)

    def test_a_known_food_is_answered_per_100_g(
        self, provider: NutritionSource, known: FoodQuery
    ) -> None:
        """What is in a meal is worked out from these figures and its weight."""
        (answer,) = look_up(provider, [known])
        assert answer is not None, f"the source does not know {known}, its own `known` food"
        assert_nutrition(answer, provider)

    def test_an_unknown_food_is_none(self, provider: NutritionSource) -> None:
        """The next source is asked for it."""
        answers = look_up(provider, [UNKNOWN])
        assert list(answers) == [None], (
            f"{UNKNOWN.name!r} is no food, but it answered {answers!r:.200}: a wrong food is worse "
            "than none, and the next source may know it"
        )

    def test_answers_come_in_the_order_asked(
        self, provider: NutritionSource, known: FoodQuery
    ) -> None:
        """They are matched to the ingredients by their place alone."""
        answers = look_up(provider, (UNKNOWN, known, UNKNOWN, known))
        assert _known(answers) == [False, True, False, True], (
            "lookup() must answer in the same order: by its place alone an answer finds its "
            "ingredient"
        )

    def test_no_food_at_all_is_no_answer(self, provider: NutritionSource) -> None:
        """A dish all of whose foods others know."""
        answers = common.asked(provider.lookup, [])
        assert isinstance(answers, Sequence), _NO_SEQUENCE.format(type(answers).__name__)
        assert not answers, "nothing was asked: the answer is empty"

    def test_any_name_can_be_asked_for(self, provider: NutritionSource, known: FoodQuery) -> None:
        """Clients send what they like, and it reaches the sources."""
        foods = [FoodQuery(name=name) for name in common.HOSTILE]
        try:
            answers = look_up(provider, [*foods, known])
        except PartialAnswer as error:
            answers = error.answers
        for answer in answers:
            if answer is not None:
                assert_nutrition(answer, provider)
        assert answers[-1] is not None, (
            "a food that it knows got no answer beside odd names: one odd ingredient must not "
            "cost the whole meal its nutrition"
        )

    def test_a_large_batch_is_answered(self, provider: NutritionSource, known: FoodQuery) -> None:
        """A meal may have fifty ingredients."""
        answers = look_up(provider, [known] * 50)
        assert None not in answers, "the same food is known each time it is asked for"

    def test_a_large_batch_keeps_its_time(
        self, provider: NutritionSource, known: FoodQuery
    ) -> None:
        """The time is for all of the batch, not for each food in it."""
        with suppress(ProviderError):
            look_up(provider, [known] * 50, common.LITTLE)

    def test_several_threads_may_ask_at_once(
        self, provider: NutritionSource, known: FoodQuery
    ) -> None:
        """One instance serves all threads of a worker."""
        batches = [[bool(number & bit) for bit in (1, 2, 4, 8)] for number in range(12)]

        def ask(number: int) -> Sequence[Nutrition | None]:
            return look_up(provider, [known if k else UNKNOWN for k in batches[number]])

        assert list(map(_known, common.together(12, ask))) == batches, (
            "asked from several threads at once, it answers something else than alone: one "
            "instance serves all threads of a worker"
        )


def look_up(
    provider: NutritionSource, foods: Sequence[FoodQuery], timeout: float | None = None
) -> Sequence[Nutrition | None]:
    """What it answers or raises, within its time; one entry for each food."""
    try:
        answers = common.asked(provider.lookup, foods, timeout=timeout)
    except PartialAnswer as error:
        _assert_one_for_each(error.answers, foods)
        raise
    _assert_one_for_each(answers, foods)
    return answers


def _assert_one_for_each(answers: object, foods: Sequence[FoodQuery]) -> None:
    assert isinstance(answers, Sequence), _NO_SEQUENCE.format(type(answers).__name__)
    assert len(answers) == len(foods), (
        f"{len(foods)} foods were asked for, {len(answers)} answered: there must be one entry for "
        "each food, in the same order, since by its place alone an answer finds its ingredient"
    )


def _known(answers: Sequence[Nutrition | None]) -> list[bool]:
    return [answer is not None for answer in answers]


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
    assert serving is None or (common.is_number(serving) and 0 < serving <= checking.HEAVIEST), (
        f"`serving_grams` is {serving!r}, but must be a weight above 0 and up to "
        f"{checking.HEAVIEST:g} g, or None where unknown"
    )
    _assert_amounts_of_100_g(answer)
    common.assert_taken(checking.lookup, "lookup()", [FoodQuery(name=answer.description)], [answer])


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

"""Meals without an owner: what the Flask service logged without a token. They get one here."""

from collections.abc import Iterator
from dataclasses import replace

from foodlog.models import Meal
from foodlog.providers import MealStore


def find_ownerless(meals: MealStore) -> Iterator[Meal]:
    """Every meal that belongs to nobody, in any order. Raises ProviderError."""
    return (meal for meal in meals.scan() if meal.user_id is None)


def adopt(meals: MealStore, user_id: str) -> Iterator[bool]:
    """Give each of them to the user; whether that went well.

    False where the meal was changed or deleted meanwhile: another run looks again. Raises
    ProviderError; what was given until then stays given.
    """
    for meal in find_ownerless(meals):
        yield meals.replace(replace(meal, user_id=user_id)) is not None

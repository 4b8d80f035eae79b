"""Providers that do as they are told, for tests of what calls them.

Each takes a function in place of a service; ``calls`` keeps what it was called with. They are
registered like any provider: :func:`plugin` makes a plugin object of provider classes.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import foodlog
from foodlog.dishes import Dishes, load
from foodlog.models import (
    Classification,
    Estimate,
    FoodQuery,
    Ingredient,
    Label,
    Nutrients,
    Nutrition,
)
from foodlog.photos import Photo
from foodlog.providers import Classifier, Context, Fallback, NutritionSource, Provider, Storage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def context(dishes: Dishes | None = None, threads: int = 4) -> Context:
    """A provider's context: the shipped dish table, and a clock that stands at noon."""
    return Context(dishes=dishes or load(), clock=lambda: NOON, threads=threads)


class FakeClassifier(Classifier):
    """Answers what ``answer`` returns; a :class:`Classification` stands for itself."""

    name = "fake_classifier"

    def __init__(self, answer: Any, timeout: float | None = None) -> None:
        super().__init__({"timeout": timeout}, context())
        self._answer = answer
        self.calls: list[tuple[Photo, float]] = []

    def check(self) -> None:
        """Always well."""

    def classify(self, photo: Photo, timeout: float) -> Classification:
        """What it was told to answer."""
        self.calls.append((photo, timeout))
        answer: Classification = self._answer() if callable(self._answer) else self._answer
        return answer


class FakeSource(NutritionSource):
    """Knows the foods in ``known`` (name to kcal per 100 g), or answers as ``answer`` does."""

    name = "fake_source"
    metadata_key = "fake_source"

    def __init__(
        self,
        known: dict[str, float] | None = None,
        answer: Callable[[Sequence[FoodQuery]], Any] | None = None,
        name: str = "fake_source",
    ) -> None:
        super().__init__({}, context())
        self.name = name  # type: ignore[misc]
        self.metadata_key = name  # type: ignore[misc]
        self._known = known or {}
        self._answer = answer
        self.calls: list[list[FoodQuery]] = []

    def check(self) -> None:
        """Always well."""

    def lookup(self, foods: Sequence[FoodQuery], timeout: float) -> Sequence[Nutrition | None]:
        """What it knows of each."""
        self.calls.append(list(foods))
        if self._answer is not None:
            answer: Sequence[Nutrition | None] = self._answer(foods)
            return answer
        return [self._find(food) for food in foods]

    def _find(self, food: FoodQuery) -> Nutrition | None:
        if food.name not in self._known:
            return None
        return Nutrition(
            per_100g=Nutrients(calories=self._known[food.name], proteins=1, fats=2),
            source=self.name,
            source_id=f"{self.name}:{food.name}",
            description=food.name.upper(),
        )


class FakeFallback(Fallback):
    """Guesses porridge of 200 kcal, or answers as ``answer`` does."""

    name = "fake_fallback"

    def __init__(self, answer: Callable[[], Any] | None = None) -> None:
        super().__init__({}, context())
        self._answer = answer

    def check(self) -> None:
        """Always well."""

    def predict(self, photo: Photo, label: str | None = None) -> Estimate:
        """The same guess for every photo."""
        if self._answer is not None:
            answer: Estimate = self._answer()
            return answer
        return Estimate(
            food=label or "Porridge",
            ingredients=(Ingredient(name="Oats", grams=40),),
            nutrients=Nutrients(calories=200, proteins=8, fats=4, carbohydrates=30),
        )


def labelled(*labels: tuple[str, float | None], **more: Any) -> Classification:
    """A classification with these labels and confidences."""
    return Classification(labels=tuple(Label(*label) for label in labels), **more)


def registered(provider: Provider) -> type[Provider]:
    """A class that, when built, gives this instance: what a hook hands to FoodLog."""
    kind: Any = type(provider)

    def new(cls: Any, options: Any, context: Context) -> Provider:
        return provider

    return type(
        f"Registered{kind.__name__}",
        (kind,),
        {"name": provider.name, "__new__": new, "__init__": lambda self, *_: None},
    )


class plugin:  # noqa: N801 - used as a function
    """A plugin that offers these instances under their own names."""

    def __init__(self, *providers: Provider) -> None:
        self._classes = [registered(provider) for provider in providers]

    def _of(self, port: type[Provider]) -> list[Any]:
        return [kind for kind in self._classes if issubclass(kind, port)]

    @foodlog.hookimpl
    def foodlog_storages(self) -> list[type[Storage]]:
        """Hook."""
        return self._of(Storage)  # type: ignore[type-abstract]

    @foodlog.hookimpl
    def foodlog_classifiers(self) -> list[type[Classifier]]:
        """Hook."""
        return self._of(Classifier)  # type: ignore[type-abstract]

    @foodlog.hookimpl
    def foodlog_nutrition_sources(self) -> list[type[NutritionSource]]:
        """Hook."""
        return self._of(NutritionSource)  # type: ignore[type-abstract]

    @foodlog.hookimpl
    def foodlog_fallbacks(self) -> list[type[Fallback]]:
        """Hook."""
        return self._of(Fallback)  # type: ignore[type-abstract]

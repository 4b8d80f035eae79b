"""A photo becomes labels, ingredients and nutrition.

Providers are asked in the order of the YAML. One that fails is left out and noted in the
metadata; when all fail the fallback answers, and the result says that it is an estimate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from foodlog.concurrency import Deadline, Guard, is_fair
from foodlog.dishes import Dish, Dishes, normalise
from foodlog.errors import Declined, PartialAnswer, ProviderError, Rejected
from foodlog.models import (
    Classification,
    Component,
    Estimate,
    FoodQuery,
    Ingredient,
    Label,
    Nutrients,
    Nutrition,
)
from foodlog.photos import Photo
from foodlog.providers import Classifier, Fallback, NutritionSource, Provider
from foodlog.services import checking

P = TypeVar("P", bound=Provider)

DEFAULT_SERVING = 100.0
"""Grams assumed of a single food whose household serving no source knows."""
LAST_CHANCE = 0.2
"""Seconds a local provider gets even when the deadline is spent."""
OWN_SHARE = 0.95
"""Of that time is told to the provider, so that it can still hand over what it has."""
REASON_LENGTH = 200
"""Characters kept of why a provider failed."""
KNOWN_SHARE = 0.5
"""Of a meal's weight whose amount of a nutrient is known, at least, for the sum to be told: with
less it would be a small number that looks like an answer."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[P]):
    """A provider and the guard it is called through."""

    provider: P
    guard: Guard

    def ask(self, method: Callable[..., Any], *args: Any, deadline: Deadline) -> Any:
        """``method(*args)`` within its own time-out (option ``timeout``) or what is left.

        Where nothing is left, only a provider without such an option is asked: it is local.
        """
        own = self.provider.options.get("timeout")
        timeout = min(own, deadline.left()) if own else max(deadline.left(), LAST_CHANCE)
        fair = is_fair(timeout, own)
        return self.guard.call(method, *args, OWN_SHARE * timeout, timeout=timeout, fair=fair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an operator sets about predictions."""

    threshold: float
    """Least confidence (0..1) that is accepted."""
    min_coverage: float
    """Least share (0..1) of a dish's weight whose nutrition must be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is on the photo, and who says so."""

    label: str
    inference_source: str
    confidence: float | None = None
    candidates: tuple[Label, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    classifier: str | None = None
    ingredients: tuple[str, ...] = ()
    nutrients: Nutrients | None = None
    """Of the serving, where the classifier says so itself."""
    estimate: Estimate | None = None
    """The fallback's answer, where no classifier had one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What is in the meal; the fields of :class:`foodlog.models.Meal` that say so."""

    food: str
    nutrients: Nutrients
    ingredients: tuple[str, ...]
    components: tuple[Component, ...]
    nutrition_source: str | None
    coverage: float | None
    estimated: bool
    metadata: Mapping[str, Any]


class Analyst:
    """Asks the providers. Thread-safe; holds no state of its own."""

    def __init__(
        self,
        *,
        classifiers: Sequence[Asked[Classifier]],
        sources: Sequence[Asked[NutritionSource]],
        fallback: Asked[Fallback],
        dishes: Dishes,
        rules: Rules,
        clock: Callable[[], datetime],
    ) -> None:
        self._classifiers = tuple(classifiers)
        self._sources = tuple(sources)
        self._fallback = fallback
        self._dishes = dishes
        self._rules = rules
        self._clock = clock

    def classify(self, photo: Photo, deadline: Deadline) -> Finding:
        """What is on the photo.

        Raises :class:`Rejected` when the best label is under the threshold, and
        :class:`ProviderError` when even the fallback fails.
        """
        metadata: dict[str, Any] = {}
        for asked in self._classifiers:
            try:
                answer = self._classified(asked, photo, deadline)
            except Declined:
                continue
            except ProviderError as error:
                metadata[f"{asked.provider.metadata_key}_error"] = str(error)[:REASON_LENGTH]
            else:
                return self._finding(asked.provider, answer, metadata)
        estimate = self._estimate(photo, None, deadline)
        return Finding(
            label=estimate.food,
            inference_source="local_fallback",
            metadata=metadata,
            estimate=estimate,
        )

    def nutrition(self, finding: Finding, photo: Photo, deadline: Deadline) -> Analysis:
        """What the meal contains: by its ingredients where the dish is known, else as a single
        food, else as the classifier says, else as the fallback guesses."""
        dish = self._dishes.match(finding.label)
        metadata = dict(finding.metadata)
        return (
            self._by_ingredients(finding, dish, metadata, deadline)
            or self._as_single_food(finding, dish, metadata, deadline)
            or self._as_classified(finding, metadata)
            or self._as_estimated(finding, photo, metadata, deadline)
        )

    def resolve(self, name: str, grams: float | None, deadline: Deadline) -> Analysis | None:
        """What a dish or food of this name contains, without any photo; of ``grams`` of it, or
        of a typical serving. None where nobody knows it."""
        finding = Finding(label=name, inference_source="manual")
        dish = self._dishes.match(name)
        metadata: dict[str, Any] = {}
        found = self._by_ingredients(finding, dish, metadata, deadline) or self._as_single_food(
            finding, dish, metadata, deadline
        )
        if found is None or grams is None:
            return found
        factor = grams / sum(part.grams or 0 for part in found.components)
        parts = tuple(_scaled(part, factor) for part in found.components)
        return replace(found, components=parts, nutrients=total(parts))

    def components(
        self, ingredients: Sequence[Ingredient], deadline: Deadline
    ) -> tuple[tuple[Component, ...], dict[str, Any]]:
        """Each ingredient with its nutrition, and metadata about the records used.

        Every source is asked for what those before it did not know.
        """
        known: dict[int, Nutrition] = {}
        metadata: dict[str, Any] = {}
        for asked in self._sources:
            missing = [i for i in range(len(ingredients)) if i not in known]
            if not missing:
                break
            queries = [ingredients[i].query for i in missing]
            answers = self._lookup(asked, queries, metadata, deadline)
            known |= {i: a for i, a in zip(missing, answers, strict=True) if a is not None}
        parts = tuple(_component(item, known.get(i)) for i, item in enumerate(ingredients))
        return parts, metadata | self._records(parts)

    def _classified(
        self, asked: Asked[Classifier], photo: Photo, deadline: Deadline
    ) -> Classification:
        classifier = asked.provider

        def classify(photo: Photo, timeout: float) -> Classification:
            return checking.classification(classifier.name, classifier.classify(photo, timeout))

        answer: Classification = asked.ask(classify, photo, deadline=deadline)
        return answer

    def _finding(
        self, classifier: Classifier, answer: Classification, metadata: dict[str, Any]
    ) -> Finding:
        best = answer.labels[0]
        threshold = self._rules.threshold
        if best.confidence is not None and best.confidence < threshold:
            raise Rejected(answer.labels, threshold)
        seen = {
            "label": best.name,
            "confidence": best.confidence,
            "threshold": threshold,
            "captured_at": self._clock().isoformat(),
        }
        return Finding(
            label=best.name,
            inference_source=classifier.inference_source,
            confidence=best.confidence,
            candidates=answer.labels,
            metadata=metadata | {classifier.metadata_key: {**answer.diagnostics, **seen}},
            classifier=classifier.name,
            ingredients=answer.ingredients,
            nutrients=answer.nutrients,
        )

    def _by_ingredients(
        self, finding: Finding, dish: Dish | None, metadata: dict[str, Any], deadline: Deadline
    ) -> Analysis | None:
        if dish is None:
            return None
        parts, records = self.components(dish.ingredients, deadline)
        metadata |= records
        share = coverage(parts)
        if share < self._rules.min_coverage:
            return None
        return _analysis(finding, _food_name(finding, dish), parts, metadata, coverage=share)

    def _as_single_food(
        self, finding: Finding, dish: Dish | None, metadata: dict[str, Any], deadline: Deadline
    ) -> Analysis | None:
        query = FoodQuery(name=finding.label)
        for asked in self._sources:
            (answer,) = self._lookup(asked, [query], metadata, deadline)
            if answer is None:
                continue
            grams = (dish.grams if dish else None) or answer.serving_grams or DEFAULT_SERVING
            name = _food_name(finding, dish)
            part = _component(Ingredient(name=name, grams=grams), answer)
            metadata |= self._records((part,))
            return _analysis(finding, name, (part,), metadata, coverage=1.0)
        return None

    def _as_classified(self, finding: Finding, metadata: dict[str, Any]) -> Analysis | None:
        if finding.nutrients is None or finding.nutrients.calories is None:
            return None
        return Analysis(
            food=_readable(finding.label),
            nutrients=finding.nutrients,
            ingredients=finding.ingredients,
            components=tuple(Component(name=name) for name in finding.ingredients),
            nutrition_source=finding.classifier,
            coverage=None,
            estimated=False,
            metadata=metadata,
        )

    def _as_estimated(
        self, finding: Finding, photo: Photo, metadata: dict[str, Any], deadline: Deadline
    ) -> Analysis:
        estimate = finding.estimate or self._estimate(photo, finding.label, deadline)
        return Analysis(
            food=_readable(finding.label),
            nutrients=estimate.nutrients,
            ingredients=tuple(item.name for item in estimate.ingredients),
            components=tuple(Component(name=i.name, grams=i.grams) for i in estimate.ingredients),
            nutrition_source=self._fallback.provider.name,
            coverage=0.0,
            estimated=True,
            metadata=metadata,
        )

    def _estimate(self, photo: Photo, label: str | None, deadline: Deadline) -> Estimate:
        fallback = self._fallback.provider

        def predict(photo: Photo, label: str | None, timeout: float) -> Estimate:
            return checking.estimate(fallback.name, fallback.predict(photo, label))

        estimate: Estimate = self._fallback.ask(predict, photo, label, deadline=deadline)
        return estimate

    def _lookup(
        self,
        asked: Asked[NutritionSource],
        foods: list[FoodQuery],
        metadata: dict[str, Any],
        deadline: Deadline,
    ) -> Sequence[Nutrition | None]:
        source = asked.provider

        def lookup(foods: list[FoodQuery], timeout: float) -> list[Nutrition | None]:
            try:
                return checking.lookup(source.name, foods, source.lookup(foods, timeout))
            except PartialAnswer as partial:
                answers = checking.lookup(source.name, foods, partial.answers)
                raise PartialAnswer(str(partial), answers) from partial

        try:
            answers: list[Nutrition | None] = asked.ask(lookup, foods, deadline=deadline)
        except ProviderError as error:
            if source.metadata_key:
                metadata[f"{source.metadata_key}_error"] = str(error)[:REASON_LENGTH]
            return error.answers if isinstance(error, PartialAnswer) else [None] * len(foods)
        return answers

    def _records(self, parts: Sequence[Component]) -> dict[str, Any]:
        keys = {a.provider.name: a.provider.metadata_key for a in self._sources}
        listed: dict[str, Any] = {}
        for part in parts:
            key = keys.get(part.source or "")
            if key:
                listed.setdefault(key, {"components": []})["components"].append(
                    {
                        "name": part.name,
                        "grams": part.grams,
                        "source_id": part.source_id,
                        "description": part.description,
                        "data_type": part.data_type,
                    }
                )
        return listed


def coverage(parts: Sequence[Component]) -> float:
    """Share (0..1) of the weight of ``parts`` whose energy is known."""
    total = sum(part.grams or 0 for part in parts)
    known = sum(part.grams or 0 for part in parts if part.nutrients.calories is not None)
    return known / total if total else 0.0


def total(parts: Sequence[Component]) -> Nutrients:
    """The sum of the parts; what is unknown of most of the weight is unknown of the whole."""
    weight = sum(part.grams or 0 for part in parts)
    amounts = Nutrients.total(part.nutrients for part in parts).as_dict()
    for name in amounts:
        known = sum(p.grams or 0 for p in parts if getattr(p.nutrients, name) is not None)
        if known < weight * KNOWN_SHARE:
            amounts[name] = None
    return Nutrients(**amounts)


def main_source(parts: Sequence[Component]) -> str | None:
    """The source that most of the weight's nutrition came from."""
    weights: dict[str, float] = {}
    for part in parts:
        if part.source:
            weights[part.source] = weights.get(part.source, 0) + (part.grams or 0)
    return max(weights, key=weights.__getitem__) if weights else None


def _analysis(
    finding: Finding,
    food: str,
    parts: tuple[Component, ...],
    metadata: Mapping[str, Any],
    *,
    coverage: float,
) -> Analysis:
    return Analysis(
        food=food,
        nutrients=total(parts),
        ingredients=tuple(part.name for part in parts),
        components=parts,
        nutrition_source=main_source(parts),
        coverage=coverage,
        estimated=finding.estimate is not None,
        metadata=metadata,
    )


def _scaled(part: Component, factor: float) -> Component:
    return replace(
        part,
        grams=None if part.grams is None else part.grams * factor,
        nutrients=part.nutrients.scaled(factor),
    )


def _component(item: Ingredient, answer: Nutrition | None) -> Component:
    if answer is None:
        return Component(name=item.name, grams=item.grams)
    return Component(
        name=item.name,
        grams=item.grams,
        nutrients=answer.per_100g.scaled(item.grams / 100),
        source=answer.source,
        source_id=answer.source_id,
        description=answer.description,
        data_type=answer.data_type,
    )


def _food_name(finding: Finding, dish: Dish | None) -> str:
    if dish and normalise(finding.label) == dish.key:
        return dish.name
    return _readable(finding.label)


def _readable(label: str) -> str:
    words = " ".join(label.replace("_", " ").split())
    return words[:1].upper() + words[1:]

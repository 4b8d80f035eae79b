"""What providers answer, brought into bounds, or refused as a failure of that provider alone.

Whatever passes here can be added up, stored, and written as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from foodlog.characters import controls
from foodlog.errors import ProviderError
from foodlog.models import (
    Classification,
    Estimate,
    FoodQuery,
    Ingredient,
    Label,
    Nutrients,
    Nutrition,
)

CANDIDATES = 10
"""Labels kept of a classification."""
INGREDIENTS = 50
"""Ingredients kept of an answer that names them."""
TEXT_LENGTH = 200
"""Characters kept of a label, a name or a description."""
DIAGNOSTICS_BYTES = 64 * 1024
"""As JSON."""
LARGEST = 1e6
"""No amount of a nutrient is larger (kcal, g or mg), so that none can grow to infinity."""
HEAVIEST = 5000.0
"""Grams; no serving or ingredient weighs more."""


def classification(classifier: str, answer: object) -> Classification:
    """The answer of :meth:`foodlog.providers.Classifier.classify`. Raises ProviderError."""
    if not isinstance(answer, Classification):
        raise ProviderError(f"{classifier}: answered {type(answer).__name__}")
    labels = tuple(_label(classifier, label) for label in answer.labels[:CANDIDATES])
    if not labels:
        raise ProviderError(f"{classifier}: answered no label")
    return Classification(
        labels=labels,
        diagnostics=_json(classifier, answer.diagnostics),
        ingredients=tuple(
            _text(classifier, "an ingredient", name) for name in answer.ingredients[:INGREDIENTS]
        ),
        nutrients=answer.nutrients and _known(answer.nutrients),
    )


def lookup(source: str, foods: Sequence[FoodQuery], answers: object) -> list[Nutrition | None]:
    """The answers of :meth:`foodlog.providers.NutritionSource.lookup`. Raises ProviderError."""
    if not isinstance(answers, Sequence) or len(answers) != len(foods):
        raise ProviderError(f"{source}: did not answer one entry for each food")
    return [None if answer is None else _nutrition(source, answer) for answer in answers]


def estimate(fallback: str, answer: object) -> Estimate:
    """The answer of :meth:`foodlog.providers.Fallback.predict`. Raises ProviderError."""
    if not isinstance(answer, Estimate):
        raise ProviderError(f"{fallback}: answered {type(answer).__name__}")
    ingredients = answer.ingredients[:INGREDIENTS]
    if not all(isinstance(i, Ingredient) and _is_weight(i.grams) for i in ingredients):
        raise ProviderError(f"{fallback}: answered an ingredient without a weight in grams")
    if answer.nutrients.calories is None or _known(answer.nutrients) != answer.nutrients:
        raise ProviderError(f"{fallback}: answered an amount that is no number from 0 up")
    return replace(
        answer,
        food=_text(fallback, "a food", answer.food),
        ingredients=tuple(
            replace(i, name=_text(fallback, "an ingredient", i.name)) for i in ingredients
        ),
    )


def _label(classifier: str, label: Label) -> Label:
    confidence = label.confidence
    if confidence is not None and not _is_number(confidence, 1):
        raise ProviderError(f"{classifier}: answered a confidence outside 0..1")
    return Label(_text(classifier, "a label", label.name), confidence)


def _nutrition(source: str, answer: object) -> Nutrition:
    if not isinstance(answer, Nutrition):
        raise ProviderError(f"{source}: answered {type(answer).__name__}")
    if _known(answer.per_100g) != answer.per_100g:
        raise ProviderError(f"{source}: answered an amount outside 0..1,000,000")
    if answer.serving_grams is not None and not _is_weight(answer.serving_grams):
        raise ProviderError(f"{source}: answered a serving outside 0..5,000 g")
    return replace(
        answer,
        source_id=_text(source, "an id", answer.source_id),
        description=_text(source, "a description", _printable(answer.description)),
        data_type=answer.data_type and _text(source, "a data type", answer.data_type),
    )


def _text(provider: str, what: str, value: object) -> str:
    text = value.strip()[:TEXT_LENGTH] if isinstance(value, str) else ""
    if not text or controls(text):  # lone surrogates are some, which JSON cannot hold
        raise ProviderError(f"{provider}: answered {what} that is no text")
    return text


def _printable(value: object) -> object:
    """Without odd characters: a record's own words are nobody's fault."""
    return "".join(filter(str.isprintable, value)) if isinstance(value, str) else value


def _json(provider: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = orjson.dumps(dict(facts))
    except TypeError as error:
        raise ProviderError(f"{provider}: answered diagnostics that are no JSON") from error
    if len(text) > DIAGNOSTICS_BYTES:
        raise ProviderError(f"{provider}: answered diagnostics of {len(text):,} bytes")
    found: dict[str, Any] = orjson.loads(text)
    return found


def _known(nutrients: Nutrients) -> Nutrients:
    """The amounts that are numbers within bounds."""
    amounts = nutrients.as_dict()
    return Nutrients(**{n: v if _is_number(v, LARGEST) else None for n, v in amounts.items()})


def _is_weight(grams: object) -> bool:
    return _is_number(grams, HEAVIEST) and grams != 0


def _is_number(value: object, most: float) -> bool:
    """Whether it is a number from 0 to ``most``; NaN is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most

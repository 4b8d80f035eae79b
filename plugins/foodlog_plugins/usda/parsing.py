"""Answers of FoodData Central, in any of its three shapes, as :class:`Record`.

The shapes differ in where a nutrient's number, unit and amount stand: abridged
(``number``, ``unitName``, ``amount``), full (``nutrient.number``, ``nutrient.unitName``,
``amount``) and search (``nutrientNumber``, ``unitName``, ``value``). What cannot be believed is
unknown (None), never 0; what is not an answer at all is a
:class:`~foodlog.errors.ProviderError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from foodlog.errors import ProviderError
from foodlog.models import Nutrients

ENERGY = ("208", "958", "957")
"""kcal: measured or calculated, then by specific, then by general Atwater factors."""
ALCOHOL = "221"
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "calories": ENERGY,
    "proteins": ("203",),
    "fats": ("204",),
    "carbohydrates": ("205",),
    "fiber": ("291",),
    "sugars": ("269", "269.3"),
    "saturated_fats": ("606",),
    "sodium_mg": ("307",),
}
NUTRIENT_NUMBERS = sorted({n for numbers in _FIELDS.values() for n in numbers} | {ALCOHOL})
"""The nutrients FoodLog asks for, as FoodData Central numbers them."""

_GRAMS: Mapping[str, float] = {"G": 1.0, "MG": 1e-3, "UG": 1e-6, "MCG": 1e-6, "µG": 1e-6}
_LARGEST = 1e6
_HEAVIEST = 5000.0
_OTHER_NAMES = 20
_UNSPECIFIED = "Quantity not specified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One food of FoodData Central."""

    fdc_id: int
    description: str
    data_type: str
    """"Foundation", "SR Legacy", "Survey (FNDDS)" or "Branded"; "" where it was not said."""
    category: str = ""
    brand: str = ""
    """Brand and maker of a branded food."""
    other_names: tuple[str, ...] = ()
    """What else a survey food is called."""
    nutrients: Nutrients
    """Per 100 g; of a branded liquid per 100 ml, which is taken for 100 g."""
    alcohol: float | None = None
    """g per 100 g."""
    serving_grams: float | None = None
    """Weight of the serving meant where nothing is said of its size."""


def parse_foods(answer: object) -> dict[int, Record]:
    """The records of a ``POST /foods`` answer by id; a literal ``{}`` stands for none.

    Raises ProviderError where the answer is neither.
    """
    if answer == {}:
        return {}
    if not isinstance(answer, list):
        raise ProviderError("USDA answered something that is not a list of foods")
    return {record.fdc_id: record for record in map(parse_food, answer) if record}


def parse_search(answer: object) -> list[Record]:
    """The hits of a ``POST /foods/search`` answer, in its order.

    Raises ProviderError where there is no list of foods in it.
    """
    foods = answer.get("foods") if isinstance(answer, Mapping) else None
    if not isinstance(foods, list):
        raise ProviderError("USDA answered something that is not a search result")
    return [record for record in map(parse_food, foods) if record]


def parse_food(food: object) -> Record | None:
    """One food in any shape; None where it has no id or no description."""
    if not isinstance(food, Mapping):
        return None
    fdc_id, description = food.get("fdcId"), food.get("description")
    if not isinstance(fdc_id, int) or isinstance(fdc_id, bool) or fdc_id <= 0:
        return None
    if not isinstance(description, str) or not description.strip():
        return None
    amounts = _amounts(food.get("foodNutrients"))
    return Record(
        fdc_id=fdc_id,
        description=" ".join(description.split())[:300],
        data_type=_text(food.get("dataType")),
        category=_category(food),
        brand=f"{_text(food.get('brandName'))} {_text(food.get('brandOwner'))}".strip(),
        other_names=_other_names(food),
        nutrients=_nutrients(amounts),
        alcohol=amounts.get(ALCOHOL),
        serving_grams=_serving(food),
    )


def atwater(nutrients: Nutrients) -> float | None:
    """kcal by the general factors 4/9/4; None where a macronutrient is unknown."""
    protein, fat, carbohydrate = nutrients.proteins, nutrients.fats, nutrients.carbohydrates
    if protein is None or fat is None or carbohydrate is None:
        return None
    return 4 * protein + 9 * fat + 4 * carbohydrate


def _nutrients(amounts: Mapping[str, float]) -> Nutrients:
    found: dict[str, float | None] = {}
    for name, numbers in _FIELDS.items():
        found[name] = next((amounts[n] for n in numbers if n in amounts), None)
    if found["sodium_mg"] is not None:
        found["sodium_mg"] *= 1000
    if found["calories"] is None:
        found["calories"] = atwater(Nutrients(**found))
    return Nutrients(**found)


def _amounts(rows: object) -> dict[str, float]:
    """kcal and grams by nutrient number; the first that can be believed counts."""
    amounts: dict[str, float] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping):
            number, amount = _row(row)
            if amount is not None:
                amounts.setdefault(number, amount)
    return amounts


def _row(row: Mapping[str, Any]) -> tuple[str, float | None]:
    nested = row.get("nutrient")
    named = nested if isinstance(nested, Mapping) else row
    number = _number_text(named.get("number", row.get("nutrientNumber")))
    unit = _text(named.get("unitName")).upper()
    amount = _amount(row.get("amount", row.get("value")))
    if number in ENERGY:
        return number, amount if unit == "KCAL" else None
    factor = _GRAMS.get(unit)
    return number, amount * factor if amount is not None and factor is not None else None


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if -_LARGEST <= value <= _LARGEST and isfinite(value) else None


def _serving(food: Mapping[str, Any]) -> float | None:
    """Of a branded food its label's, in g; of a survey food that of "Quantity not specified"."""
    if _text(food.get("servingSizeUnit")).lower() in {"g", "grm"}:
        return _positive(food.get("servingSize"))
    measures = food.get("foodMeasures")
    for measure in measures if isinstance(measures, list) else ():
        if isinstance(measure, Mapping) and measure.get("disseminationText") == _UNSPECIFIED:
            return _positive(measure.get("gramWeight"))
    return None


def _positive(value: object) -> float | None:
    amount = _amount(value)
    return amount if amount is not None and 0 < amount <= _HEAVIEST else None


def _number_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).strip().removesuffix(".0")


def _text(value: object) -> str:
    return value.strip()[:100] if isinstance(value, str) else ""


def _other_names(food: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of a search hit: texts with semicolons between the names."""
    texts = (food.get("commonNames"), food.get("additionalDescriptions"))
    names = (name.strip() for text in texts if isinstance(text, str) for name in text.split(";"))
    return tuple(name[:100] for name in names if name)[:_OTHER_NAMES]


def _category(food: Mapping[str, Any]) -> str:
    """Search hits hold it as text, details as an object, branded foods under another key."""
    values: Sequence[object] = (food.get("foodCategory"), food.get("brandedFoodCategory"))
    for value in values:
        text = value.get("description") if isinstance(value, Mapping) else value
        if isinstance(text, str) and text.strip():
            return _text(text)
    return ""

"""Whether a record can be true at all: figures that no food has are refused."""

from foodlog.models import Nutrients
from foodlog_plugins.usda.parsing import Record, atwater

MAX_KCAL = 902.0
MAX_MACROS = 105.0
"""g of protein, fat and carbohydrate together per 100 g; 5 of it rounding and ash."""
_TOLERANCE = 0.25
_SMALL = 20.0
"""kcal by which watery foods may differ: acids and fibre of a juice are no error."""
_LEAST_TOLD = 10.0
"""kcal from which kilojoules can be told from rounding."""
_KJ_PER_KCAL = 4.184
_HIGH_FIBER = 10.0
_FIBER_SHARE = 0.2
_OTHER_ENERGY = (
    "alcohol",
    "beer",
    "wine",
    "liquor",
    "cocktail",
    "liqueur",
    "spirits",
    "vinegar",
    "extract",
    "leavening",
    "baking powder",
    "baking soda",
    "cream of tartar",
    "sugar free",
    "sugarless",
    "sugar substitute",
    "sweetener",
)


def plausible(record: Record) -> bool:
    """Whether the figures per 100 g fit together. Energy must be known.

    Kilocalories further than a quarter from 4/9/4 are taken for an error, but for alcohol, acids,
    leavens, sweeteners and foods high in fibre, whose energy those factors do not tell.
    """
    nutrients = record.nutrients
    if nutrients.calories is None or any(v is not None and v < 0 for v in _known(nutrients)):
        return False
    macros = (nutrients.proteins, nutrients.fats, nutrients.carbohydrates)
    if nutrients.calories > MAX_KCAL or sum(v or 0.0 for v in macros) > MAX_MACROS:
        return False
    expected = atwater(nutrients)
    if expected is None:
        return True
    return not _kilojoules(nutrients.calories, expected) and (
        _near(nutrients.calories, expected) or _exempt(record)
    )


def _known(nutrients: Nutrients) -> tuple[float | None, ...]:
    return tuple(nutrients.as_dict().values())


def _near(calories: float, expected: float) -> bool:
    return abs(calories - expected) <= max(_TOLERANCE * expected, _SMALL)


def _kilojoules(calories: float, expected: float) -> bool:
    return expected > _LEAST_TOLD and abs(calories / (expected * _KJ_PER_KCAL) - 1) < 0.1


def _exempt(record: Record) -> bool:
    fiber, carbohydrates = record.nutrients.fiber or 0.0, record.nutrients.carbohydrates or 0.0
    if fiber >= _HIGH_FIBER or fiber > _FIBER_SHARE * carbohydrates:
        return True
    named = f"{record.description} {record.category}".lower()
    return bool(record.alcohol) or any(word in named for word in _OTHER_ENERGY)

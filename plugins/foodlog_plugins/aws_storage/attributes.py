"""Records as DynamoDB items, and back.

DynamoDB's numbers have 38 significant digits and exponents from -130 to 125: what fits comes
back as it was. A number that does not fit is kept as its text under the type for bytes, which no
other value uses. A whole number of more than 64 bits comes back as a float, as JSON is read
everywhere here. Unknown top-level values are left out, as the Flask service did.
"""

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from foodlog.errors import Unprocessable

Item = dict[str, Any]
"""Attribute names to attribute values, each under its type's letter."""

WHOLE = 10**38
"""Whole numbers below this are written digit by digit: 38 is what DynamoDB holds exactly."""
LEAST_WHOLE, GREATEST_WHOLE = -(2**63), 2**64 - 1
"""Whole numbers between these are read as such; others orjson neither reads nor writes."""
SMALLEST, LARGEST = -130, 125
"""Least and greatest exponent of ten of a number (DynamoDB's manual, "Supported data types")."""


def to_item(record: Mapping[str, Any]) -> Item:
    """The item of a record of JSON types; top-level None is left out.

    Raises :class:`~foodlog.errors.Unprocessable` for a number that is not finite.
    """
    return {key: to_attribute(value) for key, value in record.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The record of an item: strings, ints, floats, booleans, None, lists and dicts."""
    return {key: _value(attribute) for key, attribute in item.items()}


def to_attribute(value: Any) -> dict[str, Any]:
    """The attribute of a value of a JSON type."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return _number_attribute(value)
        case str():
            return {"S": value}
        case Mapping():
            return {"M": {str(key): to_attribute(entry) for key, entry in value.items()}}
        case list() | tuple():
            return {"L": [to_attribute(entry) for entry in value]}
    raise TypeError(f"{type(value).__name__} is no JSON type")


def _number_attribute(value: float) -> dict[str, Any]:
    if isinstance(value, float) and not isfinite(value):
        raise Unprocessable("There is a number that cannot be stored: it is not finite.")
    if abs(value) < WHOLE and value == int(value):
        return {"N": str(int(value))}
    if isinstance(value, float) and SMALLEST <= Decimal(repr(value)).adjusted() <= LARGEST:
        return {"N": repr(value)}
    return {"B": repr(value).encode("ascii")}


def _value(attribute: Mapping[str, Any]) -> Any:
    (kind, value), *_ = attribute.items()
    match kind:
        case "N":
            return _number(value)
        case "B":
            return _any_number(value.decode("ascii", "replace"))
        case "M":
            return from_item(value)
        case "L":
            return [_value(entry) for entry in value]
        case "SS":
            return sorted(value)
        case "S" | "BOOL":
            return value
    return None


def _number(text: str) -> int | float:
    number = Decimal(text)
    whole = LEAST_WHOLE <= number <= GREATEST_WHOLE and number == int(number)
    return int(number) if whole else float(number)


def _any_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:  # bytes that are none of ours
        return None
    return number if isfinite(number) else None

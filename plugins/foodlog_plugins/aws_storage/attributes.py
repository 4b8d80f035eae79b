"""Records as DynamoDB items, and back.

DynamoDB writes a number as text with up to 38 significant digits, so every integer and float
that fits survives as it is. Times are text, unknown top-level values are left out, as the Flask
service did.
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
SMALLEST, LARGEST = -130, 125
"""Least and greatest exponent of ten of a number (DynamoDB's manual, "Supported data types")."""


def to_item(record: Mapping[str, Any]) -> Item:
    """The item of a record of JSON types; top-level None is left out.

    Raises :class:`~foodlog.errors.Unprocessable` for a number DynamoDB cannot hold.
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
            return {"N": _number_text(value)}
        case str():
            return {"S": value}
        case Mapping():
            return {"M": {str(key): to_attribute(entry) for key, entry in value.items()}}
        case list() | tuple():
            return {"L": [to_attribute(entry) for entry in value]}
    raise TypeError(f"{type(value).__name__} is no JSON type")


def _number_text(value: float) -> str:
    if abs(value) < WHOLE and value == int(value):
        return str(int(value))
    if isinstance(value, int) or not _fits(value):
        raise Unprocessable("There is a number that cannot be stored: not finite, or too long.")
    return repr(value)


def _fits(value: float) -> bool:
    return isfinite(value) and SMALLEST <= Decimal(repr(value)).adjusted() <= LARGEST


def _value(attribute: Mapping[str, Any]) -> Any:
    (kind, value), *_ = attribute.items()
    match kind:
        case "N":
            return _number(value)
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
    whole = abs(number) < WHOLE and number == int(number)
    return int(number) if whole else float(number)

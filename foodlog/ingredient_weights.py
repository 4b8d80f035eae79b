"""The operator's own ingredient weights: ``{"dish": {"ingredient": grams}}``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marshmallow import ValidationError, fields

from foodlog.errors import ConfigError
from foodlog.strict_yaml import MAX_CHARACTERS, parse

Weights = Mapping[str, Mapping[str, float]]
"""Dish to ingredient to grams."""


class WeightsField(fields.Field[Weights]):
    """Weights as a mapping, as JSON text, or in the YAML or JSON file a path names.

    The dishes, ingredients and grams in it are checked where they are merged with the table
    (:meth:`foodlog.dishes.Dishes.with_weights`).
    """

    allowed = (
        "a mapping of dish to ingredient to grams, the same as JSON text, "
        "or the path of a YAML or JSON file that holds it"
    )

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Weights:
        dishes = _read(value.strip()) if isinstance(value, str) else value
        if not isinstance(dishes, Mapping):
            raise ValidationError("not a mapping of dishes")
        return dishes


def _read(text: str) -> Any:
    """JSON where it begins like JSON, else what the file of this name holds."""
    if text.startswith(("{", "[")):
        try:
            return json.loads(text, object_pairs_hook=_mapping)
        except (ValueError, RecursionError) as error:
            raise ValidationError(f"no valid JSON: {error}") from None
    try:
        with Path(text).open(encoding="utf-8") as file:
            return parse(file.read(MAX_CHARACTERS + 1), text).value
    except ConfigError as error:
        raise ValidationError(str(error)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ValidationError(f"the file cannot be read: {reason}") from None


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return mapping

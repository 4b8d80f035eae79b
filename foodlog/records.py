"""A meal as a storage provider keeps it: one flat record of JSON types, and back.

The keys of the Flask service's rows keep their names and meaning (``image_url``, ``calories``,
``ingredients``, ``nutrition_facts``, ``metadata`` ...); what it did not know stands beside them
under keys it never reads. So both services can read the same table, and a row that the Flask
service wrote becomes a :class:`~foodlog.models.Meal` like any other.

Times are ISO 8601 in UTC with ``+00:00``, as the Flask service wrote them; in this form they
sort as text in the order of time.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from foodlog.models import NUTRIENTS, Component, Label, Meal, Nutrients

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPONENT = tuple(field.name for field in fields(Component))
WHOLE_ENDS = 2**63
"""No database and no JSON here has a whole number, as calories are rounded to, from this on."""
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
"""A number as text, which some old rows hold."""


def to_record(meal: Meal) -> dict[str, Any]:
    """The meal as strings, numbers, booleans, None, lists and dicts; lossless."""
    nutrients = meal.nutrients.as_dict()
    calories = nutrients["calories"]
    return {
        "id": meal.id,
        "user_id": meal.user_id,
        "image_url": meal.image_url,
        "photo_key": meal.photo_key,
        "food": meal.food,
        "calories": None if calories is None else round(calories),
        "ingredients": list(meal.ingredients),
        "nutrition_facts": nutrients,
        "metadata": dict(meal.metadata),
        "inference_source": meal.inference_source,
        "ml_service_error": meal.ml_service_error,
        "created_at": time_text(meal.created_at),
        "consumed_at": time_text(meal.consumed_at),
        "components": [asdict(component) for component in meal.components],
        "nutrition_source": meal.nutrition_source,
        "coverage": meal.coverage,
        "estimated": meal.estimated,
        "confidence": meal.confidence,
        "candidates": [asdict(label) for label in meal.candidates],
        "meal_type": meal.meal_type,
        "note": meal.note,
        "corrected_at": meal.corrected_at and time_text(meal.corrected_at),
        "prediction": None if meal.prediction is None else dict(meal.prediction),
        "fingerprint": meal.fingerprint,
        "version": meal.version,
    }


def from_record(record: Mapping[str, Any]) -> Meal:
    """The meal of a record, whichever service wrote it. Never raises for a row of the Flask
    service: what is missing there is unknown here."""
    created_at = parse_time(record.get("created_at")) or EPOCH
    image_url = _text(record.get("image_url"))
    photo_key = _text(record.get("photo_key"))
    return Meal(
        id=str(record["id"]),
        user_id=_text(record.get("user_id")),
        food=str(record.get("food") or "Meal"),
        created_at=created_at,
        consumed_at=parse_time(record.get("consumed_at")) or created_at,
        nutrients=_nutrients(record.get("nutrition_facts"), record.get("calories")),
        ingredients=tuple(str(name) for name in _list(record.get("ingredients"))),
        components=tuple(_component(entry) for entry in _list(record.get("components"))),
        inference_source=str(record.get("inference_source") or "manual"),
        nutrition_source=_text(record.get("nutrition_source")),
        coverage=record.get("coverage"),
        estimated=bool(record.get("estimated", False)),
        confidence=record.get("confidence"),
        candidates=tuple(
            Label(entry["name"], entry["confidence"]) for entry in _list(record.get("candidates"))
        ),
        ml_service_error=_text(record.get("ml_service_error")),
        photo_key=photo_key,
        image_url=image_url,
        metadata=_mapping(record.get("metadata")),
        meal_type=_text(record.get("meal_type")),
        note=record.get("note"),
        corrected_at=parse_time(record.get("corrected_at")),
        prediction=record.get("prediction"),
        fingerprint=record.get("fingerprint"),
        version=int(record.get("version") or 1),
    )


def time_text(moment: datetime) -> str:
    """ISO 8601 in UTC. Raises ValueError for a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat()


def parse_time(text: object) -> datetime | None:
    """The time a record holds; without a zone it is UTC; None where it holds none."""
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC the first and the last day may not exist
        return None


def photo_key_of(image_url: str | None) -> str | None:
    """The key of the photo an ``image_url`` of the Flask service shows: the file's bare name."""
    try:
        path = urlsplit(image_url or "").path
    except ValueError:
        return None
    return unquote(path).rpartition("/")[2] or None


def is_photo_key(key: str) -> bool:
    """Whether it is ``<user id>/<name>`` or a bare name: nothing that leads out of a folder, and
    nothing a file cannot be called (255 bytes of UTF-8 for each part)."""
    parts = key.split("/")
    return len(parts) <= 2 and all(map(_is_file_name, parts))


def _is_file_name(part: str) -> bool:
    # Printable leaves out NUL, line breaks and lone surrogates.
    return (
        part.isprintable()
        and part[:1] not in ("", ".")
        and "\\" not in part
        and len(part.encode()) <= 255
    )


def _text(value: object) -> str | None:
    """The text, or the text of whatever else stands in its place; None where nothing does."""
    return str(value) if value else None


def _list(value: object) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _nutrients(facts: object, calories: object) -> Nutrients:
    known = _mapping(facts)
    amounts = {name: _amount(known.get(name)) for name in NUTRIENTS}
    if amounts["calories"] is None:
        amounts["calories"] = _amount(calories)
    return Nutrients(**amounts)


def _amount(value: Any) -> float | None:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = float(value)
    # By its type, since a bool is an int too; NaN is in no range.
    return value if type(value) in (int, float) and 0 <= value < WHOLE_ENDS else None


def _component(entry: Mapping[str, Any]) -> Component:
    """Of what this release knows; a newer one may have written more."""
    known = {name: entry[name] for name in _COMPONENT if name in entry}
    return Component(**{**known, "nutrients": _nutrients(entry.get("nutrients"), None)})

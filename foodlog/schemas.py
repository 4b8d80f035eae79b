"""What comes in: marshmallow checks it, and the API document is generated from it.

Every text is bounded and free of control characters, every number finite and in a range,
unknown fields are refused, and a value of another JSON type is an error, never converted.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from foodlog.characters import controls
from foodlog.errors import Unprocessable, Violation
from foodlog.models import NUTRIENTS

MEAL_TYPES = ("breakfast", "lunch", "dinner", "snack")
EARLIEST, LATEST = 1970, 2100
"""Years between which a meal can be eaten."""

# Python reads weeks too (2026-W19-1), which no client means.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CALENDAR_DATE = re.compile(rf"{_DAY.pattern}|[0-9]{{8}}")

_LINE_BREAKS = frozenset("\n\r\t\u2028\u2029")


class Text(fields.String):
    """A string of at most ``longest`` characters; only ``multiline`` takes line breaks."""

    def __init__(self, *, longest: int, multiline: bool = False, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(max=longest), **kwargs)
        self._allowed = _LINE_BREAKS if multiline else frozenset()

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs).strip()
        if controls(text) - self._allowed:
            raise ValidationError("Contains control characters.")
        if self.required and not text:
            raise ValidationError("Must not be empty.")
        return text


class Moment(fields.Field[datetime]):
    """An ISO 8601 time on a calendar date; without a zone it is UTC, a date alone is its midnight
    in UTC."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not 8 <= len(value) <= 40:
            raise ValidationError("Not an ISO 8601 date or time.")
        try:
            if not _CALENDAR_DATE.match(value.strip()):
                raise ValueError
            moment = datetime.fromisoformat(value.strip())
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValidationError("Not an ISO 8601 date or time.") from error
        if not EARLIEST <= moment.year < LATEST:
            raise ValidationError(f"Must lie in {EARLIEST} to {LATEST - 1}.")
        return moment


class Day(fields.Field[datetime]):
    """A date, YYYY-MM-DD; loaded as its midnight in UTC."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        try:
            if not _DAY.fullmatch(value):
                raise ValueError
            day = date.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise ValidationError("Not a date in the form YYYY-MM-DD.") from error
        if not EARLIEST <= day.year < LATEST:
            raise ValidationError(f"Must lie in {EARLIEST} to {LATEST - 1}.")
        return datetime.combine(day, time(), UTC)


class Amount(fields.Field[float]):
    """A JSON number from 0 to ``most``."""

    def __init__(self, *, most: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValidationError("Not a number.")
        if not 0 <= value <= self.most:
            raise ValidationError(f"Must be from 0 to {self.most:g}.")
        return value


def _help(text: str, *examples: str) -> dict[str, object]:
    """Metadata of a field that the API document shows."""
    shown = {"examples": list(examples)} if examples else {}
    return {"description": text, **shown}


_LUNCH = "2026-05-04T12:30:00+02:00"


class _Input(Schema):
    class Meta:
        unknown = RAISE


class Credentials(_Input):
    """The body of ``POST /auth/login``."""

    # What an e-mail and a password must look like is for the accounts to say, so that a log-in
    # with anything else gets the one answer every failed log-in gets.
    email = fields.String(required=True)
    password = fields.String(required=True)


class NewAccount(Credentials):
    """The body of ``POST /auth/signup``."""

    # The same: these bounds are what the accounts will say.
    email = fields.String(required=True, metadata={"format": "email", "maxLength": 254})
    password = fields.String(required=True, metadata={"minLength": 8, "maxLength": 1024})


class _Details(_Input):
    consumed_at = Moment(
        metadata=_help("When it was eaten, ISO 8601; now, if it is not said.", _LUNCH)
    )
    meal_type = fields.String(validate=validate.OneOf(MEAL_TYPES))
    note = Text(longest=2000, multiline=True, metadata={"examples": ["With extra cheese."]})


class PredictFields(_Details):
    """The text parts of ``POST /predict`` beside the photo."""

    meal_date = Moment(metadata=_help("When it was eaten; goes before `consumed_at`.", _LUNCH))


class NutritionFacts(_Input):
    """What a meal contains, as a client says; grams, and milligrams of sodium."""

    calories = Amount(most=20_000)
    proteins = Amount(most=5_000)
    fats = Amount(most=5_000)
    carbohydrates = Amount(most=5_000)
    fiber = Amount(most=5_000)
    sugars = Amount(most=5_000)
    saturated_fats = Amount(most=5_000)
    sodium_mg = Amount(most=200_000)


assert set(NutritionFacts().fields) == set(NUTRIENTS)


class SaveMeal(_Details):
    """The body of ``POST /save_meal``."""

    name = Text(longest=200, required=True)
    calories = Amount(most=20_000, required=True, metadata=_help("Kilocalories."))
    date = Day(metadata=_help("The day it was eaten, YYYY-MM-DD; `consumed_at` goes before."))
    ingredients = fields.List(Text(longest=200, required=True), validate=validate.Length(max=50))
    nutrition_facts = fields.Nested(NutritionFacts)


class WholeText(fields.Integer):
    """A whole number in a query: digits only."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not (
            isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12
        ):
            raise ValidationError("Not a whole number.")
        return int(value)


class PageQuery(_Input):
    """The query of ``GET /meals``."""

    limit = WholeText(metadata=_help("Meals on the page; more than 500 are not given."))
    cursor = fields.String(
        validate=validate.Length(max=1000),
        metadata=_help("The page after the one this came with; all else must be equal."),
    )


class HistoryQuery(PageQuery):
    """The query of ``GET /history``; ``from`` is included, ``to`` is not."""

    since = Moment(data_key="from", metadata=_help("Eaten then or later; ISO 8601."))
    until = Moment(data_key="to", metadata=_help("Eaten before then; ISO 8601."))
    meal_type = fields.String(validate=validate.OneOf(MEAL_TYPES))


class PhotoQuery(_Input):
    """The query of ``GET /uploads/{key}``; both or, in single-user mode, neither."""

    expires = WholeText()
    signature = fields.String(validate=validate.Length(max=200))


def load(schema: Schema, data: object) -> dict[str, Any]:
    """The checked input. Raises :class:`Unprocessable` with a violation for each fault."""
    if not isinstance(data, Mapping):
        raise Unprocessable(
            "A JSON object is expected.", violations=[Violation("", "Not a JSON object.")]
        )
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        violations = _violations(error.messages, "")
        first = violations[0]
        raise Unprocessable(
            f"{first.pointer.lstrip('/') or 'The body'}: {first.detail}", violations=violations
        ) from error
    return loaded


def _violations(messages: object, pointer: str) -> list[Violation]:
    if isinstance(messages, Mapping):
        return [
            violation
            for key, inner in messages.items()
            for violation in _violations(
                inner, pointer if key == "_schema" else f"{pointer}/{_escaped(str(key))}"
            )
        ]
    if isinstance(messages, list):
        return [Violation(pointer, str(message)) for message in messages]
    return [Violation(pointer, str(messages))]


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")[:100]

"""What goes out, as schemas: they describe :mod:`foodlog.representations` and load nothing.

Clients must expect more fields than these: new ones may come with any release.
"""

from typing import Any

from marshmallow import EXCLUDE, INCLUDE, Schema, fields, validate

from foodlog.models import NUTRIENTS
from foodlog.schemas import MEAL_TYPES


def _text(about: str = "", **more: Any) -> fields.String:
    return fields.String(metadata=_help(about), **({"required": True} | more))


def _number(about: str = "", most: float | None = None, **more: Any) -> fields.Float:
    bounds = validate.Range(min=0, max=most)
    return fields.Float(metadata=_help(about), validate=bounds, **({"required": True} | more))


def _whole(about: str = "", **more: Any) -> fields.Integer:
    bounds = validate.Range(min=0)
    return fields.Integer(metadata=_help(about), validate=bounds, **({"required": True} | more))


def _flag(about: str = "", **more: Any) -> fields.Boolean:
    return fields.Boolean(metadata=_help(about), **({"required": True} | more))


def _time(about: str = "", **more: Any) -> fields.DateTime:
    return fields.DateTime(metadata=_help(about), **({"required": True} | more))


def _url(about: str = "", **more: Any) -> fields.String:
    format_ = {"format": "uri-reference"}
    return fields.String(metadata=_help(about) | format_, **({"required": True} | more))


def _many(item: Any, about: str = "", **more: Any) -> fields.List[Any]:
    return fields.List(item, metadata=_help(about), **({"required": True} | more))


def _part(schema: type[Schema], **more: Any) -> fields.Nested:
    return fields.Nested(schema, **({"required": True} | more))


def _open(about: str = "", **more: Any) -> fields.Dict:
    return fields.Dict(metadata=_help(about), **({"required": True} | more))


def _help(text: str) -> dict[str, Any]:
    return {"description": text} if text else {}


class _Answer(Schema):
    class Meta:
        unknown = EXCLUDE


class User(_Answer):
    """An account."""

    id = _text()
    email = _text("In lower case.")
    created_at = _time()


class Session(_Answer):
    """What signing up and logging in answer."""

    token = _text("For the header `Authorization: Bearer <token>`.")
    expires_in = _whole("Seconds for which the token is good.")
    user = _part(User)


class Account(_Answer):
    """Who one is."""

    user = _part(User)


class Nutrition(_Answer):
    """What a meal contains: kilocalories, grams, milligrams of sodium; null where unknown."""

    calories = _whole(allow_none=True)
    proteins = _number(allow_none=True)
    fats = _number(allow_none=True)
    carbohydrates = _number(allow_none=True)
    fiber = _number(allow_none=True)
    sugars = _number(allow_none=True)
    saturated_fats = _number(allow_none=True)
    sodium_mg = _number(allow_none=True)


assert set(Nutrition().fields) == set(NUTRIENTS)


class Component(Nutrition):
    """Part of a meal, with where its nutrition came from."""

    name = _text()
    grams = _number(allow_none=True)
    source = _text("Name of the nutrition source.", allow_none=True)
    source_id = _text("The record's id in that source.", allow_none=True)
    description = _text("The record's own name.", allow_none=True)
    data_type = _text("The record's kind in that source.", allow_none=True)


class Candidate(_Answer):
    """A label the classifier thought of."""

    label = _text()
    confidence = _number(most=1, allow_none=True)


class Position(_Answer):
    """Where the photo was taken, as its EXIF says; told to the owner only."""

    latitude = fields.Float(validate=validate.Range(-90, 90), required=True)
    longitude = fields.Float(validate=validate.Range(-180, 180), required=True)
    altitude = fields.Float(metadata=_help("Metres."))


class Metadata(_Answer):
    """Facts about the photo and about how the meal was worked out; providers add their own."""

    class Meta:
        unknown = INCLUDE

    make = _text(required=False)
    model = _text(required=False)
    lensModel = _text(required=False)  # noqa: N815 - the names of the Flask service
    focalLengthMm = _number(required=False)  # noqa: N815
    aperture = _number(required=False)
    exposureSeconds = _number(required=False)  # noqa: N815
    iso = _number(required=False)
    subjectDistanceMeters = _number(required=False)  # noqa: N815
    sceneRotationDegrees = fields.Integer(validate=validate.OneOf((0, 90, 180, 270)))  # noqa: N815
    capturedAt = _text("ISO 8601; with a zone where the photo names one.", required=False)  # noqa: N815
    gps = _part(Position, required=False)
    meal_date = _text("When the meal was eaten, ISO 8601.", required=False)
    uploaded_by = _text("The owner's e-mail.", required=False)
    hf_space = fields.Raw(metadata=_help("What the Hugging Face classifier told."))
    usda_fdc = fields.Raw(metadata=_help("The USDA records used."))


class Meal(_Answer):
    """A logged meal, or one that was only analysed (`stored: false`)."""

    id = _text("Null where nothing was stored.", allow_none=True)
    user_id = _text(allow_none=True)
    image_url = _url(
        "Where the photo can be fetched for a while, without a token.", allow_none=True
    )
    food = _text()
    calories = _whole("Kilocalories of the whole meal.", allow_none=True)
    ingredients = _many(fields.String())
    nutrition_facts = _part(Nutrition)
    metadata = _part(Metadata)
    inference_source = _text(
        "Who said what it is: `huggingface_space`, `ml_service`, `local_fallback`, `manual`, "
        "or the name of a plugin."
    )
    timestamp = _time("The same as `created_at`.")
    created_at = _time()
    consumed_at = _time("When it was eaten.")
    confidence = _number(most=1, allow_none=True)
    candidates = _many(fields.Nested(Candidate), "What else it could be, best first.")
    components = _many(fields.Nested(Component))
    coverage = _number("Share of the weight whose nutrition is known.", most=1, allow_none=True)
    nutrition_source = _text(allow_none=True)
    estimated = _flag("Whether any of it is a guess made without a classifier or source.")
    meal_type = _text(validate=validate.OneOf(MEAL_TYPES), allow_none=True)
    note = _text(allow_none=True)
    stored = _flag("Whether it is in the log.")
    ml_service_error = _text("Why the ML service did not answer.", required=False)
    corrected_at = _time(required=False)
    prediction = _open("The first answer, once the meal was corrected.", required=False)


class LegacyMeal(_Answer):
    """A meal in the five fields the legacy app reads."""

    id = _text()
    name = _text()
    calories = _whole(allow_none=True)
    date = fields.Date(required=True, metadata=_help("The day in UTC."))
    created_at = _time()


class EnteredMeal(Meal):
    """A logged meal with the fields the legacy app reads."""

    id = _text()
    name = _text()
    date = fields.Date(required=True, metadata=_help("The day in UTC."))


class SavedMeal(_Answer):
    """The answer to entering a meal."""

    message = _text()
    meal = _part(EnteredMeal)


class History(_Answer):
    """A page of the log, newest consumed first."""

    items = _many(fields.Nested(Meal))
    next_cursor = _text("For the next page; null on the last one.", allow_none=True)
    message = _text("`history empty`, where it is.", required=False)


class StoredPhoto(_Answer):
    """Where an uploaded photo is."""

    success = _flag()
    filename = _text("The photo's key.")
    path = _url("The same as `image_url`.")
    image_url = _url("Where the photo is for a while; needs no token.")


class Rejection(_Answer):
    """A photo nobody can name with enough confidence; nothing of it was stored."""

    error = _text()
    details = _text()
    label = _text("The best guess.")
    confidence = _number(most=1, allow_none=True)
    threshold = _number("The confidence that is needed.", most=1)
    candidates = _many(fields.Nested(Candidate))
    status = _text(validate=validate.Equal("hf_rejected"))
    accepted = _flag(validate=validate.Equal(False))
    http_status = _whole()
    request_id = _text()


class Violation(_Answer):
    """One thing that is wrong with a request."""

    pointer = _text("Where: a JSON pointer into the body, or the name of a part or parameter.")
    detail = _text()


class Problem(_Answer):
    """An error, as RFC 9457 has it."""

    type = _url("Names the kind of problem.")
    title = _text()
    status = fields.Integer(required=True, validate=validate.Range(400, 599))
    detail = _text("A sentence for the user of the client.")
    instance = _text("The path that was asked for.")
    code = _text("The kind of problem in a word, for programs.")
    request_id = _text("Stands in the server's log too.")
    error = _text("The same as `detail`.")
    errors = _many(fields.Nested(Violation), required=False)


class Alive(_Answer):
    """The process lives."""

    status = _text(validate=validate.Equal("ok"))
    timestamp = _time()


class ProviderState(_Answer):
    """How a provider fares."""

    kind = _text(validate=validate.OneOf(("storage", "classifier", "nutrition", "fallback")))
    name = _text()
    state = _text(validate=validate.OneOf(("ok", "failing")))
    breaker = _text(validate=validate.OneOf(("closed", "open", "half-open")))
    last_error = _text(allow_none=True)
    last_error_at = _time(allow_none=True)


class Readiness(_Answer):
    """Whether the service can serve: the storage's state decides."""

    status = _text(validate=validate.OneOf(("ok", "unavailable")))
    providers = _many(fields.Nested(ProviderState))

"""How the fields of :mod:`foodlog.schemas` are written in JSON Schema."""

from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from foodlog.schemas import Amount, Day, Moment, Text, WholeText

Json = dict[str, Any]

_DATE = r"(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_ZONE = r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?"

_SHAPES: dict[type[fields.Field[Any]], Json] = {
    Day: {"pattern": f"^{_DATE}$", "description": "A day, YYYY-MM-DD."},
    Moment: {
        "pattern": f"^{_DATE}({_TIME}{_ZONE})?$",
        "description": "ISO 8601; without a zone it is UTC, a date alone its midnight in UTC.",
    },
    WholeText: {"minimum": 0, "maximum": 999_999_999_999},
}
_TYPES = {Day: "string", Moment: "string", WholeText: "integer", Amount: "number", Text: "string"}


def describe_fields(plugin: MarshmallowPlugin) -> None:
    """Teach ``plugin`` the fields; to be called once it belongs to a document."""
    converter: Any = plugin.converter
    for field, type_ in _TYPES.items():
        converter.map_to_openapi_type(field, type_, None)
    converter.add_attribute_function(_shape)


def properties(plugin: MarshmallowPlugin, schema: type[Schema]) -> Json:
    """The properties of ``schema`` by name."""
    converter: Any = plugin.converter
    described: dict[str, Json] = converter.schema2jsonschema(schema())
    return described.get("properties", {})


def _shape(self: object, field: fields.Field[Any], ret: Json) -> Json:
    """What the type and the validators do not say; what the field's own metadata says goes first.

    An attribute function of apispec, which passes the converter and what is known so far."""
    shape = dict(_SHAPES.get(type(field), {}))
    if isinstance(field, Amount):
        shape |= {"minimum": 0, "maximum": field.most}
    if isinstance(field, Text) and field.required:
        shape |= {"minLength": 1, "pattern": r"\S"}
    return {name: value for name, value in shape.items() if name not in ret}

"""The fields for option authors, on values from YAML and on text from the environment."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from foodlog import options
from foodlog.options import Secret, shown, size_text
from foodlog.validation import Origin, allowed, default, load


@pytest.mark.parametrize(
    ("field", "value", "loaded"),
    [
        (options.SecretField(), "k", Secret("k")),
        (options.SecretField(), Secret("k"), Secret("k")),
        (options.Seconds(), "1.5", 1.5),
        (options.Seconds(), 300, 300),
        (options.Share(), "0.25", 0.25),
        (options.Share(), 1, 1),
        (options.Share(), 60, 0.6),
        (options.Whole(1, 25), " 25 ", 25),
        (options.Whole(-5, 25), "-5", -5),
        (options.Size(0, 10**9), "10MiB", 10 * 2**20),
        (options.Size(0, 10**9), "64 kib", 65536),
        (options.Size(0, 10**9), 7, 7),
        (options.Choice(["a", 422]), "422", 422),
        (options.Choice(["a", 422]), "a", "a"),
        (options.Url(), "http://[::1]:8080/x?y=z", "http://[::1]:8080/x?y=z"),
        (options.Url(words=["stub"]), "stub", "stub"),
        (options.Url(["https", "stub"]), "stub://anything", "stub://anything"),
        (options.CommaList(), "a, b ,,c", ("a", "b", "c")),
        (options.CommaList(["a b"]), ["a b"], ("a b",)),
        (options.FilePath(), "x/../y", Path("x/../y")),
        (options.FilePath(), "~/y", Path.home() / "y"),
    ],
)
def test_accepted(field: fields.Field[Any], value: object, loaded: object) -> None:
    assert field.deserialize(value) == loaded


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (options.SecretField(), " k", "there are control characters in it, or spaces around it"),
        (options.SecretField(), "k\nl", "there are control characters in it, or spaces around it"),
        (options.SecretField(), 12, "not text; put quotes around it"),
        (options.Seconds(), 0, "out of range"),
        (options.Seconds(60), "61", "out of range"),
        (options.Seconds(), "nan", "not a number of seconds"),
        (options.Seconds(), "1e999", "not a number of seconds"),
        (options.Seconds(), 10**400, "not a number of seconds"),
        (options.Seconds(), True, "not a number of seconds"),
        (options.Seconds(), [], "not a number of seconds"),
        (options.Share(), -0.1, "out of range"),
        (options.Share(), 101, "out of range"),
        (options.Whole(1, 25), 26, "out of range"),
        (options.Whole(1, 25), "9" * 30, "out of range"),
        (options.Whole(1, 25), "2.0", "not a whole number"),
        (options.Whole(1, 25), 2.0, "not a whole number"),
        (options.Whole(0, 25), True, "not a whole number"),
        (options.Whole(1, 25), "9" * 5000, "not a whole number"),
        (options.Size(1, 10), True, "not a number of bytes"),
        (options.Size(1, 10), "1 KiB", "out of range"),
        (options.Size(1, 10), "-1", "not a number of bytes"),
        (options.Choice([0, 1]), True, "not one of the choices"),
        (options.Choice(["a"]), "b", "not one of the choices"),
        (options.Url(), "ftp://host", "not a URL of this kind"),
        (options.Url(), "http://ho st", "not a URL of this kind"),
        (options.Url(), "http://[", "not a URL"),
        (options.Url(), "http://host:99999", "not a URL"),
        (options.Url(), "http:///path", "the URL names no host"),
        (
            options.Url(),
            "https://user:pw@host",
            "a URL with credentials in it; use the option meant for them",
        ),
        (options.Url(), "http://h/" + "x" * 3000, "not a URL"),
        (options.Url(), 7, "not a URL"),
        (options.CommaList(["a"]), "a,b", "'b' is not one of the choices"),
        (options.CommaList(maximum=2), "a,b,c", "more than 2 entries"),
        (options.CommaList(), [1], "not a list of texts"),
        (options.CommaList(), 1, "not a list of texts"),
        (options.FilePath(), "a\0b", "not a path"),
        (options.FilePath(), 3, "not a path"),
        (options.FilePath(), "~nobody-of-this-name/x", "the home directory is not known"),
    ],
)
def test_refused(field: fields.Field[Any], value: object, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        field.deserialize(value)
    assert caught.value.messages == [reason]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS: list[fields.Field[Any]] = [
    options.SecretField(),
    options.Seconds(),
    options.Share(),
    options.Whole(1, 25),
    options.Size(1, 1024),
    options.Choice(["a", 1]),
    options.Url(),
    options.CommaList(),
    options.FilePath(),
]


@given(st.sampled_from(FIELDS), ANYTHING)
def test_whatever_is_written_is_loaded_or_refused(field: fields.Field[Any], value: object) -> None:
    try:
        loaded = field.deserialize(value)
    except ValidationError:
        return
    if isinstance(field, options.Number | options.Whole):
        assert field.minimum <= loaded <= field.maximum


@given(st.integers(0, 2**40))
def test_a_size_as_text_is_that_size(size: int) -> None:
    assert options.Size(0, 2**41).deserialize(size_text(size)) == size


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (fields.Integer(validate=validate.Range(1, 9)), "a whole number, at least 1 and at most 9"),
        (fields.Float(validate=validate.Range(min=0)), "a number, at least 0"),
        (fields.String(validate=validate.Length(max=5)), "text, at most 5 characters"),
        (fields.String(validate=validate.OneOf(["a", "b"])), "text, one of a, b"),
        (fields.Boolean(), "true or false"),
        (fields.Raw(), "any value"),
        (options.Number(0.5, 2), "a number from 0.5 to 2"),
        (options.CommaList(["a", "b"]), "a list, or text with commas, of: a, b"),
        (options.Url(["http"], ["stub"]), "a URL (http) or stub"),
        (options.Choice([1, "x"]), "one of 1, x"),
    ],
)
def test_what_is_allowed_is_said_in_words(field: fields.Field[Any], words: str) -> None:
    assert allowed(field) == words


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (fields.String(required=True), "required"),
        (fields.String(), "unset"),
        (fields.Boolean(load_default=True), "true"),
        (fields.List(fields.String(), load_default=list), "[]"),
        (options.Size(1, 9, load_default=2048), "2 KiB"),
        (options.SecretField(load_default=Secret("x")), "********"),
        (fields.String(load_default="x", metadata={"secret": True}), "********"),
    ],
)
def test_a_default_is_shown_and_a_secret_masked(field: fields.Field[Any], text: str) -> None:
    assert default(field) == text


def test_values_are_shown_as_they_are_written() -> None:
    value = {"a": [1, True, None, "x", ""], "b": Secret("s3cr3t")}
    assert shown(value) == "{a: [1, true, unset, x, ''], b: ********}"


class Sample(Schema):
    """What a provider might ask for, with marshmallow's own fields."""

    names = fields.List(fields.String())
    count = fields.Integer(data_key="how-many", load_default=1)
    note = fields.String(load_default="none")
    token = fields.String(metadata={"secret": True}, validate=validate.Length(min=5))
    low = fields.Integer()
    high = fields.Integer()

    @validates_schema
    def in_order(self, data: dict[str, Any], **_: object) -> None:
        if data.get("low", 0) > data.get("high", 9):
            raise ValidationError("low is above high")


def told(given: dict[str, Any]) -> list[str]:
    origins = {"o": Origin("t.yaml", 1), "o.token": Origin("t.yaml", 3, ("TOKEN",))}
    return [f"{p.path}: {p.text}" for p in load(Sample(), given, "o", origins)[1]]


def test_schemas_of_plain_marshmallow_fields_work_alike() -> None:
    values, problems = load(Sample(), {"how-many": "", "note": "", "names": None}, "o", {})
    assert (values, problems) == ({"count": 1, "note": ""}, [])
    assert told({"names": ["a", 1]}) == [
        "o.names: ['a', 1] is refused: [1]: Not a valid string. Allowed: a list. Default: unset."
    ]
    assert told({"low": 3, "high": 2}) == ["o: low is above high (t.yaml:1)"]
    assert told({"how_many": 3})[0].startswith("o.how_many: no such setting; did you mean 'how-m")


def test_a_secret_in_a_plain_field_is_not_shown() -> None:
    (problem,) = told({"token": "s3cr"})
    assert problem.startswith("o.token: the secret is refused (t.yaml:3, from TOKEN): Shorter than")


def test_a_long_value_is_cut() -> None:
    (problem,) = told({"low": "x" * 500})
    assert len(problem) < 200

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foodlog.errors import Unprocessable
from foodlog_plugins.aws_storage.attributes import from_item, to_attribute, to_item

wholes = st.integers(-(2**63), 2**64 - 1)
"""Those that are whole numbers in JSON, as it is read and written here."""
numbers = wholes | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=20,
)


@given(values)
def test_every_json_value_comes_back_exactly(value: Any) -> None:
    item = to_item({"metadata": {"value": value}})
    assert from_item(item) == {"metadata": {"value": value}}


@given(st.integers() | st.sampled_from([2**63, 2**64, 10**22, 10**38, -(10**39), 10**400]))
def test_a_whole_number_is_read_as_one_only_where_json_has_it(number: int) -> None:
    read = from_item(to_item({"metadata": {"value": number}}))["metadata"]["value"]
    if -(2**63) <= number < 2**64:
        assert (type(read), read) == (int, number)
    else:
        assert read == (float(number) if abs(number) < 10**308 else None)
        assert orjson.loads(orjson.dumps(read)) == read


@given(numbers | st.integers())
def test_a_number_that_is_written_as_one_is_one_dynamodb_holds(number: float) -> None:
    attribute = to_attribute(number)
    digits = attribute.get("N", "0").lower().partition("e")[0].replace(".", "").lstrip("-0")
    assert len(digits) <= 38
    if "B" in attribute:
        assert not 1e-130 <= abs(number) < 1e38


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (500, {"N": "500"}),
        (500.0, {"N": "500"}),
        (0.1 + 0.2, {"N": "0.30000000000000004"}),
        (-0.0, {"N": "0"}),
        (2**64 + 1, {"N": "18446744073709551617"}),
        (1e-130, {"N": "1e-130"}),
        (1e125, {"N": "1e+125"}),
        (1e126, {"B": b"1e+126"}),
        (5e-324, {"B": b"5e-324"}),
        (10**38, {"B": b"1" + b"0" * 38}),
        (True, {"BOOL": True}),
    ],
)
def test_how_numbers_are_written(number: float, written: dict[str, Any]) -> None:
    assert to_attribute(number) == written


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(Unprocessable, match="not finite"):
        to_item({"metadata": {"a": [number]}})


def test_unknown_top_level_values_are_left_out_and_nested_ones_kept() -> None:
    assert to_item({"note": None, "metadata": {"a": None}}) == {
        "metadata": {"M": {"a": {"NULL": True}}}
    }


def test_types_others_may_have_written_are_read() -> None:
    item = {
        "set": {"SS": ["b", "a"]},
        "bytes": {"B": b"\xff\xd8"},
        "numbers": {"NS": ["1"]},
        "precise": {"N": "3.14159265358979323846264338327950288419"},
    }
    assert from_item(item) == {
        "set": ["a", "b"],
        "bytes": None,
        "numbers": None,
        "precise": math.pi,
    }


def test_what_is_no_json_type_is_a_defect() -> None:
    with pytest.raises(TypeError, match="set is no JSON type"):
        to_attribute({1})

"""Records hold a meal without loss, and the Flask service's rows become meals."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foodlog.models import Component, Label, Meal, Nutrients
from foodlog.records import (
    EPOCH,
    from_record,
    is_photo_key,
    parse_time,
    photo_key_of,
    time_text,
    to_record,
)
from foodlog.testing.storage_photos import HOSTILE_KEYS

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
amounts = st.none() | st.floats(0, 1e6)
shares = st.none() | st.floats(0, 1)
zones = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
nutrients = st.builds(Nutrients, **dict.fromkeys(Nutrients.__dataclass_fields__, amounts))
components = st.builds(Component, name=texts, grams=amounts, nutrients=nutrients, source=texts)
meals = st.builds(
    Meal,
    id=texts,
    user_id=st.none() | texts,
    food=texts,
    created_at=moments,
    consumed_at=moments,
    nutrients=nutrients,
    ingredients=st.lists(texts, max_size=3).map(tuple),
    components=st.lists(components, max_size=2).map(tuple),
    inference_source=texts,
    nutrition_source=st.none() | texts,
    coverage=shares,
    estimated=st.booleans(),
    confidence=shares,
    candidates=st.lists(st.builds(Label, texts, shares), max_size=2).map(tuple),
    ml_service_error=st.none() | texts,
    photo_key=st.none() | texts,
    image_url=st.none() | texts,
    metadata=st.dictionaries(texts, st.none() | st.booleans() | st.floats(-1e9, 1e9) | texts),
    meal_type=st.none() | texts,
    note=st.none() | st.text(max_size=5),
    corrected_at=st.none() | moments,
    prediction=st.none() | st.just({"food": "Flan", "calories": 0.1}),
    fingerprint=st.none() | texts,
    version=st.integers(1, 10**6),
)


@given(meals)
def test_a_meal_survives_record_and_json(meal: Meal):
    record = orjson.loads(orjson.dumps(to_record(meal)))
    assert from_record(record) == meal


@given(moments, moments)
def test_texts_of_times_sort_in_the_order_of_time(one: datetime, other: datetime):
    assert (time_text(one) < time_text(other)) == (one < other)
    assert parse_time(time_text(one)) == one


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        time_text(datetime(2024, 5, 17))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-17T12:00:00+00:00", NOON),
        ("2024-05-17T12:00:00", NOON),
        (" 2024-05-17 12:00:00 ", NOON),
        ("2024-05-17T14:00:00+02:00", NOON),
        ("2024-05-17T12:00:00Z", NOON),
        ("2024-05-17", NOON - timedelta(hours=12)),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:00:00-05:00", None),
        ("yesterday", None),
        ("", None),
        ("  ", None),
        (None, None),
        (1715947200, None),
    ],
)
def test_times_are_read_leniently(text: object, moment: datetime | None):
    assert parse_time(text) == moment


TEXTS = ("user_id", "image_url", "ml_service_error", "inference_source", "food")


@pytest.mark.parametrize("odd", [7, -1.5, True, {"code": 500}, ["timed out"], b"x"])
@pytest.mark.parametrize("field", TEXTS)
def test_what_stands_in_the_place_of_a_text_is_read_as_one(field: str, odd: object):
    assert getattr(from_record({"id": "1", field: odd}), field) == str(odd)


def test_the_flask_services_fields_keep_their_names_and_types():
    eaten = NOON.astimezone(timezone(timedelta(hours=2)))
    record = to_record(
        Meal(
            id="1",
            user_id="ann",
            food="Soup",
            created_at=NOON,
            consumed_at=eaten,
            nutrients=Nutrients(calories=99.6, proteins=1.5),
            ingredients=("leek",),
        )
    )
    assert record["calories"] == 100
    assert isinstance(record["calories"], int)
    assert record["nutrition_facts"]["proteins"] == 1.5
    assert record["nutrition_facts"]["calories"] == 99.6
    assert record["ingredients"] == ["leek"]
    assert record["consumed_at"] == "2024-05-17T12:00:00+00:00"


def test_a_full_row_of_the_flask_service_becomes_a_meal():
    meal = from_record(
        {
            "id": "1",
            "image_url": "http://localhost/uploads/1.jpg",
            "food": "Soup",
            "calories": 100,
            "ingredients": ["leek", "water"],
            "nutrition_facts": {"calories": 100.5, "proteins": 3, "fats": 0},
            "metadata": {"hf_space": {"label": "soup"}},
            "inference_source": "ml_service",
            "ml_service_error": "",
            "created_at": "2024-05-17T12:00:00+00:00",
            "consumed_at": "2024-05-17T12:00:00+00:00",
            "user_id": "ann",
        }
    )
    assert meal == Meal(
        id="1",
        user_id="ann",
        food="Soup",
        created_at=NOON,
        consumed_at=NOON,
        nutrients=Nutrients(calories=100.5, proteins=3, fats=0),
        ingredients=("leek", "water"),
        inference_source="ml_service",
        image_url="http://localhost/uploads/1.jpg",
        metadata={"hf_space": {"label": "soup"}},
    )


def test_a_row_that_holds_nothing_else_is_a_meal_of_the_epoch():
    assert from_record({"id": "1"}) == Meal(
        id="1", user_id=None, food="Meal", created_at=EPOCH, consumed_at=EPOCH
    )


def test_a_meal_without_its_time_was_eaten_when_it_was_logged():
    assert from_record({"id": "1", "created_at": "2024-05-17T12:00"}).consumed_at == NOON


@pytest.mark.parametrize(
    "facts", [None, {}, {"calories": None}, {"calories": -5}, {"calories": True}, "x", ["calories"]]
)
def test_calories_are_the_columns_where_the_facts_do_not_know(facts: object):
    record = {"id": "1", "calories": 250, "nutrition_facts": facts}
    assert from_record(record).nutrients == Nutrients(calories=250)


@pytest.mark.parametrize(
    ("amount", "read"), [("450", 450), (" 3.5 ", 3.5), ("0", 0), ("12.0", 12), (10**15, 10**15)]
)
def test_an_amount_may_be_a_number_or_its_text(amount: object, read: float):
    record = {"id": "1", "calories": amount, "nutrition_facts": {"proteins": amount}}
    assert from_record(record).nutrients == Nutrients(calories=read, proteins=read)


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), 1e30, 2**64, -1, True, [1], None])
@pytest.mark.parametrize("text", ["-1", "1e3", "12 kcal", "NaN", "", "\u0661", "9" * 13])
def test_what_is_no_amount_is_unknown(amount: object, text: str):
    record = {"id": "1", "nutrition_facts": {"proteins": amount, "fiber": text, "fats": 2}}
    assert from_record(record).nutrients == Nutrients(fats=2)


@given(
    st.fixed_dictionaries(
        {"id": texts},
        optional=dict.fromkeys(
            ["image_url", "food", "inference_source", "created_at", "consumed_at", "user_id"],
            st.none() | texts,
        )
        | dict.fromkeys(["calories", "ingredients", "nutrition_facts", "metadata"], json_values),
    )
)
def test_no_row_of_the_flask_service_raises(row: dict[str, Any]):
    meal = from_record(row)
    assert meal.id == row["id"]
    assert from_record(to_record(meal)) == meal


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://localhost:5000/uploads/1f.jpg", "1f.jpg"),
        ("/uploads/1f.jpg?x=1#top", "1f.jpg"),
        ("http://host/uploads/caf%C3%A9%20au%20lait.png", "café au lait.png"),
        ("http://host/uploads/", None),
        ("http://host", None),
        ("http://[broken/uploads/1.jpg", None),
        ("", None),
        (None, None),
    ],
)
def test_the_key_of_an_old_photo_is_its_file_name(url: str | None, key: str | None):
    assert photo_key_of(url) == key


def test_a_row_of_a_newer_release_is_read_for_what_is_known_of_it():
    bread = Component(name="Bread", grams=80, nutrients=Nutrients(calories=200))
    record = to_record(Meal(id="1", user_id="ann", food="Toast", created_at=NOON, consumed_at=NOON))
    known = to_record(from_record(record | {"components": [{"name": "Bread", "grams": 80}]}))
    (component,) = known["components"]
    component |= {"nutrients": {"calories": 200, "zinc_mg": 1}, "cooked": True}
    meal = from_record(known | {"components": [component], "recipe": "x"})
    assert meal.components == (bread,)


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
def test_what_may_lead_out_of_a_folder_is_no_photo_key(key: str):
    assert not is_photo_key(key)


@pytest.mark.parametrize(
    "key", ["ann/1.jpg", "1f.jpg", "caf\u00e9 au lait.png", "ann/" + "x" * 255]
)
def test_the_keys_of_both_services_are_photo_keys(key: str):
    assert is_photo_key(key)

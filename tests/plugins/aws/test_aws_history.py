"""Histories: of the Flask service's rows, without an index, and long ones."""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foodlog.models import Meal, MealQuery, Position, User
from foodlog.records import to_record
from foodlog.testing.storage_meals import meal, pages
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.attributes import to_item

Make = Callable[..., AwsStorage]
NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
FLASK_MEAL = {
    "id": "0123456789abcdef0123456789abcdef",
    "user_id": "ann",
    "image_url": "https://bucket.s3.amazonaws.com/0123456789abcdef0123456789abcdef.jpg",
    "food": "pizza",
    "calories": 812,
    "ingredients": ["cheese", "dough"],
    "nutrition_facts": {"calories": 812, "proteins": 31.5, "fats": 30, "carbohydrates": 99.25},
    "metadata": {"hf_space": {"label": "pizza", "confidence": 0.93}, "uploaded_by": "ann"},
    "inference_source": "huggingface_space",
    "created_at": "2023-03-01T18:00:00.123456+00:00",
    "consumed_at": "2023-03-01T12:00:00+00:00",
}
OLDEST_FLASK_MEAL = {
    key: value
    for key, value in FLASK_MEAL.items()
    if key not in ("consumed_at", "nutrition_facts", "metadata")
} | {"id": "1" * 32, "created_at": "2022-01-01T08:00:00+00:00"}
ANONYMOUS_FLASK_MEAL = {k: v for k, v in FLASK_MEAL.items() if k != "user_id"} | {"id": "2" * 32}
FLASK_USER = {
    "email": "ann@example.com",
    "id": "ann",
    "password_hash": "scrypt:32768:8:1$salt$hash",
    "created_at": "2022-01-01T07:00:00+00:00",
}


def put(storage: AwsStorage, table: str, *records: dict[str, Any]) -> None:
    for record in records:
        storage.clients.dynamodb.put_item(TableName=storage.options[table], Item=to_item(record))


def make_table_without_index(storage: AwsStorage) -> None:
    storage.clients.dynamodb.create_table(
        TableName=storage.options["meals_table"],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    waiter = storage.clients.dynamodb.get_waiter("table_exists")
    waiter.wait(TableName=storage.options["meals_table"], WaiterConfig={"Delay": 1})


@pytest.fixture(params=["moto", "dynalite"])
def old(request: pytest.FixtureRequest, on_moto: Make) -> AwsStorage:
    """The Flask service's tables: no index, rows as it wrote them."""
    if request.param == "moto":
        return with_old_rows(on_moto())
    return with_old_rows(on_moto(dynamodb_endpoint_url=request.getfixturevalue("dynalite_url")))


def with_old_rows(storage: AwsStorage) -> AwsStorage:
    make_table_without_index(storage)
    put(storage, "meals_table", FLASK_MEAL, OLDEST_FLASK_MEAL, ANONYMOUS_FLASK_MEAL)
    return storage


def test_a_row_of_the_flask_service_is_read_as_it_is(old: AwsStorage) -> None:
    found = old.meals.get(FLASK_MEAL["id"])
    assert found is not None
    assert found.food == "pizza"
    assert found.nutrients.as_dict()["carbohydrates"] == 99.25
    assert found.nutrients.calories == 812
    assert found.metadata == FLASK_MEAL["metadata"]
    assert found.image_url == FLASK_MEAL["image_url"]
    assert found.photo_key is None
    anonymous = old.meals.get("2" * 32)
    assert anonymous is not None
    assert anonymous.user_id is None
    assert {meal.id for meal in old.meals.scan()} == {FLASK_MEAL["id"], "1" * 32, "2" * 32}


def test_a_photo_the_flask_service_stored_is_the_meals_however_it_is_read(
    storage: AwsStorage,
) -> None:
    name = f"{'4' * 32}.jpg"
    url = f"https://{storage.options['bucket']}.s3.amazonaws.com/{name}"
    put(storage, "meals_table", {**FLASK_MEAL, "image_url": url})
    (listed,) = storage.meals.list(MealQuery(user_id="ann", limit=1)).meals
    (scanned,) = storage.meals.scan()
    assert storage.meals.get(FLASK_MEAL["id"]) == listed == scanned
    assert (listed.photo_key, listed.image_url) == (name, url)
    storage.meals.replace(replace(listed, photo_key="ann/other.jpg"))
    corrected = storage.meals.get(listed.id)
    assert corrected is not None
    assert corrected.photo_key == "ann/other.jpg", "a key the row has is the photo's"


def test_an_account_of_the_flask_service_is_read_and_replaced(storage: AwsStorage) -> None:
    put(storage, "users_table", FLASK_USER)
    created_at = datetime(2022, 1, 1, 7, tzinfo=UTC)
    user = User(
        id="ann",
        email="ann@example.com",
        created_at=created_at,
        password_hash="scrypt:32768:8:1$salt$hash",
    )
    assert storage.users.get("Ann@Example.com") == user
    storage.users.replace(replace(user, password_hash="bcrypt$new"))
    assert storage.users.get("ann@example.com") == replace(user, password_hash="bcrypt$new")


def test_a_row_of_the_flask_service_can_be_corrected(old: AwsStorage) -> None:
    found = old.meals.get("1" * 32)
    assert found is not None
    corrected = old.meals.replace(replace(found, food="calzone"))
    assert corrected == replace(found, food="calzone", version=2)
    assert old.meals.get("1" * 32) == corrected
    assert old.meals.replace(replace(found, food="focaccia")) is None, "that version is gone"


def test_without_an_index_every_row_is_listed_newest_first(old: AwsStorage) -> None:
    new = meal(3, consumed_at=NOON)
    old.meals.add(new)
    page = old.meals.list(MealQuery(user_id="ann", limit=2))
    assert [m.id for m in page.meals] == [new.id, FLASK_MEAL["id"]]
    assert page.next is not None
    rest = old.meals.list(MealQuery(user_id="ann", limit=2, after=page.next))
    assert [m.id for m in rest.meals] == ["1" * 32], "a row without consumed_at is not lost"
    assert rest.meals[0].consumed_at == datetime(2022, 1, 1, 8, tzinfo=UTC)
    assert rest.next is None
    assert old.meals.list(
        MealQuery(user_id="ann", limit=9, until=NOON, since=datetime(2023, 1, 1, tzinfo=UTC))
    ).meals


def test_a_missing_index_is_told_once_and_with_the_way_out(
    old: AwsStorage, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        old.meals.list(MealQuery(user_id="ann", limit=1))
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "foodlog aws init" in record.getMessage()
    assert old.options["meals_table"] in record.__dict__["index"]


def test_adding_the_index_loses_no_row(on_moto: Make, caplog: pytest.LogCaptureFixture) -> None:
    old = with_old_rows(on_moto())  # dynalite adds no index to a table that exists
    before = old.meals.list(MealQuery(user_id="ann", limit=9))
    steps = old.plan().steps
    assert [step.description for step in steps if "consumed_at into" in step.description] == [
        f"write consumed_at into 1 rows of {old.options['meals_table']}"
    ]
    for step in steps:
        step.run(lambda line: None)
    assert old.plan().steps == []
    caplog.clear()
    assert old.meals.list(MealQuery(user_id="ann", limit=9)) == before
    assert not caplog.records, "the index answers"


def test_filters_work_without_an_index_too(old: AwsStorage) -> None:
    old.meals.add(meal(3, meal_type="lunch"))
    old.meals.add(meal(4, meal_type="dinner"))
    page = old.meals.list(MealQuery(user_id="ann", limit=1, meal_type="lunch"))
    assert [m.id for m in page.meals] == [meal(3).id]
    assert page.next is None


def fill(storage: AwsStorage, meals: list[Meal]) -> None:
    """Write many meals of few attributes, 25 at a time, as no request does."""
    table = storage.options["meals_table"]
    names = ("id", "user_id", "food", "created_at", "consumed_at")

    def write(some: list[Meal]) -> None:
        records = [to_record(m) for m in some]
        items = [to_item({name: record[name] for name in names}) for record in records]
        puts = [{"PutRequest": {"Item": item}} for item in items]
        answer = storage.clients.dynamodb.batch_write_item(RequestItems={table: puts})
        assert not answer["UnprocessedItems"]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, [meals[n : n + 25] for n in range(0, len(meals), 25)]))


def test_5000_meals_are_paged_while_others_come_and_go(on_dynalite: AwsStorage) -> None:
    stable = [meal(n, consumed_at=NOON + timedelta(seconds=n // 7)) for n in range(5000)]
    fill(on_dynalite, stable + [replace(m, id="b" + m.id[1:], user_id="bob") for m in stable[:99]])
    seen, passing = [], 0
    for turn, page in enumerate(pages(on_dynalite.meals, "ann", 250)):
        seen += [m.id for m in page]
        for place in (0, page[-1].consumed_at.timestamp() - NOON.timestamp(), 4999):
            at = NOON + timedelta(seconds=place)
            passing = 10**6 + turn * 9 + int(place)
            on_dynalite.meals.add(meal(passing, consumed_at=at))
        on_dynalite.meals.delete(page[len(page) // 2].id)
        on_dynalite.meals.delete(page[-1].id)
    assert len(seen) == len(set(seen)), "none twice"
    assert {m.id for m in stable} <= set(seen), "none missing"
    in_order = {
        m.id: None for m in sorted(stable, key=lambda m: (-m.consumed_at.timestamp(), m.id))
    }
    assert [meal_id for meal_id in seen if meal_id in in_order] == list(in_order)


def test_a_page_of_a_long_history_is_one_call(on_dynalite: AwsStorage) -> None:
    fill(on_dynalite, [meal(n, consumed_at=NOON + timedelta(seconds=n)) for n in range(600)])
    calls: list[str] = []
    on_dynalite.clients.dynamodb.meta.events.register(
        "before-send.dynamodb", lambda event_name, **_: calls.append(event_name)
    )
    page = on_dynalite.meals.list(MealQuery(user_id="ann", limit=50))
    on_dynalite.meals.list(MealQuery(user_id="ann", limit=50, after=page.next))
    assert calls == ["before-send.dynamodb.Query"] * 2


def test_many_meals_of_one_time_are_few_calls(on_dynalite: AwsStorage) -> None:
    fill(on_dynalite, [meal(n, consumed_at=NOON) for n in range(300)])
    calls: list[str] = []
    on_dynalite.clients.dynamodb.meta.events.register(
        "before-send.dynamodb", lambda event_name, **_: calls.append(event_name)
    )
    page = on_dynalite.meals.list(MealQuery(user_id="ann", limit=1))
    assert [m.id for m in page.meals] == [meal(0).id]
    assert len(calls) == 4


def test_a_scan_over_several_pages_sees_every_row(on_dynalite: AwsStorage) -> None:
    large = [meal(n, metadata={"text": "x" * 300_000}) for n in range(8)]
    for each in large:
        on_dynalite.meals.add(each)
    calls = []
    events = on_dynalite.clients.dynamodb.meta.events
    events.register("before-call.dynamodb.Scan", lambda **_: calls.append(1))
    assert sorted(on_dynalite.meals.scan(), key=lambda m: m.id) == large
    assert len(calls) > 2, "a page of a scan is 1 MB at most"


def test_a_meal_over_400_kb_is_refused_and_one_under_it_is_not(on_dynalite: AwsStorage) -> None:
    from foodlog.errors import TooLarge

    on_dynalite.meals.add(meal(1, metadata={"text": "x" * 400_000}))
    with pytest.raises(TooLarge, match="400 KB"):
        on_dynalite.meals.add(meal(2, metadata={"text": "x" * 410_000}))
    assert on_dynalite.meals.get(meal(2).id) is None


def test_a_cursor_works_though_its_meal_is_gone(on_dynalite: AwsStorage) -> None:
    for number in range(3):
        on_dynalite.meals.add(meal(number))
    page = on_dynalite.meals.list(
        MealQuery(user_id="ann", limit=9, after=Position(NOON, meal(0).id + "x"))
    )
    assert [m.id for m in page.meals] == [meal(1).id, meal(2).id]


def test_what_is_stored_is_json(storage: AwsStorage) -> None:
    storage.meals.add(meal(1, metadata={"a": [1, 2.5, None, {"b": True}]}))
    (stored,) = storage.meals.scan()
    assert json.loads(json.dumps(to_record(stored))) == to_record(meal(1, metadata=stored.metadata))

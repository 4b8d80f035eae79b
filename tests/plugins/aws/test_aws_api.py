"""What clients see of AWS: accounts and meals of the Flask service, calls, failures, photos."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from aws_calls import Fault, counted
from werkzeug.security import generate_password_hash

from foodlog.services.migration import Migration
from foodlog.testing import photos
from foodlog.testing.client import Client, embedded
from foodlog.testing.storage_meals import meal
from foodlog.testing.storage_memory import MemoryStorage
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.attributes import to_item

Make = Callable[..., AwsStorage]
Serve = Callable[..., Client]
PASSWORD = "correct horse battery staple"
OPTIONS = (
    "bucket",
    "meals_table",
    "users_table",
    "region",
    "acl",
    "attempts",
    "s3_endpoint_url",
    "dynamodb_endpoint_url",
)
USER = {"id": "0a" * 16, "email": "ann@example.com", "created_at": "2022-01-01T07:00:00+00:00"}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves the application over a storage's bucket and tables; options override."""
    with ExitStack() as stack:

        def serve(storage: AwsStorage, **options: str) -> Client:
            chosen = {name: storage.options[name] for name in OPTIONS} | options
            lines = [f"    {name}: {value!r}" for name, value in chosen.items()]
            section = "\n".join(["storage:", "  use: aws_storage", "  options:", *lines, ""])
            return stack.enter_context(Client(embedded(tmp_path, section)))

        yield serve


@pytest.fixture(scope="module")
def photo() -> bytes:
    return photos.jpeg(64, 48)


def served(client: Client) -> AwsStorage:
    storage = client.app.worker.storage
    assert isinstance(storage, AwsStorage)
    return storage


def put(storage: AwsStorage, table: str, *records: dict[str, Any]) -> None:
    for record in records:
        storage.clients.dynamodb.put_item(TableName=storage.options[table], Item=to_item(record))


def log_in(client: Client, password: str = PASSWORD) -> Any:
    return client.post("/auth/login", json={"email": USER["email"], "password": password})


def history(client: Client, limit: int) -> list[dict[str, Any]]:
    """All meals, page by page."""
    items: list[dict[str, Any]] = []
    query = f"limit={limit}"
    while True:
        answer = client.get(f"/history?{query}")
        assert answer.status_code == 200, answer.text
        items += answer.json["items"]
        if answer.json["next_cursor"] is None:
            return items
        query = f"limit={limit}&cursor={answer.json['next_cursor']}"


@pytest.mark.parametrize("method", ["scrypt", "pbkdf2:sha256:20000"])
def test_users_of_the_flask_service_log_in_and_are_rehashed(
    storage: AwsStorage, serve: Serve, method: str
) -> None:
    put(storage, "users_table", {**USER, "password_hash": generate_password_hash(PASSWORD, method)})
    client = serve(storage)
    assert log_in(client, "wrong horse").status_code == 401
    for _ in range(2):
        answer = log_in(client)
        assert answer.status_code == 200
        assert answer.json["user"]["id"] == USER["id"]
        found = storage.users.get(USER["email"])
        assert found is not None
        assert found.password_hash.startswith("bcrypt$2b$12$")
    client.token = answer.json["token"]
    assert client.get("/auth/me").json["user"]["email"] == USER["email"]
    assert log_in(client, "wrong horse").status_code == 401


def test_an_account_without_a_hash_can_neither_log_in_nor_stop_a_move(
    storage: AwsStorage, serve: Serve
) -> None:
    put(storage, "users_table", USER)
    answer = log_in(serve(storage))
    assert (answer.status_code, answer.json["code"]) == (401, "wrong_credentials")
    target = MemoryStorage()
    migration = Migration(storage, target, lambda *_: None)
    migration.copy()
    assert migration.verify() == []
    (moved,) = target.users.scan()
    assert (moved.id, moved.password_hash) == (USER["id"], "")


@pytest.mark.parametrize("known", [{}, {"id": None}, {"id": ""}])
def test_an_account_without_an_id_has_its_email_for_one(
    storage: AwsStorage, known: dict[str, Any]
) -> None:
    put(storage, "users_table", {"email": USER["email"], "password_hash": "h", **known})
    (account,) = storage.users.scan()
    assert account.id == USER["email"]


def flask_row(storage: AwsStorage, number: int, **more: Any) -> dict[str, Any]:
    """A row as the Flask service wrote it; from time to time without ``consumed_at``."""
    at = (datetime(2023, 3, 1, tzinfo=UTC) + timedelta(hours=number // 2)).isoformat()
    row = {
        "id": f"{number:032x}",
        "user_id": USER["id"],
        "image_url": f"https://{storage.options['bucket']}.s3.amazonaws.com/{number:032x}.jpg",
        "food": "pizza",
        "calories": 812,
        "ingredients": ["cheese", "dough"],
        "nutrition_facts": {"calories": 812, "proteins": 31.5, "fats": 30},
        "metadata": {"uploaded_by": USER["email"]},
        "inference_source": "huggingface_space",
        "created_at": at,
    }
    return row | ({"consumed_at": at} if number % 3 else {}) | more


def make_old_tables(storage: AwsStorage) -> None:
    """Bucket and tables, the meals' without an index, as the Flask service's."""
    for step in storage.plan().steps:
        step.run(lambda line: None)
    index = {"IndexName": "user_id-consumed_at-index"}
    storage.clients.dynamodb.update_table(
        TableName=storage.options["meals_table"], GlobalSecondaryIndexUpdates=[{"Delete": index}]
    )


def test_rows_of_the_flask_service_are_listed_once_before_and_after_the_index_is_added(
    on_moto: Make, serve: Serve
) -> None:
    old = on_moto()
    make_old_tables(old)
    rows = [flask_row(old, number) for number in range(14)]
    nobodys = [{k: v for k, v in flask_row(old, 90).items() if k != "user_id"}]
    others = [flask_row(old, 91, user_id="0b" * 16)]
    put(old, "meals_table", *rows, *nobodys, *others)
    hashed = generate_password_hash(PASSWORD, "pbkdf2:sha256:20000")
    put(old, "users_table", {**USER, "password_hash": hashed})
    client = serve(old)
    client.token = log_in(client).json["token"]
    listed = history(client, 3)
    order = sorted(range(14), key=lambda number: (-(number // 2), number))
    assert [item["id"] for item in listed] == [rows[number]["id"] for number in order]
    for item in listed:
        assert item["image_url"].endswith(f"/{item['id']}.jpg")
        assert old.options["bucket"] in item["image_url"]
        assert (item["food"], item["calories"]) == ("pizza", 812)
    for step in old.plan().steps:
        step.run(lambda line: None)
    sent = counted(served(client))
    assert history(client, 3) == listed
    assert set(sent) == {"Query"}
    client.new_user()
    assert history(client, 3) == [], "rows without a user are nobody's"


def test_a_prediction_is_one_put_of_the_photo_and_one_of_the_row(
    storage: AwsStorage, serve: Serve, photo: bytes
) -> None:
    client = serve(storage)
    client.new_user()
    client.get("/auth/me")  # the account is remembered from now on
    sent = counted(served(client))
    answer = client.predict(photo)
    assert (answer.status_code, answer.json["stored"]) == (200, True)
    assert sent == {"PutObject": 1, "PutItem": 1}
    (row,) = storage.meals.scan()
    (stored,) = storage.photos.list()
    assert (row.id, row.photo_key) == (answer.json["id"], stored.key)


def test_a_prediction_for_nobody_sends_nothing(
    storage: AwsStorage, serve: Serve, photo: bytes
) -> None:
    client = serve(storage)
    sent = counted(served(client))
    assert client.predict(photo).status_code == 200
    assert sent == {}


def test_a_page_of_a_long_history_is_one_query(on_dynalite: AwsStorage, serve: Serve) -> None:
    """600 meals of one user among 900; `make bench` does it with 5,000 among 50,000."""
    client = serve(on_dynalite)
    user = client.new_user()
    noon = datetime(2024, 5, 17, 12, tzinfo=UTC)
    owners = [user.id if number % 3 else "somebody" for number in range(900)]
    meals = [
        meal(n, user_id=owner, consumed_at=noon + timedelta(minutes=n))
        for n, owner in enumerate(owners)
    ]
    keys = ("id", "user_id", "consumed_at")
    table = on_dynalite.options["meals_table"]
    for start in range(0, 900, 25):
        items = [
            to_item(
                {k: getattr(m, k) for k in keys[:2]} | {"consumed_at": m.consumed_at.isoformat()}
            )
            for m in meals[start : start + 25]
        ]
        puts = [{"PutRequest": {"Item": item}} for item in items]
        on_dynalite.clients.dynamodb.batch_write_item(RequestItems={table: puts})
    client.get("/auth/me")
    sent = counted(served(client))
    first = client.get("/history?limit=50").json
    assert len(first["items"]) == 50
    assert sent == {"Query": 1}
    second = client.get(f"/history?limit=50&cursor={first['next_cursor']}").json
    assert sent == {"Query": 2}
    mine = [m.id for m in reversed(meals) if m.user_id == user.id]
    assert [item["id"] for item in first["items"] + second["items"]] == mine[:100]


@pytest.mark.parametrize(("kind", "statuses"), [("throttled", {503}), ("timed out", {503, 504})])
def test_what_aws_refuses_is_to_be_tried_again(
    storage: AwsStorage, serve: Serve, photo: bytes, kind: str, statuses: set[int]
) -> None:
    client = serve(storage)
    client.new_user()
    client.get("/auth/me")
    fault = Fault(served(client), kind)
    for answer in (client.get("/history"), client.predict(photo), log_in(client)):
        assert answer.status_code in statuses
        assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
        if kind == "throttled":
            assert int(answer.headers["Retry-After"]) >= 1
        assert storage.options["bucket"] not in answer.text
        assert storage.options["meals_table"] not in answer.text
    fault.start({})
    assert client.predict(photo).status_code == 200, "and works as soon as AWS does"
    assert len(history(client, 9)) == 1


@pytest.mark.parametrize("acl", ["public-read", "private", ""])
def test_a_photo_is_where_its_meal_says(
    storage: AwsStorage, serve: Serve, photo: bytes, acl: str
) -> None:
    """Also that of an old row, which knows no more than a lasting URL."""
    client = serve(storage, acl=acl)
    user = client.new_user()
    row = flask_row(storage, 1, user_id=user.id)
    put(storage, "meals_table", row)
    name = f"{row['id']}.jpg"
    served(client).photos.put(name, b"old", "image/jpeg")
    told = client.predict(photo).json["image_url"]
    new, old = (item["image_url"] for item in history(client, 9))
    (meal,) = [meal for meal in storage.meals.scan() if meal.id != row["id"]]
    assert meal.photo_key is not None
    bucket = f"{storage.options['s3_endpoint_url']}/{storage.options['bucket']}"
    for url, key in ((told, meal.photo_key), (new, meal.photo_key), (old, name)):
        lasting, _, signature = url.partition("?")
        assert lasting == f"{bucket}/{key}"
        assert ("X-Amz-Expires=4500" in signature) == (acl == "private")
        answer = requests.get(url, timeout=10)
        if acl:
            assert (answer.content, answer.headers["Content-Type"]) == storage.photos.get(key)
        else:
            assert answer.status_code == 403, "a bucket policy or a CDN is to decide"
        anybody = requests.get(lasting, timeout=10)
        assert anybody.status_code == (200 if acl == "public-read" else 403)

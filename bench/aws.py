"""How often ``/history`` and ``/predict`` call AWS, counted on stand-ins for S3 and DynamoDB."""

import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.results import Result
from foodlog.testing import photos
from foodlog.testing.aws import dynalite, dynalite_is_missing, moto_server
from foodlog.testing.client import Client, embedded
from foodlog_plugins.aws_storage.storage import AwsStorage

ROOT = Path(__file__).parents[1]
MINE, ALL = 5_000, 50_000
PAGE = 50
NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def calls() -> list[Result]:
    """Every call is counted, those that are tried again, too."""
    with patch.dict(os.environ, ENVIRONMENT), _client() as (client, storage, stand_in):
        user = client.new_user()
        _fill(storage, user.id)
        client.get("/auth/me")  # from now on the account is remembered
        with _counted(storage) as history:
            first = client.get(f"/history?limit={PAGE}").json
        with _counted(storage) as deeper:
            client.get(f"/history?limit={PAGE}&cursor={first['next_cursor']}")
        if len(first["items"]) != PAGE:
            raise RuntimeError(f"the history is not what was put into it: {first}")
        with _counted(storage) as prediction:
            answer = client.predict(photos.jpeg(640, 480))
        if not answer.json["stored"]:
            raise RuntimeError(f"the meal was not stored: {answer.text}")
    among = f"of a user's {MINE:,} meals among {ALL:,} rows, {stand_in}"
    return [
        _result(f"`/history` of {PAGE}: calls of AWS", history, 1, among),
        _result("the page after it: calls of AWS", deeper, 1, among),
        _result("`/predict`: calls of AWS", prediction, 2, "moto"),
    ]


def _result(name: str, sent: Counter[str], most: int, on: str) -> Result:
    said = ", ".join(f"{number} {each}" for each, number in sorted(sent.items()))
    return Result(name=name, value=sent.total(), unit="calls", at_most=most, detail=f"{said}; {on}")


@contextmanager
def _client() -> Iterator[tuple[Client, AwsStorage, str]]:
    """The application over an empty bucket and tables; what stands in for DynamoDB."""
    with moto_server() as s3, tempfile.TemporaryDirectory(prefix="foodlog-bench-") as folder:
        if dynalite_is_missing(ROOT):
            yield from _served(folder, s3, s3, "moto")
            return
        with dynalite(ROOT) as dynamodb:
            yield from _served(folder, s3, dynamodb, "dynalite")


def _served(
    folder: str, s3: str, dynamodb: str, stand_in: str
) -> Iterator[tuple[Client, AwsStorage, str]]:
    name = uuid.uuid4().hex[:12]
    section = (
        f"storage: {{use: aws_storage, options: {{bucket: photos-{name}, meals_table: meals-{name},"
        f" users_table: users-{name}, region: eu-west-1, read_timeout: 60, "
        f"s3_endpoint_url: '{s3}', dynamodb_endpoint_url: '{dynamodb}'}}}}\n"
        "logging: {level: ERROR}"
    )
    with Client(embedded(folder, section)) as client:
        storage = client.app.worker.storage
        assert isinstance(storage, AwsStorage)
        for step in storage.plan().steps:
            step.run(lambda line: None)
        yield client, storage, stand_in


def _fill(storage: AwsStorage, user_id: str) -> None:
    """``ALL`` rows, every tenth of them the user's; 25 in a call."""
    table = storage.options["meals_table"]

    def write(start: int) -> None:
        puts: Any = [{"PutRequest": {"Item": _row(n, user_id)}} for n in range(start, start + 25)]
        answer = storage.clients.dynamodb.batch_write_item(RequestItems={table: puts})
        if answer["UnprocessedItems"]:
            raise RuntimeError("the stand-in did not take all rows")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(0, ALL, 25)))


def _row(number: int, user_id: str) -> dict[str, Any]:
    owner = user_id if number % (ALL // MINE) == 0 else f"other-{number % 97}"
    at = (NEWEST - timedelta(minutes=number)).isoformat()
    texts = {"id": f"{number:032x}", "user_id": owner, "consumed_at": at, "created_at": at}
    return {name: {"S": text} for name, text in {**texts, "food": "Soup"}.items()}


@contextmanager
def _counted(storage: AwsStorage) -> Iterator[Counter[str]]:
    sent: Counter[str] = Counter()

    def count(event_name: str, **_: Any) -> None:
        sent[event_name.rpartition(".")[2]] += 1

    events = [client.meta.events for client in (storage.clients.s3, storage.clients.dynamodb)]
    for each in events:
        each.register("before-send", count)
    yield sent
    for each in events:
        each.unregister("before-send", count)

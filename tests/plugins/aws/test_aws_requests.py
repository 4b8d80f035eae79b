"""Exactly what is sent, where the stand-ins for AWS would take anything."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from foodlog.errors import ProviderError
from foodlog.models import Meal, MealQuery, Position, User
from foodlog.signing import REMEMBERED_URLS
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.photos import S3Photos
from foodlog_plugins.aws_storage.storage import HISTORY_INDEX

Make = Callable[..., AwsStorage]
NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
MEAL = Meal(id="m1", user_id="ann", food="Soup", created_at=NOON, consumed_at=NOON, version=4)
USER = User(id="u1", email="ann@example.com", created_at=NOON, password_hash="h")
BUCKET, MEALS, USERS = "photos-of-meals", "Meals", "Users"


@pytest.fixture
def storage(make: Make) -> AwsStorage:
    return make(bucket=BUCKET, meals_table=MEALS, users_table=USERS)


@contextmanager
def expecting(client: Any, *calls: tuple[Any, ...]) -> Iterator[None]:
    """Exactly these calls: operation, parameters, answer (a code: an error)."""
    with Stubber(client) as stubber:
        for operation, parameters, answer in calls:
            if isinstance(answer, str):
                stubber.add_client_error(operation, answer, expected_params=parameters)
            else:
                stubber.add_response(operation, answer, parameters)
        yield
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({}, {"ACL": "public-read"}),
        ({"acl": ""}, {}),
        ({"acl": "private"}, {}),
        (
            {"acl": "", "server_side_encryption": "aws:kms"},
            {"ServerSideEncryption": "aws:kms"},
        ),
        (
            {"server_side_encryption": "AES256"},
            {"ACL": "public-read", "ServerSideEncryption": "AES256"},
        ),
    ],
)
def test_a_photo_is_put_with_what_is_configured(
    make: Make, options: dict[str, str], headers: dict[str, str]
) -> None:
    storage = make(bucket=BUCKET, **options)
    sent = {"Bucket": BUCKET, "Key": "ann/1.png", "Body": b"1", "ContentType": "image/png"}
    with expecting(storage.clients.s3, ("put_object", {**sent, **headers}, {})):
        storage.photos.put("ann/1.png", b"1", "image/png")


def test_an_object_that_is_no_photo_by_size_is_not_read(storage: AwsStorage) -> None:
    body = StreamingBody(BytesIO(b""), 2**40)
    answer = {"Body": body, "ContentLength": 2**40, "ContentType": "image/jpeg"}
    with (
        expecting(storage.clients.s3, ("get_object", {"Bucket": BUCKET, "Key": "ann/1"}, answer)),
        pytest.raises(ProviderError, match="too large"),
    ):
        storage.photos.get("ann/1")


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://photos-of-meals.s3.eu-west-1.amazonaws.com/ann/1%20%C3%A4.jpg"),
        ({"acl": ""}, "https://photos-of-meals.s3.eu-west-1.amazonaws.com/ann/1%20%C3%A4.jpg"),
        (
            {"bucket": "a.dotted.name"},
            "https://s3.eu-west-1.amazonaws.com/a.dotted.name/ann/1%20%C3%A4.jpg",
        ),
        (
            {"region": "us-east-1"},
            "https://photos-of-meals.s3.amazonaws.com/ann/1%20%C3%A4.jpg",
        ),
        (
            {"region": "cn-north-1"},
            "https://photos-of-meals.s3.cn-north-1.amazonaws.com.cn/ann/1%20%C3%A4.jpg",
        ),
        (
            {"s3_endpoint_url": "http://minio.example:9000"},
            "http://minio.example:9000/photos-of-meals/ann/1%20%C3%A4.jpg",
        ),
    ],
)
def test_a_public_photo_has_a_lasting_url(make: Make, options: dict[str, str], url: str) -> None:
    assert make(**{"bucket": BUCKET, **options}).photos.url("ann/1 ä.jpg") == url


def test_a_private_photo_has_a_url_that_is_signed_and_expires(make: Make) -> None:
    storage = make(bucket=BUCKET, acl="private", presigned_minutes=5)
    url, _, query = storage.photos.url("ann/1.jpg").partition("?")
    assert url == "https://photos-of-meals.s3.eu-west-1.amazonaws.com/ann/1.jpg"
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in query
    assert "X-Amz-Expires=1200" in query, "five minutes, and the quarter hour it is given out for"
    assert "X-Amz-Signature=" in query


class Signing:
    """S3's client as far as it signs: no two URLs of it are the same."""

    def __init__(self) -> None:
        self.signed: list[dict[str, Any]] = []

    def generate_presigned_url(self, method: str, **parameters: Any) -> str:
        self.signed.append(parameters)
        return f"https://bucket/{parameters['Params']['Key']}?{len(self.signed)}"


class Private:
    """Photos with signed URLs, a clock that is set, and credentials that change."""

    def __init__(self, minutes: int = 60) -> None:
        self.now, self.key = NOON, "ASIA1"
        self.client = Signing()
        options = AwsStorage.Options().load(
            {"bucket": BUCKET, "acl": "private", "presigned_minutes": minutes}
        )
        client: Any = self.client
        self.photos = S3Photos(client, options, lambda: self.now, lambda: self.key)


def test_a_signed_url_is_the_same_for_a_quarter_of_an_hour() -> None:
    private = Private()
    first = private.photos.url("ann/1.jpg")
    private.now = NOON + timedelta(minutes=14, seconds=59)
    assert private.photos.url("ann/1.jpg") == first
    assert private.photos.url("ann/2.jpg") != first
    private.now = NOON + timedelta(minutes=15)
    assert private.photos.url("ann/1.jpg") != first


def test_no_signed_url_outlives_a_change_of_credentials() -> None:
    private = Private()
    first = private.photos.url("ann/1.jpg")
    private.key = "ASIA2"
    assert private.photos.url("ann/1.jpg") != first


@pytest.mark.parametrize(
    ("minutes", "seconds"), [(1, 960), (60, 4500), (7 * 24 * 60, 604_800)], ids=str
)
def test_a_signed_url_works_as_long_as_configured_and_as_s3_allows(
    minutes: int, seconds: int
) -> None:
    private = Private(minutes)
    private.photos.url("ann/1.jpg")
    assert private.client.signed[0]["ExpiresIn"] == seconds


def test_few_thousand_signed_urls_are_remembered() -> None:
    private = Private()
    first = private.photos.url("ann/0.jpg")
    for number in range(REMEMBERED_URLS + 1):
        private.photos.url(f"ann/{number}.jpg")
    assert private.photos.url("ann/0.jpg") != first


def test_without_credentials_no_url_is_signed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    storage = make(bucket=BUCKET, acl="private", region="")
    with pytest.raises(ProviderError, match="no usable AWS credentials"):
        storage.photos.url("ann/1.jpg")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        (f"https://{BUCKET}.s3.amazonaws.com/1.jpg", "1.jpg"),
        (f"https://{BUCKET}.s3.amazonaws.com/ann/1%20%C3%A4.jpg?X-Amz-Expires=9", "ann/1 ä.jpg"),
        (f"http://{BUCKET}.S3.eu-west-1.amazonaws.com/1.jpg", "1.jpg"),
        (f"https://{BUCKET}.s3-us-gov-west-1.amazonaws.com/1.jpg", "1.jpg"),
        (f"https://{BUCKET}.s3.dualstack.eu-west-1.amazonaws.com/1.jpg", "1.jpg"),
        (f"https://{BUCKET}.s3.cn-north-1.amazonaws.com.cn/1.jpg", "1.jpg"),
        (f"https://s3.amazonaws.com/{BUCKET}/1.jpg", "1.jpg"),
        (f"https://s3.eu-west-1.amazonaws.com/{BUCKET}/ann/1.jpg", "ann/1.jpg"),
        (f"http://minio.example:9000/{BUCKET}/1.jpg", "1.jpg"),
        (f"http://{BUCKET}.minio.example:9000/1.jpg", "1.jpg"),
        (f"https://other-{BUCKET}.s3.amazonaws.com/1.jpg", None),
        ("https://other.s3.amazonaws.com/1.jpg", None),
        (f"https://other.s3.amazonaws.com/{BUCKET}/1.jpg", None),
        (f"https://s3.amazonaws.com/{BUCKET}-other/1.jpg", None),
        (f"https://s3.amazonaws.com/other/{BUCKET}/1.jpg", None),
        (f"https://{BUCKET}.s3.amazonaws.com.evil.example/1.jpg", None),
        (f"https://{BUCKET}xs3.amazonaws.com/1.jpg", None),
        (f"https://evil.example/https://{BUCKET}.s3.amazonaws.com/1.jpg", None),
        (f"http://minio.example:9001/{BUCKET}/1.jpg", None),
        (f"https://{BUCKET}.s3.amazonaws.com/", None),
        (f"https://{BUCKET}.s3.amazonaws.com/../1.jpg", None),
        ("/uploads/1.jpg", None),
        ("http://[", None),
        ("", None),
        (None, None),
    ],
)
def test_a_photo_of_the_own_bucket_is_known_by_its_url(
    make: Make, url: str | None, key: str | None
) -> None:
    storage = make(bucket=BUCKET, s3_endpoint_url="http://minio.example:9000")
    assert storage.photos.key_of(url) == key


def test_without_an_endpoint_only_amazons_urls_are_the_own_buckets(storage: AwsStorage) -> None:
    assert storage.photos.key_of(f"http://minio.example:9000/{BUCKET}/1.jpg") is None
    assert storage.photos.key_of(f"https://{BUCKET}.s3.amazonaws.com/1.jpg") == "1.jpg"


def test_a_meal_is_added_where_its_id_is_free(storage: AwsStorage) -> None:
    sent = {
        "TableName": MEALS,
        "Item": ANY,
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": "id"},
    }
    with expecting(storage.clients.dynamodb, ("put_item", sent, {})):
        assert storage.meals.add(MEAL) == MEAL


def test_a_meal_deleted_while_it_was_added_is_to_be_tried_again(storage: AwsStorage) -> None:
    read = {"TableName": MEALS, "Key": {"id": {"S": "m1"}}, "ConsistentRead": True}
    calls = (("put_item", None, "ConditionalCheckFailedException"), ("get_item", read, {}))
    with expecting(storage.clients.dynamodb, *calls), pytest.raises(ProviderError) as caught:
        storage.meals.add(MEAL)
    assert caught.value.retry_after == 1


@pytest.mark.parametrize(
    ("version", "condition", "names"),
    [
        (4, "#version = :version", {"#version": "version"}),
        (
            1,
            "attribute_exists(#key) AND (attribute_not_exists(#version) OR #version = :version)",
            {"#version": "version", "#key": "id"},
        ),
    ],
)
def test_a_meal_is_replaced_where_its_version_is_stored(
    storage: AwsStorage, version: int, condition: str, names: dict[str, str]
) -> None:
    sent = {
        "TableName": MEALS,
        "Item": ANY,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":version": {"N": str(version)}},
    }
    meal = replace(MEAL, version=version)
    with expecting(storage.clients.dynamodb, ("put_item", sent, {})):
        assert storage.meals.replace(meal) == replace(meal, version=version + 1)


def test_an_account_is_added_where_its_email_is_free_and_replaced_where_it_is_not(
    storage: AwsStorage,
) -> None:
    sent = {
        "TableName": USERS,
        "Item": {
            "email": {"S": "ann@example.com"},
            "id": {"S": "u1"},
            "created_at": {"S": "2024-05-17T12:00:00+00:00"},
            "password_hash": {"S": "h"},
            "epoch": {"N": "0"},
        },
        "ExpressionAttributeNames": {"#key": "email"},
    }
    added = {**sent, "ConditionExpression": "attribute_not_exists(#key)"}
    replaced = {**sent, "ConditionExpression": "attribute_exists(#key)"}
    calls = (("put_item", added, {}), ("put_item", replaced, {}))
    with expecting(storage.clients.dynamodb, *calls):
        storage.users.add(USER)
        storage.users.replace(USER)


def row(number: int, time: str = "2024-05-17T11:00:00+00:00") -> dict[str, Any]:
    texts = {"id": f"m{number}", "user_id": "ann", "food": "Soup", "consumed_at": time}
    return {name: {"S": text} for name, text in texts.items()}


def key_of(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("id", "user_id", "consumed_at")}


QUERY = {
    "TableName": MEALS,
    "IndexName": HISTORY_INDEX,
    "KeyConditionExpression": "user_id = :user AND consumed_at BETWEEN :oldest AND :newest",
    "ScanIndexForward": False,
}
ANYTIME = {":user": {"S": "ann"}, ":oldest": {"S": "0"}, ":newest": {"S": "~"}}


def test_a_page_is_one_query(storage: AwsStorage) -> None:
    items = [row(n, f"2024-05-17T11:00:0{9 - n}+00:00") for n in range(5)]
    sent = {**QUERY, "Limit": 5, "ExpressionAttributeValues": ANYTIME}
    answer = {"Items": items, "LastEvaluatedKey": key_of(items[-1])}
    with expecting(storage.clients.dynamodb, ("query", sent, answer)):
        page = storage.meals.list(MealQuery(user_id="ann", limit=2))
    assert [meal.id for meal in page.meals] == ["m0", "m1"]
    assert page.next == Position(page.meals[-1].consumed_at, "m1")


def test_a_cursor_becomes_the_upper_end_of_a_range_that_since_begins(storage: AwsStorage) -> None:
    values = {
        ":user": {"S": "ann"},
        ":oldest": {"S": "2024-05-17T09:00:00+00:00"},
        ":newest": {"S": "2024-05-17T11:00:00+00:00"},
    }
    sent = {**QUERY, "Limit": 4, "ExpressionAttributeValues": values}
    with expecting(storage.clients.dynamodb, ("query", sent, {"Items": [row(1), row(2), row(3)]})):
        page = storage.meals.list(
            MealQuery(
                user_id="ann",
                limit=1,
                after=Position(NOON.replace(hour=11), "m1"),
                since=NOON.replace(hour=9),
                until=NOON,
            )
        )
    assert [meal.id for meal in page.meals] == ["m2"]
    assert page.next is not None


def test_meals_of_one_time_are_all_read_before_one_is_shown(storage: AwsStorage) -> None:
    first, second = [row(5), row(9)], [row(1), row(2, "2024-05-17T10:00:00+00:00")]
    sent = {**QUERY, "Limit": 4, "ExpressionAttributeValues": ANYTIME}
    more = {**sent, "Limit": 16, "ExclusiveStartKey": key_of(first[-1])}
    calls = (
        ("query", sent, {"Items": first, "LastEvaluatedKey": key_of(first[-1])}),
        ("query", more, {"Items": second, "LastEvaluatedKey": key_of(second[-1])}),
    )
    with expecting(storage.clients.dynamodb, *calls):
        page = storage.meals.list(MealQuery(user_id="ann", limit=1))
    assert [meal.id for meal in page.meals] == ["m1"]


def test_a_filtered_page_reads_on_until_it_is_full(storage: AwsStorage) -> None:
    values = {**ANYTIME, ":meal_type": {"S": "lunch"}}
    sent = {
        **QUERY,
        "FilterExpression": "meal_type = :meal_type",
        "ExpressionAttributeValues": values,
    }
    lunch = {**row(7), "meal_type": {"S": "lunch"}}
    calls = (
        ("query", sent, {"Items": [], "LastEvaluatedKey": key_of(row(3))}),
        ("query", {**sent, "ExclusiveStartKey": key_of(row(3))}, {"Items": [lunch]}),
    )
    with expecting(storage.clients.dynamodb, *calls):
        page = storage.meals.list(MealQuery(user_id="ann", limit=5, meal_type="lunch"))
    assert [meal.id for meal in page.meals] == ["m7"]
    assert page.next is None


def test_a_page_of_huge_meals_is_closed_before_it_is_full(storage: AwsStorage) -> None:
    items = [row(n, f"2024-05-17T11:00:{59 - n}+00:00") for n in range(16)]
    calls = [("query", None, {"Items": [i], "LastEvaluatedKey": key_of(i)}) for i in items]
    with expecting(storage.clients.dynamodb, *calls):
        page = storage.meals.list(MealQuery(user_id="ann", limit=500))
    assert len(page.meals) == 15, "the last one's time may have more meals"
    assert page.next == Position(page.meals[-1].consumed_at, "m14")


def test_an_impossible_range_asks_nobody(storage: AwsStorage) -> None:
    with expecting(storage.clients.dynamodb):
        page = storage.meals.list(
            MealQuery(user_id="ann", limit=1, since=NOON, until=NOON.replace(hour=1))
        )
    assert (page.meals, page.next) == ((), None)


def test_without_the_index_the_table_is_scanned_consistently(storage: AwsStorage) -> None:
    sent = {
        "TableName": MEALS,
        "ConsistentRead": True,
        "FilterExpression": "user_id = :user",
        "ExpressionAttributeValues": {":user": {"S": "ann"}},
    }
    with Stubber(storage.clients.dynamodb) as stubber:
        stubber.add_client_error(
            "query",
            "ValidationException",
            "The table does not have the specified index: user_id-consumed_at-index",
        )
        stubber.add_response("scan", {"Items": [row(1)]}, sent)
        page = storage.meals.list(MealQuery(user_id="ann", limit=5))
        stubber.assert_no_pending_responses()
    assert [meal.id for meal in page.meals] == ["m1"]


@pytest.mark.parametrize("refusal", ["ValidationException", "AccessDeniedException"])
def test_a_scan_that_fails_by_itself_says_so(storage: AwsStorage, refusal: str) -> None:
    with Stubber(storage.clients.dynamodb) as stubber:
        stubber.add_client_error("query", refusal, "on index/user_id-consumed_at-index")
        stubber.add_client_error("scan", "ThrottlingException")
        with pytest.raises(ProviderError, match="throttled"):
            storage.meals.list(MealQuery(user_id="ann", limit=5))


def test_check_tries_every_permission_once_and_changes_nothing(storage: AwsStorage) -> None:
    probe = {"Bucket": BUCKET, "Key": "foodlog-check"}
    never = "attribute_exists(#key) AND attribute_not_exists(#key)"
    refused = "ConditionalCheckFailedException"
    head = ("head_bucket", {"Bucket": BUCKET}, {})
    unmatched = {**probe, "IfMatch": '"00000000000000000000000000000000"', "ACL": "public-read"}
    photos = (
        head,
        ("put_object", unmatched, "NoSuchKey"),
        ("get_object", probe, "NoSuchKey"),
        ("delete_object", probe, {}),
    )

    def reads(table: str, key: str) -> tuple[Any, ...]:
        probe = {key: {"S": "foodlog-check"}}
        return ("get_item", {"TableName": table, "Key": probe, "ConsistentRead": True}, {})

    def writes(table: str, key: str) -> list[tuple[Any, ...]]:
        probe = {key: {"S": "foodlog-check"}}
        put = {
            "TableName": table,
            "Item": probe,
            "ConditionExpression": never,
            "ExpressionAttributeNames": {"#key": key},
        }
        delete = {"TableName": table, "Key": probe}
        return [("put_item", put, refused), ("delete_item", delete, {})]

    once = [reads(MEALS, "id"), *writes(MEALS, "id"), ("query", None, {"Items": []})]
    once += [reads(USERS, "email"), *writes(USERS, "email")]
    always = [reads(MEALS, "id"), reads(USERS, "email")]
    with (
        expecting(storage.clients.s3, *photos, head, head),
        expecting(storage.clients.dynamodb, *once, *always, *always),
    ):
        storage.check()
        storage.check()

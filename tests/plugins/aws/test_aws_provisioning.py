"""What `foodlog aws init` finds missing, and makes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from aws_calls import throttled
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber

from foodlog.errors import ProviderError
from foodlog.models import MealQuery
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.attributes import to_item
from foodlog_plugins.aws_storage.provisioning import plan
from foodlog_plugins.aws_storage.storage import HISTORY_INDEX

Make = Callable[..., AwsStorage]
ACTIVE = {"TableStatus": "ACTIVE", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
INDEX = {
    "IndexName": HISTORY_INDEX,
    "IndexStatus": "ACTIVE",
    "KeySchema": [
        {"AttributeName": "user_id", "KeyType": "HASH"},
        {"AttributeName": "consumed_at", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}


def test_everything_is_made_in_an_empty_account_and_then_nothing_is_missing(on_moto: Make) -> None:
    storage = on_moto()
    planned = storage.plan()
    bucket, meals, users = (storage.options[k] for k in ("bucket", "meals_table", "users_table"))
    assert [step.description for step in planned.steps] == [
        f"make the bucket {bucket} in eu-west-1, which allows public photos as "
        "storage.options.acl asks",
        f"make the table {meals}",
        f"make the table {users}",
    ]
    with pytest.raises(ProviderError, match="does not exist"):
        storage.check()
    for step in planned.steps:
        step.run(lambda line: None)
    storage.check()
    assert (storage.plan().steps, storage.plan().notes) == ([], [])


@pytest.mark.parametrize(
    ("options", "sent", "opened"),
    [
        (
            {},
            {
                "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
                "ObjectOwnership": "BucketOwnerPreferred",
            },
            True,
        ),
        ({"region": "us-east-1", "acl": "private"}, {}, False),
    ],
)
def test_a_bucket_is_made_as_public_as_the_acl_needs(
    make: Make, options: dict[str, str], sent: dict[str, Any], opened: bool
) -> None:
    storage = make(bucket="photos", **options)
    block = {
        "BlockPublicAcls": False,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    with Stubber(storage.clients.s3) as s3, Stubber(storage.clients.dynamodb) as dynamodb:
        s3.add_client_error("head_bucket", "404")
        s3.add_response("create_bucket", {}, {"Bucket": "photos", **sent})
        if opened:
            expected = {"Bucket": "photos", "PublicAccessBlockConfiguration": block}
            s3.add_response("put_public_access_block", {}, expected)
        for _ in range(2):
            dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        storage.plan().steps[0].run(lambda line: None)
        s3.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("ownership", "noted"), [("BucketOwnerEnforced", True), ("ObjectWriter", False), (None, False)]
)
def test_a_bucket_with_acls_disabled_is_noted_and_left_as_it_is(
    make: Make, ownership: str | None, noted: bool
) -> None:
    storage = make(bucket="photos")
    with Stubber(storage.clients.s3) as s3, Stubber(storage.clients.dynamodb) as dynamodb:
        s3.add_response("head_bucket", {})
        if ownership:
            rules = {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}
            s3.add_response("get_bucket_ownership_controls", rules)
        else:
            s3.add_client_error("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        if not noted:
            s3.add_client_error("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        for _ in range(2):
            dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        planned = storage.plan()
    assert len(planned.steps) == 2
    assert ["AWS_S3_ACL" in note for note in planned.notes] == ([True] if noted else [])


def test_a_bucket_whose_making_was_interrupted_is_opened(on_moto: Make) -> None:
    storage = on_moto()
    steps = storage.plan().steps

    with (
        refusing(storage.clients.s3, "PutPublicAccessBlock"),
        pytest.raises(ProviderError, match="throttled"),
    ):
        steps[0].run(lambda line: None)
    bucket = storage.options["bucket"]
    block_by_default(storage)
    step = storage.plan().steps[0]
    assert step.description == (
        f"allow public photos, as storage.options.acl asks, in the bucket {bucket}, which is empty"
    )
    step.run(lambda line: None)
    assert ["table" in step.description for step in storage.plan().steps] == [True, True]


@contextmanager
def refusing(client: Any, operation: str) -> Iterator[None]:
    """The operation is throttled."""
    event = f"before-send.{client.meta.service_model.service_name}.{operation}"

    def refuse(request: Any, event_name: str, **_: Any) -> AWSResponse:
        return throttled(request.url, event_name)

    client.meta.events.register(event, refuse)
    yield
    client.meta.events.unregister(event, refuse)


def block_by_default(storage: AwsStorage) -> None:
    """As S3 does with every new bucket, and moto does not."""
    everything = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy")
    storage.clients.s3.put_public_access_block(
        Bucket=storage.options["bucket"],
        PublicAccessBlockConfiguration=dict.fromkeys(everything, True),  # type: ignore[misc]
    )


def test_a_bucket_that_holds_something_is_never_opened(on_moto: Make) -> None:
    storage = on_moto()
    storage.plan().steps[0].run(lambda line: None)
    storage.photos.put("ann/1.jpg", b"1", "image/jpeg")
    block_by_default(storage)
    planned = storage.plan()
    assert ["table" in step.description for step in planned.steps] == [True, True]
    (note,) = planned.notes
    assert "blocks public ACLs" in note
    assert "AWS_S3_ACL" in note


def test_rows_are_completed_where_their_time_is_missing_or_written_otherwise(
    storage: AwsStorage,
) -> None:
    client, table = storage.clients.dynamodb, storage.options["meals_table"]
    row = {"user_id": "ann", "food": "Soup", "created_at": "2022-01-01T08:00:00+00:00"}
    rows = {
        "right": {**row, "consumed_at": "2023-01-01T08:00:00+00:00"},
        "zulu": {**row, "consumed_at": "2023-01-02T08:00:00Z"},
        "missing": row,
        "anonymous": {"food": "Soup"},
        "nothing": {"user_id": "ann"},
    }
    for name, record in rows.items():
        client.put_item(TableName=table, Item=to_item({"id": name, **record}))
    (step,) = storage.plan().steps
    assert step.description == f"write consumed_at into 3 rows of {table}"
    step.run(lambda line: None)
    assert storage.plan().steps == []
    listed = [m.id for m in storage.meals.list(MealQuery(user_id="ann", limit=9)).meals]
    assert listed == ["zulu", "right", "missing", "nothing"]


def test_a_row_changed_meanwhile_is_not_written_over(storage: AwsStorage) -> None:
    client, table = storage.clients.dynamodb, storage.options["meals_table"]
    row = {"id": "a", "user_id": "ann"}
    client.put_item(TableName=table, Item=to_item(row))
    (step,) = storage.plan().steps

    def correct(**_: Any) -> None:
        client.meta.events.unregister("before-call.dynamodb.UpdateItem", correct)
        corrected = {**row, "consumed_at": "2024-01-01T00:00:00+00:00"}
        client.put_item(TableName=table, Item=to_item(corrected))

    client.meta.events.register("before-call.dynamodb.UpdateItem", correct)
    step.run(lambda line: None)
    found = storage.meals.get("a")
    assert found is not None
    assert found.consumed_at.year == 2024


def test_completing_says_how_far_it_is(storage: AwsStorage) -> None:
    client, table = storage.clients.dynamodb, storage.options["meals_table"]
    for number in range(101):
        client.put_item(TableName=table, Item=to_item({"id": f"{number}", "user_id": "ann"}))
    said: list[str] = []
    (step,) = storage.plan().steps
    step.run(said.append)
    assert said == ["100 rows"]


def planned(storage: AwsStorage, *tables: dict[str, Any], pause: Any = None) -> Any:
    """The plan for tables that are described so, in turn; bucket and users' table are there."""
    with Stubber(storage.clients.s3) as s3, Stubber(storage.clients.dynamodb) as dynamodb:
        s3.add_response("head_bucket", {})
        dynamodb.add_response("describe_table", {"Table": tables[0]})
        if tables[0]["KeySchema"] == ACTIVE["KeySchema"]:
            dynamodb.add_response("scan", {"Items": []})
            users = [{"AttributeName": "email", "KeyType": "HASH"}]
            dynamodb.add_response("describe_table", {"Table": {**ACTIVE, "KeySchema": users}})
            dynamodb.add_response("scan", {"Items": []})
        made = plan(storage.clients, storage.options, HISTORY_INDEX, pause)
    return made.steps


@pytest.mark.parametrize(
    ("billing", "sent"),
    [
        ({"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}}, {}),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}},
            {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}},
        ),
    ],
)
def test_an_index_is_paid_for_as_its_table_is(
    make: Make, billing: dict[str, Any], sent: dict[str, Any]
) -> None:
    storage = make(acl="private", meals_table="Meals")
    (step,) = planned(storage, {**ACTIVE, **billing})
    assert step.description == f"add the index {HISTORY_INDEX} to Meals (the table stays in use)"
    keys = [{"AttributeName": n, "AttributeType": "S"} for n in ("id", "user_id", "consumed_at")]
    index = {key: value for key, value in INDEX.items() if key != "IndexStatus"}
    expected = {
        "TableName": "Meals",
        "AttributeDefinitions": keys,
        "GlobalSecondaryIndexUpdates": [{"Create": {**index, **sent}}],
    }
    with Stubber(storage.clients.dynamodb) as dynamodb:
        dynamodb.add_response("update_table", {}, expected)
        table = {**ACTIVE, "GlobalSecondaryIndexes": [INDEX]}
        dynamodb.add_response("describe_table", {"Table": table})
        step.run(lambda line: None)
        dynamodb.assert_no_pending_responses()


def test_an_index_that_is_being_built_is_waited_for(make: Make) -> None:
    storage = make(acl="private")
    building = {**ACTIVE, "GlobalSecondaryIndexes": [{**INDEX, "IndexStatus": "CREATING"}]}
    pauses: list[float] = []
    (step,) = planned(storage, building, pause=pauses.append)
    assert step.description == f"wait until the index {HISTORY_INDEX} is built"
    said: list[str] = []
    with Stubber(storage.clients.dynamodb) as dynamodb:
        for table in (building, building, {**ACTIVE, "GlobalSecondaryIndexes": [INDEX]}):
            dynamodb.add_response("describe_table", {"Table": table})
        step.run(said.append)
    assert said == [f"{HISTORY_INDEX} is CREATING, 0 s"] * 2
    assert pauses == [5.0, 5.0]


def test_a_table_deleted_while_it_is_waited_for_is_said(make: Make) -> None:
    storage = make(acl="private")
    building = {**ACTIVE, "GlobalSecondaryIndexes": [{**INDEX, "IndexStatus": "CREATING"}]}
    pauses: list[float] = []
    (step,) = planned(storage, building, pause=pauses.append)
    with Stubber(storage.clients.dynamodb) as dynamodb:
        for _ in range(13):
            dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        with pytest.raises(ProviderError, match="deleted meanwhile"):
            step.run(lambda line: None)
        dynamodb.assert_no_pending_responses()
    assert pauses == [5.0] * 12, "a minute, in which it may come into sight"


KEYS = {
    "AttributeDefinitions": [{"AttributeName": "email", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
}


def test_a_table_that_is_not_seen_at_once_is_waited_for(make: Make) -> None:
    storage = make(acl="private", users_table="Users")
    with Stubber(storage.clients.s3) as s3, Stubber(storage.clients.dynamodb) as dynamodb:
        s3.add_response("head_bucket", {})
        for _ in range(2):
            dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        pauses: list[float] = []
        steps = plan(storage.clients, storage.options, HISTORY_INDEX, pauses.append).steps
        dynamodb.add_response("create_table", {})
        dynamodb.add_client_error("describe_table", "ResourceNotFoundException")
        for status in ("CREATING", "ACTIVE"):
            dynamodb.add_response("describe_table", {"Table": {"TableStatus": status}})
        said: list[str] = []
        steps[1].run(said.append)
        dynamodb.assert_no_pending_responses()
    assert said == ["Users is not there, 0 s", "Users is CREATING, 0 s"]
    assert pauses == [5.0, 5.0]


@pytest.mark.parametrize("comes", [True, False])
def test_an_index_that_is_not_seen_is_not_taken_for_built(make: Make, comes: bool) -> None:
    storage = make(acl="private", meals_table="Meals")
    pauses: list[float] = []
    (step,) = planned(storage, ACTIVE, pause=pauses.append)
    with Stubber(storage.clients.dynamodb) as dynamodb:
        dynamodb.add_response("update_table", {})
        for _ in range(12 + (not comes)):
            dynamodb.add_response("describe_table", {"Table": ACTIVE})
        for status in ("CREATING", "ACTIVE") if comes else ():
            index = {**INDEX, "IndexStatus": status}
            table = {**ACTIVE, "GlobalSecondaryIndexes": [index]}
            dynamodb.add_response("describe_table", {"Table": table})
        if comes:
            step.run(lambda line: None)
        else:
            with pytest.raises(ProviderError, match=f"Meals.*: {HISTORY_INDEX} is not there"):
                step.run(lambda line: None)
        dynamodb.assert_no_pending_responses()
    assert len(pauses) == 12 + comes


def test_tables_that_are_still_being_made_are_waited_for_and_completed(make: Make) -> None:
    """As after an init that was stopped: nothing can be read of a table before it is there."""
    storage = make(acl="private", meals_table="Meals", users_table="Users")
    creating, users = {**ACTIVE, "TableStatus": "CREATING"}, {**ACTIVE, **KEYS}
    pauses: list[float] = []
    with Stubber(storage.clients.s3) as s3, Stubber(storage.clients.dynamodb) as dynamodb:
        s3.add_response("head_bucket", {})
        dynamodb.add_response("describe_table", {"Table": creating})
        dynamodb.add_response("describe_table", {"Table": {**users, "TableStatus": "CREATING"}})
        steps = plan(storage.clients, storage.options, HISTORY_INDEX, pauses.append).steps
        assert [step.description for step in steps] == [
            "wait until the table Meals can be used, and complete it",
            "wait until the table Users can be used, and complete it",
        ]
        indexed = {**ACTIVE, "GlobalSecondaryIndexes": [INDEX]}
        for table in (creating, ACTIVE, ACTIVE):
            dynamodb.add_response("describe_table", {"Table": table})
        dynamodb.add_response("scan", {"Items": []})
        dynamodb.add_response("update_table", {})
        dynamodb.add_response("describe_table", {"Table": indexed})
        said: list[str] = []
        steps[0].run(said.append)
        dynamodb.assert_no_pending_responses()
    assert said == [
        "Meals is CREATING, 0 s",
        f"add the index {HISTORY_INDEX} to Meals (the table stays in use)",
    ]
    assert pauses == [5.0]


def test_a_table_that_is_being_changed_is_in_use(make: Make) -> None:
    storage = make(acl="private")
    indexed = {**ACTIVE, "TableStatus": "UPDATING", "GlobalSecondaryIndexes": [INDEX]}
    assert planned(storage, indexed) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"Projection": {"ProjectionType": "KEYS_ONLY"}},
        {"KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}]},
    ],
)
def test_an_index_of_another_kind_is_refused(make: Make, wrong: dict[str, Any]) -> None:
    table = {**ACTIVE, "GlobalSecondaryIndexes": [{**INDEX, **wrong}]}
    with pytest.raises(ProviderError, match="Delete that index"):
        planned(make(acl="private"), table)


def test_a_table_with_another_key_is_refused(make: Make) -> None:
    keys = [
        {"AttributeName": "user_id", "KeyType": "HASH"},
        {"AttributeName": "id", "KeyType": "RANGE"},
    ]
    with pytest.raises(ProviderError, match=r"storage\.options\.meals_table.*another key"):
        planned(make(acl="private"), {**ACTIVE, "KeySchema": keys})


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("head_bucket", "ListBucket"),
        ("get_bucket_ownership_controls", "GetBucketOwnershipControls"),
        ("get_public_access_block", "GetBucketPublicAccessBlock"),
    ],
)
def test_planning_says_which_permission_is_missing(
    make: Make, operation: str, permission: str
) -> None:
    storage = make()
    with Stubber(storage.clients.s3) as s3:
        if operation != "head_bucket":
            s3.add_response("head_bucket", {})
        if operation == "get_public_access_block":
            s3.add_client_error("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        s3.add_client_error(operation, "AccessDenied")
        with pytest.raises(ProviderError, match=f"permission s3:{permission} is missing"):
            storage.plan()


def test_a_refused_call_while_making_says_which_permission(make: Make) -> None:
    storage = make(acl="private")
    with Stubber(storage.clients.s3) as s3, Stubber(storage.clients.dynamodb) as dynamodb:
        s3.add_response("head_bucket", {})
        dynamodb.add_client_error("describe_table", "AccessDeniedException")
        with pytest.raises(ProviderError, match="dynamodb:DescribeTable"):
            storage.plan()


def test_a_refused_update_of_a_row_is_said(storage: AwsStorage) -> None:
    client, table = storage.clients.dynamodb, storage.options["meals_table"]
    client.put_item(TableName=table, Item=to_item({"id": "a", "user_id": "ann"}))
    (step,) = storage.plan().steps
    with Stubber(client) as stubber:
        stubber.add_response("scan", {"Items": [{"id": {"S": "a"}, "user_id": {"S": "ann"}}]})
        stubber.add_client_error("update_item", "AccessDeniedException")
        with pytest.raises(ProviderError, match="dynamodb:UpdateItem"):
            step.run(lambda line: None)


ACCOUNT = {
    "id": "u-dan",
    "email": "Dan@Example.com",
    "created_at": "2022-01-01T07:00:00+00:00",
    "password_hash": "scrypt:32768:8:1$salt$hash",
}


def put_accounts(storage: AwsStorage, *accounts: dict[str, Any]) -> None:
    for account in accounts:
        storage.clients.dynamodb.put_item(
            TableName=storage.options["users_table"],
            # Of a type that only a row taken as it is keeps.
            Item={**to_item(account), "roles": {"NS": ["1", "2"]}},
        )


def accounts_of(storage: AwsStorage) -> dict[str, str]:
    """E-mails and the ids that have them."""
    return {user.email: user.id for user in storage.users.scan()}


def test_emails_are_written_in_lower_case_and_the_rest_of_the_row_stays(
    storage: AwsStorage,
) -> None:
    put_accounts(storage, ACCOUNT, {**ACCOUNT, "id": "u-ann", "email": "ann@example.com"})
    assert storage.users.get("dan@example.com") is None
    planned = storage.plan()
    table = storage.options["users_table"]
    (step,) = planned.steps
    assert step.description == f"write 1 e-mail addresses of {table} in lower case"
    assert planned.notes == []
    assert "Dan@Example.com" in accounts_of(storage), "planning changes nothing"
    said: list[str] = []
    step.run(said.append)
    assert accounts_of(storage) == {"dan@example.com": "u-dan", "ann@example.com": "u-ann"}
    key = {"email": {"S": "dan@example.com"}}
    item = storage.clients.dynamodb.get_item(TableName=table, Key=key)["Item"]
    assert item == {**to_item(ACCOUNT), **key, "roles": {"NS": ["1", "2"]}}
    assert storage.plan().steps == []
    step.run(said.append)
    assert said == [], "and may be repeated"


def test_writing_emails_goes_on_after_it_was_stopped(storage: AwsStorage) -> None:
    put_accounts(storage, ACCOUNT)
    with refusing(storage.clients.dynamodb, "DeleteItem"), pytest.raises(ProviderError):
        storage.plan().steps[0].run(lambda line: None)
    assert set(accounts_of(storage)) == {"Dan@Example.com", "dan@example.com"}
    changed = replace(storage.users.get("dan@example.com"), password_hash="new")  # type: ignore[type-var]
    storage.users.replace(changed)
    planned = storage.plan()
    assert (len(planned.steps), planned.notes) == (1, [])
    planned.steps[0].run(lambda line: None)
    assert [*storage.users.scan()] == [changed], "what was changed since is kept"


def test_of_accounts_with_one_email_the_plain_one_and_then_the_oldest_has_it(
    storage: AwsStorage,
) -> None:
    put_accounts(
        storage,
        {**ACCOUNT, "id": "u-plain", "email": "dan@example.com", "created_at": "2024"},
        ACCOUNT,
        {**ACCOUNT, "id": "u-young", "email": "EVE@example.com", "created_at": "2023"},
        {**ACCOUNT, "id": "u-old", "email": "Eve@example.com", "created_at": "2022"},
    )
    for step in storage.plan().steps:
        step.run(lambda line: None)
    assert accounts_of(storage) == {
        "dan@example.com": "u-plain",
        "Dan@Example.com": "u-dan",
        "EVE@example.com": "u-young",
        "eve@example.com": "u-old",
    }
    planned = storage.plan()
    assert planned.steps == []
    told = [("u-dan" in note, "u-young" in note, "cannot log in" in note) for note in planned.notes]
    assert sorted(told) == [(False, True, True), (True, False, True)]
    assert not any("@" in note for note in planned.notes)


def test_an_email_that_is_taken_at_the_last_moment_is_left_to_who_took_it(
    storage: AwsStorage,
) -> None:
    put_accounts(storage, ACCOUNT)
    (step,) = storage.plan().steps
    events, event = storage.clients.dynamodb.meta.events, "before-call.dynamodb.PutItem"

    def sign_up(**_: Any) -> None:
        events.unregister(event, sign_up)
        put_accounts(storage, {**ACCOUNT, "id": "u-new", "email": "dan@example.com"})

    events.register(event, sign_up)
    said: list[str] = []
    step.run(said.append)
    assert accounts_of(storage) == {"dan@example.com": "u-new", "Dan@Example.com": "u-dan"}
    (sentence,) = said
    assert "u-dan" in sentence

"""What `foodlog aws policy` prints allows all that is called, and nothing else; what is missing
is named."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_calls import Iam, Permission, allowed, given, unused

from foodlog.cli import main
from foodlog.errors import ProviderError
from foodlog.models import MealQuery
from foodlog.services.migration import Migration
from foodlog.services.sweep import delete_orphans, find_orphans
from foodlog.testing.storage_meals import meal
from foodlog.testing.storage_memory import MemoryStorage
from foodlog.testing.storage_users import user
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.policy import PURPOSES
from foodlog_plugins.aws_storage.storage import HISTORY_INDEX

Make = Callable[..., AwsStorage]
TABLE = "arn:aws:dynamodb:eu-west-1:*:table/"


def serve(storage: AwsStorage) -> None:
    """Every call a server makes: of every method of the stores but those that read everything."""
    storage.check()
    storage.photos.put("ann/1.jpg", b"1", "image/jpeg")
    list(storage.photos.list("ann/upload-"))
    storage.photos.get("ann/1.jpg")
    storage.photos.url("ann/1.jpg")
    storage.photos.delete("ann/1.jpg")
    stored = storage.meals.add(meal(1))
    storage.meals.add(meal(1))
    storage.meals.list(MealQuery(user_id="ann", limit=1))
    storage.meals.replace(stored)
    storage.meals.delete(stored.id)
    storage.users.add(user("ann"))
    storage.users.get(user("ann").email)
    storage.users.replace(user("ann"))
    storage.users.delete(user("ann").email)


def sweep(storage: AwsStorage) -> None:
    list(delete_orphans(storage, find_orphans(storage, datetime.now(UTC) + timedelta(hours=2))))


def migrate(storage: AwsStorage) -> None:
    """Into the storage, and out of it again."""
    there, back = MemoryStorage(), MemoryStorage()
    there.users.add(user("ann"))
    there.meals.add(meal(1))
    there.photos.put("ann/1.jpg", b"1", "image/jpeg")
    for source, target in ((there, storage), (storage, back)):
        migration = Migration(source, target, lambda *_: None)
        migration.copy()
        assert migration.verify() == []


USES = {"serve": serve, "sweep": sweep, "migrate": migrate}


@pytest.mark.parametrize("acl", ["public-read", "private", ""])
@pytest.mark.parametrize("purpose", USES)
def test_a_policy_gives_what_is_needed_and_no_more(
    on_moto: Make, storage: AwsStorage, purpose: str, acl: str
) -> None:
    storage.photos.put(f"ann/{'a' * 32}.jpg", b"orphan", "image/jpeg")
    used = on_moto(acl=acl)
    policy = used.policy(purpose)
    iam = Iam(used, policy)  # which refuses, too
    USES[purpose](used)
    assert allowed(policy, iam.needed) == iam.needed
    assert unused(policy, iam.needed) == set()


@pytest.mark.parametrize("acl", ["public-read", "private"])
def test_the_policy_for_init_gives_what_is_needed_and_no_more(on_moto: Make, acl: str) -> None:
    storage = on_moto(acl=acl)
    client, table = storage.clients.dynamodb, storage.options["meals_table"]
    iam = Iam(storage, policy := storage.policy("init"))

    def init() -> None:
        for step in storage.plan().steps:
            step.run(lambda line: None)

    init()
    needed = set(iam.needed)
    iam.policy = None
    drop_index(storage)
    client.put_item(TableName=table, Item={"id": {"S": "a"}, "user_id": {"S": "ann"}})
    email = {"email": {"S": "Ann@Example.com"}, "id": {"S": "ann"}}
    client.put_item(TableName=storage.options["users_table"], Item=email)
    iam.needed.clear()
    iam.policy = policy
    init()
    needed |= iam.needed
    assert allowed(policy, needed) == needed
    assert unused(policy, needed) == set()


def drop_index(storage: AwsStorage) -> None:
    storage.clients.dynamodb.update_table(
        TableName=storage.options["meals_table"],
        GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": HISTORY_INDEX}}],
    )


def without(policy: dict[str, Any], pair: Permission) -> dict[str, Any]:
    """The policy without one action on one resource."""
    statements = [
        {"Effect": "Allow", "Action": [action], "Resource": [resource]}
        for action, resource in given(policy) - {pair}
    ]
    return {"Statement": statements}


def test_check_names_each_permission_that_is_missing(on_moto: Make, storage: AwsStorage) -> None:
    checked = on_moto()
    policy = checked.policy("serve")
    iam = Iam(checked)
    for action, resource in sorted(given(policy)):
        iam.policy = without(policy, (action, resource))
        setting = "bucket" if ":s3:" in resource else "table"
        with pytest.raises(ProviderError) as caught:
            checked.check()
        assert caught.value.permanent
        said = str(caught.value)
        assert f"{action} " in f"{said} ".replace(".", " "), "the permission"
        assert checked.options["bucket"] in said or resource.split("/")[1] in said, setting
    iam.policy = policy
    checked.check()


def test_an_index_that_may_not_be_read_is_told_and_gone_around(
    on_moto: Make, storage: AwsStorage, caplog: pytest.LogCaptureFixture
) -> None:
    storage.meals.add(meal(1))
    served = on_moto()
    index = f"{TABLE}{served.options['meals_table']}/index/{HISTORY_INDEX}"
    policy = without(served.policy("serve"), ("dynamodb:Query", index))
    scan = {"Action": ["dynamodb:Scan"], "Resource": [index.partition("/index")[0]]}
    policy["Statement"].append({"Effect": "Allow", **scan})
    Iam(served, policy)
    assert served.meals.list(MealQuery(user_id="ann", limit=1)).meals == (meal(1),)
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.getMessage() == (
        "history reads the whole table each time: the permission dynamodb:Query on its index is "
        "missing; `foodlog aws policy` prints all that are needed"
    )
    assert record.__dict__["index"] == index


def test_check_names_the_index_that_may_not_be_read_and_fails_where_there_is_no_way_around(
    on_moto: Make, storage: AwsStorage, caplog: pytest.LogCaptureFixture
) -> None:
    checked = on_moto()
    table = f"{TABLE}{checked.options['meals_table']}"
    index = f"{table}/index/{HISTORY_INDEX}"
    policy = without(checked.policy("serve"), ("dynamodb:Query", index))
    Iam(checked, policy)
    told = f"The permission dynamodb:Query on {index} is missing".replace("*", r"\*")
    for read in (checked.check, lambda: checked.meals.list(MealQuery(user_id="ann", limit=1))):
        with pytest.raises(ProviderError, match=told):
            read()
    scan = {"Effect": "Allow", "Action": ["dynamodb:Scan"], "Resource": [table]}
    policy["Statement"].append(scan)
    caplog.clear()
    scanning = on_moto()
    Iam(scanning, policy)
    scanning.check()
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "dynamodb:Query" in record.getMessage()
    assert record.__dict__["index"] == index


def test_without_index_and_scan_a_history_says_what_adds_the_index(
    on_moto: Make, storage: AwsStorage
) -> None:
    """The policy for serving gives no Scan: it is not needed once the index is there."""
    served = on_moto()
    Iam(served, served.policy("serve"))
    with index_dropped(storage):
        for read in (served.check, lambda: served.meals.list(MealQuery(user_id="ann", limit=1))):
            with pytest.raises(ProviderError, match="`foodlog aws init` adds the index") as caught:
                read()
            assert caught.value.permanent
            assert "aws policy" not in str(caught.value)


def test_check_says_at_the_command_line_what_is_not_as_it_should_be(
    storage: AwsStorage,
    moto_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> None:
    bucket, meals, users = (storage.options[k] for k in ("bucket", "meals_table", "users_table"))
    file = tmp_path / "aws.yaml"
    file.write_text(
        f"storage: {{use: aws_storage, options: {{bucket: {bucket}, meals_table: {meals}, "
        f"users_table: {users}, region: eu-west-1, s3_endpoint_url: {moto_url}, "
        f"dynamodb_endpoint_url: {moto_url}}}}}\n"
        f"fallback: {{use: synthetic}}\nauth: {{secret: {'x' * 40}}}\n"
    )

    def check() -> tuple[int, str, str]:
        code = main(["check", "--config", str(file)])
        told = capsys.readouterr()
        return code, " ".join(told.out.split()), told.err

    with index_dropped(storage):
        code, out, err = check()
        assert code == 0, "history works without its index"
        assert (
            "history reads the whole table each time: its index is missing or not built yet; "
            "`foodlog aws init` adds it"
        ) in err
    code, out, err = check()
    assert (code, err) == (0, "")
    build = AwsStorage.__init__

    def restricted(self: AwsStorage, *arguments: Any) -> None:
        build(self, *arguments)
        Iam(self, without(self.policy("serve"), ("dynamodb:PutItem", f"{TABLE}{meals}")))

    monkeypatch.setattr(AwsStorage, "__init__", restricted)
    code, out, err = check()
    assert code == 1
    assert (
        f"The table {meals} (storage.options.meals_table): access denied. The permission "
        "dynamodb:PutItem is missing; `foodlog aws policy` prints all that are needed."
    ) in out


class index_dropped:  # noqa: N801 - used as a function
    """The meals' table without its index, and then with it again."""

    def __init__(self, storage: AwsStorage) -> None:
        self._storage = storage

    def __enter__(self) -> None:
        drop_index(self._storage)

    def __exit__(self, *_: object) -> None:
        for step in self._storage.plan().steps:
            step.run(lambda line: None)


@pytest.mark.parametrize("acl", ["private", ""])
def test_without_an_acl_no_policy_speaks_of_one(make: Make, acl: str) -> None:
    storage = make(acl=acl)
    for purpose in PURPOSES:
        named = {action for action, _ in given(storage.policy(purpose))}
        assert not [action for action in named if "Acl" in action or "Ownership" in action]


def test_partitions_have_names_of_their_own(make: Make) -> None:
    for purpose in PURPOSES:
        for _, resource in given(make(region="cn-north-1").policy(purpose)):
            assert resource.startswith(("arn:aws-cn:s3:::", "arn:aws-cn:dynamodb:cn-north-1:*:"))

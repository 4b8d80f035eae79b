"""`foodlog aws` and `foodlog migrate`, as they are typed."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from foodlog.cli import main
from foodlog.commands.migrate import ProgressBar
from foodlog.commands.storages import open_storage
from foodlog.config import load_config
from foodlog.models import Meal
from foodlog.testing.storage_meals import full_meal, meal
from foodlog.testing.storage_users import user
from foodlog_plugins.aws_storage import AwsStorage
from foodlog_plugins.aws_storage.policy import PURPOSES

ROOT = Path(__file__).parents[3]
Make = Callable[..., AwsStorage]
LOCAL = """
storage:
  use: sqlite_storage
  options: {{database: {0}/food.db, photos: {0}/photos}}
fallback: {{use: synthetic}}
auth: {{secret: {1}}}
"""
SECRET = "0123456789abcdef" * 3


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, moto_url: str) -> Iterator[str]:
    """The shipped configuration, over moto."""
    name = uuid.uuid4().hex[:12]
    variables = {
        "AWS_BUCKET_NAME": f"photos-{name}",
        "AWS_DYNAMODB_TABLE": f"meals-{name}",
        "AWS_USERS_TABLE": f"users-{name}",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": moto_url,
        "JWT_SECRET_KEY": SECRET,
    }
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return str(ROOT / "config" / "aws.yaml")


@pytest.fixture
def local(tmp_path: Path) -> Callable[[str], str]:
    """Makes a configuration of a SQLite storage in a new folder."""

    def make(name: str) -> str:
        file = tmp_path / f"{name}.yaml"
        file.write_text(LOCAL.format(tmp_path / name, SECRET))
        return str(file)

    return make


def set_up(aws: str) -> None:
    assert main(["aws", "init", "--yes", "--config", aws]) == 0


def test_init_says_what_it_would_do_does_it_and_has_nothing_left(
    aws: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["aws", "init", "--config", aws]) == 0
    shown = capsys.readouterr().out
    assert shown.count("To do: make the") == 3
    assert "Nothing was changed" in shown
    assert main(["aws", "init", "--yes", "--config", aws]) == 0
    assert capsys.readouterr().out.count("Doing: make the") == 3
    assert main(["aws", "init", "--config", aws]) == 0
    assert capsys.readouterr().out == "Nothing to do.\n"


def test_check_names_what_is_missing_and_is_content_after_init(
    aws: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config", aws]) == 1
    assert "`foodlog aws init` makes it" in " ".join(capsys.readouterr().out.split())
    set_up(aws)
    assert main(["check", "--config", aws]) == 0


def test_a_policy_is_printed_as_json(aws: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = {}
    for purpose in PURPOSES:
        assert main(["aws", "policy", "--for", purpose, "--config", aws]) == 0
        printed[purpose] = json.loads(capsys.readouterr().out)
        assert printed[purpose]["Statement"]
    assert main(["aws", "policy", "--config", aws]) == 0
    assert json.loads(capsys.readouterr().out) == printed["serve"]


def test_a_policy_for_what_there_is_none_for_is_refused_with_the_choices(
    aws: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["aws", "policy", "--for", "fun", "--config", aws]) == 2
    assert "--for: 'fun' is none of serve, sweep, migrate, init." in capsys.readouterr().err


def test_sweep_lists_and_then_deletes_only_orphans(
    aws: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(aws)
    orphan, kept = f"ann/{'a' * 32}.jpg", f"ann/{'b' * 32}.jpg"
    with open_storage(aws) as storage:
        for key in (orphan, kept, f"ann/upload-{'c' * 32}.jpg"):
            storage.photos.put(key, b"photo", "image/jpeg")
        storage.meals.add(meal(1, photo_key=kept))
    monkeypatch.setattr("foodlog.commands.aws.datetime", InTwoHours)
    capsys.readouterr()
    assert main(["aws", "sweep", "--config", aws]) == 0
    shown = capsys.readouterr().out
    assert f"To delete: {orphan}  5 bytes" in shown
    assert kept not in shown
    assert "upload" not in shown
    assert main(["aws", "sweep", "--yes", "--config", aws]) == 0
    assert f"Deleted: {orphan}" in capsys.readouterr().out
    assert main(["aws", "sweep", "--config", aws]) == 0
    assert capsys.readouterr().out == "Nothing to do.\n"


class InTwoHours:
    @staticmethod
    def now(zone: Any) -> datetime:
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + 7200, zone)


def test_another_storage_is_told_how_to_get_there(
    local: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["aws", "init", "--config", local("a")]) == 2
    assert "STORAGE_BACKEND=aws" in capsys.readouterr().err


def test_a_note_of_the_plan_is_shown(
    aws: str, make: Make, moto_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(aws)
    with open_storage(aws) as storage:
        assert isinstance(storage, AwsStorage)
        rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        bucket = storage.options["bucket"]
        storage.clients.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    capsys.readouterr()
    assert main(["aws", "init", "--config", aws]) == 0
    assert "Note: The bucket" in capsys.readouterr().out


def test_a_move_to_aws_and_back_is_lossless(
    aws: str, local: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = local("first"), local("last")
    old = replace(meal(2), image_url="/uploads/old.jpg")
    with open_storage(first) as storage:
        storage.users.add(user("ann"))
        storage.meals.add(full_meal())
        storage.meals.add(old)
        for key in ("ann/ff.jpg", "old.jpg"):
            storage.photos.put(key, key.encode(), "image/jpeg")
    set_up(aws)
    assert main(["migrate", "--from", first, "--to", aws]) == 0
    assert "photos compared" in capsys.readouterr().err
    assert main(["migrate", "--from", aws, "--to", last]) == 0
    assert "Source and target are the same." in capsys.readouterr().out
    with open_storage(last) as storage:
        moved: Meal = replace(old, image_url=None, photo_key="old.jpg")
        assert sorted(storage.meals.scan(), key=lambda m: m.id) == [moved, full_meal()]
        assert [*storage.users.scan()] == [user("ann")]
        assert storage.photos.get("ann/ff.jpg") == (b"ann/ff.jpg", "image/jpeg")


def test_a_move_that_is_stopped_goes_on_where_it_was(
    aws: str,
    local: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = local("source")
    with open_storage(source) as storage:
        for number in range(40):
            key = f"ann/{number:032x}.jpg"
            storage.photos.put(key, key.encode(), "image/jpeg")
            storage.meals.add(meal(number, photo_key=key))
    set_up(aws)
    show = ProgressBar.__call__
    stops = [("photos", 20), ("meals", 0), ("photos compared", 1)]

    def stop(self: ProgressBar, doing: str, done: int, total: int) -> None:
        show(self, doing, done, total)
        if stops and (doing, done) == stops[0]:
            stops.pop(0)
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "__call__", stop)
    left = []
    for code in (130, 130, 130, 0):
        assert main(["migrate", "--from", source, "--to", aws]) == code
        shown = capsys.readouterr()
        assert ("Stopped. The same command goes on" in shown.err) == (code == 130)
        left += [line.split()[-1] for line in shown.err.splitlines() if "photos   " in line][:1]
    assert shown.out == "Source and target are the same.\n"
    assert left[0] == "0/40"
    assert int(left[1].removeprefix("0/")) <= 20, "what is there is not copied again"
    assert left[2:] == ["0/0", "0/0"]


def test_a_difference_is_an_exit_code(
    local: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = local("first"), local("second")
    for file, food in ((first, "Soup"), (second, "Cake")):
        with open_storage(file) as storage:
            storage.meals.add(meal(1, food=food))
    assert main(["migrate", "--from", first, "--to", second]) == 1
    shown = capsys.readouterr().out
    assert "differs" in shown
    assert "1 differences." in shown


def test_every_variable_of_the_flask_service_arrives(
    aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = load_config(aws).storage.options
    assert options["acl"] == "public-read"
    assert options["region"] == "eu-west-1"
    for given in ("", "private"):
        monkeypatch.setenv("AWS_S3_ACL", given)
        with open_storage(aws) as storage:
            assert isinstance(storage, AwsStorage)
            assert storage.options["acl"] == given
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    for variable in ("AWS_DYNAMODB_TABLE", "AWS_USERS_TABLE"):
        monkeypatch.delenv(variable)
    options = load_config(aws).storage.options
    assert options["region"] == "eu-north-1"
    assert options["meals_table"] == "FoodLogHistory"
    assert options["users_table"] == "FoodLogUsers"

"""``foodlog adopt``: meals the Flask service logged without a token get an owner, and are seen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foodlog import cli
from foodlog.commands.storages import open_storage
from foodlog.models import Meal, MealQuery
from foodlog.services.adoption import adopt, find_ownerless
from foodlog.testing.client import Client, embedded
from foodlog.testing.storage_meals import meal
from foodlog.testing.storage_memory import MemoryStorage
from foodlog.testing.storage_users import user

MINE = meal(1, user_id="ann")
NOBODYS = [
    replace(meal(n), user_id=None, image_url=f"http://old/uploads/{n}.jpg") for n in (2, 3, 4)
]
SINGLE = f"auth: {{mode: single_user, secret: '{'s' * 40}'}}\n"


@pytest.fixture
def storage() -> MemoryStorage:
    made = MemoryStorage()
    for each in (MINE, *NOBODYS):
        made.meals.add(each)
    return made


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A file in single-user mode, over a storage with meals of nobody, of Ann and an account."""
    file = tmp_path / "single.yaml"
    file.write_text(embedded(tmp_path / "data", SINGLE))
    (tmp_path / "jwt.yaml").write_text(embedded(tmp_path / "data"))
    with open_storage(str(file)) as storage:
        for each in (MINE, *NOBODYS):
            storage.meals.add(each)
        storage.users.add(user("ann"))
    return str(file)


def owners(config: str) -> list[str | None]:
    with open_storage(config) as storage:
        return [found.user_id for found in sorted(storage.meals.scan(), key=lambda m: m.id)]


def test_they_are_as_they_were_but_for_their_owner(storage: MemoryStorage) -> None:
    assert list(adopt(storage.meals, "local")) == [True] * 3
    given = storage.meals.list(MealQuery(user_id="local", limit=9)).meals
    assert {m.id: m for m in given} == {
        m.id: replace(m, user_id="local", version=2) for m in NOBODYS
    }
    assert storage.meals.get(MINE.id) == MINE
    assert list(adopt(storage.meals, "local")) == []


def test_it_goes_on_where_it_was_stopped(storage: MemoryStorage) -> None:
    stopped = adopt(storage.meals, "local")
    next(stopped)
    assert len(list(find_ownerless(storage.meals))) == 2
    assert list(adopt(storage.meals, "local")) == [True, True]


def test_a_meal_that_changes_meanwhile_is_left_and_told(storage: MemoryStorage) -> None:
    scan = storage.meals.scan

    def scan_and_correct() -> Iterator[Meal]:
        for found in scan():
            if found == NOBODYS[1]:
                storage.meals.replace(replace(found, food="Corrected"))
            yield found

    storage.meals.scan = scan_and_correct  # type: ignore[method-assign]
    assert list(adopt(storage.meals, "local")) == [True, False, True]
    (left,) = find_ownerless(storage.meals)
    assert (left.id, left.food) == (NOBODYS[1].id, "Corrected")


def test_the_command_says_how_many_and_gives_them_with_yes(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["adopt", "--config", config]) == 0
    shown = capsys.readouterr().out
    assert shown == (
        "To do: give 3 meals to the local user.\n"
        "Nothing was changed. Run it again with --yes to do it.\n"
    )
    assert owners(config) == ["ann", None, None, None]
    assert cli.main(["adopt", "--yes", "--config", config]) == 0
    assert capsys.readouterr().out == "Gave 3 meals to the local user.\n"
    assert owners(config) == ["ann", "local", "local", "local"]
    for more in ([], ["--yes"]):
        assert cli.main(["adopt", *more, "--config", config]) == 0
        assert capsys.readouterr().out == "Nothing to do.\n"


def test_the_legacy_app_sees_them_then(config: str) -> None:
    def foods() -> list[str]:
        with Client(Path(config).read_text()) as client:
            return [found["name"] for found in client.get("/api/meals").json]

    assert foods() == []
    cli.main(["adopt", "--yes", "--config", config])
    assert len(foods()) == 3


def test_an_account_can_have_them(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    email = f" {user('ann').email.upper()} "
    jwt = str(tmp_path / "jwt.yaml")
    assert cli.main(["adopt", "--email", email, "--yes", "--config", jwt]) == 0
    assert capsys.readouterr().out == f"Gave 3 meals to {user('ann').email}.\n"
    assert owners(config) == [MINE.user_id, *[user("ann").id] * 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name the account with --email"),
        (["--email", "bob@example.org"], "no account 'bob@example.org'"),
    ],
)
def test_nobody_gets_them_by_mistake(
    config: str,
    tmp_path: Path,
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    jwt = str(tmp_path / "jwt.yaml")
    assert cli.main(["adopt", *arguments, "--yes", "--config", jwt]) == 2
    assert said in capsys.readouterr().err
    assert owners(config) == ["ann", None, None, None]


def test_what_could_not_be_given_is_an_exit_code(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("foodlog.commands.adopt.adopt", lambda *_: iter([True, False]))
    assert cli.main(["adopt", "--yes", "--config", config]) == 1
    assert "1 meals were changed meanwhile. Run it again." in capsys.readouterr().out

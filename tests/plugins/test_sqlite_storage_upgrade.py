"""The Flask service's SQLite file is taken over in place, whatever it holds; others are refused."""

import logging
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from foodlog.dishes import Dishes
from foodlog.errors import ProviderError
from foodlog.models import Meal, Nutrients, User
from foodlog.providers import Context
from foodlog.records import EPOCH
from foodlog.testing.storage_meals import history
from foodlog_plugins.sqlite_storage import SqliteStorage

NOON = datetime(2023, 5, 17, 12, tzinfo=UTC)
FULL_TABLE = """
    CREATE TABLE food_history (
        id TEXT PRIMARY KEY, image_url TEXT NOT NULL, food TEXT, calories INTEGER,
        ingredients TEXT, nutrition_facts TEXT, metadata TEXT, inference_source TEXT,
        ml_service_error TEXT, created_at TEXT NOT NULL, consumed_at TEXT NOT NULL, user_id TEXT)
"""
EARLY_TABLE = """
    CREATE TABLE food_history (
        id TEXT PRIMARY KEY, image_url TEXT NOT NULL, food TEXT, calories INTEGER,
        ingredients TEXT, nutrition_facts TEXT, metadata TEXT, inference_source TEXT,
        created_at TEXT NOT NULL)
"""
USERS = """
    CREATE TABLE users (
        id TEXT PRIMARY KEY, email TEXT UNIQUE NOT NULL, password_hash TEXT NOT NULL,
        created_at TEXT NOT NULL)
"""
ROW = {
    "id": "a" * 32,
    "image_url": "http://localhost:5000/uploads/aa.jpg",
    "food": "Crème 🍮",
    "calories": 320,
    "ingredients": '["cream", "sugar"]',
    "nutrition_facts": '{"calories": 320, "proteins": 4.5}',
    "metadata": '{"make": "Pixel"}',
    "inference_source": "huggingface_space",
    "ml_service_error": None,
    "created_at": "2023-05-17T12:00:00+00:00",
    "consumed_at": "2023-05-17T12:00:00+00:00",
    "user_id": "ann",
}
MEAL = Meal(
    id="a" * 32,
    user_id="ann",
    food="Crème 🍮",
    created_at=NOON,
    consumed_at=NOON,
    nutrients=Nutrients(calories=320, proteins=4.5),
    ingredients=("cream", "sugar"),
    inference_source="huggingface_space",
    photo_key="aa.jpg",
    image_url="http://localhost:5000/uploads/aa.jpg",
    metadata={"make": "Pixel"},
)


def write(path: Path, *statements: str, meals: Iterable[Any] = (), users: Iterable[Any] = ()):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
        for row in meals:
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            query = f"INSERT INTO food_history ({names}) VALUES ({marks})"
            connection.execute(query, list(row.values()))
        for row in users:
            connection.execute("INSERT INTO users VALUES (?, ?, ?, ?)", row)


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def open_storage(path: Path) -> SqliteStorage:
    context = Context(dishes=Dishes([]), clock=lambda: datetime.now(UTC))
    return SqliteStorage({"database": path, "photos": path.parent / "uploads"}, context)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def stored(path: Path) -> list[Meal]:
    storage = open_storage(path)
    meals = list(storage.meals.scan())
    storage.close()
    return meals


def test_a_full_row_becomes_a_meal_with_its_photo(old: Path):
    (old.parent / "uploads").mkdir()
    (old.parent / "uploads" / "aa.jpg").write_bytes(b"photo")
    write(old, FULL_TABLE, USERS, meals=[ROW])
    storage = open_storage(old)
    assert storage.meals.get("a" * 32) == MEAL
    assert history(storage.meals) == [MEAL]
    assert storage.photos.get("aa.jpg") == (b"photo", "image/jpeg")
    corrected = replace(MEAL, food="Flan", note="no sugar")
    assert storage.meals.replace(corrected) == replace(corrected, version=2)
    assert storage.meals.get("a" * 32) == replace(corrected, version=2)
    storage.close()


def test_a_file_without_the_later_columns_is_taken_over(old: Path):
    early = {
        k: v for k, v in ROW.items() if k not in ("consumed_at", "user_id", "ml_service_error")
    }
    write(old, EARLY_TABLE, meals=[early])
    assert stored(old) == [replace(MEAL, user_id=None)]


def test_a_file_with_accounts_alone_is_taken_over(old: Path):
    write(old, USERS, users=[("1", "ann@example.com", "scrypt:x$y", "2023-05-17T12:00:00")])
    storage = open_storage(old)
    assert storage.users.get("ann@example.com") == User(
        id="1", email="ann@example.com", created_at=NOON, password_hash="scrypt:x$y"
    )
    storage.close()


@pytest.mark.parametrize(
    ("created", "consumed", "created_at", "consumed_at"),
    [
        ("2023-05-17T12:00:00", "", NOON, NOON),
        ("2023-05-17T12:00:00+00:00", "2023-05-17T14:00:00+02:00", NOON, NOON),
        ("2023-05-17 12:00:00", "soon", NOON, NOON),
        ("?", "2023-05-17T12:00:00", NOON, NOON),
        ("", "", EPOCH, EPOCH),
    ],
)
def test_times_are_normalised(
    old: Path, created: str, consumed: str, created_at: datetime, consumed_at: datetime
):
    write(old, FULL_TABLE, meals=[{**ROW, "created_at": created, "consumed_at": consumed}])
    assert stored(old) == [replace(MEAL, created_at=created_at, consumed_at=consumed_at)]
    (texts,) = rows(old, "SELECT created_at, consumed_at FROM food_history")
    assert texts == (created_at.isoformat(), consumed_at.isoformat())


@pytest.mark.parametrize("text", ["{broken", "", "null", "[1, 2", "NaN", "5", '"text"', None])
def test_unreadable_json_is_unknown_and_stops_nothing(old: Path, text: str | None):
    columns = ("ingredients", "nutrition_facts", "metadata")
    write(old, FULL_TABLE, meals=[ROW | dict.fromkeys(columns, text)])
    unknown = replace(MEAL, nutrients=Nutrients(calories=320), ingredients=(), metadata={})
    assert stored(old) == [unknown]
    assert rows(old, "SELECT metadata FROM food_history") == [(text,)]


@pytest.mark.parametrize(
    ("image_url", "photo_key"),
    [
        ("", None),
        ("https://bucket.s3.amazonaws.com/1.jpg", None),
        ("/uploads/1.jpg", "1.jpg"),
        ("http://[broken/uploads/1.jpg", None),
    ],
)
def test_only_photos_of_the_uploads_folder_get_a_key(
    old: Path, image_url: str, photo_key: str | None
):
    write(old, FULL_TABLE, meals=[ROW | {"image_url": image_url}])
    assert stored(old) == [replace(MEAL, image_url=image_url or None, photo_key=photo_key)]


def test_meals_without_a_user_or_with_equal_content_are_kept(old: Path):
    twins = [ROW | {"id": name, "user_id": owner} for name, owner in (("1", None), ("2", "ann"))]
    write(old, FULL_TABLE, meals=[*twins, ROW | {"id": "3"}])
    storage = open_storage(old)
    assert [(m.id, m.user_id) for m in storage.meals.scan()] == [
        ("1", None),
        ("2", "ann"),
        ("3", "ann"),
    ]
    assert [m.id for m in history(storage.meals)] == ["2", "3"]
    storage.close()


def test_emails_become_lower_case_and_collisions_keep_both(
    old: Path, caplog: pytest.LogCaptureFixture
):
    accounts = [
        ("1", "Ann@Example.com", "scrypt:1", "2023-01-02"),
        ("2", "ANN@example.com", "scrypt:2", "2023-01-01"),
        ("3", "BOB@example.com", "scrypt:3", "2023-01-01"),
        ("4", "bob@example.com", "scrypt:4", "2023-01-09"),
        ("5", "Zoë@Example.com", "scrypt:5", "2023-01-01"),
    ]
    write(old, USERS, users=accounts)
    storage = open_storage(old)
    found = {email: u.id for email in EMAILS if (u := storage.users.get(email))}
    assert found == {
        "ann@example.com": "2",
        "Ann@Example.com": "1",
        "bob@example.com": "4",
        "BOB@example.com": "3",
        "zoë@example.com": "5",
    }
    assert {u.id for u in storage.users.scan()} == {"1", "2", "3", "4", "5"}
    assert [r.__dict__["user_id"] for r in caplog.records if "user_id" in r.__dict__] == ["3", "1"]
    assert "example.com" not in caplog.text
    storage.users.delete("Ann@Example.com")
    assert storage.users.get("ann@example.com").id == "2"  # type: ignore[union-attr]
    storage.close()


EMAILS = (
    "ann@example.com",
    "Ann@Example.com",
    "bob@example.com",
    "BOB@example.com",
    "zoë@example.com",
)


def test_a_copy_of_the_old_file_is_kept_and_the_log_says_where(
    old: Path, caplog: pytest.LogCaptureFixture
):
    write(old, FULL_TABLE, USERS, meals=[ROW | {"metadata": "{broken"}])
    before = rows(old, "SELECT * FROM food_history")
    stored(old)
    copy = old.parent / "old.db.before-foodlog-1"
    assert rows(copy, "SELECT * FROM food_history") == before
    assert rows(copy, "PRAGMA user_version") == [(0,)]
    (record,) = [r for r in caplog.records if "copy" in r.__dict__]
    assert record.levelno == logging.WARNING
    assert record.__dict__["copy"] == str(copy)
    assert sorted(path.name for path in old.parent.glob("old.db*")) == [old.name, copy.name]


def test_what_is_only_in_the_write_ahead_log_is_copied_too(old: Path):
    with closing(sqlite3.connect(old)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(FULL_TABLE)
        write(old, meals=[ROW])
        assert stored(old) == [MEAL]
    copy = old.parent / "old.db.before-foodlog-1"
    assert rows(copy, "SELECT id FROM food_history") == [("a" * 32,)]


def test_an_existing_copy_is_never_overwritten(old: Path):
    names = ["old.db.before-foodlog-1", "old.db.before-foodlog-1-2"]
    for name in names:
        (old.parent / name).write_text("precious")
    (old.parent / "old.db.copy").write_text("left by an upgrade that was killed")
    write(old, FULL_TABLE)
    stored(old)
    assert [(old.parent / name).read_text() for name in names] == ["precious"] * 2
    assert rows(old.parent / "old.db.before-foodlog-1-3", "SELECT * FROM food_history") == []


def test_opening_again_changes_nothing_and_keeps_no_second_copy(old: Path):
    write(old, FULL_TABLE, meals=[ROW])
    assert stored(old) == stored(old) == [MEAL]
    assert len(list(old.parent.glob("old.db.before*"))) == 1


def test_what_a_dump_brought_back_is_as_it_was(old: Path):
    """SQLite's .dump, from which many restore, leaves out the number of the schema."""
    write(old, FULL_TABLE, USERS, meals=[ROW])
    own = replace(MEAL, id="b" * 32, photo_key="ann/bb.jpg", image_url=None, note="no sugar")
    storage = open_storage(old)
    storage.meals.add(own)
    storage.close()
    restored = old.with_name("restored.db")
    with closing(sqlite3.connect(old)) as source, closing(sqlite3.connect(restored)) as target:
        target.executescript("".join(source.iterdump()))
    assert rows(restored, "PRAGMA user_version") == [(0,)]
    assert stored(restored) == [MEAL, own]


def test_a_row_without_an_id_gets_one(old: Path):
    """SQLite takes NULL for any primary key that is not INTEGER."""
    write(old, FULL_TABLE, meals=[ROW, ROW | {"id": None}, ROW | {"id": None}])
    storage = open_storage(old)
    ids = [meal.id for meal in history(storage.meals)]
    storage.close()
    assert MEAL.id in ids
    assert len(set(ids)) == 3
    assert {len(each) for each in ids} == {32}


def test_a_new_file_needs_no_copy(old: Path):
    assert stored(old) == []
    assert list(old.parent.glob("old.db?*")) == []
    assert old.stat().st_mode & 0o077 == 0


def test_a_failing_upgrade_changes_nothing(old: Path):
    # A view in the index's place makes the last statement of the step fail.
    clash = "CREATE TABLE food_history_by_user (x)"
    write(old, EARLY_TABLE, clash, meals=[{"id": "1", "image_url": "", "created_at": "?"}])
    before = rows(old, "SELECT * FROM sqlite_master"), rows(old, "SELECT * FROM food_history")
    with pytest.raises(ProviderError, match=r"^storage.options.database: .*old\.db cannot be used"):
        open_storage(old)
    after = rows(old, "SELECT * FROM sqlite_master"), rows(old, "SELECT * FROM food_history")
    assert after == before
    assert list(old.parent.glob("old.db?*")) == []
    write(old, "DROP TABLE food_history_by_user")
    assert [meal.id for meal in stored(old)] == ["1"]


def test_a_newer_database_is_refused(old: Path):
    write(old, "PRAGMA user_version = 2")
    with pytest.raises(ProviderError) as caught:
        open_storage(old)
    assert str(caught.value) == (
        f"storage.options.database: {old} has schema 2, and this FoodLog knows schemas up to 1;"
        " install the newer FoodLog that wrote it, or name another file."
    )
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("bookmarks (url)", ""),
        ("food_history (dish, eaten)", ": its table food_history has no column id"),
        ("users (name)", ": its table users has no column email and no id and no password_hash"),
        ("users (id, email, name)", ": its table users has no column password_hash"),
    ],
)
def test_another_programs_database_is_refused_and_left_alone(old: Path, table: str, why: str):
    write(old, f"CREATE TABLE {table}")
    before = old.read_bytes()
    said = f"old.db is the database of another program{why}; name another file."
    with pytest.raises(ProviderError, match=re.escape(said)):
        open_storage(old)
    assert old.read_bytes() == before
    assert list(old.parent.glob("old.db?*")) == []


def test_a_file_that_is_no_database_is_refused_and_left_alone(old: Path):
    old.write_text("shopping list " * 100)
    with pytest.raises(ProviderError) as caught:
        open_storage(old)
    assert str(caught.value) == (
        f"storage.options.database: {old} is not an SQLite database; name another file."
    )
    assert old.read_text() == "shopping list " * 100

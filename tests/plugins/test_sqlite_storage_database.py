"""One SQLite file under several threads: durable, indexed, bounded in waiting, clear in failing."""

import itertools
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from marshmallow import ValidationError

from foodlog.dishes import Dishes
from foodlog.errors import ProviderError, StorageFull
from foodlog.models import Meal, MealQuery, Position
from foodlog.providers import Context
from foodlog.testing.storage_meals import NOON, meal
from foodlog.testing.storage_users import user
from foodlog_plugins.sqlite_storage import SqliteStorage, foodlog_storages
from foodlog_plugins.sqlite_storage.database import Database, use_write_ahead_log
from foodlog_plugins.sqlite_storage.meals import MealTable, states_query
from foodlog_plugins.sqlite_storage.schema import upgrade

CONTEXT = Context(dishes=Dishes([]), clock=lambda: datetime.now(UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "food.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path, busy_timeout=0.1)
    database.create()
    upgrade(path)
    yield database
    database.close()


def descriptors(path: Path) -> int:
    """How often this process has the file open."""
    links = Path("/proc/self/fd")
    return sum(os.path.realpath(links / name) == str(path) for name in os.listdir(links))


def in_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_commits_are_durable_and_readers_do_not_wait(database: Database):
    with database.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    meals = MealTable(database)
    with closing(sqlite3.connect(database.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert meals.get("1") is None


@pytest.mark.parametrize("resolution", ["ABORT", "ROLLBACK"])
def test_a_failed_block_leaves_nothing(database: Database, resolution: str):
    def write() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO food_history (id) VALUES ('1')")
            connection.execute(f"INSERT OR {resolution} INTO food_history (id) VALUES ('1')")

    with pytest.raises(ProviderError, match="UNIQUE"):
        write()
    assert list(MealTable(database).scan()) == []
    MealTable(database).add(meal(1))


def test_a_thread_keeps_one_connection_and_a_dead_one_none(database: Database):
    meals = MealTable(database)
    meals.get("1")
    meals.get("2")
    assert descriptors(database.path) == 1
    for _ in range(10):
        in_thread(lambda: meals.get("1"))
    assert descriptors(database.path) <= 3  # SQLite keeps a closed one for the next
    database.close()
    assert descriptors(database.path) == 0


def test_a_lock_of_another_process_is_waited_for_and_then_reported(database: Database):
    meals = MealTable(database)
    with closing(sqlite3.connect(database.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProviderError, match=r"food\.db is locked by another process") as caught:
            meals.add(meal(1))
    assert caught.value.retry_after == 1
    assert not isinstance(caught.value, StorageFull)
    assert meals.add(meal(1)) == meals.get(meal(1).id)


def test_a_lock_of_another_thread_is_waited_for_and_then_reported(database: Database):
    caught = []

    def write() -> None:
        with pytest.raises(ProviderError, match=r"stayed locked by other writers for 0\.1 s") as e:
            MealTable(database).add(meal(1))
        caught.append(e.value)

    with database.write():
        in_thread(write)
    assert [error.retry_after for error in caught] == [1]


def test_a_full_disk_is_reported_and_reading_goes_on(database: Database):
    meals = MealTable(database)
    meals.add(meal(1))
    with database.read() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFull, match=r"no room left for .*food\.db"):
        meals.add(meal(2, note="x" * 100_000))
    assert meals.get(meal(1).id) == meal(1)
    assert meals.get(meal(2).id) is None


def test_a_damaged_file_is_reported_by_name(path: Path):
    storage = SqliteStorage({"database": path, "photos": path.parent / "photos"}, CONTEXT)
    for number in range(300):
        storage.meals.add(meal(number))
    storage.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\xff" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    storage = SqliteStorage({"database": path, "photos": path.parent / "photos"}, CONTEXT)
    with pytest.raises(
        ProviderError, match=r"food\.db cannot be used: .*malformed; restore a backup"
    ):
        storage.meals.get("1")
    storage.close()


def test_no_write_ahead_log_no_storage(path: Path):
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(ProviderError, match=r"journal mode stays memory.*keep it on a local disk"),
    ):
        use_write_ahead_log(connection, path, 0)


def test_switching_to_the_log_waits_for_others_and_only_so_long(path: Path):
    with (
        closing(sqlite3.connect(path, timeout=0)) as connection,
        closing(sqlite3.connect(path, check_same_thread=False)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError):
            use_write_ahead_log(connection, path, 0.03)
        release = threading.Timer(0.05, other.rollback)
        release.start()
        use_write_ahead_log(connection, path, 30)
        release.join()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


MOMENTS = (None, NOON - timedelta(minutes=8), NOON + timedelta(minutes=8))


@pytest.mark.parametrize("analysed", [False, True])
def test_every_page_is_read_from_the_index_without_sorting(database: Database, analysed: bool):
    meals = MealTable(database)
    for number in range(60):
        kind = ("lunch", "dinner")[number % 2]
        meals.add(meal(number, user_id=f"user{number % 3}", meal_type=kind))
    with database.write() as connection:
        connection.execute("ANALYZE" if analysed else "SELECT 1")
    positions = (None, Position(NOON, "5"))
    choices = itertools.product(positions, MOMENTS, MOMENTS, (None, "lunch"))
    for after, since, until, kind in choices:
        query, values = states_query(
            MealQuery(
                user_id="user1", limit=50, after=after, since=since, until=until, meal_type=kind
            )
        )
        with database.read() as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
        (step,) = [row[3] for row in plan]
        index = "INDEX food_history_by_user (user_id=?"
        covering = "" if kind else "COVERING "
        assert step.startswith(f"SEARCH food_history USING {covering}{index}")
        assert ("consumed_at<" in step) == (after is not None or until is not None)


def test_a_list_shows_what_others_changed_since_it_was_read_last(path: Path, database: Database):
    ours = MealTable(database)
    for number in range(3):
        ours.add(meal(number, user_id="user1"))
    first = ours.list(MealQuery(user_id="user1", limit=10)).meals
    with closing(Database(path, 5)) as another:
        theirs = MealTable(another)
        theirs.replace(replace(first[1], food="Soup"))
        theirs.delete(first[2].id)
        again = ours.list(MealQuery(user_id="user1", limit=10)).meals
        assert [m.food for m in again] == [first[0].food, "Soup"]
        theirs.add(
            replace(first[2], food="Bread", created_at=first[2].created_at + timedelta(hours=1))
        )
    assert [m.food for m in ours.list(MealQuery(user_id="user1", limit=10)).meals][2:] == ["Bread"]
    assert again[0] is first[0]


def test_a_meal_deleted_while_a_list_is_read_is_left_out(database: Database):
    class Late(MealTable):
        def _read(self, ids: Sequence[str]) -> dict[str, Meal]:
            self.delete(ids[-1])
            return super()._read(ids)

    meals = Late(database)
    for number in range(3):
        meals.add(meal(number, user_id="user1"))
    page = meals.list(MealQuery(user_id="user1", limit=2))
    assert len(page.meals) == 1
    assert page.next is not None
    assert len(meals.list(MealQuery(user_id="user1", limit=2, after=page.next)).meals) == 0


def test_a_meal_replaced_while_a_list_is_read_is_shown_as_it_is_now(database: Database):
    class Late(MealTable):
        def _read(self, ids: Sequence[str]) -> dict[tuple[Any, ...], Meal]:
            stored = self.get(ids[-1])
            self.replace(replace(stored, food="Soup"))  # type: ignore[type-var]
            return super()._read(ids)

    meals = Late(database)
    meals.add(meal(1, user_id="user1"))
    first = meals.list(MealQuery(user_id="user1", limit=2))
    assert [m.food for m in first.meals] == ["Soup"]
    again = meals.list(MealQuery(user_id="user1", limit=2))
    assert again is not first, "what was read in two states is read again"


def test_a_page_is_read_again_only_when_it_has_changed(path: Path, database: Database):
    ours = MealTable(database)
    for number in range(3):
        ours.add(meal(number, user_id="user1"))
    page = ours.list(MealQuery(user_id="user1", limit=2))
    assert ours.list(MealQuery(user_id="user1", limit=2)) is page
    with closing(Database(path, 5)) as another:
        MealTable(another).add(meal(7, user_id="user2"))
        assert ours.list(MealQuery(user_id="user1", limit=2)) is page, "of somebody else"
        MealTable(another).delete(page.meals[1].id)
        assert ours.list(MealQuery(user_id="user1", limit=2)).meals[1] != page.meals[1]


def test_the_revision_grows_with_every_commit_of_anybody(path: Path, database: Database):
    meals = MealTable(database)
    revisions = [database.revision()]
    assert database.revision() == revisions[0]
    meals.add(meal(1))
    revisions.append(database.revision())
    with closing(Database(path, 5)) as another:
        MealTable(another).add(meal(2))
        revisions.append(database.revision())
    meals.delete(meal(2).id)
    revisions.append(database.revision())
    assert revisions == sorted(set(revisions))


def test_so_many_pages_are_remembered_and_no_more(database: Database, monkeypatch: Any):
    monkeypatch.setattr("foodlog_plugins.sqlite_storage.meals.REMEMBERED", 2)
    meals = MealTable(database)
    for number in range(4):
        meals.add(meal(number, user_id="user1"))
    pages = {limit: meals.list(MealQuery(user_id="user1", limit=limit)) for limit in (1, 2, 3)}
    assert len(meals._seen) == 2
    assert meals.list(MealQuery(user_id="user1", limit=3)) is pages[3]
    assert meals.list(MealQuery(user_id="user1", limit=1)) is not pages[1], (
        "the oldest was forgotten"
    )
    assert meals.list(MealQuery(user_id="user1", limit=1)) == pages[1]


def test_long_pages_are_not_remembered(database: Database, monkeypatch: Any):
    monkeypatch.setattr("foodlog_plugins.sqlite_storage.meals.LARGEST", 1)
    meals = MealTable(database)
    for number in range(2):
        meals.add(meal(number, user_id="user1"))
    assert meals.list(MealQuery(user_id="user1", limit=2)) == meals.list(
        MealQuery(user_id="user1", limit=2)
    )
    assert len(meals._seen) == 0


def options(path: Path, **others: Any) -> dict[str, Any]:
    return {"database": str(path / "d" / "food.db"), "photos": str(path / "p"), **others}


def test_options_say_what_they_are_for():
    fields = SqliteStorage.Options().fields
    assert list(fields) == ["database", "photos", "busy_timeout"]
    assert all(field.metadata["help"] for field in fields.values())
    assert [name for name, field in fields.items() if field.required] == ["database", "photos"]


@pytest.mark.parametrize("bad", [{"database": 5}, {"busy_timeout": 0}, {"busy_timeout": 61}])
def test_bad_options_are_refused(tmp_path: Path, bad: dict[str, Any]):
    with pytest.raises(ValidationError):
        SqliteStorage.Options().load(options(tmp_path) | bad)


def test_folders_and_file_are_made_for_their_owner_alone(tmp_path: Path):
    loaded = SqliteStorage.Options().load(options(tmp_path))
    storage = SqliteStorage(loaded, CONTEXT)
    storage.check()
    storage.close()
    made = [tmp_path / "d", tmp_path / "d" / "food.db", tmp_path / "p"]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700, 0o600, 0o700]


@pytest.mark.parametrize("setting", ["database", "photos"])
def test_a_file_in_the_way_is_reported_with_the_setting(tmp_path: Path, setting: str):
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "below"
    with pytest.raises(ProviderError) as caught:
        SqliteStorage({**options(tmp_path), setting: place}, CONTEXT)
    assert str(caught.value) == (
        f"storage.options.{setting}: {place} cannot be used: File exists; let the server's user"
        " write there, or name another place."
    )
    assert caught.value.permanent
    assert descriptors(tmp_path / "d" / "food.db") == 0


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """A folder in which this process has an ordinary user's rights while the test runs."""
    folder = Path(tempfile.mkdtemp(prefix="foodlog-"))
    folder.chmod(0o777)
    is_root = os.geteuid() == 0
    if is_root:
        os.setresuid(65534, 65534, 0)
    try:
        yield folder
    finally:
        if is_root:
            os.setresuid(0, 0, 0)
        for name in folder.iterdir():
            name.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("setting", "unwritable"), [("database", "d"), ("database", "d/food.db"), ("photos", "p")]
)
def test_what_is_not_writable_is_reported_with_the_setting(
    ordinary_folder: Path, setting: str, unwritable: str
):
    (ordinary_folder / "d").mkdir()
    (ordinary_folder / "p").mkdir()
    if unwritable == "d/food.db":
        (ordinary_folder / "d" / "food.db").touch()
    (ordinary_folder / unwritable).chmod(0o500)
    given = options(ordinary_folder)
    with pytest.raises(ProviderError) as caught:
        SqliteStorage(given, CONTEXT)
    assert str(caught.value) == (
        f"storage.options.{setting}: {given[setting]} cannot be used: Permission denied; let the"
        " server's user write there, or name another place."
    )


@pytest.mark.parametrize("name", ["p", "p/.incoming"])
def test_check_names_the_photos_folder_that_cannot_be_written(ordinary_folder: Path, name: str):
    storage = SqliteStorage(options(ordinary_folder), CONTEXT)
    storage.check()
    (ordinary_folder / name).chmod(0o555)
    with pytest.raises(ProviderError, match=f"/{name} cannot be used: Permission denied; let the"):
        storage.check()
    storage.close()


def test_a_folder_in_which_the_log_cannot_be_made_is_reported_with_the_way_out(
    ordinary_folder: Path,
):
    given = options(ordinary_folder)
    SqliteStorage(given, CONTEXT).close()
    (ordinary_folder / "d").chmod(0o500)
    said = r"food\.db cannot be used: .*; let the server's user write the file and its folder, or"
    with pytest.raises(ProviderError, match=said):
        SqliteStorage(given, CONTEXT)


def test_a_folder_in_the_files_place_is_reported(tmp_path: Path):
    given = options(tmp_path)
    (tmp_path / "d" / "food.db").mkdir(parents=True)
    with pytest.raises(ProviderError) as caught:
        SqliteStorage(given, CONTEXT)
    assert str(caught.value) == (
        f"storage.options.database: {given['database']} is a folder; name a file."
    )


def test_check_names_what_went_missing(tmp_path: Path):
    storage = SqliteStorage(options(tmp_path), CONTEXT)
    shutil.rmtree(tmp_path / "p")
    with pytest.raises(ProviderError, match=r"/p cannot be used: No such file"):
        storage.check()
    with pytest.raises(ProviderError, match=r"/p cannot be used: No such file"):
        storage.photos.put("ann/1.jpg", b"", "image/jpeg")
    storage.close()


def test_a_closed_storage_fails_as_a_provider_does(tmp_path: Path):
    storage = SqliteStorage(options(tmp_path), CONTEXT)
    storage.close()
    with pytest.raises(ProviderError, match="closed"):
        storage.users.add(user("ann"))


def test_the_plugin_offers_the_storage():
    assert list(foodlog_storages()) == [SqliteStorage]

"""Several processes on one file and folder, and processes that are killed."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from foodlog.dishes import Dishes
from foodlog.providers import Context
from foodlog.testing.storage_meals import history
from foodlog_plugins.sqlite_storage import SqliteStorage
from foodlog_plugins.sqlite_storage.photos import INCOMING

PRELUDE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from foodlog.dishes import Dishes
from foodlog.models import Meal
from foodlog.providers import Context
from foodlog_plugins.sqlite_storage import SqliteStorage, schema

def open_storage(folder):
    context = Context(dishes=Dishes([]), clock=lambda: datetime.now(UTC))
    return SqliteStorage({"database": folder / "a.db", "photos": folder / "p"}, context)

folders = [Path(name) for name in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.readline()
"""
OPEN_ALL = """
for folder in folders:
    storage = open_storage(folder)
    print(len(list(storage.meals.scan())))
    storage.close()
"""
DIE_WHILE_UPGRADING = """
schema._normalise_emails = lambda connection: os.kill(os.getpid(), 9)
open_storage(folders[0])
"""
LOG_MEALS = """
import uuid
storage = open_storage(folders[0])
while True:
    name, now = uuid.uuid4().hex, datetime.now(UTC)
    key = f"ann/{name}.jpg"
    storage.photos.put(key, name.encode() * 1000, "image/jpeg")
    meal = Meal(id=name, user_id="ann", food="x", created_at=now, consumed_at=now, photo_key=key)
    storage.meals.add(meal)
    print(name, flush=True)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process with the script; it waits for a line before it begins in earnest."""
    processes: list[subprocess.Popen[str]] = []

    def start(script: str, *folders: Path) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", PRELUDE + script, *map(str, folders)]
        process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def begin(*processes: subprocess.Popen[str]) -> None:
    """Let the processes begin, all at once."""
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def old_file(path: Path, meals: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE food_history (id TEXT PRIMARY KEY, image_url TEXT)")
        for number in range(meals):
            connection.execute("INSERT INTO food_history VALUES (?, '')", (str(number),))


def open_storage(folder: Path) -> SqliteStorage:
    context = Context(dishes=Dishes([]), clock=lambda: datetime.now(UTC))
    return SqliteStorage({"database": folder / "a.db", "photos": folder / "p"}, context)


def test_workers_that_start_at_once_do_not_collide(tmp_path: Path, start: Start):
    folders = [tmp_path / f"{kind}{number}" for kind in ("new", "old") for number in range(8)]
    for folder in folders[8:]:
        old_file(folder / "a.db", meals=3)
    workers = [start(OPEN_ALL, *folders) for _ in range(3)]
    begin(*workers)
    for worker in workers:
        assert worker.communicate(timeout=60)[0].split() == ["0"] * 8 + ["3"] * 8
    assert [len(list(folder.glob("a.db.before*"))) for folder in folders] == [0] * 8 + [1] * 8


def test_an_upgrade_that_is_killed_changes_nothing(tmp_path: Path, start: Start):
    path = tmp_path / "a.db"
    old_file(path, meals=500)
    upgrade = start(DIE_WHILE_UPGRADING, tmp_path)
    begin(upgrade)
    assert upgrade.wait(60) == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(food_history)")}
        assert columns == {"id", "image_url"}
    storage = open_storage(tmp_path)
    assert len(list(storage.meals.scan())) == 500
    storage.close()
    assert len(list(tmp_path.glob("a.db.before*"))) == 1


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, start: Start):
    acknowledged = []
    for round_ in range(2):
        writers = [start(LOG_MEALS, tmp_path) for _ in range(2)]
        begin(*writers)
        for writer in writers:
            assert writer.stdout
            acknowledged += [writer.stdout.readline().strip() for _ in range(10 + 3 * round_)]
        for writer in writers:
            writer.kill()
            acknowledged += writer.communicate()[0].split()
    storage = open_storage(tmp_path)
    stored = {meal.id: meal.photo_key for meal in history(storage.meals)}
    assert set(acknowledged) <= stored.keys()
    for meal_id, key in stored.items():
        assert storage.photos.get(str(key)) == (meal_id.encode() * 1000, "image/jpeg")
    orphans = {photo.key for photo in storage.photos.list()} - set(stored.values())
    assert len(orphans) <= 4, "at most one photo without a row per killed writer"
    assert len(list((tmp_path / "p" / INCOMING).iterdir())) <= 4
    storage.close()

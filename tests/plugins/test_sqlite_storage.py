"""sqlite_storage keeps the storage port's promises."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from foodlog.dishes import Dishes
from foodlog.providers import Context
from foodlog.testing.storage import Failing, StorageTests
from foodlog_plugins.sqlite_storage import SqliteStorage


class TestSqliteStorage(StorageTests):
    @pytest.fixture
    def provider(self, tmp_path: Path, request: pytest.FixtureRequest) -> SqliteStorage:
        timeout = 0.05 if "flaky" in request.fixturenames else 10.0
        context = Context(dishes=Dishes([]), clock=lambda: datetime.now(UTC))
        options = {"database": tmp_path / "food.db", "photos": tmp_path / "photos"}
        return SqliteStorage({**options, "busy_timeout": timeout}, context)

    @pytest.fixture
    def flaky(self, provider: SqliteStorage, tmp_path: Path) -> Failing:
        @contextmanager
        def locked_by_another() -> Iterator[None]:
            with closing(sqlite3.connect(tmp_path / "food.db")) as other:
                other.execute("BEGIN IMMEDIATE")
                yield

        return locked_by_another

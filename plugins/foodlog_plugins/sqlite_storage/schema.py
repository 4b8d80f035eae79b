"""The tables, and the steps that bring an older file to them.

``PRAGMA user_version`` counts the steps a file has been through; a file of the Flask service
stands at 0. All steps a file needs run in one transaction, and a copy of it is kept.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from foodlog.errors import ProviderError
from foodlog.records import EPOCH, parse_time, photo_key_of, time_text
from foodlog_plugins.sqlite_storage.database import connect, transaction, use_write_ahead_log
from foodlog_plugins.sqlite_storage.faults import named_faults
from foodlog_plugins.sqlite_storage.files import sync

logger = logging.getLogger(__name__)

UPGRADE_TIMEOUT = 60.0
"""Seconds a worker waits while another one upgrades the file."""

TABLES = {
    "food_history": {
        "id": "TEXT PRIMARY KEY",
        "image_url": "TEXT NOT NULL DEFAULT ''",
        "food": "TEXT",
        "calories": "INTEGER",
        "ingredients": "TEXT",
        "nutrition_facts": "TEXT",
        "metadata": "TEXT",
        "inference_source": "TEXT",
        "ml_service_error": "TEXT",
        "created_at": "TEXT NOT NULL DEFAULT ''",
        "consumed_at": "TEXT NOT NULL DEFAULT ''",
        "user_id": "TEXT",
        "photo_key": "TEXT",
        "meal_type": "TEXT",
        "version": "INTEGER NOT NULL DEFAULT 1",
        "details": "TEXT",
    },
    "users": {
        "id": "TEXT PRIMARY KEY",
        "email": "TEXT NOT NULL UNIQUE",
        "password_hash": "TEXT NOT NULL",
        "created_at": "TEXT NOT NULL DEFAULT ''",
        "epoch": "INTEGER NOT NULL DEFAULT 0",
    },
}
"""Columns and their definitions. What the Flask service does not know stands last, and has a
default or may be null, so that it can go on inserting rows."""


def upgrade(path: Path) -> None:
    """Bring the file to the newest schema, whichever worker comes first.

    Raises :class:`ProviderError` for a file that is not FoodLog's, or a newer FoodLog's.
    """
    with named_faults(path), closing(connect(path, UPGRADE_TIMEOUT)) as connection:
        if _version(connection, path) < len(STEPS):
            _run_steps(connection, path)
        use_write_ahead_log(connection, path, UPGRADE_TIMEOUT)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= len(STEPS):
        raise ProviderError(
            f"{path} has schema {version}, and this FoodLog knows schemas up to {len(STEPS)};"
            " install the newer FoodLog that wrote it, or name another file."
        )
    return int(version)


def _run_steps(connection: sqlite3.Connection, path: Path) -> None:
    with transaction(connection):
        # Looked at again: another worker may have been faster.
        steps = STEPS[_version(connection, path) :]
        with _copy_kept(connection, path) if steps else nullcontext():
            for step in steps:
                step(connection)
            connection.execute(f"PRAGMA user_version = {len(STEPS)}")


@contextmanager
def _copy_kept(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Keep a copy of a file that has tables, unless the block fails.

    The caller's transaction keeps other writers out, so what is copied is what is upgraded.
    """
    if not _has_tables(connection, path):
        yield
        return
    copy = Path(f"{path}.copy")
    try:
        _copy(path, copy)
        yield
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    kept = _name_copy(copy, f"{path}.before-foodlog-{len(STEPS)}")
    logger.warning(
        "the database is upgraded; a copy of the old one is kept",
        extra={"database": str(path), "schema": len(STEPS), "copy": str(kept)},
    )


def _has_tables(connection: sqlite3.Connection, path: Path) -> bool:
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if names and not names & TABLES.keys():
        raise ProviderError(f"{path} is the database of another program; name another file.")
    for table in names & TABLES.keys():
        lacking = _keys(table) - _columns(connection, table)
        if lacking:
            raise ProviderError(
                f"{path} is the database of another program: its table {table} has no column"
                f" {' and no '.join(sorted(lacking))}; name another file."
            )
    return bool(names)


def _keys(table: str) -> set[str]:
    """The columns that SQLite adds to no table that is there already."""
    return {
        name
        for name, kind in TABLES[table].items()
        if "PRIMARY" in kind or ("NOT NULL" in kind and "DEFAULT" not in kind)
    }


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def _copy(path: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL, 0o600))
    with closing(connect(path, UPGRADE_TIMEOUT)) as source, closing(connect(copy, 0)) as target:
        source.backup(target)
    sync(copy)


def _name_copy(copy: Path, name: str) -> Path:
    """Give the copy its name, or the next free one after it."""
    number = 1
    kept = Path(name)
    while kept.exists():
        number += 1
        kept = Path(f"{name}-{number}")
    copy.rename(kept)
    sync(kept.parent)
    return kept


def _take_over(connection: sqlite3.Connection) -> None:
    """Schema 1: FoodLog's tables, in a new file or around the rows of the Flask service.

    Where a dump brought FoodLog's own tables back, without their schema, they stay as they are.
    """
    for table, columns in TABLES.items():
        definitions = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({definitions})")
        for name in columns.keys() - _columns(connection, table):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {columns[name]}")
    _normalise_meals(connection)
    _normalise_emails(connection)
    connection.execute("DROP INDEX IF EXISTS food_history_by_user")
    connection.execute(
        "CREATE INDEX food_history_by_user ON food_history"
        # The last two say whether a meal that is remembered has changed.
        " (user_id, consumed_at DESC, id ASC, version, created_at)"
    )


def _normalise_meals(connection: sqlite3.Connection) -> None:
    connection.create_function("utc", 1, _utc, deterministic=True)
    connection.create_function("photo_key_of", 1, photo_key_of, deterministic=True)
    connection.execute(
        "UPDATE food_history SET"
        " id = coalesce(id, lower(hex(randomblob(16)))),"
        " consumed_at = coalesce(utc(consumed_at), utc(created_at), :epoch),"
        " created_at = coalesce(utc(created_at), utc(consumed_at), :epoch),"
        " photo_key = coalesce("
        "photo_key, CASE WHEN image_url LIKE '%/uploads/%' THEN photo_key_of(image_url) END)",
        {"epoch": time_text(EPOCH)},
    )


def _utc(text: object) -> str | None:
    moment = parse_time(text)
    return time_text(moment) if moment else None


def _normalise_emails(connection: sqlite3.Connection) -> None:
    """Lower case; of accounts that differ in nothing else the plain one, then the oldest, wins."""
    accounts = connection.execute("SELECT id, email FROM users ORDER BY created_at, id").fetchall()
    for user_id, email in accounts:
        update = "UPDATE OR IGNORE users SET email = ? WHERE id = ?"
        changed = connection.execute(update, (email.lower(), user_id)).rowcount
        if not changed:
            logger.warning(
                "two accounts have the same e-mail but for upper and lower case; this one keeps"
                " its spelling and cannot log in until it gets an e-mail of its own",
                extra={"user_id": user_id},
            )


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_take_over,)

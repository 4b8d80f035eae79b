"""Accounts: one row each of ``users``."""

from collections.abc import Iterator, Sequence
from typing import Any

from foodlog.models import User
from foodlog.providers import UserStore
from foodlog.records import EPOCH, parse_time, time_text
from foodlog_plugins.sqlite_storage.database import Database

SCAN_SIZE = 500
"""Accounts a scan reads at a time."""

_SELECT = "SELECT id, email, created_at, password_hash, epoch FROM users"
_INSERT = (
    "INSERT INTO users (id, email, created_at, password_hash, epoch) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (email) DO NOTHING"
)
# The Flask service may have left two accounts that differ only by case; the exact one is meant.
_ADDRESSED = (
    "WHERE id = (SELECT id FROM users WHERE email IN (?1, ?2) ORDER BY email = ?1 DESC LIMIT 1)"
)
_REPLACE = f"UPDATE users SET created_at = ?3, password_hash = ?4, epoch = ?5 {_ADDRESSED}"  # noqa: S608
_DELETE = f"DELETE FROM users {_ADDRESSED}"  # noqa: S608


class UserTable(UserStore):
    """Accounts in the table ``users``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user: User) -> bool:  # noqa: D102 - the port says it, here and below
        with self._database.write() as connection:
            values = (user.id, user.email.lower(), *_values(user))
            return bool(connection.execute(_INSERT, values).rowcount)

    def get(self, email: str) -> User | None:  # noqa: D102
        with self._database.read() as connection:
            row = connection.execute(f"{_SELECT} {_ADDRESSED}", _address(email)).fetchone()
        return row and _user(row)

    def replace(self, user: User) -> None:  # noqa: D102
        with self._database.write() as connection:
            connection.execute(_REPLACE, (*_address(user.email), *_values(user)))

    def delete(self, email: str) -> None:  # noqa: D102
        with self._database.write() as connection:
            connection.execute(_DELETE, _address(email))

    def scan(self) -> Iterator[User]:  # noqa: D102
        last = ""
        while rows := self._scan_after(last):
            yield from map(_user, rows)
            last = rows[-1][0]

    def _scan_after(self, user_id: str) -> Sequence[tuple[Any, ...]]:
        query = f"{_SELECT} WHERE id > ? ORDER BY id LIMIT {SCAN_SIZE}"
        with self._database.read() as connection:
            return connection.execute(query, (user_id,)).fetchall()


def _address(email: str) -> tuple[str, str]:
    return email, email.lower()


def _values(user: User) -> tuple[str, str, int]:
    return time_text(user.created_at), user.password_hash, user.epoch


def _user(row: Sequence[Any]) -> User:
    user_id, email, created_at, password_hash, epoch = row
    return User(
        id=user_id,
        email=email,
        created_at=parse_time(created_at) or EPOCH,
        password_hash=password_hash,
        epoch=epoch,
    )

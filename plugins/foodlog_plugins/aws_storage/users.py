"""Accounts in a DynamoDB table, under their e-mail address."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from foodlog.models import User
from foodlog.providers import UserStore
from foodlog.records import EPOCH, parse_time, time_text
from foodlog_plugins.aws_storage.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoUsers(UserStore):
    """Accounts; those of the Flask service as they are."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._table = Table(client, table, "email", "storage.options.users_table")

    def add(self, user: User) -> bool:
        """Store; True also where this very account is what is stored: an answer got lost."""
        if self._table.put(_to_record(user), "attribute_not_exists(#key)"):
            return True
        stored = self.get(user.email)
        return stored is not None and stored.id == user.id

    def get(self, email: str) -> User | None:
        """The account; None where there is none."""
        record = self._table.get(email.lower())
        return None if record is None else _from_record(record)

    def replace(self, user: User) -> None:
        """Store over the account with this e-mail, if there still is one."""
        self._table.put(_to_record(user), "attribute_exists(#key)")

    def delete(self, email: str) -> None:
        """Remove; nothing happens where there is no such account."""
        self._table.delete(email.lower())

    def scan(self) -> Iterator[User]:
        """Every account."""
        return map(_from_record, self._table.scan())

    def try_permissions(self) -> None:
        """Find out whether accounts may be read, written and deleted, without changing any."""
        self._table.try_permissions()


def _to_record(user: User) -> dict[str, Any]:
    return {
        "email": user.email.lower(),
        "id": user.id,
        "created_at": time_text(user.created_at),
        "password_hash": user.password_hash,
        "epoch": user.epoch,
    }


def _from_record(record: Mapping[str, Any]) -> User:
    """The account; one without a password's hash is one that nobody can log in to, and one without
    an id has its e-mail for one."""
    return User(
        id=str(record.get("id") or record["email"]),
        email=record["email"],
        created_at=parse_time(record.get("created_at")) or EPOCH,
        password_hash=record.get("password_hash") or "",
        epoch=record.get("epoch", 0),
    )

"""The two tables: made where they are missing, completed where the Flask service made them."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from foodlog.errors import ProviderError
from foodlog.records import from_record, time_text
from foodlog_plugins.aws_storage.attributes import Item, to_attribute
from foodlog_plugins.aws_storage.errors import code_of
from foodlog_plugins.aws_storage.plans import Pause, Plan, Report, Step
from foodlog_plugins.aws_storage.table import Table, held

POLL_SECONDS = 5.0
UNSEEN_POLLS = 12
"""How often in a row what was asked for may not be seen: a description lags behind by seconds."""
MISSING = "not there"
USABLE = {"ACTIVE", "UPDATING"}
"""Status of a table that may be read and written (DynamoDB API, "TableDescription")."""


class HashTable:
    """A table with a hash key of text, to be made where it is missing."""

    def __init__(self, table: Table, pause: Pause) -> None:
        self.table, self.client, self.name = table, table.client, table.name
        self._pause = pause

    def add_to(self, made: Plan) -> None:
        """Plan to make the table, or find out that it is the right one."""
        description = self.describe()
        if description is None:
            made.steps.append(Step(f"make the table {self.name}", self.make))
        elif description["KeySchema"] != [{"AttributeName": self.table.key, "KeyType": "HASH"}]:
            raise ProviderError(
                f"{self.table.resource} has another key than {self.table.key!r} alone. "
                "Name another table there; `foodlog aws init` makes it.",
                permanent=True,
            )
        elif description["TableStatus"] not in USABLE:
            made.steps.append(
                Step(f"wait until the table {self.name} can be used, and complete it", self.finish)
            )
        else:
            self.add_parts_to(made, description)

    def add_parts_to(self, made: Plan, description: Mapping[str, Any]) -> None:
        """Plan what the table itself lacks."""

    def describe(self) -> Mapping[str, Any] | None:
        """The table, or None where there is none."""
        with self.table.errors():
            try:
                return self.client.describe_table(TableName=self.name)["Table"]
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                return None

    def make(self, report: Report) -> None:
        """Make the table and wait until it can be used."""
        definition = self.definition()
        with self.table.errors():
            self.client.create_table(
                TableName=self.name,
                KeySchema=[{"AttributeName": self.table.key, "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
                **definition,
            )
        self.wait(report, *_indexes(definition))

    def finish(self, report: Report) -> None:
        """Wait until a table that is being made can be used, and do what it lacks then."""
        self.wait(report)
        lacking = Plan()
        self.add_to(lacking)
        for step in lacking.steps:
            report(step.description)
            step.run(report)

    def definition(self) -> dict[str, Any]:
        """What else there is to say when the table is made."""
        return {"AttributeDefinitions": _text_attributes(self.table.key)}

    def wait(self, report: Report, *indexes: str) -> None:
        """Wait until the table and its indexes, ``indexes`` among them, are usable.

        Says every few seconds how it is. Raises ProviderError for what is not there: it may be
        unseen for a while after it was made, but not for longer.
        """
        started, unseen = time.monotonic(), 0
        while pending := self.pending(*indexes):
            missing = [name for name, status in pending.items() if status == MISSING]
            unseen = unseen + 1 if missing else 0
            if unseen > UNSEEN_POLLS:
                raise ProviderError(
                    f"{self.table.resource}: {missing[0]} is not there; it was not made, or was "
                    "deleted meanwhile. Run `foodlog aws init` again.",
                    permanent=True,
                )
            told = ", ".join(f"{name} is {status}" for name, status in pending.items())
            report(f"{told}, {time.monotonic() - started:.0f} s")
            self._pause(POLL_SECONDS)

    def pending(self, *indexes: str) -> dict[str, str]:
        """Table and indexes that are not usable yet, and their status."""
        description = self.describe() or {}
        found = {name: index["IndexStatus"] for name, index in _indexes(description).items()}
        table = {self.name: description.get("TableStatus", MISSING)}
        statuses = table | dict.fromkeys(indexes, MISSING) | found
        return {name: status for name, status in statuses.items() if status != "ACTIVE"}


class MealsTable(HashTable):
    """The meals' table with the index of the history."""

    def __init__(self, table: Table, pause: Pause, index: str) -> None:
        super().__init__(table, pause)
        self.index = index

    def definition(self) -> dict[str, Any]:
        """The index is made with the table."""
        return {
            "AttributeDefinitions": _text_attributes("id", "user_id", "consumed_at"),
            "GlobalSecondaryIndexes": [self._index()],
        }

    def add_parts_to(self, made: Plan, description: Mapping[str, Any]) -> None:
        """Plan to complete rows and then to add the index, or to wait for it."""
        lacking = sum(1 for _ in self._incomplete())
        if lacking:
            made.steps.append(
                Step(f"write consumed_at into {lacking} rows of {self.name}", self.complete)
            )
        found = _indexes(description)
        if self.index not in found:
            made.steps.append(
                Step(
                    f"add the index {self.index} to {self.name} (the table stays in use)",
                    lambda report: self.add_index(description, report),
                )
            )
        elif not self._is_right(found[self.index]):
            raise ProviderError(
                f"{self.table.resource} has an index {self.index} with other keys, or without "
                "all attributes. Delete that index, then run `foodlog aws init` again.",
                permanent=True,
            )
        elif found[self.index]["IndexStatus"] != "ACTIVE":
            made.steps.append(
                Step(
                    f"wait until the index {self.index} is built",
                    lambda report: self.wait(report, self.index),
                )
            )

    def complete(self, report: Report) -> None:
        """Write the time the index sorts by where it is missing or written in another way."""
        for number, (row, text) in enumerate(self._incomplete(), start=1):
            self._complete_row(row, text)
            if number % 100 == 0:
                report(f"{number} rows")

    def add_index(self, description: Mapping[str, Any], report: Report) -> None:
        """Add the index and wait until it is built."""
        index: Any = self._index()
        throughput = description.get("ProvisionedThroughput", {})
        if throughput.get("WriteCapacityUnits"):  # not a table that is paid by request
            index["ProvisionedThroughput"] = {
                unit: throughput[unit] for unit in ("ReadCapacityUnits", "WriteCapacityUnits")
            }
        with self.table.errors():
            self.client.update_table(
                TableName=self.name,
                AttributeDefinitions=_text_attributes("id", "user_id", "consumed_at"),
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )
        self.wait(report, self.index)

    def _incomplete(self) -> Iterator[tuple[dict[str, Any], str]]:
        rows = self.table.scan(ProjectionExpression="id, user_id, consumed_at, created_at")
        for row in rows:
            text = time_text(from_record(row).consumed_at)
            if row.get("user_id") and row.get("consumed_at") != text:
                yield row, text

    def _complete_row(self, row: Mapping[str, Any], text: str) -> None:
        values = {":new": to_attribute(text)}
        unchanged = "attribute_exists(id) AND attribute_not_exists(consumed_at)"
        if "consumed_at" in row:
            unchanged = "attribute_exists(id) AND consumed_at = :old"
            values[":old"] = to_attribute(row["consumed_at"])
        with self.table.errors():
            held(
                lambda: self.client.update_item(
                    TableName=self.name,
                    Key={"id": to_attribute(row["id"])},
                    UpdateExpression="SET consumed_at = :new",
                    ConditionExpression=unchanged,
                    ExpressionAttributeValues=values,
                )
            )

    def _index(self) -> dict[str, Any]:
        return {
            "IndexName": self.index,
            "KeySchema": [
                {"AttributeName": "user_id", "KeyType": "HASH"},
                {"AttributeName": "consumed_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }

    def _is_right(self, found: Mapping[str, Any]) -> bool:
        wanted = self._index()
        keys = [key["AttributeName"] for key in found["KeySchema"]]
        return (
            keys == [key["AttributeName"] for key in wanted["KeySchema"]]
            and found["Projection"]["ProjectionType"] == "ALL"
        )


class UsersTable(HashTable):
    """The accounts' table: the Flask service left e-mails as they were typed."""

    def add_parts_to(self, made: Plan, description: Mapping[str, Any]) -> None:
        """Plan to write e-mails in lower case, and say of whom that cannot be done."""
        free, taken = self._capitalised()
        if free:
            told = f"write {len(free)} e-mail addresses of {self.name} in lower case"
            made.steps.append(Step(told, self.lower))
        made.notes.extend(map(self._told, taken))

    def lower(self, report: Report) -> None:
        """Move accounts to their e-mail in lower case: first the new row, then not the old one."""
        for account in self._capitalised()[0]:
            if self._put(account) or self._owner(account) == _text(account, "id"):
                self.table.delete(_text(account, "email"))
            else:
                report(self._told(account))

    def _capitalised(self) -> tuple[list[Item], list[Item]]:
        """Accounts with capitals in their e-mail: those that may lose them, and those of whom
        another account has that e-mail. Of several the oldest may."""
        owners: dict[str, str] = {}
        free: list[Item] = []
        taken: list[Item] = []
        for account in sorted(self._accounts(), key=_age):
            lower, user_id = _text(account, "email").lower(), _text(account, "id")
            owner = owners.setdefault(lower, self._owner(account) or user_id)
            (free if owner == user_id else taken).append(account)
        return free, taken

    def _accounts(self) -> Iterator[Item]:
        """With capitals in their e-mail; with all that the rows hold, whatever it is."""
        pages = self.client.get_paginator("scan")
        with self.table.errors():
            for page in pages.paginate(TableName=self.name, ConsistentRead=True):
                for item in page["Items"]:
                    if item["email"]["S"] != item["email"]["S"].lower():
                        yield item

    def _owner(self, account: Item) -> str | None:
        """The id of the account that has this one's e-mail in lower case."""
        found = self.table.get(_text(account, "email").lower())
        return None if found is None else str(found.get("id", ""))

    def _put(self, account: Item) -> bool:
        lower = {"S": _text(account, "email").lower()}
        with self.table.errors():
            return held(
                lambda: self.client.put_item(
                    TableName=self.name,
                    Item={**account, "email": lower},
                    ConditionExpression="attribute_not_exists(email)",
                )
            )

    def _told(self, account: Item) -> str:
        return (
            f"The account {_text(account, 'id')} in {self.name} has the e-mail of another one, but "
            "for upper and lower case: it cannot log in until it gets an e-mail of its own."
        )


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _age(account: Item) -> tuple[str, str]:
    return _text(account, "created_at"), _text(account, "id")


def _indexes(table: Mapping[str, Any]) -> dict[str, Any]:
    """The global indexes of a definition or a description, by name."""
    return {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", [])}


def _text_attributes(*names: str) -> list[Any]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]

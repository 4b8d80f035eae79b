"""One DynamoDB table with a single hash key: the calls both stores are made of."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from foodlog_plugins.aws_storage.attributes import from_item, to_item
from foodlog_plugins.aws_storage.errors import aws_errors, code_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROBE = "foodlog-check"
"""A key that no row has."""
LONGEST_KEY = 2048
"""In bytes; DynamoDB refuses longer ones, and the empty one."""


class Table:
    """A table of records under a text key."""

    def __init__(self, client: "DynamoDBClient", name: str, key: str, setting: str) -> None:
        self.client, self.name, self.key = client, name, key
        self.resource = f"The table {name} ({setting})"

    def errors(self) -> Any:
        """A context in which the SDK's errors are raised as FoodLog's."""
        return aws_errors("dynamodb", self.resource)

    def get(self, key: str) -> dict[str, Any] | None:
        """The record as it is after every write that was answered; None where there is none."""
        if not _is_key(key):
            return None
        with self.errors():
            answer = self.client.get_item(
                TableName=self.name, Key={self.key: {"S": key}}, ConsistentRead=True
            )
        return from_item(answer["Item"]) if "Item" in answer else None

    def put(
        self, record: Mapping[str, Any], condition: str, values: Mapping[str, Any] | None = None
    ) -> bool:
        """Store the record; False, and nothing stored, where ``condition`` does not hold.

        The condition speaks of the key as ``#key``, of the version as ``#version`` and of
        ``values`` by their names there.
        """
        names = {"#key": self.key, "#version": "version"}
        more: dict[str, Any] = {"ExpressionAttributeValues": to_item(values)} if values else {}
        with self.errors():
            return held(
                lambda: self.client.put_item(
                    TableName=self.name,
                    Item=to_item(record),
                    ConditionExpression=condition,
                    ExpressionAttributeNames={n: a for n, a in names.items() if n in condition},
                    **more,
                )
            )

    def delete(self, key: str) -> None:
        """Remove the record, if there is one."""
        if not _is_key(key):
            return
        with self.errors():
            self.client.delete_item(TableName=self.name, Key={self.key: {"S": key}})

    def scan(self, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every record, page by page, those of every write answered before it among them."""
        pages = self.client.get_paginator("scan")
        with self.errors():
            for page in pages.paginate(TableName=self.name, ConsistentRead=True, **parameters):
                yield from map(from_item, page["Items"])

    def try_permissions(self) -> None:
        """Find out whether rows may be read, written and deleted, without changing any."""
        never = "attribute_exists(#key) AND attribute_not_exists(#key)"
        self.get(PROBE)
        self.put({self.key: PROBE}, never)
        self.delete(PROBE)


def held(write: Callable[[], object]) -> bool:
    """Whether the condition of a conditional write held."""
    try:
        write()
    except ClientError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _is_key(key: str) -> bool:
    return 0 < len(key.encode("utf-8", "replace")) <= LONGEST_KEY

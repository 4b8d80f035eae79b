"""A user's meals, newest first: a Query on the index, or a scan where there is none.

The index does not say in which order it holds meals of equal time. So a page never ends on what
the index happened to give: all meals of one time are read before any of them is shown, and are
put in order by id here. A cursor is therefore a time and an id that need not exist any more.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from heapq import nsmallest
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from foodlog.errors import ProviderError
from foodlog.models import Meal, MealQuery, Page, Position
from foodlog.records import EPOCH, parse_time, time_text
from foodlog_plugins.aws_storage.attributes import from_item, to_item
from foodlog_plugins.aws_storage.errors import FORBIDDEN, code_of, message_of
from foodlog_plugins.aws_storage.table import PROBE, Table

MOST_QUERIES = 16
"""Calls (of up to 1 MB each) after which a page is closed although it is not full."""
REFUSALS = {"ValidationException", "AccessDeniedException", "ResourceNotFoundException"}
"""What a Query is answered where there is no index, it is not built yet, or not permitted."""
TEXT_BEFORE_ALL_TIMES, TEXT_AFTER_ALL_TIMES = "0", "~"
NO_INDEX = (
    "history reads the whole table each time: its index is missing or not built yet; "
    "`foodlog aws init` adds it"
)
NOT_PERMITTED = (
    "history reads the whole table each time: the permission dynamodb:Query on its index is "
    "missing; `foodlog aws policy` prints all that are needed"
)
NEITHER = (
    "the index of the history is missing or not built yet, and reading the whole table instead "
    "is not permitted (dynamodb:Scan). `foodlog aws init` adds the index."
)

log = logging.getLogger(__name__)


class History:
    """Pages of the meals' table."""

    def __init__(self, table: Table, index: str, read: Callable[[Mapping[str, Any]], Meal]) -> None:
        """``read``: makes a record a meal."""
        self._table, self._index, self._read = table, index, read
        self._warned = False

    def page(self, wanted: MealQuery) -> Page:
        """The page that is wanted; from the index, or without it as long as it is missing."""
        oldest, newest = _span(wanted)
        if oldest > newest:
            return Page(meals=(), next=None)
        with self._table.errors():
            try:
                return self._indexed(wanted)
            except ClientError as error:
                return self._scanned_after(error, wanted)

    def try_permissions(self) -> None:
        """Find out whether a history can be read. An index that is missing or may not be read is
        a warning, since it is gone around: a server that works must not count as one that fails.
        """
        nobodys = MealQuery(user_id=PROBE, limit=1)
        with self._table.errors():
            try:
                self._indexed(nobodys)
            except ClientError as error:
                self._scanned_after(error, nobodys)

    def _indexed(self, wanted: MealQuery) -> Page:
        meals: list[Meal] = []
        query = self._query(wanted)
        for call in count(1):  # pragma: no branch - every answer is further back in time
            answer = self._table.client.query(**query)
            records = map(from_item, answer["Items"])
            meals += [meal for meal in map(self._read, records) if wanted.takes(meal)]
            if "LastEvaluatedKey" not in answer:
                break
            edge = parse_time(answer["LastEvaluatedKey"]["consumed_at"]["S"])
            whole = [meal for meal in meals if edge is None or meal.consumed_at > edge]
            if len(whole) > wanted.limit or (whole and call >= MOST_QUERIES):
                return _page(whole, wanted.limit, more=True)
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            if "Limit" in query:  # many meals of one time, of which all are needed
                query["Limit"] *= 4
        return _page(meals, wanted.limit)

    def _query(self, wanted: MealQuery) -> dict[str, Any]:
        oldest, newest = _span(wanted)
        values = {":user": wanted.user_id, ":oldest": oldest, ":newest": newest}
        query = {
            "TableName": self._table.name,
            "IndexName": self._index,
            "KeyConditionExpression": "user_id = :user AND consumed_at BETWEEN :oldest AND :newest",
            "ScanIndexForward": False,
        }
        if wanted.meal_type is None:
            # Besides the page: the meal it starts after, the next page's first, and one more
            # that shows that there are no others of that one's time.
            query["Limit"] = wanted.limit + 3
        else:
            query["FilterExpression"] = "meal_type = :meal_type"
            values[":meal_type"] = wanted.meal_type
        return {**query, "ExpressionAttributeValues": to_item(values)}

    def _scanned_after(self, refused: ClientError, wanted: MealQuery) -> Page:
        """The page without the index, where that is what the Query was ``refused`` for."""
        if not _index_is_missing(refused):
            raise refused
        self._warn(refused)
        try:
            return self._scanned(wanted)
        except ProviderError as error:
            if not _is_forbidden(error.__cause__):
                raise
            # The index is what ought to be there, and to be permitted.
            if _is_forbidden(refused):
                raise self._forbidden() from error
            raise ProviderError(f"{self._table.resource}: {NEITHER}", permanent=True) from error

    @property
    def _index_arn(self) -> str:
        meta = self._table.client.meta
        table = f"arn:{meta.partition}:dynamodb:{meta.region_name}:*:table/{self._table.name}"
        return f"{table}/index/{self._index}"

    def _forbidden(self) -> ProviderError:
        return ProviderError(
            f"{self._table.resource}: access denied. The permission dynamodb:Query on "
            f"{self._index_arn} is missing; `foodlog aws policy` prints all that are needed.",
            permanent=True,
        )

    def _scanned(self, wanted: MealQuery) -> Page:
        meals = nsmallest(wanted.limit + 1, self._scan(wanted), key=_order)
        return _page(meals, wanted.limit)

    def _scan(self, wanted: MealQuery) -> Iterator[Meal]:
        records = self._table.scan(
            FilterExpression="user_id = :user",
            ExpressionAttributeValues={":user": {"S": wanted.user_id}},
        )
        return (meal for meal in map(self._read, records) if wanted.takes(meal))

    def _warn(self, error: ClientError) -> None:
        if not self._warned:
            log.warning(
                NOT_PERMITTED if _is_forbidden(error) else NO_INDEX,
                extra={"index": self._index_arn, "reason": code_of(error)},
            )
        self._warned = True


def _span(wanted: MealQuery) -> tuple[str, str]:
    """The earliest and the latest time to read, as the index holds them."""
    ends = [wanted.after.consumed_at] if wanted.after else []
    ends += [wanted.until] if wanted.until else []
    return (
        time_text(wanted.since) if wanted.since else TEXT_BEFORE_ALL_TIMES,
        time_text(min(ends)) if ends else TEXT_AFTER_ALL_TIMES,
    )


def _index_is_missing(error: ClientError) -> bool:
    return code_of(error) in REFUSALS and "index" in message_of(error).lower()


def _is_forbidden(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and code_of(error) in FORBIDDEN


def _page(meals: list[Meal], limit: int, more: bool = False) -> Page:
    shown = tuple(sorted(meals, key=_order)[:limit])
    if not more and len(meals) <= limit:
        return Page(meals=shown, next=None)
    return Page(meals=shown, next=Position(shown[-1].consumed_at, shown[-1].id))


def _order(meal: Meal) -> tuple[timedelta, str]:
    """Newest first, equal times by id."""
    return EPOCH - meal.consumed_at, meal.id

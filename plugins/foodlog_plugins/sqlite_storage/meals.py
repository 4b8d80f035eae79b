"""Meals: one row each of ``food_history``, in the columns of the Flask service and a few more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from foodlog.models import Meal, Page, Position
from foodlog.providers import MealStore
from foodlog.records import from_record, time_text, to_record
from foodlog_plugins.sqlite_storage.database import Database
from foodlog_plugins.sqlite_storage.schema import TABLES

SCAN_SIZE = 500
"""Rows a scan reads at a time, so that it holds no lock while its caller works."""

COLUMNS = tuple(TABLES["food_history"])
_JSON = ("ingredients", "nutrition_facts", "metadata", "details")
_NAMES = ", ".join(COLUMNS)
_VALUES = ", ".join(f":{name}" for name in COLUMNS)
_SELECT = f"SELECT {_NAMES} FROM food_history"  # noqa: S608 - own names, here and below
_INSERT = f"INSERT INTO food_history ({_NAMES}) VALUES ({_VALUES}) ON CONFLICT (id) DO NOTHING"  # noqa: S608
_REPLACE = (
    f"UPDATE food_history SET ({_NAMES}) = ({_VALUES})"  # noqa: S608
    " WHERE id = :id AND version = :version - 1"
)


class MealTable(MealStore):
    """Meals in the table ``food_history``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, meal: Meal) -> Meal:  # noqa: D102 - the port says it, here and below
        with self._database.write() as connection:
            if connection.execute(_INSERT, _row(meal)).rowcount:
                return meal
            stored = connection.execute(f"{_SELECT} WHERE id = ?", (meal.id,)).fetchone()
        return _meal(stored)

    def get(self, meal_id: str) -> Meal | None:  # noqa: D102
        with self._database.read() as connection:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (meal_id,)).fetchone()
        return row and _meal(row)

    def list(  # noqa: D102
        self,
        user_id: str,
        *,
        limit: int,
        after: Position | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        meal_type: str | None = None,
    ) -> Page:
        query, values = page_query(user_id, limit, after, since, until, meal_type)
        with self._database.read() as connection:
            rows = connection.execute(query, values).fetchall()
        meals = tuple(map(_meal, rows[:limit]))
        more = len(rows) > limit
        last = Position(meals[-1].consumed_at, meals[-1].id) if more else None
        return Page(meals=meals, next=last)

    def replace(self, meal: Meal) -> Meal | None:  # noqa: D102
        replacement = replace(meal, version=meal.version + 1)
        with self._database.write() as connection:
            replaced = connection.execute(_REPLACE, _row(replacement)).rowcount
        return replacement if replaced else None

    def delete(self, meal_id: str) -> None:  # noqa: D102
        with self._database.write() as connection:
            connection.execute("DELETE FROM food_history WHERE id = ?", (meal_id,))

    def scan(self) -> Iterator[Meal]:  # noqa: D102
        last = ""
        while rows := self._scan_after(last):
            yield from map(_meal, rows)
            last = rows[-1][0]

    def _scan_after(self, meal_id: str) -> Sequence[tuple[Any, ...]]:
        query = f"{_SELECT} WHERE id > ? ORDER BY id LIMIT {SCAN_SIZE}"
        with self._database.read() as connection:
            return connection.execute(query, (meal_id,)).fetchall()


def page_query(
    user_id: str,
    limit: int,
    after: Position | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    meal_type: str | None = None,
) -> tuple[str, list[Any]]:
    """The query for a page and one row more, and its values.

    One upper bound of the time at most, so that the index is entered where the page begins:
    what is before ``until`` follows ``after`` anyway, unless ``after`` is the earlier one.
    """
    terms: list[tuple[str, Sequence[Any]]] = [("user_id = ?", (user_id,))]
    if until and (not after or until <= after.consumed_at):
        terms.append(("consumed_at < ?", (time_text(until),)))
    elif after:
        moment = time_text(after.consumed_at)
        terms.append(
            ("consumed_at <= ? AND (consumed_at < ? OR id > ?)", (moment, moment, after.id))
        )
    if since:
        terms.append(("consumed_at >= ?", (time_text(since),)))
    if meal_type is not None:
        terms.append(("meal_type = ?", (meal_type,)))
    where = " AND ".join(term for term, _ in terms)
    values = [value for _, group in terms for value in group]
    return f"{_SELECT} WHERE {where} ORDER BY consumed_at DESC, id ASC LIMIT ?", [
        *values,
        limit + 1,
    ]


def _row(meal: Meal) -> dict[str, Any]:
    record = to_record(meal)
    row = {name: record.pop(name) for name in COLUMNS if name != "details"} | {"details": record}
    # NOT NULL in a table that the Flask service made.
    row["image_url"] = row["image_url"] or ""
    return row | {name: orjson.dumps(row[name]).decode() for name in _JSON}


def _meal(row: Sequence[Any]) -> Meal:
    record: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    record |= {name: _loaded(record[name]) for name in _JSON}
    details = record.pop("details")
    return from_record({**details, **record} if isinstance(details, Mapping) else record)


def _loaded(text: object) -> Any:
    """What the JSON says; None where it is none, as a row of the Flask service may hold."""
    try:
        return orjson.loads(text) if text else None  # type: ignore[arg-type]
    except orjson.JSONDecodeError:
        return None

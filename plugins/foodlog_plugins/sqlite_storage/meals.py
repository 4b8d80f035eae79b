"""Meals: one row each of ``food_history``, in the columns of the Flask service and a few more."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any

import orjson

from foodlog.models import Meal, MealQuery, Page, Position
from foodlog.providers import MealStore
from foodlog.records import EPOCH, from_record, parse_time, time_text, to_record
from foodlog_plugins.sqlite_storage.database import Database
from foodlog_plugins.sqlite_storage.schema import TABLES

REMEMBERED = 64
"""Pages a worker keeps at hand: some 0.5 MB each where they have 50 meals."""
LARGEST = 100
"""Meals of a page that is kept."""
State = tuple[Any, ...]
"""Time of consumption, id, version and time of creation: a row does not change without them."""
SCAN_SIZE = 500
"""Rows a scan reads at a time, so that it holds no lock while its caller works."""

COLUMNS = tuple(TABLES["food_history"])
_JSON = ("ingredients", "nutrition_facts", "metadata", "details")
_STATE_NAMES = ("consumed_at", "id", "version", "created_at")
_STATE = [COLUMNS.index(name) for name in _STATE_NAMES]
_NAMES = ", ".join(COLUMNS)
_VALUES = ", ".join(f":{name}" for name in COLUMNS)
_SELECT = f"SELECT {_NAMES} FROM food_history"  # noqa: S608 - own names, here and below
_SELECT_STATE = f"SELECT {', '.join(_STATE_NAMES)} FROM food_history"  # noqa: S608
_STATES = f"SELECT json_group_array(json_array({', '.join(_STATE_NAMES)})) FROM ({{}})"  # noqa: S608
_AMONG = f"{_SELECT} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
_INSERT = f"INSERT INTO food_history ({_NAMES}) VALUES ({_VALUES}) ON CONFLICT (id) DO NOTHING"  # noqa: S608
_REPLACE = (
    f"UPDATE food_history SET ({_NAMES}) = ({_VALUES})"  # noqa: S608
    " WHERE id = :id AND version = :version - 1"
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A page as it was read last."""

    revision: int
    """Of the database, from before it was read."""
    states: Sequence[State]
    """Of its meals, and of the first one of the next page."""
    meals: Mapping[State, Meal]
    page: Page


class MealTable(MealStore):
    """Meals in the table ``food_history``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[MealQuery, _Seen] = {}
        self._remembering = threading.Lock()

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

    def list(self, query: MealQuery) -> Page:  # noqa: D102
        revision = self._database.revision()
        seen = self._seen.get(query)
        if seen is None or seen.revision != revision:
            seen = self._look(query, revision, seen)
        return seen.page

    def _look(self, query: MealQuery, revision: int, before: _Seen | None) -> _Seen:
        """The page as it is now; of what was seen ``before`` only what has changed is read."""
        states, limit = self._states(query), query.limit
        if before and states == before.states:
            seen = replace(before, revision=revision)
        else:
            page, meals = self._page(states, limit, before.meals if before else {})
            seen = _Seen(revision, states, meals, page)
        if len(seen.meals) == min(len(states), limit) <= LARGEST:
            self._remember(query, seen)
        return seen

    def _states(self, query: MealQuery) -> Sequence[State]:
        """Newest first; of equal times by id."""
        select, values = states_query(query)
        with self._database.read() as connection:
            # One row: threads hand the interpreter to each other at every row they fetch.
            (found,) = connection.execute(_STATES.format(select), values).fetchone()
        states: list[State] = [tuple(state) for state in orjson.loads(found)]
        states.sort(key=itemgetter(1))
        states.sort(key=itemgetter(0), reverse=True)
        return states

    def _page(
        self, states: Sequence[State], limit: int, known: Mapping[State, Meal]
    ) -> tuple[Page, Mapping[State, Meal]]:
        """The page, and those of its meals that are still in these states."""
        last = states[limit - 1] if len(states) > limit else None
        following = Position(parse_time(last[0]) or EPOCH, last[1]) if last else None
        states = states[:limit]
        read = self._read([state[1] for state in states if state not in known])
        by_id = {meal.id: meal for meal in read.values()}
        # One that was deleted since is left out; one that was changed is shown as it is now.
        shown = filter(None, (known.get(state) or by_id.get(state[1]) for state in states))
        meals = {state: meal for state in states if (meal := known.get(state) or read.get(state))}
        return Page(meals=tuple(shown), next=following), meals

    def _remember(self, query: MealQuery, seen: _Seen) -> None:
        with self._remembering:
            self._seen.pop(query, None)
            self._seen[query] = seen
            for oldest in list(islice(self._seen, max(0, len(self._seen) - REMEMBERED))):
                del self._seen[oldest]

    def _read(self, ids: Sequence[str]) -> dict[State, Meal]:
        """The meals with these ids, by the state they are in now."""
        if not ids:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(_AMONG, (orjson.dumps(ids).decode(),)).fetchall()
        return {tuple(row[i] for i in _STATE): _meal(row) for row in rows}

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


def states_query(query: MealQuery) -> tuple[str, tuple[Any, ...]]:
    """The SQL for the states of a page's meals and one more, and its values.

    One upper bound of the time at most, so that the index is entered where the page begins:
    what is before ``until`` follows ``after`` anyway, unless ``after`` is the earlier one.
    """
    after, until = query.after, query.until
    terms: list[tuple[str, Sequence[Any]]] = [("user_id = ?", (query.user_id,))]
    if until and (not after or until <= after.consumed_at):
        terms.append(("consumed_at < ?", (time_text(until),)))
    elif after:
        moment = time_text(after.consumed_at)
        terms.append(
            ("consumed_at <= ? AND (consumed_at < ? OR id > ?)", (moment, moment, after.id))
        )
    if query.since:
        terms.append(("consumed_at >= ?", (time_text(query.since),)))
    if query.meal_type is not None:
        terms.append(("meal_type = ?", (query.meal_type,)))
    where = " AND ".join(term for term, _ in terms)
    values = [value for _, group in terms for value in group]
    return (
        f"{_SELECT_STATE} WHERE {where} ORDER BY consumed_at DESC, id ASC LIMIT ?",
        (*values, query.limit + 1),
    )


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

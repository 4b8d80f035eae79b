"""Meals in a DynamoDB table, under their id."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foodlog.errors import ProviderError
from foodlog.models import Meal, MealQuery, Page
from foodlog.providers import MealStore
from foodlog.records import from_record, to_record
from foodlog_plugins.aws_storage.history import History
from foodlog_plugins.aws_storage.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

VERSIONED = "#version = :version"
UNVERSIONED = f"attribute_exists(#key) AND (attribute_not_exists(#version) OR {VERSIONED})"
"""The rows of the Flask service have no version: they are at the first."""


class DynamoMeals(MealStore):
    """Meals; those of the Flask service as they are."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        index: str,
        photo_key: Callable[[str | None], str | None],
    ) -> None:
        """``photo_key``: of the photo a URL shows, where it is one of this storage's."""
        self._table = Table(client, table, "id", "storage.options.meals_table")
        self._history = History(self._table, index, self._read)
        self._photo_key = photo_key

    def add(self, meal: Meal) -> Meal:
        """Store and return it; where the id is taken, return what is stored instead."""
        if self._table.put(to_record(meal), "attribute_not_exists(#key)"):
            return meal
        stored = self.get(meal.id)
        if stored is None:
            raise ProviderError("The meal was deleted while it was stored.", retry_after=1)
        return stored

    def get(self, meal_id: str) -> Meal | None:
        """The meal, whoever owns it; None where there is none."""
        record = self._table.get(meal_id)
        return None if record is None else self._read(record)

    def list(self, query: MealQuery) -> Page:
        """A page of the meals that the query takes, newest consumed first."""
        return self._history.page(query)

    def replace(self, meal: Meal) -> Meal | None:
        """Store over the version it was made from; None where that is no longer there.

        What is stored already is a success too: the answer to an earlier try got lost.
        """
        replaced = replace(meal, version=meal.version + 1)
        condition = UNVERSIONED if meal.version == 1 else VERSIONED
        if self._table.put(to_record(replaced), condition, {":version": meal.version}):
            return replaced
        return replaced if self.get(meal.id) == replaced else None

    def delete(self, meal_id: str) -> None:
        """Remove; nothing happens where there is no such meal."""
        self._table.delete(meal_id)

    def scan(self) -> Iterator[Meal]:
        """Every meal of every user."""
        return map(self._read, self._table.scan())

    def try_permissions(self) -> None:
        """Find out whether meals may be read, written, deleted and listed, changing none."""
        self._table.try_permissions()
        self._history.try_permissions()

    def _read(self, record: Mapping[str, Any]) -> Meal:
        """The meal; of a row of the Flask service with its photo, which it knew by URL alone."""
        meal = from_record(record)
        if meal.photo_key or not (key := self._photo_key(meal.image_url)):
            return meal
        return replace(meal, photo_key=key)

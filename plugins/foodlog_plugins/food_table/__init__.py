"""The nutrition source ``food_table``: foods and ingredients that come with FoodLog.

``foods.csv`` beside this module holds amounts in 100 g of the edible portion, drawn from two
collections of the US Department of Agriculture, both in the public domain: SR Legacy (each row
with its NDB number, and the FoodData Central id where it is known) and FNDDS 2021-2023 (each row
with its food code; the FoodData Central id of these foods changes with each release). An empty
cell is unknown and becomes None.

``serving_grams`` is what somebody probably had who does not say how much, and ``serving_source``
says whose figure it is. The first of these that is plausible for a food of its kind was taken:

1. ``fndds:63107010``: the portion that FNDDS assumes where the quantity is not specified, of this
   food as eaten or of its nearest relative there;
2. ``1 tbsp``, and the like: the household measure of the food's own record in SR Legacy;
3. nothing, where nobody eats the food as it is (flour, dry lentils).

``tests/plugins/test_food_table_servings.py`` says what is plausible for which kind.

``source_id`` is ``fdc:173410`` where the FoodData Central id is known, else ``ndb:01001`` or
``fndds:53301000``.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import foodlog
from foodlog.dishes import canonical
from foodlog.models import NUTRIENTS, FoodQuery, Nutrients, Nutrition
from foodlog.providers import Context, NutritionSource

# In the form that `canonical` gives them: words that change nothing, and words for "cooked".
_NEUTRAL = frozenset(
    {"a", "big", "chopped", "cup", "cubed", "diced", "fresh", "freshly", "glass", "grated"}
    | {"large", "medium", "my", "of", "organic", "piece", "ripe", "shredded", "slice", "sliced"}
    | {"small", "some", "the"}
)
_COOKED = frozenset(["baked", "boiled", "cooked", "grilled", "roasted", "steamed"])
_CODES = {"SR Legacy": "ndb", "FNDDS 2021-2023": "fndds"}


@dataclass(frozen=True, slots=True)
class Food:
    """A row of the table."""

    cells: Mapping[str, str]
    """By the name of the column."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its other names."""
        return (self.cells["name"], *filter(None, self.cells["aliases"].split("; ")))

    @property
    def state(self) -> str | None:
        """ "raw" or "cooked" where the food is known in both."""
        return self.cells["state"] or None

    @property
    def fdc_id(self) -> int | None:
        """Its id in FoodData Central, where that is known."""
        return int(self.cells["fdc_id"]) if self.cells["fdc_id"] else None

    @property
    def nutrition(self) -> Nutrition:
        """What the source answers with."""
        cells = self.cells
        kind = _CODES[cells["source"]]
        # The ids of survey foods change with each release, their food codes do not.
        by_fdc_id = self.fdc_id and kind != "fndds"
        return Nutrition(
            per_100g=Nutrients(**{nutrient: _number(cells[nutrient]) for nutrient in NUTRIENTS}),
            source=FoodTable.name,
            source_id=f"fdc:{self.fdc_id}" if by_fdc_id else f"{kind}:{cells['code']}",
            description=cells["description"],
            data_type=cells["source"],
            serving_grams=_number(cells["serving_grams"]),
        )


class FoodTable(NutritionSource):
    """Looks foods up in the embedded table; a few milliseconds to build, no network."""

    name = "food_table"

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        super().__init__(options, context)
        self._index = _index()

    def check(self) -> None:
        """Nothing to find out: the table was read when this was built."""

    def lookup(self, foods: Sequence[FoodQuery], timeout: float) -> list[Nutrition | None]:
        """By FDC id, else by name; ``timeout`` does not matter."""
        found = map(self._index.find, foods)
        return [food.nutrition if food else None for food in found]


class _Index:
    def __init__(self, foods: Iterable[Food]) -> None:
        self._by_fdc_id: dict[int, Food] = {}
        self._by_name: dict[str, Food] = {}
        for food in foods:
            self._by_name |= {canonical(name): food for name in food.names}
            if food.fdc_id is not None:
                self._by_fdc_id[food.fdc_id] = food

    def find(self, query: FoodQuery) -> Food | None:
        """The food with this FDC id, else of exactly this name, else of its telling words."""
        if query.fdc_id in self._by_fdc_id:
            return self._by_fdc_id[query.fdc_id]
        name = canonical(query.name)
        return self._named(name, query.state) or self._described(name.split(), query.state)

    def _named(self, name: str, state: str | None) -> Food | None:
        """The food of this name in this state; it may be listed as "cooked broccoli"."""
        for candidate in (name, f"{state} {name}"):
            food = self._by_name.get(candidate)
            if food and (state is None or food.state in (None, state)):
                return food
        return None

    def _described(self, words: Sequence[str], state: str | None) -> Food | None:
        """By the words that are left without those for size, cut and cooking.

        Any word that is left and is not in the name makes it another food: "chocolate milk" is
        no "milk".
        """
        said = {"cooked" for word in words if word in _COOKED} | {
            "raw" for w in words if w == "raw"
        }
        states = said | ({state} if state else set())
        telling = [w for w in words if w not in _NEUTRAL and w not in _COOKED and w != "raw"]
        if len(states) > 1 or len(telling) == len(words):
            return None
        return self._named(" ".join(telling), next(iter(states), None))


@cache
def load() -> tuple[Food, ...]:
    """The foods of the table; read once per process."""
    text = files(__package__).joinpath("foods.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return tuple(Food(dict(zip(header, row, strict=True))) for row in rows)


@cache
def _index() -> _Index:
    return _Index(load())


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


@foodlog.hookimpl
def foodlog_nutrition_sources() -> list[type[NutritionSource]]:
    """This plugin's nutrition source."""
    return [FoodTable]

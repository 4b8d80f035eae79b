"""How well the USDA ranking chooses: ``python -m bench.matching``.

``tests/eval/searches.json`` holds queries with the hits a lexical search finds for them, tier by
tier, and which of these are right; for the unanswerable, none. The vocabulary was tuned on the
part "tune". The smaller part "held" was written after that tuning and not tuned on, but it is not
untouched: expectations that had overlooked a right record were corrected in it, and one rule came
out of it (where raw meat is asked for, the record must say that it is raw).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from foodlog.models import FoodQuery
from foodlog_plugins.usda import DEFAULT_PAGE_SIZE
from foodlog_plugins.usda.parsing import Record, parse_search
from foodlog_plugins.usda.ranking import choose_from, search_text

SEARCHES = Path(__file__).parents[1] / "tests" / "eval" / "searches.json"
HALVES = ("tune", "held")
_COLUMNS = ("208", "203", "204", "205", "291", "269", "606", "307", "957", "958")
_UNITS = {"208": "KCAL", "957": "KCAL", "958": "KCAL", "307": "MG"}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one part."""

    precision: float
    """Share of the answerable queries whose first answer is right; no answer counts as wrong."""
    refused: float
    """Share of the unanswerable queries that got none."""
    answerable: int
    unanswerable: int
    wrong: tuple[tuple[str, str | None], ...]
    """Query, and the description it was given."""


@cache
def searches() -> Mapping[str, Any]:
    """The queries and the foods their hits name by id."""
    return json.loads(SEARCHES.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def measure(half: str) -> Figures:
    """Ask every query of the part as the provider does."""
    right: dict[bool, list[bool]] = {True: [], False: []}
    wrong: list[tuple[str, str | None]] = []
    for query in searches()["queries"]:
        if query["half"] == half:
            chosen = _choose(query)
            good = chosen.fdc_id in query["accept"] if chosen else not query["accept"]
            right[bool(query["accept"])].append(good)
            if not good:
                wrong.append((query["query"], chosen.description if chosen else None))
    return Figures(
        precision=sum(right[True]) / len(right[True]),
        refused=sum(right[False]) / len(right[False]),
        answerable=len(right[True]),
        unanswerable=len(right[False]),
        wrong=tuple(wrong),
    )


def _choose(query: Mapping[str, Any]) -> Record | None:
    if not search_text(query["query"]):
        return None
    return choose_from(FoodQuery(name=query["query"], state=query["state"]), _hits(query["tiers"]))


def _hits(tiers: list[list[int]]) -> Iterator[list[Record]]:
    for tier in tiers:
        yield parse_search({"foods": [_hit(fdc_id) for fdc_id in tier[:DEFAULT_PAGE_SIZE]]})


def _hit(fdc_id: int) -> dict[str, Any]:
    """In the recorded shape of a search hit."""
    description, data_type, category, owner, amounts = searches()["foods"][str(fdc_id)]
    return {
        "fdcId": fdc_id,
        "description": description,
        "dataType": data_type,
        "foodCategory": category or "",
        "brandOwner": owner,
        "foodNutrients": [
            {"nutrientNumber": number, "unitName": _UNITS.get(number, "G"), "value": amount}
            for number, amount in zip(_COLUMNS, amounts, strict=False)
            if amount is not None
        ],
    }


def main() -> None:
    """Print both parts."""
    for half in HALVES:
        figures = measure(half)
        print(
            f"{half}: top-1 precision {figures.precision:.1%} of {figures.answerable}, "
            f"refused {figures.refused:.1%} of {figures.unanswerable} unanswerable"
        )
        for query, description in figures.wrong:
            print(f"  {query!r}: {description or 'no answer'}")


if __name__ == "__main__":
    main()

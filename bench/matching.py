"""How well the USDA ranking chooses: ``python -m bench.matching`` (``make eval``).

``tests/eval/searches.json`` holds queries with the hits a lexical search finds for them, tier by
tier, and which of these are right; for the unanswerable, none. The ranking is tuned on the part
"tune", whose failures are listed. Of the part "held", written before any answer to it was seen,
only the figures are shown: whoever looks at its failures has made it a part to tune on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from foodlog.models import FoodQuery
from foodlog_plugins.usda import DEFAULT_PAGE_SIZE
from foodlog_plugins.usda.parsing import Record, parse_search
from foodlog_plugins.usda.ranking import choose_from
from foodlog_plugins.usda.reading import search_text

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
    wrong: tuple[tuple[str, str | None], ...] = field(repr=False)
    """Query, and the description it was given; left out of failing tests' messages."""


@cache
def searches() -> Mapping[str, Any]:
    """The queries and the foods their hits name by id."""
    return json.loads(SEARCHES.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@cache
def measure(half: str, page_size: int = DEFAULT_PAGE_SIZE, *, mixed: bool = False) -> Figures:
    """Ask every query of the part as the provider does.

    ``mixed``: as if one search had found the branded foods too, and before all others.
    Answerable is what has a right record among the hits of these pages.
    """
    right: dict[bool, list[bool]] = {True: [], False: []}
    wrong: list[tuple[str, str | None]] = []
    for query in searches()["queries"]:
        if query["half"] == half:
            pages = _pages(query["tiers"], page_size, mixed)
            accepted = {i for page in pages for i in page}.intersection(query["accept"])
            chosen = _choose(query, pages)
            good = chosen.fdc_id in accepted if chosen else not accepted
            right[bool(accepted)].append(good)
            if not good:
                wrong.append((query["query"], chosen.description if chosen else None))
    return Figures(
        precision=sum(right[True]) / len(right[True]),
        refused=sum(right[False]) / len(right[False]),
        answerable=len(right[True]),
        unanswerable=len(right[False]),
        wrong=tuple(wrong),
    )


def _pages(tiers: list[list[int]], size: int, mixed: bool) -> list[list[int]]:
    pages = [tier[:size] for tier in tiers]
    return [pages[2] + pages[0], pages[1]] if mixed else pages


def _choose(query: Mapping[str, Any], pages: list[list[int]]) -> Record | None:
    if not search_text(query["query"]):
        return None
    hits = (parse_search({"foods": [_hit(fdc_id) for fdc_id in page]}) for page in pages)
    return choose_from(FoodQuery(name=query["query"], state=query["state"]), hits)


def _hit(fdc_id: int) -> dict[str, Any]:
    """In the recorded shape of a search hit."""
    description, data_type, category, owner, amounts, *brand = searches()["foods"][str(fdc_id)]
    return {
        "fdcId": fdc_id,
        "description": description,
        "dataType": data_type,
        "foodCategory": category or "",
        "brandOwner": owner,
        "brandName": next(iter(brand), None),
        "foodNutrients": [
            {"nutrientNumber": number, "unitName": _UNITS.get(number, "G"), "value": amount}
            for number, amount in zip(_COLUMNS, amounts, strict=False)
            if amount is not None
        ],
    }


def main() -> None:
    """Print both parts, and what is wrong in the one to tune on."""
    for half in HALVES:
        for page_size, mixed in ((DEFAULT_PAGE_SIZE, False), (10, False), (25, False), (20, True)):
            figures = measure(half, page_size, mixed=mixed)
            print(
                f"{half}, {page_size} hits a page{', branded foods first' * mixed}: "
                f"top-1 precision {figures.precision:.1%} of {figures.answerable}, "
                f"refused {figures.refused:.1%} of {figures.unanswerable} unanswerable"
            )
    for query, description in measure("tune").wrong:
        print(f"  {query!r}: {description or 'no answer'}")


if __name__ == "__main__":
    main()

"""A stub of USDA FoodData Central: a real HTTP server in the API's own shapes.

::

    with FDCStub([StubFood(1, "Cheese, cheddar", {"208": 408, "203": 23.3})], api_key="k") as stub:
        stub.script(stub.FAILURES["quota"], Reply(delay=5))  # the next two answers
        ...                                                  # ask stub.url
        assert stub.requests[0].json() == {"query": "cheddar cheese", ...}
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from foodlog.testing.upstreams import Asked, Reply, StubUpstream

MAX_IDS = 20
_NAMES: Mapping[str, tuple[int, str, str]] = {
    "203": (1003, "Protein", "G"),
    "204": (1004, "Total lipid (fat)", "G"),
    "205": (1005, "Carbohydrate, by difference", "G"),
    "208": (1008, "Energy", "KCAL"),
    "221": (1018, "Alcohol, ethyl", "G"),
    "268": (1062, "Energy", "kJ"),
    "269": (2000, "Sugars, total including NLEA", "G"),
    "269.3": (1063, "Sugars, Total", "G"),
    "291": (1079, "Fiber, total dietary", "G"),
    "307": (1093, "Sodium, Na", "MG"),
    "606": (1258, "Fatty acids, total saturated", "G"),
    "957": (2047, "Energy (Atwater General Factors)", "KCAL"),
    "958": (2048, "Energy (Atwater Specific Factors)", "KCAL"),
}
"""Nutrient number to FoodData Central's id, name and unit."""


@dataclass(frozen=True, slots=True)
class StubFood:
    """One food of the stub: what it is, and amounts per 100 g by nutrient number."""

    fdc_id: int
    description: str
    nutrients: Mapping[str, float]
    data_type: str = "SR Legacy"
    category: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further members of its search hit: ``brandOwner``, ``servingSizeUnit`` ..."""

    def abridged(self, numbers: Iterable[str] = ()) -> dict[str, Any]:
        """As ``POST /foods`` gives it; only the nutrients ``numbers``, if any are named."""
        wanted = set(numbers) or set(self.nutrients)
        return {
            "fdcId": self.fdc_id,
            "description": self.description,
            "dataType": self.data_type,
            "publicationDate": "2019-04-01",
            "foodNutrients": [
                {"number": n, "name": _NAMES[n][1], "amount": a, "unitName": _NAMES[n][2]}
                for n, a in self.nutrients.items()
                if n in wanted
            ],
        }

    def full(self) -> dict[str, Any]:
        """As ``GET /food/{id}`` gives it, with the header row that has no amount."""
        rows: list[dict[str, Any]] = [
            {"type": "FoodNutrient", "nutrient": {"id": 2045, "number": "951", "unitName": "g"}}
        ]
        for number, amount in self.nutrients.items():
            nutrient_id, name, unit = _NAMES[number]
            unit = unit if unit == "kJ" else unit.lower()
            nutrient = {"id": nutrient_id, "number": number, "name": name, "unitName": unit}
            rows.append({"type": "FoodNutrient", "nutrient": nutrient, "amount": amount})
        return {**self._head(), "foodClass": "FinalFood", "foodNutrients": rows}

    def hit(self, score: float = 100.0) -> dict[str, Any]:
        """As ``POST /foods/search`` gives it."""
        rows = [
            {
                "nutrientId": _NAMES[number][0],
                "nutrientName": _NAMES[number][1],
                "nutrientNumber": number,
                "unitName": _NAMES[number][2],
                "value": amount,
            }
            for number, amount in self.nutrients.items()
        ]
        head = {**self._head(), "foodCategory": self.category, "score": score}
        return {**head, "foodNutrients": rows, **self.extra}

    def _head(self) -> dict[str, Any]:
        return {
            "fdcId": self.fdc_id,
            "description": self.description,
            "dataType": self.data_type,
        }


class FDCStub(StubUpstream):
    """FoodData Central with the foods ``foods``.

    A search finds every food that shares a word with the query, those that share most first.
    Where ``api_key`` is set it is asked for. ``remaining`` is what is left of the hourly limit:
    it is counted down and told in the headers. ``delay``: seconds of every unscripted answer.
    """

    FAILURES: Mapping[str, Reply] = {
        "missing": Reply.json({"error": {"code": "API_KEY_MISSING", "message": "No api_key"}}, 403),
        "invalid": Reply.json({"error": {"code": "API_KEY_INVALID", "message": "invalid"}}, 403),
        "disabled": Reply.json({"error": {"code": "API_KEY_DISABLED", "message": "off"}}, 403),
        "unverified": Reply.json({"error": {"code": "API_KEY_UNVERIFIED", "message": ""}}, 403),
        "unauthorized": Reply.json({"error": {"code": "API_KEY_UNAUTHORIZED"}}, 403),
        "https": Reply.json({"error": {"code": "HTTPS_REQUIRED", "message": "use https"}}, 400),
        "quota": Reply.json(
            {"error": {"code": "OVER_RATE_LIMIT", "message": "You have exceeded your rate limit."}},
            429,
            headers={
                "Retry-After": "120",
                "X-RateLimit-Limit": "1000",
                "X-RateLimit-Remaining": "0",
            },
        ),
        "absent": Reply(404),
        "spring": Reply.json(
            {"timestamp": "2024-01-01T00:00:00.000+0000", "status": 400, "error": "Bad Request"},
            400,
        ),
        "error": Reply.json({"status": 500, "error": "Internal Server Error"}, 500),
        "nginx": Reply(502, b"<html><head><title>502 Bad Gateway</title></head></html>"),
    }
    """The failures of the service by what they mean, in the shapes it sends them."""

    def __init__(
        self,
        foods: Iterable[StubFood] = (),
        *,
        api_key: str | None = None,
        remaining: int = 1000,
        delay: float = 0.0,
    ) -> None:
        super().__init__()
        self.foods = list(foods)
        self.api_key = api_key
        self.remaining = remaining
        self.delay = delay

    def answer(self, request: Asked) -> Reply:
        """The gateway's refusal, or what the API answers."""
        if self.api_key is not None and request.headers["X-Api-Key"] != self.api_key:
            return self.FAILURES["invalid" if request.headers["X-Api-Key"] else "missing"]
        if self.remaining <= 0:
            return self.FAILURES["quota"]
        self.remaining -= 1
        headers = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": str(self.remaining)}
        data = self._data(request)
        if data is None:
            return Reply(404, headers=headers, delay=self.delay)
        if isinstance(data, Reply):
            return data
        return Reply.json(data, headers=headers, delay=self.delay)

    def _data(self, request: Asked) -> object:
        url = urlsplit(request.path)
        if request.method == "POST" and url.path == "/foods":
            return self._foods(request.json())
        if request.method == "POST" and url.path == "/foods/search":
            return self._search(request.json())
        if request.method == "GET" and (found := re.fullmatch(r"/food/(\d{1,12})", url.path)):
            full = parse_qs(url.query).get("format") != ["abridged"]
            return self._food(int(found[1]), full)
        return None

    def _foods(self, question: Mapping[str, Any]) -> object:
        ids = question["fdcIds"]
        if len(ids) > MAX_IDS:
            return self.FAILURES["spring"]
        numbers = [f"{n:g}" for n in question.get("nutrients", ())]
        found = [food.abridged(numbers) for food in self.foods if food.fdc_id in ids]
        return found or {}

    def _food(self, fdc_id: int, full: bool) -> object:
        food = next((food for food in self.foods if food.fdc_id == fdc_id), None)
        if food is None:
            return None
        return food.full() if full else food.abridged()

    def _search(self, question: Mapping[str, Any]) -> object:
        words = _words(question["query"])
        kinds = question.get("dataType") or {food.data_type for food in self.foods}
        scored = [
            (len(words & _words(food.description)), food)
            for food in self.foods
            if food.data_type in kinds
        ]
        found = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
        size = question.get("pageSize", 50)
        return {
            "totalHits": len(found),
            "currentPage": 1,
            "totalPages": -(-len(found) // size),
            "foodSearchCriteria": {**question, "requireAllWords": False},
            "foods": [food.hit(100.0 * shared) for shared, food in found[:size]],
        }


def _words(text: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall(r"[a-z0-9]+", text.lower())}

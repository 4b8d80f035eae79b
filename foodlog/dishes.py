"""The dish table: what is in a dish, and how much of it a typical serving holds.

``dishes.yaml`` beside this module holds the dishes; its head explains the layout. Each names the
figures it is checked against: those of the dish in USDA's Food and Nutrient Database for Dietary
Studies (FNDDS 2021-2023), or a reason why there are none.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from foodlog.errors import ConfigError
from foodlog.models import Ingredient, Nutrients

MAX_LABEL = 100
"""Characters of a normalised label; what is longer is cut."""
MAX_GRAMS = 5000.0
"""The most an ingredient of one serving can weigh."""

_PORTIONS = frozenset(
    "basket bowl box cup dinner dish glass half lunch meal order piece plate platter portion pot"
    " serving slice stack".split()
)
_CONNECTORS = frozenset("con in on over served topped with".split())
_MIXED_PLATE = Nutrients(calories=150.0, proteins=8.0, fats=6.0, carbohydrates=16.0)


def normalise(label: str) -> str:
    """Lower-case words with single spaces between: no accents, apostrophes or punctuation.

    At most :data:`MAX_LABEL` characters; of a label without a letter or digit, "".
    """
    text = unicodedata.normalize("NFKD", label[: 10 * MAX_LABEL]).casefold()
    text = "".join(
        c
        for c in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(c) and c not in "'’"
    )
    words = " ".join(re.findall(r"[^\W_]+", text))
    return words[:MAX_LABEL].strip()


def canonical(label: str) -> str:
    """:func:`normalise` with trivial plurals made equal to their singular.

    For comparing only: "tomatoes" and "tomato" both give "tomato", "quiches" and "quiche" both
    give "quich".
    """
    return " ".join(map(_singular, normalise(label).split()))


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > 3 and word.endswith("ie"):
        return word[:-2] + "y"
    if len(word) > 3 and word.endswith(("oe", "che", "she", "sse", "xe")):
        return word[:-1]
    return word


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The figures a dish is checked against."""

    per_100g: Nutrients
    """Calories and the three macronutrients, always known."""
    food_code: str | None = None
    """The dish's code in FNDDS 2021-2023 (its FDC id changes with each release)."""
    description: str | None = None
    """The dish's name in FNDDS."""
    proxy: bool = False
    """True where the FNDDS dish is not this one but its nearest relative."""
    reason: str | None = None
    """Why there is no figure of FNDDS; ``per_100g`` is then worked out from the ingredients."""


@dataclass(frozen=True, kw_only=True)
class Dish:
    """A dish and its typical serving."""

    key: str
    """Its normalised name."""
    name: str
    """Its name as shown to people."""
    ingredients: tuple[Ingredient, ...]
    reference: Reference
    aliases: tuple[str, ...] = ()
    unless: frozenset[str] = frozenset()
    """Words that make another food of a longer label: "fruit" in front of "salad"."""

    @property
    def grams(self) -> float:
        """Weight of the serving."""
        return sum(i.grams for i in self.ingredients)

    @property
    def typical(self) -> Nutrients:
        """Of the serving, by :attr:`reference`; calories and macronutrients always known."""
        return self.reference.per_100g.scaled(self.grams / 100)


class _Span(NamedTuple):
    start: int
    end: int
    dish: Dish


class Dishes:
    """A table of dishes; immutable."""

    def __init__(self, dishes: Iterable[Dish]) -> None:
        self._dishes = {d.key: d for d in dishes}

    def __iter__(self) -> Iterator[Dish]:
        return iter(self._dishes.values())

    def __len__(self) -> int:
        return len(self._dishes)

    @cached_property
    def _phrases(self) -> dict[tuple[str, ...], Dish]:
        return {
            tuple(canonical(name).split()): dish
            for dish in self._dishes.values()
            for name in (dish.key, *dish.aliases)
        }

    def match(self, label: str) -> Dish | None:
        """The dish ``label`` means: by its whole name or an alias, else by one within the label.

        A name within the label counts where the label is about it: words may stand in front
        ("homemade pepperoni pizza"), but behind it only a portion ("pizza slice") or what it
        comes with ("pizza with olives"). The longest name wins. A label with two dishes in it
        ("taco salad") is neither, and nothing is ever guessed by similarity.
        """
        words = tuple(canonical(label).split())
        return self._phrases.get(words) or self._contained(words)

    def _contained(self, words: tuple[str, ...]) -> Dish | None:
        spans = self._spans(words)
        if len(spans) != 1:
            return None
        start, end, dish = spans[0]
        before, after = words[:start], words[end:]
        if "of" in before:
            of = before.index("of")
            if not _PORTIONS.issuperset(before[:of]):
                return None
            before = before[of + 1 :]
        rest = next((w for w in after if w not in _PORTIONS), "with")
        if rest not in _CONNECTORS or not _CONNECTORS.isdisjoint(before):
            return None
        return None if dish.unless.intersection(before) else dish

    def _spans(self, words: tuple[str, ...]) -> list[_Span]:
        """Where dishes are named, the longest first, none overlapping another."""
        found: list[_Span] = []
        for length in range(len(words), 0, -1):
            for start in range(len(words) - length + 1):
                end = start + length
                dish = self._phrases.get(words[start:end])
                if dish and all(end <= s.start or s.end <= start for s in found):
                    found.append(_Span(start, end, dish))
        return found

    def with_weights(self, overrides: Mapping[str, Mapping[str, float]]) -> "Dishes":
        """A table with ``{"dish": {"ingredient": grams}}`` merged over this one.

        An ingredient the dish does not have is added to it, and a dish that is not in the table
        becomes a new one. Raises :class:`foodlog.errors.ConfigError`.
        """
        if not isinstance(overrides, Mapping):
            raise ConfigError(f"ingredient weights: {overrides!r} is not a mapping of dishes")
        dishes = dict(self._dishes)
        for label, weights in overrides.items():
            checked = _checked(label, weights)
            known = self._phrases.get(tuple(canonical(label).split()))
            dish = dishes[known.key] if known else _new_dish(label)
            dishes[dish.key] = _merged(dish, checked)
        return Dishes(dishes.values())


def _checked(dish: object, weights: object) -> dict[str, float]:
    where = f"ingredient weights of dish {dish!r}"
    if not isinstance(dish, str) or not normalise(dish):
        raise ConfigError(f"{where}: a dish needs a name with letters or digits in it")
    if not isinstance(weights, Mapping) or not weights:
        raise ConfigError(f'{where}: {weights!r} is not a mapping like {{"ingredient": grams}}')
    for name, grams in weights.items():
        if not isinstance(name, str) or not normalise(name):
            raise ConfigError(f"{where}: {name!r} is not the name of an ingredient")
        number = isinstance(grams, int | float) and not isinstance(grams, bool)
        if not number or not math.isfinite(grams) or not 0 < grams <= MAX_GRAMS:
            raise ConfigError(
                f"{where}, ingredient {name!r}: {grams!r} is not a weight in grams;"
                f" use a number above 0 and up to {MAX_GRAMS:g}"
            )
    return {name: float(grams) for name, grams in weights.items()}


def _new_dish(label: str) -> Dish:
    reason = "Added by the configuration; the figures are those of a typical mixed plate."
    return Dish(
        key=normalise(label),
        name=_shown(label),
        ingredients=(),
        reference=Reference(per_100g=_MIXED_PLATE, reason=reason),
    )


def _merged(dish: Dish, weights: Mapping[str, float]) -> Dish:
    ingredients = {canonical(i.name): i for i in dish.ingredients}
    for name, grams in weights.items():
        old = ingredients.get(canonical(name)) or Ingredient(name=_shown(name), grams=grams)
        ingredients[canonical(name)] = replace(old, grams=grams)
    return replace(dish, ingredients=tuple(ingredients.values()))


def _shown(label: str) -> str:
    text = " ".join(label.replace("_", " ").split())[:MAX_LABEL]
    return text[:1].upper() + text[1:]


@cache
def load() -> Dishes:
    """The table that comes with FoodLog; read once per process."""
    text = files("foodlog").joinpath("dishes.yaml").read_bytes()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader either way
    return Dishes(_parse(key, row) for key, row in table.items())


def _parse(key: str, row: Mapping[str, Any]) -> Dish:
    return Dish(
        key=key,
        name=row.get("name") or _shown(key),
        aliases=tuple(row.get("aliases", ())),
        unless=frozenset(map(canonical, row.get("unless", ()))),
        ingredients=tuple(_ingredient(*cells) for cells in row["ingredients"]),
        reference=_reference(**row["reference"]),
    )


def _ingredient(
    name: str, grams: float, fdc_id: int | None = None, state: str | None = None
) -> Ingredient:
    return Ingredient(name=name, grams=grams, fdc_id=fdc_id, state=state)


def _reference(per_100g: list[float], **rest: Any) -> Reference:
    calories, proteins, fats, carbohydrates = per_100g
    figures = Nutrients(
        calories=calories, proteins=proteins, fats=fats, carbohydrates=carbohydrates
    )
    return Reference(per_100g=figures, **rest)

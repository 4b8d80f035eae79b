"""The dish table: what is in a dish, and how much of it a typical serving holds.

``dishes.yaml`` beside this module holds the dishes; its head explains the layout. Each names the
figures it is checked against: those of the dish in USDA's Food and Nutrient Database for Dietary
Studies (FNDDS 2021-2023), or a reason why there are none.
"""

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
    {"basket", "bowl", "cup", "dinner", "dish", "half", "lunch", "meal", "order", "piece"}
    | {"plate", "platter", "portion", "serving", "slice", "stack"}
)
# A box of pizza is food, a pizza box is not.
_CONTAINERS = _PORTIONS | {"bag", "box", "bucket", "pan", "pot", "tray"}
_COMPANY = frozenset(["con", "in", "on", "over", "served", "topped", "with"])
_JOINERS = _COMPANY | {"and", "or", "plus"}
_DENIALS = frozenset(["empty", "isnt", "never", "no", "non", "not", "without"])
_IMITATIONS = frozenset(["cardboard", "cartoon", "fake", "plastic", "plush", "rubber", "toy"])


def normalise(label: str) -> str:
    """Lower-case words with single spaces between: no accents, apostrophes or punctuation.

    "&" is read as "and".
    At most :data:`MAX_LABEL` characters; of a label without a letter or digit, "".
    """
    text = label[: 10 * MAX_LABEL].casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub("['\N{RIGHT SINGLE QUOTATION MARK}]", "", text.replace("&", " and "))
    return " ".join(re.findall(r"[^\W_]+", text))[:MAX_LABEL].strip()


def canonical(label: str) -> str:
    """:func:`normalise` with trivial plurals made equal to their singular, and "n" to "and".

    For comparing only: "tomatoes" and "tomato" both give "tomato", "quiches" and "quiche" both
    give "quich", "mac 'n' cheese" gives "mac and cheese".
    """
    words = normalise(label).split()
    return " ".join("and" if word == "n" else _singular(word) for word in words)


_ONCE_F = ("eave", "alve", "oave", "elve", "olve")
"""Ends of plurals in -ves whose singular ends in -f: of "leaves", not of "olives"."""


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith(_ONCE_F):
        return word[:-2] + "f"
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        ("taco salad") is neither, one that denies the dish or means no food ("no pizza", "toy
        pizza", "pizza box") is none, and nothing is ever guessed by similarity.
        """
        words = tuple(canonical(label).split())
        return self._phrases.get(words) or self._contained(words)

    def _contained(self, words: tuple[str, ...]) -> Dish | None:
        spans = self._spans(words)
        if len(spans) != 1:
            return None
        start, end, dish = spans[0]
        before = _after_portion(words[:start])
        behind = next((w for w in words[end:] if w not in _PORTIONS), "with")
        about_it = behind in _COMPANY and _JOINERS.isdisjoint(before) and "of" not in before
        meant = _DENIALS.isdisjoint(words[:start]) and _IMITATIONS.isdisjoint(before)
        return dish if about_it and meant and dish.unless.isdisjoint(words) else None

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
            raise ConfigError(f"{overrides!r} is not a mapping of dishes")
        checked = {label: _checked(label, weights) for label, weights in overrides.items()}
        known = {label: self._phrases.get(tuple(canonical(label).split())) for label in checked}
        meanings = {label: dish.key if dish else canonical(label) for label, dish in known.items()}
        _refuse_twice("dishes", meanings)
        dishes = dict(self._dishes)
        for label, weights in checked.items():
            dish = known[label] or replace(mixed_plate(label), ingredients=())
            dishes[dish.key] = _merged(dish, weights)
        return Dishes(dishes.values())


def _after_portion(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without a leading "slice of", "big bowl of"."""
    if "of" in words and (of := words.index("of")) and words[of - 1] in _CONTAINERS:
        return words[of + 1 :]
    return words


def _checked(dish: object, weights: object) -> dict[str, float]:
    where = f"dish {dish!r}"
    if not isinstance(dish, str) or not normalise(dish):
        raise ConfigError(f"{where}: a dish needs a name with letters or digits in it")
    if not isinstance(weights, Mapping) or not weights:
        raise ConfigError(f'{where}: {weights!r} is not a mapping like {{"ingredient": grams}}')
    for name, grams in weights.items():
        if not isinstance(name, str) or not normalise(name):
            raise ConfigError(f"{where}: {name!r} is not the name of an ingredient")
        number = isinstance(grams, int | float) and not isinstance(grams, bool)
        if not number or not 0 < grams <= MAX_GRAMS:
            raise ConfigError(
                f"{where}, ingredient {name!r}: {grams!r} is not a weight in grams;"
                f" use a number above 0 and up to {MAX_GRAMS:g}"
            )
    _refuse_twice(f"{where}: ingredients", {name: canonical(name) for name in weights})
    return {name: float(grams) for name, grams in weights.items()}


def _refuse_twice(what: str, meanings: Mapping[str, str]) -> None:
    first: dict[str, str] = {}
    for name, meaning in meanings.items():
        other = first.setdefault(meaning, name)
        if other != name:
            raise ConfigError(f"{what} {other!r} and {name!r} are the same; leave one of them out")


def _merged(dish: Dish, weights: Mapping[str, float]) -> Dish:
    ingredients = {canonical(i.name): i for i in dish.ingredients}
    for name, grams in weights.items():
        old = ingredients.get(canonical(name)) or Ingredient(name=_shown(name), grams=grams)
        ingredients[canonical(name)] = replace(old, grams=grams)
    return replace(dish, ingredients=tuple(ingredients.values()))


def mixed_plate(label: str) -> Dish:
    """What to assume of a dish nobody knows: meat, rice and vegetables under its name."""
    return Dish(
        key=normalise(label),
        name=_shown(label),
        ingredients=tuple(map(_ingredient, _MIXED_PLATE)),
        reference=Reference(
            per_100g=_figures("134 kcal, 10.1 protein, 3.3 fat, 15.3 carbohydrate"),
            reason="Nobody knows this dish; a typical mixed plate is assumed.",
        ),
    )


_MIXED_PLATE = (
    "120 g Chicken breast, cooked, fdc 171477",
    "180 g White rice, cooked, fdc 168878",
    "150 g Mixed vegetables, cooked",
    "10 g Olive oil, fdc 171413",
)


def _shown(label: str) -> str:
    text = "".join(c if c.isprintable() and c != "_" else " " for c in label[: 10 * MAX_LABEL])
    text = " ".join(text.split())[:MAX_LABEL].strip()
    return text[:1].upper() + text[1:]


@cache
def load() -> Dishes:
    """The table that comes with FoodLog; read once per process."""
    text = files("foodlog").joinpath("dishes.yaml").read_bytes()
    # This loader makes nothing but texts, lists and mappings, in half the time of the full one.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    table = yaml.load(text, Loader=loader)  # noqa: S506
    return Dishes(_dish(key, row) for key, row in table.items())


def _dish(key: str, row: Mapping[str, Any]) -> Dish:
    return Dish(
        key=key,
        name=row.get("name") or _shown(key),
        aliases=tuple(row.get("aliases", ())),
        unless=frozenset(map(canonical, row.get("unless", ()))),
        ingredients=tuple(map(_ingredient, row["ingredients"])),
        reference=_reference(**row["reference"]),
    )


def _ingredient(line: str) -> Ingredient:
    """From "73 g Cooked apple, cooked, fdc 173928"."""
    head, *rest = line.split(", ")
    grams, name = head.split(" g ", 1)
    pinned = next((int(r.removeprefix("fdc ")) for r in rest if r.startswith("fdc ")), None)
    state = next((r for r in rest if r in ("raw", "cooked")), None)
    return Ingredient(name=name, grams=float(grams), fdc_id=pinned, state=state)


def _reference(per_100g: str, proxy: str = "false", **texts: str) -> Reference:
    return Reference(per_100g=_figures(per_100g), proxy=proxy == "true", **texts)


def _figures(line: str) -> Nutrients:
    """From "296 kcal, 2.7 protein, 15.28 fat, 37.55 carbohydrate"."""
    numbers = [float(part.split()[0]) for part in line.split(", ")]
    return Nutrients(
        calories=numbers[0], proteins=numbers[1], fats=numbers[2], carbohydrates=numbers[3]
    )

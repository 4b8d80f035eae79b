"""What the program talks about: frozen values without behaviour beyond their own arithmetic.

Weights are grams, energy is kilocalories, times are timezone-aware UTC. ``None`` means unknown
and is never the same as 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Nutrients:
    """Amounts of what FoodLog tracks; of 100 g or of a serving, as the holder says.

    ``calories`` in kcal; ``proteins``, ``fats``, ``carbohydrates``, ``fiber``, ``sugars`` and
    ``saturated_fats`` in g; ``sodium_mg`` in mg. All finite and >= 0, or None where unknown.
    """

    calories: float | None = None
    proteins: float | None = None
    fats: float | None = None
    carbohydrates: float | None = None
    fiber: float | None = None
    sugars: float | None = None
    saturated_fats: float | None = None
    sodium_mg: float | None = None

    def scaled(self, factor: float) -> Self:
        """Every known amount times ``factor``."""
        return type(self)(
            **{n: None if (v := getattr(self, n)) is None else v * factor for n in NUTRIENTS}
        )

    @classmethod
    def total(cls, parts: Iterable["Nutrients"]) -> "Nutrients":
        """The sum of the parts, nutrient by nutrient.

        A part that does not know a nutrient adds nothing to it; where no part knows it, the
        total does not either.
        """
        parts = list(parts)
        known = {n: [v for p in parts if (v := getattr(p, n)) is not None] for n in NUTRIENTS}
        return cls(**{n: sum(values) if values else None for n, values in known.items()})

    def as_dict(self) -> dict[str, float | None]:
        """Name to amount, in the order of the fields."""
        return {n: getattr(self, n) for n in NUTRIENTS}


NUTRIENTS: tuple[str, ...] = tuple(f.name for f in fields(Nutrients))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nutrition:
    """What a nutrition source knows of one food, with the record it was taken from."""

    per_100g: Nutrients
    source: str
    """Name of the nutrition source."""
    source_id: str
    """The record's id in that source (an FDC id, for one)."""
    description: str
    """The record's own name."""
    data_type: str | None = None
    """The record's kind in that source ("SR Legacy", "Branded", ...)."""
    serving_grams: float | None = None
    """Weight of a household serving (> 0, at most 5,000), where the source knows one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoodQuery:
    """One food to look up."""

    name: str
    fdc_id: int | None = None
    """The USDA FoodData Central record to use, where it is pinned."""
    state: str | None = None
    """"raw" or "cooked" where the dish says which is on the plate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """Part of a dish: what, how much of it (g, > 0), and the record it is pinned to."""

    name: str
    grams: float
    fdc_id: int | None = None
    state: str | None = None

    @property
    def query(self) -> FoodQuery:
        """The lookup for this ingredient."""
        return FoodQuery(name=self.name, fdc_id=self.fdc_id, state=self.state)


@dataclass(frozen=True, slots=True)
class Label:
    """A classifier's word for what it sees, with its confidence in 0..1 (None: it gives none)."""

    name: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """A classifier's answer."""

    labels: tuple[Label, ...]
    """Best first; at least one."""
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able facts for the meal's metadata, under the classifier's ``metadata_key``."""
    ingredients: tuple[str, ...] = ()
    """Where the classifier names them itself."""
    nutrients: Nutrients | None = None
    """Of the whole serving, where the classifier knows them itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A fallback's answer: a guess that is always marked as one."""

    food: str
    ingredients: tuple[Ingredient, ...]
    nutrients: Nutrients
    """Of the whole serving; ``calories`` and the three macronutrients are always known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Part of a logged meal, with its nutrition and where that came from."""

    name: str
    grams: float | None = None
    nutrients: Nutrients = field(default_factory=Nutrients)
    """Of ``grams`` of it."""
    source: str | None = None
    source_id: str | None = None
    description: str | None = None
    data_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meal:
    """A logged meal. A row written by the Flask service lacks most of the optional fields."""

    id: str
    user_id: str | None
    """None only in rows of the Flask service that were logged without a token."""
    food: str
    created_at: datetime
    consumed_at: datetime
    nutrients: Nutrients = field(default_factory=Nutrients)
    """Of the whole meal."""
    ingredients: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    inference_source: str = "manual"
    nutrition_source: str | None = None
    coverage: float | None = None
    """Share (0..1) of the meal's weight whose nutrition is known."""
    estimated: bool = False
    """True where any of it is the fallback's guess."""
    confidence: float | None = None
    candidates: tuple[Label, ...] = ()
    ml_service_error: str | None = None
    photo_key: str | None = None
    image_url: str | None = None
    """The absolute URL a row of the Flask service holds in place of a key."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    meal_type: str | None = None
    note: str | None = None
    corrected_at: datetime | None = None
    prediction: Mapping[str, Any] | None = None
    """The untouched first answer, once the meal was corrected."""
    fingerprint: str | None = None
    """Digest of the request an idempotency key stands for."""
    version: int = 1
    """Counts replacements; a replacement names the version it replaces."""

    def __hash__(self) -> int:
        """Of what no two different meals share; the mappings have no hash."""
        return hash((self.id, self.version))


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account."""

    id: str
    email: str
    """Lower case; unique."""
    created_at: datetime
    password_hash: str = field(repr=False)
    epoch: int = 0
    """Raised to make every token issued before worthless."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a user's history: after the meal with this time and id, which may be gone."""

    consumed_at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MealQuery:
    """Which of a user's meals to list: those that fit everything that is not None."""

    user_id: str
    limit: int
    """Meals on the page at most; >= 1."""
    after: Position | None = None
    """Where the page starts: the :attr:`Page.next` of the one before; None on the first."""
    since: datetime | None = None
    """The earliest time of consumption."""
    until: datetime | None = None
    """Meals consumed at this time or later are left out."""
    meal_type: str | None = None
    """Exactly as it stands in the meal."""

    def takes(self, meal: Meal) -> bool:
        """Whether the meal is one of them; ``limit`` plays no part."""
        return (
            meal.user_id == self.user_id
            and (self.after is None or self._follows(meal, self.after))
            and (self.since is None or meal.consumed_at >= self.since)
            and (self.until is None or meal.consumed_at < self.until)
            and (self.meal_type is None or meal.meal_type == self.meal_type)
        )

    @staticmethod
    def _follows(meal: Meal, place: Position) -> bool:
        if meal.consumed_at == place.consumed_at:
            return meal.id > place.id
        return meal.consumed_at < place.consumed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a user's history, newest consumed first (equal times: by id, ascending)."""

    meals: tuple[Meal, ...]
    next: Position | None
    """Where the next page starts; None when this is the last one."""

    def __hash__(self) -> int:
        """Of what pages mostly differ in; hashing every meal takes longer than reading it."""
        return hash((self.next, len(self.meals), self.meals[:1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPhoto:
    """A photo in a store, without its bytes."""

    key: str
    size: int
    """In bytes."""
    modified_at: datetime

"""The ports: what a storage, classifier, nutrition source or fallback must do.

A plugin subclasses one of these and registers the class through a hook of
:mod:`foodlog.hookspecs`. FoodLog builds one instance per worker process, after the fork, calls
its methods from several threads at once, and closes it when the worker ends.

What may be raised: :class:`foodlog.errors.ProviderError` with a sentence an operator can act
on. Whatever else a classifier, nutrition source or fallback raises or returns is treated as a
failure of that provider alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema

from foodlog.dishes import Dishes
from foodlog.models import (
    Classification,
    Estimate,
    FoodQuery,
    Meal,
    MealQuery,
    Nutrition,
    Page,
    StoredPhoto,
    User,
)
from foodlog.photos import Photo


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the core hands to a provider's constructor beside its options."""

    dishes: Dishes
    """The dish table, with the operator's ingredient weights merged in."""
    clock: Callable[[], datetime]
    """The current time, timezone-aware UTC."""
    threads: int = 1
    """How many threads call this provider at once at most; size connection pools by it."""


class Provider(ABC):
    """What all providers have in common."""

    name: ClassVar[str]
    """The word used in YAML: lower case letters, digits and underscores."""

    class Options(Schema):
        """The provider's settings. Unknown keys are refused; every field has a ``help``."""

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        """``options``: loaded by :attr:`Options`. Must not wait for the network.

        Raises :class:`foodlog.errors.ProviderError` where the provider cannot work at all.
        """
        self.options = options
        self.context = context

    @abstractmethod
    def check(self) -> None:
        """Find out cheaply (a second or two at most) whether the provider works.

        Raises :class:`foodlog.errors.ProviderError` in a sentence an operator can act on.
        """

    def close(self) -> None:  # noqa: B027 - most providers hold nothing
        """Let go of connections and threads. Called once; nothing is called after it."""


NOT_CLASSIFIED = ("local_fallback", "manual")
"""What a meal has as its ``inference_source`` where no classifier named it."""


class Classifier(Provider):
    """Says what is on a photo."""

    inference_source: ClassVar[str]
    """The word for this classifier in a meal's ``inference_source``; usually its name."""
    metadata_key: ClassVar[str]
    """Where its diagnostics go in a meal's ``metadata``; ``<key>_error`` tells a failure."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for attribute in ("inference_source", "metadata_key"):
            if not hasattr(cls, attribute) and hasattr(cls, "name"):
                setattr(cls, attribute, cls.name)

    @abstractmethod
    def classify(self, photo: Photo, timeout: float) -> Classification:
        """Labels of the photo, best first, within ``timeout`` seconds (> 0).

        Raises :class:`foodlog.errors.ProviderError`.
        """


class NutritionSource(Provider):
    """Knows what foods contain."""

    metadata_key: ClassVar[str | None] = None
    """Where the records it answered with are listed in a meal's ``metadata``, if anywhere."""

    @abstractmethod
    def lookup(self, foods: Sequence[FoodQuery], timeout: float) -> Sequence[Nutrition | None]:
        """Nutrition per 100 g of each food, in the same order, within ``timeout`` seconds (> 0).

        None where there is no confident match: a wrong food is worse than none. An unknown
        nutrient is None, never 0. Raises :class:`foodlog.errors.ProviderError`, of which
        :class:`foodlog.errors.PartialAnswer` holds what could be looked up all the same.
        """


class Fallback(Provider):
    """Answers when nobody else does: always, at once, without network."""

    @abstractmethod
    def predict(self, photo: Photo, label: str | None = None) -> Estimate:
        """A guess for the photo; of ``label`` where a classifier named what nobody knows."""


class PhotoStore(ABC):
    """Photos by key. A key is ``<user id>/<name>.<extension>``; old ones are a bare file name."""

    @abstractmethod
    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store durably; the same key again replaces the photo."""

    @abstractmethod
    def get(self, key: str) -> tuple[bytes, str] | None:
        """The bytes and their content type; None where there is no such photo."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove; nothing happens where there is no such photo."""

    @abstractmethod
    def url(self, key: str) -> str | None:
        """Where a client fetches the photo itself; None: the app serves it under /uploads."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[StoredPhoto]:
        """All photos whose key starts with ``prefix``, in any order."""


class MealStore(ABC):
    """Meals by id."""

    @abstractmethod
    def add(self, meal: Meal) -> Meal:
        """Store durably and return it; where the id is taken, return what is stored instead."""

    @abstractmethod
    def get(self, meal_id: str) -> Meal | None:
        """The meal, whoever owns it; None where there is none."""

    @abstractmethod
    def list(self, query: MealQuery) -> Page:
        """At most ``query.limit`` of the meals it takes, newest first, equal times by id.

        Filters come before the page is cut. Meals added or deleted between two pages never
        make another meal appear twice or go missing.
        """

    @abstractmethod
    def replace(self, meal: Meal) -> Meal | None:
        """Store ``meal`` over the row whose version is ``meal.version``; return it, one up.

        None where the row is gone or has another version.
        """

    @abstractmethod
    def delete(self, meal_id: str) -> None:
        """Remove; nothing happens where there is no such meal."""

    @abstractmethod
    def scan(self) -> Iterator[Meal]:
        """Every meal of every user, in any order; for copying and sweeping, not for requests."""


class UserStore(ABC):
    """Accounts by e-mail (compared in lower case)."""

    @abstractmethod
    def add(self, user: User) -> bool:
        """Store durably; False where the e-mail is taken, however many race."""

    @abstractmethod
    def get(self, email: str) -> User | None:
        """The account; None where there is none."""

    @abstractmethod
    def replace(self, user: User) -> None:
        """Store over the account with this e-mail, if there still is one."""

    @abstractmethod
    def delete(self, email: str) -> None:
        """Remove; nothing happens where there is no such account."""

    @abstractmethod
    def scan(self) -> Iterator[User]:
        """Every account, in any order; for copying, not for requests."""


class Storage(Provider):
    """Where everything is kept. All three stores are ready once the constructor returned.

    Their methods raise :class:`foodlog.errors.ProviderError` (503, or 504 on a time-out, or 507
    where there is no room), and are safe to repeat after one.
    """

    photos: PhotoStore
    meals: MealStore
    users: UserStore


KINDS: dict[str, type[Provider]] = {  # abstract classes, which mypy does not take as values
    "storage": Storage,  # type: ignore[type-abstract]
    "classifier": Classifier,  # type: ignore[type-abstract]
    "nutrition": NutritionSource,  # type: ignore[type-abstract]
    "fallback": Fallback,  # type: ignore[type-abstract]
}
"""The word for each kind of provider, as the command line and the documentation use it."""

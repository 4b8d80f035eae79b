"""A storage in memory: for tests of what stands on the ports."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from foodlog.errors import ProviderError
from foodlog.models import Meal, MealQuery, Page, Position, StoredPhoto, User
from foodlog.providers import Context, MealStore, PhotoStore, Storage, UserStore
from foodlog.records import EPOCH, is_photo_key

Guard = Callable[[], AbstractContextManager[None]]


class MemoryStorage(Storage):
    """Keeps everything in dictionaries, for as long as the object lives.

    ``failure``: set it, and every call of every store (and ``check``) raises it; None again, and
    all is as it was.
    """

    name = "memory"

    def __init__(
        self, options: Mapping[str, Any] | None = None, context: Context | None = None
    ) -> None:
        if context is not None:
            super().__init__(options or {}, context)
        clock = context.clock if context is not None else lambda: datetime.now(UTC)
        self.failure: ProviderError | None = None
        self._lock = threading.Lock()
        self.photos: MemoryPhotos = MemoryPhotos(self._guard, clock)
        self.meals: MemoryMeals = MemoryMeals(self._guard)
        self.users: MemoryUsers = MemoryUsers(self._guard)

    def check(self) -> None:
        """Raises ``failure`` where one is set."""
        with self._guard():
            pass

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with self._lock:
            if self.failure is not None:
                raise self.failure
            yield


class MemoryPhotos(PhotoStore):
    """Photos; ``base_url``, once set, is where clients fetch them themselves."""

    def __init__(self, guard: Guard, clock: Callable[[], datetime]) -> None:
        self._guard = guard
        self._clock = clock
        self._photos: dict[str, tuple[bytes, str, datetime]] = {}
        self.base_url: str | None = None

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store. ValueError: a bad key."""
        if not is_photo_key(key):
            raise ValueError("not a photo key")
        with self._guard():
            self._photos[key] = (data, content_type, self._clock())

    def get(self, key: str) -> tuple[bytes, str] | None:  # noqa: D102 - the port says it, here and below
        with self._guard():
            found = self._photos.get(key)
        return None if found is None else found[:2]

    def delete(self, key: str) -> None:  # noqa: D102
        with self._guard():
            self._photos.pop(key, None)

    def url(self, key: str) -> str | None:  # noqa: D102
        return None if self.base_url is None else f"{self.base_url}/{key}"

    def list(self, prefix: str = "") -> Iterator[StoredPhoto]:  # noqa: D102
        with self._guard():
            photos = dict(self._photos)
        for key, (data, _, modified_at) in photos.items():
            if key.startswith(prefix):
                yield StoredPhoto(key=key, size=len(data), modified_at=modified_at)


class MemoryMeals(MealStore):
    """Meals."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._meals: dict[str, Meal] = {}

    def add(self, meal: Meal) -> Meal:  # noqa: D102
        with self._guard():
            return self._meals.setdefault(meal.id, meal)

    def get(self, meal_id: str) -> Meal | None:  # noqa: D102
        with self._guard():
            return self._meals.get(meal_id)

    def list(self, query: MealQuery) -> Page:  # noqa: D102
        with self._guard():
            meals = filter(query.takes, self._meals.values())
            found = sorted(meals, key=lambda meal: (EPOCH - meal.consumed_at, meal.id))
        page = tuple(found[: query.limit])
        more = len(found) > query.limit
        return Page(meals=page, next=Position(page[-1].consumed_at, page[-1].id) if more else None)

    def replace(self, meal: Meal) -> Meal | None:  # noqa: D102
        with self._guard():
            stored = self._meals.get(meal.id)
            if stored is None or stored.version != meal.version:
                return None
            self._meals[meal.id] = replace(meal, version=meal.version + 1)
            return self._meals[meal.id]

    def delete(self, meal_id: str) -> None:  # noqa: D102
        with self._guard():
            self._meals.pop(meal_id, None)

    def scan(self) -> Iterator[Meal]:  # noqa: D102
        with self._guard():
            meals = [*self._meals.values()]
        yield from meals


class MemoryUsers(UserStore):
    """Accounts."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._users: dict[str, User] = {}

    def add(self, user: User) -> bool:  # noqa: D102
        with self._guard():
            taken = user.email.lower() in self._users
            self._users.setdefault(user.email.lower(), user)
        return not taken

    def get(self, email: str) -> User | None:  # noqa: D102
        with self._guard():
            return self._users.get(email.lower())

    def replace(self, user: User) -> None:  # noqa: D102
        with self._guard():
            if user.email.lower() in self._users:
                self._users[user.email.lower()] = user

    def delete(self, email: str) -> None:  # noqa: D102
        with self._guard():
            self._users.pop(email.lower(), None)

    def scan(self) -> Iterator[User]:  # noqa: D102
        with self._guard():
            users = [*self._users.values()]
        yield from users

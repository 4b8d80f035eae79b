"""Users, photos and meals from one storage to another.

Everything is added under the key it has, so copying may be stopped at any time and started
again. Photos go before meals, so no row is ever without its photo. Nothing in the target is
overwritten but a photo of another size; what differs in the end is reported by :func:`verify`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from foodlog.errors import ClientError
from foodlog.models import Meal, StoredPhoto, User
from foodlog.providers import Storage
from foodlog.records import photo_key_of

WORKERS = 8
"""How many threads call each storage at once."""
_AHEAD = 4 * WORKERS

Progress = Callable[[str, int, int], None]
"""Takes what is being done, how many are done, and how many there are."""
T = TypeVar("T")


class Migration:
    """Copies ``source`` into ``target``, and compares them. ``progress`` is told after each."""

    def __init__(self, source: Storage, target: Storage, progress: Progress) -> None:
        self._source, self._target, self._progress = source, target, progress
        self._photos = {photo.key: photo for photo in source.photos.list()}
        self._users = sum(1 for _ in source.users.scan())
        self._meals = sum(1 for _ in source.meals.scan())
        self._refused: dict[str, str] = {}

    def copy(self) -> None:
        """Copy what the target lacks. Raises ProviderError; run it again after one.

        What the target refuses as it is, a meal too large for one, is left out, and told by
        :meth:`verify`.
        """
        sizes = {photo.key: photo.size for photo in self._target.photos.list()}
        missing = [p for p in self._photos.values() if sizes.get(p.key) != p.size]
        self._each("users", self._users, self._source.users.scan(), self._copy_user)
        self._each("photos", len(missing), missing, self._copy_photo)
        self._each("meals", self._meals, self._source.meals.scan(), self._copy_meal)

    def verify(self) -> list[str]:
        """Compare every user, photo (byte by byte) and meal; a sentence for each difference."""
        photos = self._photos.values()
        return [
            *self._each("users compared", self._users, self._source.users.scan(), self._user),
            *self._each("photos compared", len(photos), photos, self._photo),
            *self._each("meals compared", self._meals, self._source.meals.scan(), self._meal),
        ]

    def _copy_user(self, user: User) -> None:
        plain = _plain(user)
        # Of accounts whose e-mails differ in capitals alone, the one without keeps the address.
        if user == plain or self._source.users.get(plain.email) in (None, user):
            with self._refusals(f"The user {user.id}"):
                self._target.users.add(plain)

    def _copy_photo(self, photo: StoredPhoto) -> None:
        if found := self._source.photos.get(photo.key):
            with self._refusals(f"The photo {photo.key}"):
                self._target.photos.put(photo.key, *found)

    def _copy_meal(self, meal: Meal) -> None:
        with self._refusals(f"The meal {meal.id}"):
            self._target.meals.add(self._moved(meal))

    @contextmanager
    def _refusals(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, ValueError) as error:
            self._refused[what] = str(error)

    def _difference(self, what: str) -> str:
        if why := self._refused.get(what):
            return f"{what} was refused by the target: {why}"
        return f"{what} is missing in the target, or differs."

    def _moved(self, meal: Meal) -> Meal:
        """The meal with its photo where the target has it, not at the source's address."""
        key = photo_key_of(meal.image_url)
        if meal.photo_key or key not in self._photos:
            return meal
        return replace(meal, photo_key=key, image_url=None)

    def _user(self, user: User) -> str | None:
        same = self._target.users.get(user.email.lower()) == _plain(user)
        return None if same else self._difference(f"The user {user.id}")

    def _photo(self, photo: StoredPhoto) -> str | None:
        source, target = self._source.photos.get(photo.key), self._target.photos.get(photo.key)
        same = source is None or (target is not None and source[0] == target[0])
        return None if same else self._difference(f"The photo {photo.key}")

    def _meal(self, meal: Meal) -> str | None:
        moved = self._moved(meal)
        if self._target.meals.get(meal.id) != moved:
            return self._difference(f"The meal {meal.id}")
        if moved.photo_key and moved.photo_key not in self._photos:
            return f"The meal {meal.id} names a photo the source does not have."
        return None

    def _each(
        self, doing: str, total: int, items: Iterable[T], work: Callable[[T], str | None]
    ) -> list[str]:
        """What ``work`` says of the items, told of as it goes on."""
        said = []
        self._progress(doing, 0, total)
        for done, sentence in enumerate(_in_threads(work, items), start=1):
            self._progress(doing, done, total)
            if sentence is not None:
                said.append(sentence)
        return said


def _plain(user: User) -> User:
    """With the e-mail in lower case, as accounts are looked up; old ones may have capitals."""
    return replace(user, email=user.email.lower())


def _in_threads(work: Callable[[T], str | None], items: Iterable[T]) -> Iterator[str | None]:
    """Results in the order of the items, of which few are taken ahead."""
    with ThreadPoolExecutor(WORKERS) as pool:
        running: deque[Future[str | None]] = deque()
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) >= _AHEAD:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

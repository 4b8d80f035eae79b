"""A user's log: meals are predicted, entered by hand, stored and listed here.

The order is photo, then row. A row that surely failed takes its photo with it; a repeat under the
same idempotency key finds what is stored and changes nothing.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from foodlog.concurrency import Deadline, Pool, request_left
from foodlog.errors import (
    ClientError,
    NotFound,
    Overloaded,
    ProviderError,
    ProviderTimeout,
    Unprocessable,
)
from foodlog.models import Meal, MealQuery, Nutrients, Page, User
from foodlog.photos import Photo
from foodlog.providers import Storage
from foodlog.services.analysis import Analysis, Analyst, Finding
from foodlog.signing import derived_id, fingerprint

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a client says about a meal beside its photo."""

    consumed_at: datetime | None = None
    meal_type: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualMeal:
    """A meal entered by hand."""

    name: str
    nutrients: Nutrients
    ingredients: tuple[str, ...] = ()
    details: Details = Details()


class MealLog:
    """The log of all users. Thread-safe."""

    def __init__(
        self,
        *,
        storage: Storage,
        analyst: Analyst,
        side: Pool,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        on_logged: Callable[[Meal], None],
    ) -> None:
        """``side``: the pool in which photos are stored while nutrition is looked up.
        ``ids``: fresh 32-digit hexadecimal ids. ``on_logged``: told of each new row."""
        self._meals = storage.meals
        self._photos = storage.photos
        self._analyst = analyst
        self._side = side
        self._clock = clock
        self._ids = ids
        self._on_logged = on_logged

    def predict(
        self, user: User | None, photo: Photo, details: Details, key: str | None, deadline: Deadline
    ) -> Meal:
        """The meal on the photo; stored in the user's log, or kept nowhere without a user.

        Raises :class:`foodlog.errors.Rejected` (nothing was stored), :class:`Unprocessable`
        where ``key`` was used for something else, and :class:`ProviderError`.
        """
        print_ = fingerprint("predict", photo.digest, *_parts(details))
        if user is not None and (stored := self._repeated(user, key, print_)):
            return stored
        if user is not None:
            self._begin_clean_copy(photo)
        finding = self._analyst.classify(photo, deadline)
        if user is None:
            analysis = self._analyst.nutrition(finding, photo, deadline)
            return compose(self._ids(), None, photo, details, finding, analysis, self._clock())
        return self._log_photo(user, photo, details, finding, key, print_, deadline)

    def enter(self, user: User, entry: ManualMeal, key: str | None) -> Meal:
        """Store a meal entered by hand. Raises as :meth:`predict`."""
        print_ = fingerprint("enter", *_entry_parts(entry))
        if stored := self._repeated(user, key, print_):
            return stored
        now = self._clock()
        meal = Meal(
            id=derived_id(user.id, key) if key else self._ids(),
            user_id=user.id,
            food=entry.name,
            created_at=now,
            consumed_at=entry.details.consumed_at or now,
            nutrients=entry.nutrients,
            ingredients=entry.ingredients,
            meal_type=entry.details.meal_type,
            note=entry.details.note,
            fingerprint=print_ if key else None,
        )
        return self._add(meal)

    def upload(self, user: User, photo: Photo, key: str | None) -> str:
        """Store a photo without a meal; its key. Raises as :meth:`predict`.

        Under an idempotency ``key`` a row stands for it, as for a meal, but in nobody's log.
        """
        if key is None:
            photo_key = f"{user.id}/upload-{self._ids()}.{photo.extension}"
            self._put(photo_key, photo)
            return photo_key
        print_ = fingerprint("upload", photo.digest)
        stored = self._repeated(user, key, print_) or self._upload_once(user, photo, key, print_)
        assert stored.photo_key is not None  # of an upload, as its fingerprint says
        return stored.photo_key

    def history(self, query: MealQuery) -> Page:
        """A page of a user's meals, newest consumed first."""
        return self._meals.list(query)

    def photo(self, key: str) -> tuple[bytes, str]:
        """Bytes and content type of a stored photo. Raises :class:`NotFound`."""
        found = self._photos.get(key)
        if found is None:
            raise NotFound("There is no such photo.")
        return found

    def _log_photo(
        self,
        user: User,
        photo: Photo,
        details: Details,
        finding: Finding,
        key: str | None,
        print_: str,
        deadline: Deadline,
    ) -> Meal:
        meal_id = derived_id(user.id, key) if key else self._ids()
        photo_key = self._photo_key(user, meal_id, photo)
        putting = self._side.submit(self._put, photo_key, photo)
        try:
            analysis = self._analyst.nutrition(finding, photo, deadline)
            putting.result(request_left(deadline.left()))
            meal = compose(meal_id, user, photo, details, finding, analysis, self._clock())
        except BaseException as error:
            self._discard(photo_key, putting)
            if isinstance(error, TimeoutError):
                raise ProviderTimeout("the photo was not stored in time") from error
            raise
        return self._add(replace(meal, photo_key=photo_key, fingerprint=print_ if key else None))

    def _upload_once(self, user: User, photo: Photo, key: str, print_: str) -> Meal:
        row_id, now = derived_id(user.id, key), self._clock()
        photo_key = self._photo_key(user, row_id, photo)
        self._put(photo_key, photo)
        row = Meal(
            id=row_id,
            user_id=f"{user.id}/uploads",
            food="Upload",
            created_at=now,
            consumed_at=now,
            nutrients=Nutrients(),
            photo_key=photo_key,
            fingerprint=print_,
        )
        return self._store(row)

    def _photo_key(self, user: User, row_id: str, photo: Photo) -> str:
        """One of its own for each attempt, so that of two attempts at the same row the one that
        loses can delete its photo without touching the winner's."""
        return f"{user.id}/{row_id}-{self._ids()[:8]}.{photo.extension}"

    def _begin_clean_copy(self, photo: Photo) -> None:
        """Make it while the classifier is waited for: turning a large photo takes as long as a
        look-up. Lost work where the photo is rejected, which is seldom."""
        with suppress(Overloaded):
            self._side.submit(photo.clean)

    def _put(self, photo_key: str, photo: Photo) -> None:
        self._photos.put(photo_key, photo.clean(), photo.content_type)

    def _repeated(self, user: User, key: str | None, print_: str) -> Meal | None:
        stored = self._meals.get(derived_id(user.id, key)) if key else None
        if stored is not None and stored.fingerprint != print_:
            raise _key_reused()
        return stored

    def _add(self, meal: Meal) -> Meal:
        stored = self._store(meal)
        if _is_from(stored, meal):
            self._on_logged(stored)
        return stored

    def _store(self, meal: Meal) -> Meal:
        """The row as it is stored, whoever stored it; the photo of one that is not goes."""
        try:
            stored = self._meals.add(meal)
        except ClientError:  # refused as it is: surely not stored
            self._delete_photo(meal.photo_key)
            raise
        except Exception as error:  # also while the record was made, or after it was written
            stored = self._found_after(error, meal)
        if stored.photo_key != meal.photo_key:
            self._delete_photo(meal.photo_key)
        if stored.fingerprint != meal.fingerprint:
            raise _key_reused()
        return stored

    def _found_after(self, error: Exception, meal: Meal) -> Meal:
        """The row whose answer was lost; where there is none, ``error`` is raised again.

        Only a row that is surely not there may cost the photo. After a time-out it may still
        come; if it never does, sweeping finds the photo.
        """
        found = self._meals.get(meal.id)
        if found is not None:
            return found
        if not isinstance(error, ProviderTimeout | TimeoutError):
            self._delete_photo(meal.photo_key)
        raise error

    def _discard(self, photo_key: str, putting: "Future[None]") -> None:
        """Delete the photo as soon as it is no longer being written."""
        if not putting.cancel():
            putting.add_done_callback(lambda _: self._delete_photo(photo_key))

    def _delete_photo(self, photo_key: str | None) -> None:
        if photo_key is None:
            return
        try:
            self._photos.delete(photo_key)
        except ProviderError as error:
            logger.warning("photo left behind", extra={"key": photo_key, "reason": str(error)})


def compose(
    meal_id: str,
    user: User | None,
    photo: Photo,
    details: Details,
    finding: Finding,
    analysis: Analysis,
    now: datetime,
) -> Meal:
    """The meal that all this makes; nothing is stored."""
    consumed_at = details.consumed_at or now
    metadata = {**photo.metadata, **analysis.metadata, "meal_date": consumed_at.isoformat()}
    if user is not None:
        metadata["uploaded_by"] = user.email
    return Meal(
        id=meal_id,
        user_id=user.id if user else None,
        food=analysis.food,
        created_at=now,
        consumed_at=consumed_at,
        nutrients=analysis.nutrients,
        ingredients=analysis.ingredients,
        components=analysis.components,
        inference_source=finding.inference_source,
        nutrition_source=analysis.nutrition_source,
        coverage=analysis.coverage,
        estimated=analysis.estimated,
        confidence=finding.confidence,
        candidates=finding.candidates,
        ml_service_error=analysis.metadata.get("ml_service_error"),
        metadata=metadata,
        meal_type=details.meal_type,
        note=details.note,
    )


def _entry_parts(entry: ManualMeal) -> tuple[str, ...]:
    """No two entries share them. What is unknown is in none, so that a nutrient FoodLog learns to
    track does not change the parts of a request that does not name it."""
    amounts = entry.nutrients.as_dict().items()
    known = [f"{name}={float(amount)!r}" for name, amount in amounts if amount is not None]
    number = str(len(entry.ingredients))
    return (entry.name, *_parts(entry.details), number, *entry.ingredients, *known)


def _parts(details: Details) -> tuple[str, ...]:
    when = details.consumed_at.isoformat() if details.consumed_at else ""
    return when, details.meal_type or "", details.note or ""


def _is_from(stored: Meal, attempt: Meal) -> bool:
    """Whether this attempt stored it. Not all of it is compared: what a storage gives back may
    hold a list where there was a tuple."""
    return (stored.photo_key, stored.created_at, stored.fingerprint) == (
        attempt.photo_key,
        attempt.created_at,
        attempt.fingerprint,
    )


def _key_reused() -> Unprocessable:
    return Unprocessable(
        "This Idempotency-Key was used for another request.", code="idempotency_key_reused"
    )

"""The log: photo before row, no row without its photo, a repeat changes nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from foodlog.concurrency import Deadline, Pool, request_deadline
from foodlog.errors import (
    NotFound,
    Overloaded,
    ProviderError,
    ProviderTimeout,
    Rejected,
    TooLarge,
    Unprocessable,
)
from foodlog.models import MealQuery, Nutrients, User
from foodlog.photos import verify
from foodlog.services.analysis import Analysis, Finding
from foodlog.services.meals import Details, ManualMeal, MealLog
from foodlog.services.sweep import find_orphans
from foodlog.testing import photos
from foodlog.testing.fakes import NOON
from foodlog.testing.storage_memory import MemoryStorage

ANN = User(id="ann", email="ann@example.org", created_at=NOON, password_hash="")


class FakeAnalyst:
    """Sees toast, and remembers in ``order`` when it was asked."""

    def __init__(self, order=None):
        self.order = [] if order is None else order
        self.classified = 0
        self.reject = False
        self.fail = False

    def classify(self, photo, deadline):
        self.classified += 1
        if self.reject:
            raise Rejected([], 0.5)
        return Finding(label="toast", inference_source="fake", metadata={"ml_service_error": "no"})

    def nutrition(self, finding, photo, deadline):
        self.order.append("nutrition")
        if self.fail:
            raise ProviderError("down")
        return Analysis(
            food="Toast",
            nutrients=Nutrients(calories=300),
            ingredients=("Bread",),
            components=(),
            nutrition_source="fake",
            coverage=1.0,
            estimated=False,
            metadata=finding.metadata,
        )


class Photos:
    """A photo store that can fail, hang and tell when it was used."""

    def __init__(self, inner, order):
        self._inner, self._order = inner, order
        self.fail_put = self.fail_delete = False
        self.gate = None
        self.before_put = self.after_put = lambda: None

    def put(self, key, data, content_type):
        if self.gate:
            self.gate.wait(5)
        self.before_put()
        if self.fail_put:
            raise ProviderError("disk is gone")
        self._inner.put(key, data, content_type)
        self._order.append("photo")
        self.after_put()

    def delete(self, key):
        if self.fail_delete:
            raise ProviderError("disk is gone")
        self._inner.delete(key)

    def __getattr__(self, name):
        return getattr(self._inner, name)


class Meals:
    """A meal store whose ``add`` can fail, before or after the row is written."""

    def __init__(self, inner, order):
        self._inner, self._order = inner, order
        self.lose_request = self.lose_answer = self.fail_get = False
        self.refuse = None
        self.late = []

    def add(self, meal):
        if self.lose_request:
            raise ProviderError("no route")
        if self.refuse:
            self.late.append(meal)
            raise self.refuse
        stored = self._inner.add(meal)
        self._order.append("row")
        if self.lose_answer:
            raise ProviderError("the answer was lost")
        return stored

    def get(self, meal_id):
        if self.fail_get:
            raise ProviderError("no route")
        return self._inner.get(meal_id)

    def __getattr__(self, name):
        return getattr(self._inner, name)


class World:
    def __init__(self):
        self.order = []
        self.storage = MemoryStorage()
        self.photos = self.storage.photos = Photos(self.storage.photos, self.order)
        self.meals = self.storage.meals = Meals(self.storage.meals, self.order)
        self.analyst = FakeAnalyst(self.order)
        self.logged = []
        numbers = count(1)
        self.log = MealLog(
            storage=self.storage,
            analyst=self.analyst,
            side=Pool("side", 4, 4),
            clock=lambda: NOON,
            ids=lambda: f"{next(numbers):08x}" * 4,  # keys of photos take the first eight
            on_logged=self.logged.append,
        )

    def predict(self, photo, key=None, user=ANN, details=None, seconds=5):
        return self.log.predict(user, photo, details or Details(), key, Deadline(seconds))

    def keys(self):
        return sorted(found.key for found in self.photos.list())

    def rows(self):
        return list(self.meals.scan())


@pytest.fixture
def world():
    return World()


@pytest.fixture(scope="module")
def photo():
    return verify(photos.jpeg(32, 32))


@pytest.fixture(scope="module")
def other():
    return verify(photos.jpeg(48, 32))


def test_the_photo_is_stored_before_the_row_and_without_its_metadata(world, photo):
    meal = world.predict(photo)
    assert world.order.index("photo") < world.order.index("row")
    assert world.photos.get(meal.photo_key) == (photo.clean(), "image/jpeg")
    assert world.rows() == [meal]
    assert world.logged == [meal]
    assert meal.ml_service_error == "no"


def test_the_clean_copy_is_made_while_the_classifier_is_waited_for(world):
    photo = verify(photos.jpeg(64, 48))
    made = threading.Event()
    clean = photo.clean
    photo.clean = lambda: (clean(), made.set())[0]
    classify = world.analyst.classify
    world.analyst.classify = lambda *given: (made.wait(10), classify(*given))[1]
    world.predict(photo)
    assert made.is_set()


def test_a_full_pool_does_not_keep_a_photo_from_being_classified(world, photo):
    submit = world.log._side.submit
    refused = []

    def refuse_once(*given):
        if not refused:
            refused.append(given)
            raise Overloaded
        return submit(*given)

    world.log._side.submit = refuse_once
    assert world.predict(photo).food == "Toast"
    assert refused


def test_without_a_user_nothing_is_kept(world, photo):
    meal = world.predict(photo, user=None)
    assert meal.food == "Toast"
    assert meal.user_id is None
    assert "uploaded_by" not in meal.metadata
    assert world.keys() == world.rows() == world.logged == []


def test_a_rejected_photo_is_not_kept_for_a_moment(world, photo):
    world.analyst.reject = True
    with pytest.raises(Rejected):
        world.predict(photo)
    assert world.order == []
    assert world.keys() == world.rows() == []


def test_a_row_that_is_not_stored_takes_its_photo_with_it(world, photo):
    world.meals.lose_request = True
    with pytest.raises(ProviderError):
        world.predict(photo)
    assert world.keys() == world.rows() == world.logged == []


@pytest.mark.parametrize("refusal", [TooLarge("over 400 KB"), Unprocessable("too deep")])
def test_a_row_that_is_refused_as_it_is_takes_its_photo_with_it(world, photo, refusal):
    world.meals.refuse = refusal
    with pytest.raises(type(refusal)) as told:
        world.predict(photo)
    assert told.value is refusal
    assert world.keys() == world.rows() == world.logged == []


def test_a_row_that_cannot_be_made_takes_its_photo_with_it(world, photo):
    world.meals.refuse = TypeError("set is no JSON type")
    with pytest.raises(TypeError):
        world.predict(photo)
    assert world.keys() == world.rows() == world.logged == []


def test_a_meal_that_cannot_be_composed_leaves_no_photo(world, photo):
    world.log._clock = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        world.predict(photo)
    eventually_empty(world)
    assert world.rows() == []


@pytest.mark.parametrize("error", [ProviderTimeout("no answer"), TimeoutError()])
def test_a_row_that_may_still_come_keeps_its_photo(world, photo, error):
    world.meals.refuse = error
    with pytest.raises(type(error)):
        world.predict(photo)
    (late,) = world.meals.late
    assert world.keys() == [late.photo_key]


def test_listeners_are_told_of_a_row_that_comes_back_in_other_types(world, photo):
    add = world.meals.add
    world.meals.add = lambda meal: replace(add(meal), metadata={"gps": [1, 2]})
    meal = world.predict(photo, "key")
    assert world.logged == [meal]
    assert world.predict(photo, "key").id == meal.id
    assert len(world.logged) == 1


def test_a_row_that_comes_after_it_was_given_up_finds_its_photo(world, photo):
    world.meals.refuse = ProviderTimeout("no answer")
    with pytest.raises(ProviderTimeout):
        world.predict(photo)
    world.meals.refuse = None
    (late,) = world.meals.late
    world.meals.add(late)
    assert world.keys() == [late.photo_key]
    later = datetime.now(UTC) + timedelta(hours=2)
    assert find_orphans(world.storage, later) == []
    world.meals.delete(late.id)
    assert [orphan.key for orphan in find_orphans(world.storage, later)] == [late.photo_key]


def test_a_row_whose_answer_was_lost_is_found_and_keeps_its_photo(world, photo):
    world.meals.lose_answer = True
    meal = world.predict(photo)
    assert world.rows() == [meal]
    assert world.keys() == [meal.photo_key]
    assert world.logged == [meal]


def test_a_photo_is_kept_while_nobody_knows_whether_its_row_is_there(world, photo):
    world.meals.lose_answer = world.meals.fail_get = True
    with pytest.raises(ProviderError):
        world.predict(photo)
    (row,) = world.rows()
    assert world.keys() == [row.photo_key]


def test_a_failed_analysis_leaves_no_photo(world, photo):
    world.analyst.fail = True
    with pytest.raises(ProviderError):
        world.predict(photo)
    world.log._side.submit(int).result(5)
    assert world.rows() == []
    eventually_empty(world)


def test_a_failed_photo_leaves_no_row(world, photo):
    world.photos.fail_put = True
    with pytest.raises(ProviderError, match="disk is gone"):
        world.predict(photo)
    assert world.rows() == world.keys() == []


def test_a_photo_that_is_stored_too_late_is_deleted_as_soon_as_it_is_there(world, photo):
    world.photos.gate = threading.Event()
    with pytest.raises(ProviderTimeout):
        world.predict(photo, seconds=0)
    world.photos.gate.set()
    eventually_empty(world)
    assert world.rows() == []


def test_a_photo_has_until_its_requests_deadline_though_the_analysis_has_used_up_its_own(
    world, photo
):
    world.photos.gate = threading.Event()
    before = request_deadline.set(Deadline(30))
    opening = threading.Timer(0.01, world.photos.gate.set)
    opening.start()
    meal = world.predict(photo, seconds=0)
    opening.join()
    request_deadline.reset(before)
    assert world.keys() == [meal.photo_key]


def eventually_empty(world):
    """Wait for the photo that is being stored, and then for its deletion."""
    for _ in range(1000):
        if world.log._side.pending == 0 and not world.keys():
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"left behind: {world.keys()}")


def test_a_photo_that_cannot_be_deleted_is_told_in_the_log(world, photo, caplog):
    world.meals.lose_request = world.photos.fail_delete = True
    with pytest.raises(ProviderError, match="no route"):
        world.predict(photo)
    assert "photo left behind" in caplog.text


def test_a_repeat_with_the_same_key_answers_what_is_stored_and_asks_nobody(world, photo):
    first = world.predict(photo, "key")
    assert world.predict(photo, "key") == first
    assert world.analyst.classified == 1
    assert world.rows() == [first]
    assert world.keys() == [first.photo_key]
    assert world.logged == [first]


def test_the_same_key_of_another_user_is_another_meal(world, photo):
    ben = replace(ANN, id="ben", email="ben@example.org")
    assert world.predict(photo, "key").id != world.predict(photo, "key", user=ben).id
    assert len(world.rows()) == 2


def test_the_same_key_for_something_else_is_refused_and_changes_nothing(world, photo, other):
    first = world.predict(photo, "key")
    for attempt in (
        lambda: world.predict(other, "key"),
        lambda: world.predict(photo, "key", details=Details(note="another")),
        lambda: world.log.enter(ANN, ManualMeal(name="x", nutrients=Nutrients()), "key"),
    ):
        with pytest.raises(Unprocessable) as refused:
            attempt()
        assert refused.value.code == "idempotency_key_reused"
    assert world.rows() == [first]
    assert world.keys() == [first.photo_key]


def test_two_at_once_make_one_row_and_one_photo(world, photo):
    both_asked = threading.Barrier(2, timeout=30)  # having seen that there is no such meal yet
    classify = world.analyst.classify
    world.analyst.classify = lambda *given: (both_asked.wait(), classify(*given))[1]
    with ThreadPoolExecutor(2) as users:
        attempts = [users.submit(world.predict, photo, "key", seconds=60) for _ in range(2)]
        answers = [attempt.result() for attempt in attempts]
    assert answers[0] == answers[1]
    assert world.rows() == [answers[0]]
    assert world.keys() == [answers[0].photo_key]


def test_the_loser_of_a_race_with_another_photo_is_refused_and_leaves_nothing(world, photo, other):
    winner = world.predict(photo, "key")
    repeated, world.log._repeated = world.log._repeated, lambda *_: None  # both looked before
    with pytest.raises(Unprocessable):
        world.predict(other, "key")
    world.log._repeated = repeated
    assert world.rows() == [winner]
    assert world.keys() == [winner.photo_key]
    assert world.photos.get(winner.photo_key) == (photo.clean(), "image/jpeg")


def test_a_meal_entered_by_hand_is_stored_once_for_its_key(world):
    entry = ManualMeal(
        name="Apple",
        nutrients=Nutrients(calories=52),
        details=Details(consumed_at=NOON.replace(day=2), meal_type="snack", note="red"),
    )
    first = world.log.enter(ANN, entry, "key")
    assert world.log.enter(ANN, entry, "key") == first
    assert world.rows() == [first]
    assert (first.food, first.inference_source, first.meal_type) == ("Apple", "manual", "snack")
    assert first.consumed_at.day == 2
    assert world.log.enter(ANN, entry, None).id != first.id


ENTRY = ManualMeal(name="Soup", nutrients=Nutrients(calories=100), ingredients=("Leek", "Salt"))


@pytest.mark.parametrize(
    "other",
    [
        replace(ENTRY, ingredients=("Leek",)),
        replace(ENTRY, ingredients=("Salt", "Leek")),
        replace(ENTRY, ingredients=("LeekSalt",)),
        replace(ENTRY, ingredients=("Leek", "Salt", "calories=100.0")),
        replace(ENTRY, ingredients=("Leek", "Salt", "Water")),
        replace(ENTRY, ingredients=()),
        replace(ENTRY, name="Stew"),
        replace(ENTRY, nutrients=Nutrients(calories=100.1)),
        replace(ENTRY, nutrients=Nutrients(proteins=100)),
        replace(ENTRY, nutrients=Nutrients(calories=100, proteins=0)),
        replace(ENTRY, details=Details(note="hot")),
    ],
)
def test_the_same_key_for_another_entry_is_refused(world, other):
    first = world.log.enter(ANN, ENTRY, "key")
    with pytest.raises(Unprocessable) as refused:
        world.log.enter(ANN, other, "key")
    assert refused.value.code == "idempotency_key_reused"
    assert world.rows() == [first]


def test_an_amount_is_the_same_however_it_is_written(world):
    first = world.log.enter(ANN, ENTRY, "key")
    again = replace(ENTRY, nutrients=Nutrients(calories=100.0))
    assert world.log.enter(ANN, again, "key") == first


def test_the_fingerprint_of_an_entry_is_the_same_in_every_release(world):
    # It is stored: where it changed, a repeat that comes after an upgrade would be refused.
    assert world.log.enter(ANN, ENTRY, "key").fingerprint == (
        "1d29eec2ff8e3d106cfb7fcc12493a82a89afa6c983916e8c55d11507171ecf9"
    )


def test_an_upload_is_stored_once_for_its_key(world, photo, other):
    key = world.log.upload(ANN, photo, "key")
    stored = world.order.count("photo")
    assert world.log.upload(ANN, photo, "key") == key
    assert world.order.count("photo") == stored
    with pytest.raises(Unprocessable):
        world.log.upload(ANN, other, "key")
    assert world.keys() == [key]
    assert world.log.photo(key) == (photo.clean(), "image/jpeg")
    assert world.log.upload(ANN, photo, None) != key


def test_an_upload_is_no_meal(world, photo):
    world.log.upload(ANN, photo, "key")
    assert world.log.history(MealQuery(user_id=ANN.id, limit=10)).meals == ()
    assert world.logged == []


def test_a_key_is_for_an_upload_or_for_a_meal(world, photo):
    world.predict(photo, "of a meal")
    world.log.upload(ANN, photo, "of an upload")
    with pytest.raises(Unprocessable):
        world.log.upload(ANN, photo, "of a meal")
    with pytest.raises(Unprocessable):
        world.predict(photo, "of an upload")


def uploads_at_once(world, *pictures):
    """What uploading each of them under one key answers; all have looked before anybody stores,
    and all have stored before anybody looks again."""
    all_looked, all_stored = (threading.Barrier(len(pictures)) for _ in range(2))
    world.photos.before_put = lambda: all_looked.wait(5)
    world.photos.after_put = lambda: all_stored.wait(5)
    answers = [None] * len(pictures)

    def upload(number):
        try:
            answers[number] = world.log.upload(ANN, pictures[number], "key")
        except Unprocessable as refused:
            answers[number] = refused.code

    threads = [threading.Thread(target=upload, args=(n,)) for n in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return answers


def test_of_two_photos_uploaded_at_once_under_one_key_one_is_kept(world, photo, other):
    answers = uploads_at_once(world, photo, other)
    assert answers.count("idempotency_key_reused") == 1
    assert world.keys() == [answer for answer in answers if answer != "idempotency_key_reused"]


def test_one_photo_uploaded_twice_at_once_under_one_key_is_stored_once(world, photo):
    first, second = uploads_at_once(world, photo, photo)
    assert first == second
    assert world.keys() == [first]


def test_an_upload_that_was_answered_stays_whoever_comes_at_once(world, photo, other):
    """One that has looked is overtaken: its twin is answered, then another photo comes."""
    answered = []

    def overtake():
        world.photos.before_put = lambda: None
        answered.append(world.log.upload(ANN, photo, "key"))
        with pytest.raises(Unprocessable):
            world.log.upload(ANN, other, "key")

    world.photos.before_put = overtake
    with suppress(Unprocessable):
        answered.append(world.log.upload(ANN, photo, "key"))
    assert len(set(answered)) == 1
    assert world.log.photo(answered[0]) == (photo.clean(), "image/jpeg")


def test_an_upload_without_its_row_is_swept(world, photo):
    world.meals.lose_request = world.photos.fail_delete = True
    with pytest.raises(ProviderError):
        world.log.upload(ANN, photo, "key")
    later = datetime.now(UTC) + timedelta(hours=2)
    assert [orphan.key for orphan in find_orphans(world.storage, later)] == world.keys() != []


def test_a_photo_that_is_not_there_is_not_found(world):
    with pytest.raises(NotFound):
        world.log.photo("ann/none.jpg")


def test_history_is_the_users_own(world, photo):
    mine = world.predict(photo)
    world.predict(photo, user=replace(ANN, id="ben"))
    assert world.log.history(MealQuery(user_id=ANN.id, limit=10)).meals == (mine,)

"""What is left after throttling, time-outs and lost answers at every single call."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from aws_calls import KINDS, Fault, Raw
from botocore.awsrequest import AWSResponse
from botocore.retries.standard import ExponentialBackoff
from urllib3.exceptions import ProtocolError, ReadTimeoutError
from urllib3.response import HTTPResponse

from foodlog.concurrency import Deadline, Pool, request_deadline
from foodlog.errors import ProviderError, ProviderTimeout
from foodlog.models import Meal, MealQuery, Nutrients, StoredPhoto, User
from foodlog.photos import Photo, verify
from foodlog.services.analysis import Analysis, Finding
from foodlog.services.meals import Details, MealLog
from foodlog.services.sweep import delete_orphans, find_orphans
from foodlog.testing import photos
from foodlog_plugins.aws_storage import AwsStorage

Make = Callable[..., AwsStorage]
NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
KEY = f"ann/{'1' * 32}.jpg"
MEAL = Meal(
    id="1" * 32, user_id="ann", food="Soup", created_at=NOON, consumed_at=NOON, photo_key=KEY
)
USER = User(id="u1", email="ann@example.com", created_at=NOON, password_hash="h")


class Toast:
    """Sees toast on every photo."""

    def classify(self, photo: Photo, deadline: Deadline) -> Finding:
        return Finding(label="toast", inference_source="fake", metadata={})

    def nutrition(self, finding: Finding, photo: Photo, deadline: Deadline) -> Analysis:
        return Analysis(
            food="Toast",
            nutrients=Nutrients(calories=300),
            ingredients=("Bread",),
            components=(),
            nutrition_source="fake",
            coverage=1.0,
            estimated=False,
            metadata={},
        )


class Logs:
    """Makes logs over storages; their photos are stored in one pool."""

    def __init__(self) -> None:
        self._side = Pool("side", 2, 2)

    def over(self, storage: AwsStorage) -> MealLog:
        return MealLog(
            storage=storage,
            analyst=Toast(),  # type: ignore[arg-type]
            side=self._side,
            clock=lambda: NOON,
            ids=lambda: uuid4().hex,
            on_logged=lambda meal: None,
        )

    def settle(self) -> None:
        """Until what runs beside a request has ended."""
        while self._side.pending:
            self._side.submit(int).result(5)

    def close(self) -> None:
        self._side.close()


@pytest.fixture
def logs() -> Iterator[Logs]:
    made = Logs()
    yield made
    made.close()


@pytest.fixture(scope="module")
def photo() -> Photo:
    return verify(photos.jpeg(32, 32))


ANN = User(id="ann", email="ann@example.com", created_at=NOON, password_hash="h")
ALONE = [{number: kind} for number in (1, 2, 3) for kind in KINDS]
"""Faults at: is it there already, photo, row."""
OF_PHOTO_AND_DELETION = [{2: first, 3: kind} for first in ("throttled", "late") for kind in KINDS]
OF_READING = ("throttled", "timed out", "answer cut")
"""What may happen to a call that changes nothing."""
OF_ROW_AND_READING = [
    {3: first, 4: kind} for first in ("throttled", "answer lost", "late") for kind in OF_READING
]
OF_ROW_AND_DELETION = [{3: "throttled", 5: kind} for kind in KINDS]
OF_TWO_TRIES = [
    {3: first, 4: second}
    for first in KINDS
    for second in ("throttled", "broken", "unreachable", "timed out")
]
"""Faults at the SDK's first try to write the row, and at its second."""


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK tries again without a pause."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("scripts", "attempts", "hit"),
    [
        (ALONE, 1, {"GetItem", "PutObject", "PutItem"}),
        (OF_PHOTO_AND_DELETION, 1, {"PutObject", "DeleteObject"}),
        (OF_ROW_AND_READING, 1, {"PutItem", "GetItem"}),
        (OF_ROW_AND_DELETION, 1, {"PutItem", "DeleteObject"}),
        (OF_TWO_TRIES, 2, {"PutItem", "GetItem"}),  # an answer that was cut is not tried again
    ],
)
def test_logging_a_meal_survives_faults_at_any_call(
    on_moto: Make,
    storage: AwsStorage,
    logs: Logs,
    photo: Photo,
    scripts: list[dict[int, str]],
    attempts: int,
    hit: set[str],
) -> None:
    faulty = on_moto(attempts=attempts)
    fault, faulty_log, log = Fault(faulty, {}), logs.over(faulty), logs.over(storage)
    failed = set()
    for script in scripts:
        late = any(kind.startswith("late") for kind in script.values())
        for lands_first in (True, False) if late else (True,):
            key = f"{script} {lands_first}"
            fault.start(script)
            acknowledged = attempt(faulty_log, photo, key)
            logs.settle()
            failed |= {fault.calls[number - 1] for number in script}
            if lands_first:
                fault.land()
            is_whole(storage, key)
            repeated = attempt(log, photo, key)
            fault.land()
            assert acknowledged in (repeated, None), f"what was acknowledged is kept, {key}"
            assert swept_and_emptied(storage) == [repeated], f"one row in the end, {key}"
    assert failed == hit, "the calls that were meant to fail"


@pytest.mark.usefixtures("at_once")
def test_a_row_that_is_refused_at_every_try_takes_its_photo_with_it(
    on_moto: Make, storage: AwsStorage, logs: Logs, photo: Photo
) -> None:
    faulty = on_moto(attempts=2)
    fault = Fault(faulty, {3: "throttled", 4: "throttled"})
    assert attempt(logs.over(faulty), photo, "key") is None
    assert fault.calls[2:4] == ["PutItem", "PutItem"]
    assert state(storage) == ([], [], [])


def attempt(log: MealLog, photo: Photo, key: str) -> Meal | None:
    """The meal that a /predict acknowledges; None where it fails in a way it may."""
    try:
        return log.predict(ANN, photo, Details(), key, Deadline(30))
    except ProviderError as error:
        if error.retry_after or isinstance(error, ProviderTimeout):
            return None
        raise


def is_whole(storage: AwsStorage, when: str) -> None:
    """Every row has its photo; every photo has its row, or the sweep finds it."""
    stored = {photo.key for photo in storage.photos.list()}
    named = {meal.photo_key for meal in storage.meals.scan()}
    assert named <= stored, when
    assert {orphan.key for orphan in orphans(storage)} == stored - named, when


def orphans(storage: AwsStorage) -> list[StoredPhoto]:
    return find_orphans(storage, datetime.now(UTC) + timedelta(hours=2))


def swept_and_emptied(storage: AwsStorage) -> list[Meal]:
    """The rows there were; after sweeping, each had its photo, and there was no other photo."""
    found = orphans(storage)
    assert [*delete_orphans(storage, found)] == found
    meals = [*storage.meals.scan()]
    assert [photo.key for photo in storage.photos.list()] == [meal.photo_key for meal in meals]
    for meal in meals:
        storage.meals.delete(meal.id)
        storage.photos.delete(meal.photo_key or "")
    return meals


CHANGES: dict[str, Callable[[AwsStorage], Any]] = {
    "replace": lambda s: s.meals.replace(replace(MEAL, food="Stew")),
    "delete": lambda s: s.meals.delete(MEAL.id),
    "sign up": lambda s: s.users.add(USER),
    "rehash": lambda s: s.users.replace(replace(USER, password_hash="new")),
    "erase": lambda s: s.users.delete(USER.email),
    "delete photo": lambda s: s.photos.delete(KEY),
}


def state(storage: AwsStorage) -> tuple[Any, ...]:
    photos = [photo.key for photo in storage.photos.list()]
    return [*storage.meals.scan()], [*storage.users.scan()], photos


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_may_be_repeated_after_a_fault(
    on_moto: Make, storage: AwsStorage, kind: str, change: str
) -> None:
    storage.photos.put(KEY, b"photo", "image/jpeg")
    storage.meals.add(MEAL)
    if change != "sign up":
        storage.users.add(USER)
    faulty = on_moto()
    fault = Fault(faulty, {1: kind})
    with pytest.raises(ProviderError):
        CHANGES[change](faulty)
    fault.land()
    answer, after = CHANGES[change](faulty), state(storage)
    expected = {"replace": replace(MEAL, food="Stew", version=2), "sign up": True}
    assert answer == expected.get(change)
    CHANGES[change](faulty)
    assert state(storage) == after


@pytest.mark.usefixtures("at_once")
def test_the_sdk_repeats_a_call_whose_answer_was_lost_and_nobody_notices(
    on_moto: Make, storage: AwsStorage
) -> None:
    faulty = on_moto(attempts=2)
    fault = Fault(faulty, {1: "answer lost"})
    assert faulty.meals.add(MEAL) == MEAL
    fault.start({1: "answer lost"})
    assert faulty.meals.replace(MEAL) == replace(MEAL, version=2)
    fault.start({1: "answer lost"})
    assert faulty.users.add(USER) is True
    assert [*storage.meals.scan()] == [replace(MEAL, version=2)]


def test_throttling_says_when_to_come_back(on_moto: Make, storage: AwsStorage) -> None:
    faulty = on_moto()
    Fault(faulty, "throttled")
    with pytest.raises(ProviderError, match="throttled") as caught:
        faulty.meals.get("1")
    assert caught.value.status == 503
    assert caught.value.retry_after == 1


@pytest.mark.parametrize(
    "answer", [b"", b'{"Item":{"email":{"S":"ann"}', b"<html>", b"[]", b"null"]
)
def test_an_answer_that_is_none_is_not_taken_for_one_that_nothing_is_there(
    on_moto: Make, storage: AwsStorage, answer: bytes
) -> None:
    faulty = on_moto()

    def answered(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, {}, Raw(answer))

    faulty.clients.dynamodb.meta.events.register("before-send", answered)
    for call in (
        lambda: faulty.users.get(USER.email),
        lambda: faulty.users.add(USER),
        lambda: faulty.meals.add(MEAL),
        lambda: faulty.meals.list(MealQuery(user_id="ann", limit=1)),
        lambda: [*faulty.meals.scan()],
    ):
        with pytest.raises(ProviderTimeout, match="before it answered"):
            call()


@pytest.mark.parametrize("error", [ReadTimeoutError(Any, "", ""), ProtocolError("broken")])
def test_a_photo_whose_bytes_stop_coming_is_a_time_out(
    on_moto: Make, storage: AwsStorage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    storage.photos.put(KEY, b"1234", "image/jpeg")
    monkeypatch.setattr(HTTPResponse, "read", Mock(side_effect=error))
    with pytest.raises(ProviderTimeout):
        storage.photos.get(KEY)


def test_a_time_out_is_a_504(on_moto: Make, storage: AwsStorage) -> None:
    faulty = on_moto()
    Fault(faulty, "timed out")
    with pytest.raises(ProviderTimeout, match="did not answer in time"):
        faulty.photos.get(KEY)


@pytest.fixture
def time_left() -> Iterator[Callable[[float], None]]:
    """Says how many seconds the request has left; the clock stands."""

    def leave(seconds: float) -> None:
        request_deadline.set(Deadline(seconds, clock=lambda: 0.0))

    before = request_deadline.set(None)
    yield leave
    request_deadline.reset(before)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("seconds", "tries"), [(0, 1), (4.4, 1), (5.4, 2), (12, 3)])
def test_nothing_is_tried_again_that_the_request_has_no_time_for(
    on_moto: Make,
    storage: AwsStorage,
    time_left: Callable[[float], None],
    seconds: float,
    tries: int,
) -> None:
    """One more try takes a second and 2.5 of them, and a pause of 1 before it, then of 2."""
    faulty = on_moto(attempts=3, read_timeout=2.5)
    fault = Fault(faulty, "timed out")
    for call in (lambda: faulty.meals.get("1"), lambda: faulty.photos.get(KEY)):
        fault.start("timed out")
        time_left(seconds)
        with pytest.raises(ProviderTimeout):
            call()
        assert len(fault.calls) == tries


@pytest.mark.usefixtures("at_once")
def test_what_must_be_cleaned_up_is_tried_once_though_the_time_is_over(
    on_moto: Make,
    storage: AwsStorage,
    logs: Logs,
    photo: Photo,
    time_left: Callable[[float], None],
) -> None:
    faulty = on_moto(attempts=3)
    fault = Fault(faulty, {3: "throttled"})
    time_left(3)
    assert attempt(logs.over(faulty), photo, "key") is None
    assert fault.calls == ["GetItem", "PutObject", "PutItem", "GetItem", "DeleteObject"]
    assert state(storage) == ([], [], [])

"""What is left after throttling, time-outs and lost answers at every single call."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from foodlog.errors import ProviderError, ProviderTimeout
from foodlog.models import Meal, User
from foodlog.services.sweep import find_orphans
from foodlog_plugins.aws_storage import AwsStorage

Make = Callable[..., AwsStorage]
NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
KEY = f"ann/{'1' * 32}.jpg"
MEAL = Meal(
    id="1" * 32, user_id="ann", food="Soup", created_at=NOON, consumed_at=NOON, photo_key=KEY
)
USER = User(id="u1", email="ann@example.com", created_at=NOON, password_hash="h")
KINDS = ("throttled", "timed out", "answer lost")


class Fault:
    """Lets a storage's ``number``-th call fail (from 1), and all others pass."""

    def __init__(self, storage: AwsStorage, kind: str, number: int) -> None:
        self.calls = 0
        self._kind, self._number = kind, number
        for client in (storage.clients.s3, storage.clients.dynamodb):
            client.meta.events.register("before-send", self._send)

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        self.calls += 1
        if self.calls != self._number:
            return None
        if self._kind == "throttled":
            return throttled(request.url, event_name)
        if self._kind == "answer lost":
            URLLib3Session().send(request)
        raise ReadTimeoutError(endpoint_url=request.url)


class Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def throttled(url: str, event_name: str) -> AWSResponse:
    if ".s3." in event_name:
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>"
        return AWSResponse(url, 503, {}, Raw(body))
    body = b'{"__type": "com.amazonaws#ProvisionedThroughputExceededException"}'
    return AWSResponse(url, 400, {}, Raw(body))


def log(storage: AwsStorage, meal: Meal) -> Meal:
    """Photo, then row; of a row that failed and is not there the photo goes too."""
    storage.photos.put(KEY, b"photo", "image/jpeg")
    try:
        return storage.meals.add(meal)
    except ProviderError:
        found = storage.meals.get(meal.id)
        if found is None:
            storage.photos.delete(KEY)
            raise
        return found


def is_whole(storage: AwsStorage) -> None:
    """Every row has its photo; every photo has its row, or the sweep finds it."""
    photos = {photo.key for photo in storage.photos.list()}
    named = {meal.photo_key for meal in storage.meals.scan()}
    assert named <= photos
    later = datetime.now(UTC) + timedelta(hours=2)
    assert {photo.key for photo in find_orphans(storage, later)} == photos - named


@pytest.mark.parametrize("kind", KINDS)
def test_logging_a_meal_survives_a_fault_at_any_call(
    on_moto: Make, storage: AwsStorage, kind: str
) -> None:
    for number in range(1, 9):
        faulty = on_moto()
        fault = Fault(faulty, kind, number)
        try:
            acknowledged: Meal | None = log(faulty, MEAL)
        except ProviderError as error:
            acknowledged, told = None, error
        assert acknowledged or told.retry_after or isinstance(told, ProviderTimeout)
        is_whole(storage)
        if acknowledged:
            assert storage.meals.get(MEAL.id) == acknowledged == MEAL
        assert log(storage, MEAL) == MEAL, "what failed is done by repeating it"
        assert [*storage.meals.scan()] == [MEAL], "and makes no second row"
        is_whole(storage)
        storage.meals.delete(MEAL.id)
        storage.photos.delete(KEY)
        if fault.calls < number:
            break
    assert number > 2, "there were calls to fail"


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
    Fault(faulty, kind, 1)
    with pytest.raises(ProviderError):
        CHANGES[change](faulty)
    answer, after = CHANGES[change](faulty), state(storage)
    expected = {"replace": replace(MEAL, food="Stew", version=2), "sign up": True}
    assert answer == expected.get(change)
    CHANGES[change](faulty)
    assert state(storage) == after


def test_the_sdk_repeats_a_call_whose_answer_was_lost_and_nobody_notices(
    on_moto: Make, storage: AwsStorage
) -> None:
    faulty = on_moto(attempts=2)
    fault = Fault(faulty, "answer lost", 1)
    assert faulty.meals.add(MEAL) == MEAL
    fault.calls = 0
    assert faulty.meals.replace(MEAL) == replace(MEAL, version=2)
    fault.calls = 0
    assert faulty.users.add(USER) is True
    assert [*storage.meals.scan()] == [replace(MEAL, version=2)]


def test_throttling_says_when_to_come_back(on_moto: Make, storage: AwsStorage) -> None:
    faulty = on_moto()
    Fault(faulty, "throttled", 1)
    with pytest.raises(ProviderError, match="throttled") as caught:
        faulty.meals.get("1")
    assert caught.value.status == 503
    assert caught.value.retry_after == 1


def test_a_time_out_is_a_504(on_moto: Make, storage: AwsStorage) -> None:
    faulty = on_moto()
    Fault(faulty, "timed out", 1)
    with pytest.raises(ProviderTimeout, match="did not answer in time"):
        faulty.photos.get(KEY)

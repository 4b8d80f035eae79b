import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from PIL import Image

from foodlog.characters import controls
from foodlog.dishes import Dishes
from foodlog.errors import ProviderError, ProviderTimeout
from foodlog.models import Label, Nutrients
from foodlog.photos import Photo, verify
from foodlog.providers import Context
from foodlog.testing.photos import jpeg
from foodlog.testing.upstreams import MLServiceStub, Reply
from foodlog_plugins.ml_service import MLService
from foodlog_plugins.remote import amount, confidences, text

KEY = "ml_s3cr3t"


def build(url: str, **given: Any) -> MLService:
    options = MLService.Options().load({"url": url, **given})
    context = Context(dishes=Dishes(()), clock=lambda: datetime.now(UTC), threads=2)
    return MLService(options, context)


@cache
def photo() -> Photo:
    made = verify(jpeg(400, 300))
    made.metadata = {"make": "Böck", "iso": 100, "gps": {"latitude": 48.1, "longitude": 11.5}}
    return made


@pytest.fixture
def stub() -> Iterator[MLServiceStub]:
    with MLServiceStub(api_key=KEY) as running:
        yield running


@pytest.fixture
def service(stub: MLServiceStub) -> Iterator[MLService]:
    made = build(f"{stub.url}/predict", api_key=KEY)
    yield made
    made.close()


def failure(service: MLService, timeout: float = 5) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        service.classify(photo(), timeout)
    return caught.value


def test_a_meal_with_everything(service: MLService) -> None:
    answer = service.classify(photo(), 5)
    assert answer.labels == (Label("Veggie power bowl", 0.88),)
    assert answer.ingredients == ("quinoa", "chickpeas", "spinach")
    assert answer.nutrients == Nutrients(calories=420, proteins=18, fats=14, carbohydrates=52)


def test_the_service_is_sent_photo_facts_and_key(stub: MLServiceStub, service: MLService) -> None:
    service.classify(photo(), 5)
    [asked] = stub.requests
    assert (asked.method, asked.path) == ("POST", "/predict")
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    image = asked.parts()["image"]
    assert (image.get_filename(), image.get_content_type()) == ("upload.jpg", "image/jpeg")
    assert image.get_payload(decode=True) == photo().reduced(1024)


def test_where_the_photo_was_taken_is_not_sent(stub: MLServiceStub, service: MLService) -> None:
    service.classify(photo(), 5)
    facts = stub.requests[0].parts()["metadata"].get_payload(decode=True)
    assert orjson.loads(bytes(facts)) == {"make": "Böck", "iso": 100}


def test_without_a_key_none_is_sent(stub: MLServiceStub) -> None:
    stub.api_key = None
    service = build(stub.url)
    service.classify(photo(), 5)
    assert stub.requests[0].headers["Authorization"] is None
    service.close()


def test_a_large_photo_is_sent_reduced(stub: MLServiceStub) -> None:
    service = build(stub.url, api_key=KEY, longest_side=100)
    service.classify(photo(), 5)
    sent = stub.requests[0].parts()["image"].get_payload(decode=True)
    assert Image.open(BytesIO(bytes(sent))).size == (100, 75)
    service.close()


def test_connections_are_kept_alive(stub: MLServiceStub, service: MLService) -> None:
    for _ in range(5):
        service.classify(photo(), 5)
    assert stub.connections == 1


def test_a_food_alone_is_an_answer(stub: MLServiceStub, service: MLService) -> None:
    stub.script(Reply.json({"food": " soup "}))
    answer = service.classify(photo(), 5)
    assert answer.labels == (Label("soup"),)
    assert (answer.ingredients, answer.nutrients) == ((), None)


def test_a_food_may_be_in_any_script(stub: MLServiceStub, service: MLService) -> None:
    stub.script(Reply.json({"food": "bœuf\xa0bourguignon", "ingredients": ["カレー\u3000粉"]}))
    answer = service.classify(photo(), 5)
    assert answer.labels == (Label("bœuf\xa0bourguignon"),)
    assert answer.ingredients == ("カレー\u3000粉",)


def test_the_calories_may_stand_beside_the_facts(stub: MLServiceStub, service: MLService) -> None:
    stub.script(Reply.json({"food": "soup", "calories": 90, "nutrition_facts": {"fats": 3}}))
    assert service.classify(photo(), 5).nutrients == Nutrients(calories=90, fats=3)


def test_a_percentage_is_a_confidence(stub: MLServiceStub, service: MLService) -> None:
    stub.script(Reply.json({"food": "soup", "confidence": 88}))
    assert service.classify(photo(), 5).labels == (Label("soup", 0.88),)


@pytest.mark.parametrize("value", [-1, 20_001, 1e300, "420", True, None, [], {}])
def test_an_amount_that_cannot_be_is_unknown(
    stub: MLServiceStub, service: MLService, value: object
) -> None:
    facts = {"calories": value, "proteins": value, "fats": 3, "carbohydrates": value}
    stub.script(Reply.json({"food": "soup", "calories": value, "nutrition_facts": facts}))
    assert service.classify(photo(), 5).nutrients == Nutrients(fats=3)


@pytest.mark.parametrize("value", [None, "none", 3, [], ["a", 1, None, "x" * 201, " b "]])
def test_ingredients_that_are_no_text_are_left_out(
    stub: MLServiceStub, service: MLService, value: object
) -> None:
    stub.script(Reply.json({"food": "soup", "ingredients": value, "nutrition_facts": value}))
    answer = service.classify(photo(), 5)
    assert answer.ingredients == (("a", "b") if isinstance(value, list) and value else ())
    assert answer.nutrients is None


def test_ingredients_are_bounded(stub: MLServiceStub, service: MLService) -> None:
    stub.script(Reply.json({"food": "soup", "ingredients": ["x"] * 1000}))
    assert len(service.classify(photo(), 5).ingredients) == 50


GARBAGE = {
    "no food": b'{"calories": 3}',
    "an empty food": b'{"food": ""}',
    "a number for a food": b'{"food": 3}',
    "a list": b'[{"food": "soup"}]',
    "null": b"null",
    "NaN": b'{"food": "soup", "calories": NaN}',
    "text for a confidence": b'{"food": "soup", "confidence": "high"}',
    "negative confidence": b'{"food": "soup", "confidence": -1}',
    "confidence over a hundred": b'{"food": "soup", "confidence": 101}',
    "HTML": b"<html>",
    "nothing": b"",
    "over 1 MiB": b'{"food": "' + b"x" * (1 << 20) + b'"}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_failure(stub: MLServiceStub, service: MLService, body: bytes) -> None:
    stub.script(Reply(body=body))
    assert not failure(service).permanent


@pytest.mark.parametrize(
    ("status", "word", "permanent"),
    [
        (401, "api_key", True),
        (403, "api_key", True),
        (404, "url", True),
        (405, "url", True),
        (410, "url", True),
        (400, "HTTP 400", False),
        (422, "HTTP 422", False),
        (500, "HTTP 500", False),
        (503, "HTTP 503", False),
    ],
)
def test_a_refusal_says_what_to_look_at(
    stub: MLServiceStub, service: MLService, status: int, word: str, permanent: bool
) -> None:
    stub.always(Reply.json({"error": {"trace": "…"}}, status))
    error = failure(service)
    assert word in str(error)
    assert error.permanent is permanent
    assert len(stub.requests) == 1


def test_a_limit_says_for_how_long(stub: MLServiceStub, service: MLService) -> None:
    stub.script(Reply(429, headers={"Retry-After": "9"}))
    assert failure(service).retry_after == 9


def test_a_silent_service_is_a_timeout(stub: MLServiceStub, service: MLService) -> None:
    stub.script(Reply(delay=60))
    assert isinstance(failure(service, timeout=0.2), ProviderTimeout)


def test_the_key_is_never_shown(
    stub: MLServiceStub, service: MLService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = ""
    for status in (200, 401, 500):
        stub.script(Reply(status, f"bad key {KEY}".encode()))
        shown += repr(failure(service))
    shown += "".join(str(vars(record)) for record in caplog.records)
    assert KEY not in f"{shown} {service.options} {vars(service)}"


@pytest.mark.parametrize(
    "given",
    [
        {"url": "stub"},
        {"url": "mock"},
        {"url": "stub://anything"},
        {"url": "STUB://anything"},
        {"url": "http://127.0.0.1:1", "mode": "stub"},
        {"url": "http://127.0.0.1:1", "mode": " Mock "},
    ],
)
def test_in_stub_mode_the_answer_is_left_to_the_fallback(given: dict[str, Any]) -> None:
    service = build(**given)
    service.check()
    error = failure(service)
    assert "stub mode" in str(error)
    assert error.permanent
    service.close()


def test_another_mode_changes_nothing(stub: MLServiceStub) -> None:
    service = build(stub.url, api_key=KEY, mode="production")
    assert service.classify(photo(), 5).labels[0].name == "Veggie power bowl"
    service.close()


def test_a_url_is_required() -> None:
    with pytest.raises(ValidationError, match="url"):
        MLService.Options().load({})


def test_the_check_tells_a_bad_key(stub: MLServiceStub, service: MLService) -> None:
    service.check()
    stub.api_key = "another"
    with pytest.raises(ProviderError, match="api_key"):
        service.check()


@pytest.mark.parametrize(
    ("request_", "status"), [({"method": "GET"}, 405), ({"method": "POST", "content": b"x"}, 400)]
)
def test_the_stub_refuses_what_the_service_would(
    stub: MLServiceStub, service: MLService, request_: dict[str, Any], status: int
) -> None:
    assert service._upstream is not None
    assert service._upstream.request(timeout=5, **request_).status == status


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)


@given(values)
def test_only_what_can_be_true_is_believed(value: object) -> None:
    number, word = amount(value, 100), text(value)
    assert number is None or 0 <= number <= 100
    assert word is None or (0 < len(word) <= 200 and not controls(word))


@given(st.lists(st.floats(0, 100), max_size=5))
def test_confidences_keep_their_order_and_end_up_in_bounds(numbers: list[float]) -> None:
    shares = confidences(numbers)
    assert all(0 <= share <= 1 for share in shares)
    assert [share for _, share in sorted(zip(numbers, shares, strict=True))] == sorted(shares)

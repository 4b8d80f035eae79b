import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from PIL import Image

from foodlog.dishes import Dishes
from foodlog.errors import ProviderError, ProviderTimeout
from foodlog.models import Label
from foodlog.photos import Photo, verify
from foodlog.providers import Context
from foodlog.testing.photos import jpeg
from foodlog.testing.upstreams import HuggingFaceStub, Reply
from foodlog.upstream import Upstream
from foodlog.validation import load
from foodlog_plugins import huggingface, ml_service
from foodlog_plugins.huggingface import DEFAULT_URL, HuggingFace, is_router, normalised

TOKEN = "hf_s3cr3t"
FAILURES = HuggingFaceStub.FAILURES


class Waiting:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return 100.0 + sum(self.slept)


def build(url: str, **given: Any) -> HuggingFace:
    waiting = given.pop("waiting", Waiting())
    options = HuggingFace.Options().load({"url": url, "token": TOKEN, **given})
    context = Context(dishes=Dishes(()), clock=lambda: datetime.now(UTC), threads=2)
    return HuggingFace(
        options,
        context,
        clock=waiting.now,
        sleep=waiting.slept.append,
        jitter=lambda: 0.5,
    )


@cache
def photo() -> Photo:
    return verify(jpeg())


@pytest.fixture
def stub() -> Iterator[HuggingFaceStub]:
    with HuggingFaceStub(token=TOKEN) as running:
        yield running


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def router(stub: HuggingFaceStub, waiting: Waiting) -> Iterator[HuggingFace]:
    made = build(stub.router_url, waiting=waiting)
    yield made
    made.close()


@pytest.fixture
def space(stub: HuggingFaceStub, waiting: Waiting) -> Iterator[HuggingFace]:
    made = build(f"{stub.url}/run/predict?session=s1", waiting=waiting)
    yield made
    made.close()


def failure(classifier: HuggingFace, timeout: float = 5) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        classifier.classify(photo(), timeout)
    return caught.value


def test_the_router_is_sent_the_photo_and_answers_labels(
    stub: HuggingFaceStub, router: HuggingFace
) -> None:
    answer = router.classify(photo(), 5)
    assert answer.labels[:2] == (Label("pizza", 0.93), Label("bruschetta", 0.03))
    assert answer.diagnostics == {"url": stub.router_url}
    [asked] = stub.requests
    assert asked.headers["Content-Type"] == "image/jpeg"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.body == photo().reduced(1024)


def test_a_space_is_sent_a_data_url_and_answers_labels_and_durations(
    stub: HuggingFaceStub, space: HuggingFace
) -> None:
    answer = space.classify(photo(), 5)
    assert answer.labels[0] == Label("pizza", 0.93)
    assert answer.diagnostics == {
        "url": f"{stub.url}/run/predict",
        "duration": 0.7,
        "average_duration": 0.8,
    }
    [asked] = stub.requests
    assert asked.path == "/run/predict?session=s1"
    assert asked.json()["data"][0].startswith("data:image/jpeg;base64,/9j/")


def test_a_large_photo_is_sent_reduced(stub: HuggingFaceStub) -> None:
    classifier = build(stub.router_url, longest_side=100)
    classifier.classify(verify(jpeg(400, 300)), 5)
    assert max(Image.open(BytesIO(stub.requests[0].body)).size) == 100
    classifier.close()


def test_connections_are_kept_alive(stub: HuggingFaceStub, router: HuggingFace) -> None:
    for _ in range(5):
        router.classify(photo(), 5)
    assert stub.connections == 1


def test_so_many_labels_are_kept_as_asked_for(stub: HuggingFaceStub) -> None:
    classifier = build(stub.router_url, top_k=2)
    stub.labels = tuple((f"dish {i}", i / 1000) for i in range(1000))
    labels = classifier.classify(photo(), 5).labels
    assert labels == (Label("dish 999", 0.999), Label("dish 998", 0.998))
    classifier.close()


RECORDED = [{"label": "brassiere, bra, bandeau", "score": 0.11}, {"score": 0.09, "label": "hat"}]
SHAPES: dict[str, Any] = {
    "objects with confidences": [
        {"label": "a", "confidences": [{"label": "a", "confidence": 0.9}]},
    ],
    "a bare object": {"label": "a", "confidences": [{"label": "a", "confidence": 0.9}]},
    "a bare label": {"label": "a", "confidence": 0.9},
    "pairs": [["a", 0.9], ["b", 0.05]],
    "one pair": ["a", 0.9],
    "pairs of one component": [[["b", 0.05], ["a", 0.9]]],
    "pairs as confidences": [{"label": "a", "confidences": [["a", 0.9], ["b", 0.05]]}],
    "percentages": [["a", 90], ["b", 0.5]],
    "percent with a sum": [{"label": "a", "confidence": 90.0}],
}


def test_labels_may_hold_commas_and_keys_come_in_any_order(
    stub: HuggingFaceStub, router: HuggingFace
) -> None:
    stub.script(Reply.json(RECORDED))
    assert router.classify(photo(), 5).labels == (
        Label("brassiere, bra, bandeau", 0.11),
        Label("hat", 0.09),
    )


@pytest.mark.parametrize("data", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_of_a_space_is_read(
    stub: HuggingFaceStub, space: HuggingFace, data: object
) -> None:
    stub.script(Reply.json({"data": data}))
    assert space.classify(photo(), 5).labels[0] == Label("a", 0.9)


def test_one_percentage_makes_all_of_them_percentages(
    stub: HuggingFaceStub, space: HuggingFace
) -> None:
    stub.script(Reply.json({"data": [["a", 90], ["b", 0.5]]}))
    assert space.classify(photo(), 5).labels[1] == Label("b", 0.005)


def test_a_rounding_error_above_one_is_one(stub: HuggingFaceStub, router: HuggingFace) -> None:
    stub.script(Reply.json([{"label": "a", "score": 1.0000001}]))
    assert router.classify(photo(), 5).labels == (Label("a", 1.0),)


def test_odd_durations_are_left_out(stub: HuggingFaceStub, space: HuggingFace) -> None:
    stub.script(Reply.json({"data": ["a", 0.9], "duration": "long", "average_duration": -1}))
    assert set(space.classify(photo(), 5).diagnostics) == {"url"}


GARBAGE = {
    "NaN": b'[{"label": "a", "score": NaN}]',
    "infinite": b'[{"label": "a", "score": 1e999}]',
    "text for a number": b'[{"label": "a", "score": "0.9"}]',
    "boolean for a number": b'[{"label": "a", "score": true}]',
    "null for a number": b'[{"label": "a", "score": null}]',
    "negative": b'[{"label": "a", "score": -0.1}]',
    "over a hundred": b'[{"label": "a", "score": 101}]',
    "number for a label": b'[{"label": 1, "score": 0.5}]',
    "empty label": b'[{"label": " ", "score": 0.5}]',
    "endless label": b'[{"label": "%s", "score": 0.5}]' % (b"a" * 201),
    "control characters": b'[{"label": "a\\u0000", "score": 0.5}]',
    "no score": b'[{"label": "a"}]',
    "one of two broken": b'[{"label": "a", "score": 0.9}, 7]',
    "empty list": b"[]",
    "null": b"null",
    "a number": b"3",
    "an object": b"{}",
    "error with 200": b'{"error": "boom"}',
    "lists in lists": b"[" * 100 + b"]" * 100,
    "HTML": b"<html>hello</html>",
    "nothing": b"",
    "over 1 MiB": b"[" + b" " * (1 << 20) + b"]",
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_failure(stub: HuggingFaceStub, router: HuggingFace, body: bytes) -> None:
    stub.script(Reply(body=body))
    assert not failure(router).permanent
    assert len(stub.requests) == 1


@pytest.mark.parametrize("data", [None, [], {}, "a", [None], [[]], [["a", True]], [["a", "0.9"]]])
def test_garbage_of_a_space_is_a_failure(
    stub: HuggingFaceStub, space: HuggingFace, data: object
) -> None:
    stub.script(Reply.json({"data": data}))
    error = str(failure(space))
    assert "label" in error or "confidence" in error


PERMANENT = {
    "token": "token",
    "credits": "credits",
    "permission": "permission",
    "unsupported": "model is not served",
    "missing": "model is not served",
    "gone": "no longer serves",
    "unprocessable": "could not read our request",
}


@pytest.mark.parametrize(("kind", "word"), PERMANENT.items())
def test_what_only_an_operator_can_mend_is_never_retried(
    stub: HuggingFaceStub, router: HuggingFace, kind: str, word: str
) -> None:
    stub.always(FAILURES[kind])
    error = failure(router)
    assert error.permanent
    assert word in str(error)
    assert f"HTTP {FAILURES[kind].status}" in str(error)
    assert len(stub.requests) == 1


@pytest.mark.parametrize("reason", ["text", {"message": "text"}, ["text"], None, 7])
@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_the_reason_of_a_failure_may_have_any_type(
    stub: HuggingFaceStub, router: HuggingFace, status: int, reason: object
) -> None:
    stub.always(Reply.json({"error": reason}, status))
    assert f"HTTP {status}" in str(failure(router))


def test_an_unexpected_status_is_a_failure(stub: HuggingFaceStub, router: HuggingFace) -> None:
    stub.script(Reply(418))
    assert "HTTP 418" in str(failure(router))


@pytest.mark.parametrize("kind", ["outage", "loading"])
def test_a_second_try_that_works_is_an_answer(
    stub: HuggingFaceStub, router: HuggingFace, waiting: Waiting, kind: str
) -> None:
    stub.script(FAILURES[kind])
    assert router.classify(photo(), 30).labels[0].name == "pizza"
    assert waiting.slept == [{"outage": 0.25, "loading": 20.0}[kind]]
    assert len(stub.requests) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "Service Unavailable"}'])
def test_an_outage_is_tried_once_more_and_no_oftener(
    stub: HuggingFaceStub, router: HuggingFace, status: int, body: bytes
) -> None:
    stub.always(Reply(status, body))
    error = failure(router)
    assert f"out of order (HTTP {status})" in str(error)
    assert not error.permanent
    assert len(stub.requests) == 2


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize(
    "body", [{"error": "Model x is currently loading"}, {"error": "x", "estimated_time": 1.5}]
)
def test_a_cold_model_is_tried_once_more(
    stub: HuggingFaceStub, router: HuggingFace, waiting: Waiting, status: int, body: object
) -> None:
    stub.always(Reply.json(body, status))
    assert "loading the model" in str(failure(router))
    assert waiting.slept in ([0.25], [1.5])
    assert len(stub.requests) == 2


def test_a_lasting_outage_soon_costs_one_question_a_photo(
    stub: HuggingFaceStub, router: HuggingFace
) -> None:
    asked = []
    stub.always(Reply(503))
    for _ in range(6):
        failure(router)
        asked.append(len(stub.requests))
    assert asked == [2, 4, 6, 7, 8, 9]


def test_outages_that_come_and_go_cost_a_tenth_more_questions_than_photos(
    stub: HuggingFaceStub, router: HuggingFace
) -> None:
    for _ in range(42):
        stub.script(Reply(503))
        with suppress(ProviderError):
            router.classify(photo(), 5)
    assert stub.asked == 42 + 3 + 4


def test_a_photo_that_is_under_way_leaves_the_second_try_to_others(
    stub: HuggingFaceStub, router: HuggingFace
) -> None:
    stub.script(Reply(delay=60), Reply(503))
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(failure, router, timeout=1)
        stub.wait_for(1)
        assert router.classify(photo(), 5).labels[0].name == "pizza"
    assert isinstance(hanging.result(), ProviderTimeout)


@pytest.mark.parametrize("reply", [FAILURES["loading"], Reply(503, headers={"Retry-After": "20"})])
def test_a_second_try_that_does_not_fit_is_not_made(
    stub: HuggingFaceStub, router: HuggingFace, waiting: Waiting, reply: Reply
) -> None:
    stub.always(reply)
    failure(router, timeout=20.1)
    assert waiting.slept == []
    assert len(stub.requests) == 1


def test_an_odd_estimate_does_not_make_us_wait(
    stub: HuggingFaceStub, router: HuggingFace, waiting: Waiting
) -> None:
    stub.always(Reply.json({"error": "loading", "estimated_time": -5}, 503))
    failure(router)
    assert waiting.slept == [0.25]


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (FAILURES["quota"], 55),
        (Reply(429, b"slow down", {"Retry-After": "7"}), 7),
        (Reply(429), None),
    ],
)
def test_a_quota_that_is_used_up_says_for_how_long(
    stub: HuggingFaceStub, router: HuggingFace, reply: Reply, seconds: float | None
) -> None:
    stub.always(reply)
    error = failure(router)
    assert error.retry_after == seconds
    assert not error.permanent
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    "reply", [Reply(delay=60), Reply(body=b"[" * 900, drip=50)], ids=["silent", "dripping"]
)
def test_an_answer_that_comes_too_late_is_a_timeout(
    stub: HuggingFaceStub, router: HuggingFace, reply: Reply
) -> None:
    stub.always(reply)
    error = failure(router, timeout=0.3)
    assert isinstance(error, ProviderTimeout)
    assert "did not answer within 0.3 s" in str(error)
    assert len(stub.requests) == 1


def test_the_upstreams_request_id_is_logged(
    stub: HuggingFaceStub, router: HuggingFace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    router.classify(photo(), 5)
    assert [vars(r)["upstream_request_id"] for r in caplog.records if "host" in vars(r)] == [
        "stub-1"
    ]


ECHO = Reply.json({"error": f"Invalid token {TOKEN}"}, 401)


@pytest.mark.parametrize("reply", [*FAILURES.values(), ECHO, Reply(body=TOKEN.encode()), Reply()])
def test_the_token_is_never_shown(
    stub: HuggingFaceStub, router: HuggingFace, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.always(reply)
    error = failure(router)
    logged = "".join(str(vars(record)) for record in caplog.records)
    assert TOKEN not in f"{error!r} {vars(error)} {logged} {router.options} {vars(router)}"


@pytest.mark.parametrize(
    ("kind", "word"), [(None, ""), ("token", "token"), ("unsupported", "not served")]
)
def test_the_check_tells_a_bad_token_from_a_model_that_is_not_served(
    stub: HuggingFaceStub, router: HuggingFace, kind: str | None, word: str
) -> None:
    if kind is None:
        router.check()
        assert Image.open(BytesIO(stub.requests[0].body)).size == (32, 32)
        return
    stub.always(FAILURES[kind])
    with pytest.raises(ProviderError, match=word):
        router.check()


def test_the_check_tells_a_host_that_is_not_there() -> None:
    with HuggingFaceStub() as stub:
        gone = build(stub.router_url)
    with pytest.raises(ProviderError, match="refused the connection"):
        gone.check()
    gone.close()


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        (DEFAULT_URL, DEFAULT_URL),
        (
            "https://api-inference.huggingface.co/models/google/vit-base-patch16-224",
            "https://router.huggingface.co/hf-inference/models/google/vit-base-patch16-224",
        ),
        ("https://api-inference.huggingface.co/models/nateraw/food/", DEFAULT_URL),
        ("https://api-inference.huggingface.co/models/", DEFAULT_URL),
        ("https://api-inference.huggingface.co/pipeline/x", DEFAULT_URL),
        ("http://API-inference.huggingface.co", DEFAULT_URL),
        ("https://me-food.hf.space/run/predict", "https://me-food.hf.space/run/predict"),
    ],
)
def test_the_host_that_was_switched_off_is_rewritten(url: str, meant: str) -> None:
    assert normalised(url) == meant


@given(st.text(max_size=60))
def test_whatever_stood_on_the_old_host_goes_to_the_router(path: str) -> None:
    assert is_router(f"https://api-inference.huggingface.co/{path.replace('[', '')}")


@pytest.mark.parametrize("url", [DEFAULT_URL, "https://api-inference.huggingface.co/models/x"])
def test_the_router_needs_a_token(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HuggingFace.Options().load({"url": url})
    assert list(caught.value.messages_dict) == ["token"]


@pytest.mark.parametrize("url", ["rubbish", "http://[", 7])
def test_what_is_no_url_is_refused(url: object) -> None:
    with pytest.raises(ValidationError) as caught:
        HuggingFace.Options().load({"url": url, "token": TOKEN})
    assert list(caught.value.messages_dict) == ["url"]


def test_an_optional_classifier_is_skipped_while_it_has_no_token() -> None:
    schema = HuggingFace.Options()
    assert [p.missing for p in load(schema, {"token": ""}, "options", {})[1]] == [True]
    assert load(HuggingFace.Options(), {"url": "https://x.hf.space", "token": ""}, "o", {})[1] == []


def test_a_space_needs_no_token(stub: HuggingFaceStub) -> None:
    stub.token = None
    options = HuggingFace.Options().load({"url": stub.url})
    context = Context(dishes=Dishes(()), clock=lambda: datetime.now(UTC))
    classifier = HuggingFace(options, context)
    assert classifier.classify(photo(), 5).labels[0].name == "pizza"
    assert stub.requests[0].headers["Authorization"] is None
    classifier.close()


@pytest.mark.parametrize(
    ("path", "token", "word"),
    [
        ("/hf-inference/models/nateraw/food", "another", "token"),
        ("/hf-inference/models/nobody/serves", TOKEN, "model is not served"),
    ],
)
def test_the_stub_refuses_what_the_router_would(
    stub: HuggingFaceStub, path: str, token: str, word: str
) -> None:
    classifier = build(stub.url + path, token=token)
    assert word in str(failure(classifier))
    classifier.close()


@pytest.mark.parametrize("path", ["/hf-inference/models/nateraw/food", "/run/predict"])
@pytest.mark.parametrize("content", [b"", b"{}", b'{"data": [3]}', b'{"data": ["x"]}', b"\xff"])
def test_the_stub_takes_nothing_but_photos(
    stub: HuggingFaceStub, path: str, content: bytes
) -> None:
    stub.token = None
    asking = Upstream("test", stub.url)
    assert asking.request("POST", path, content=content, timeout=5).status == 422
    asking.close()


def test_the_plugins_offer_their_classifiers() -> None:
    assert huggingface.foodlog_classifiers() == [HuggingFace]
    assert ml_service.foodlog_classifiers() == [ml_service.MLService]

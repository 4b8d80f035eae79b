"""Whatever the upstreams do, an answer comes in time, says where it came from, and others are
not held up. Time is counted in what the upstreams are asked, not on a clock."""

import threading
from contextlib import ExitStack

import pytest

from foodlog.concurrency import Deadline, request_deadline
from foodlog.errors import ProviderError
from foodlog.photos import verify
from foodlog.testing import photos
from foodlog.testing.client import SECRET, Client, embedded, multipart
from foodlog.testing.fakes import FakeClassifier, FakeSource, labelled, plugin
from foodlog.testing.upstreams import HuggingFaceStub, MLServiceStub, Reply
from foodlog.testing.usda import FDCStub, StubFood

APPLE = StubFood(
    171688, "Apples, raw, with skin", {"208": 52, "203": 0.26, "204": 0.17, "205": 13.8}
)


HF_TOKEN, ML_KEY, FDC_KEY = "hf-s3cr3t-0001", "ml-s3cr3t-0002", "fdc-s3cr3t-0003"


@pytest.fixture
def upstreams():
    """Hugging Face, the ML service and USDA on 127.0.0.1."""
    with ExitStack() as stack:
        yield (
            stack.enter_context(HuggingFaceStub((("apple", 0.9),), token=HF_TOKEN)),
            stack.enter_context(MLServiceStub(api_key=ML_KEY)),
            stack.enter_context(FDCStub([APPLE], api_key=FDC_KEY)),
        )


def chain(folder, upstreams, breaker="{failures: 3, seconds: 60}", timeout=10):
    """The configuration of the whole chain over these upstreams."""
    hf, ml, fdc = upstreams
    return embedded(
        folder,
        f"""
classifiers:
  - {{use: huggingface, options: {{url: "{hf.router_url}", token: {HF_TOKEN}, timeout: {timeout}}}}}
  - {{use: ml_service, options: {{url: "{ml.url}/predict", api_key: {ML_KEY}, timeout: {timeout}}}}}
nutrition:
  - {{use: usda, options: {{url: "{fdc.url}", api_key: {FDC_KEY}, timeout: {timeout}}}}}
  - {{use: food_table}}
prediction: {{deadline: 60, reserve: 0.3}}
breaker: {breaker}
""",
    )


def test_the_whole_chain_answers_and_says_where_from(tmp_path, upstreams, photo):
    with Client(chain(tmp_path, upstreams)) as client:
        client.new_user()
        meal = client.predict(photo).json
    assert meal["inference_source"] == "huggingface_space"
    assert meal["estimated"] is False
    assert (meal["food"], meal["confidence"]) == ("Apple", 0.9)
    assert meal["nutrition_source"] == "usda"
    (part,) = meal["components"]
    assert (part["source_id"], part["description"]) == ("171688", "Apples, raw, with skin")
    assert part["data_type"] == "SR Legacy"
    assert meal["metadata"]["hf_space"]["label"] == "apple"
    (record,) = meal["metadata"]["usda_fdc"]["components"]
    assert record["source_id"] == "171688"


def test_where_hugging_face_fails_the_ml_service_answers(tmp_path, upstreams, photo):
    hf, ml, _ = upstreams
    hf.always(HuggingFaceStub.FAILURES["token"])
    ml.prediction = {"food": "Grandmother's stew", "calories": 512}
    with Client(chain(tmp_path, upstreams)) as client:
        meal = client.predict(photo).json
    assert meal["inference_source"] == "ml_service"
    assert meal["calories"] == 512
    assert meal["nutrition_source"] == "ml_service"
    assert meal["metadata"]["hf_space_error"]
    assert "ml_service_error" not in meal


def test_where_all_fail_the_answer_is_an_estimate_and_the_errors_are_told_without_secrets(
    tmp_path, upstreams, photo
):
    secrets = (HF_TOKEN, ML_KEY, FDC_KEY)
    for stub in upstreams:
        stub.always(Reply(500, f"<html>broken: {secrets}</html>".encode()))
    with Client(chain(tmp_path, upstreams)) as client:
        answer = client.predict(photo)
        ready = client.get("/health/ready")
    meal = answer.json
    assert meal["inference_source"] == "local_fallback"
    assert meal["estimated"] is True
    assert meal["nutrition_source"] == "food_table"
    assert meal["ml_service_error"]
    assert meal["metadata"]["hf_space_error"]
    assert meal["metadata"]["usda_fdc_error"]
    assert "127.0.0.1" in meal["metadata"]["hf_space_error"]
    for secret in (*secrets, "<html>", "Traceback"):
        assert secret not in answer.text + ready.text


def test_a_rejected_photo_is_answered_as_the_contract_says_and_not_kept(
    tmp_path, upstreams, photo, stored_files
):
    upstreams[0].labels = (("apple", 0.31), ("pizza", 0.2))
    with Client(chain(tmp_path, upstreams)) as client:
        client.new_user()
        answer = client.predict(photo)
        assert client.get("/history").json["items"] == []
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json
    assert body["error"] == "Sorry! Unfortunately, we cannot analyze your picture!"
    assert (body["label"], body["confidence"], body["threshold"]) == ("apple", 0.31, 0.5)
    assert body["candidates"][1] == {"label": "pizza", "confidence": 0.2}
    assert (body["status"], body["accepted"], body["http_status"]) == ("hf_rejected", False, 422)
    assert body["details"]
    assert stored_files() == []
    assert upstreams[1].asked == upstreams[2].asked == 0


def test_with_every_upstream_hanging_an_answer_comes_and_then_nobody_is_asked(
    tmp_path, upstreams, photo
):
    for stub in upstreams:
        stub.always(Reply(delay=60))
    config = chain(tmp_path, upstreams, breaker="{failures: 2, seconds: 60}", timeout=0.3)
    with Client(config) as client:
        for _ in range(3):
            answer = client.predict(photo)
            assert answer.status_code == 200
            assert answer.json["estimated"] is True
        asked = [stub.asked for stub in upstreams]
        for _ in range(10):
            assert client.predict(photo).status_code == 200
        assert [stub.asked for stub in upstreams] == asked, "the breakers are open"
        rows = {row["name"]: row for row in client.get("/health/ready").json["providers"]}
    for name in ("huggingface", "ml_service", "usda"):
        assert rows[name]["breaker"] == "open"
        assert rows[name]["state"] == "failing"
        assert rows[name]["last_error"]
        assert rows[name]["last_error_at"]
    assert rows["food_table"]["state"] == "ok"


def test_a_failing_upstream_is_asked_no_more_than_1_1_times_a_request(tmp_path, upstreams, photo):
    for failure in ("outage", "token", "loading"):
        upstreams[0].always(HuggingFaceStub.FAILURES[failure])
        before = upstreams[0].asked
        with Client(chain(tmp_path / failure, upstreams)) as client:
            for _ in range(30):
                assert client.predict(photo).status_code == 200
        assert upstreams[0].asked - before <= 33


def test_one_probe_closes_a_breaker_again(tmp_path, upstreams, photo):
    hf = upstreams[0]
    hf.always(HuggingFaceStub.FAILURES["token"])
    with Client(chain(tmp_path, upstreams, breaker="{failures: 1, seconds: 0.1}")) as client:
        assert client.predict(photo).json["inference_source"] == "ml_service"
        hf.always(None)
        for _ in range(1000):
            if client.predict(photo).json["inference_source"] == "huggingface_space":
                break
        rows = {row["name"]: row for row in client.get("/health/ready").json["providers"]}
        assert rows["huggingface"]["breaker"] == "closed"


def test_hanging_analyses_hold_nobody_else_up_and_a_full_pool_says_so_at_once(tmp_path, photo):
    gate = threading.Event()
    hanging = FakeClassifier(lambda: gate.wait(30))
    config = embedded(
        tmp_path,
        f"""
classifiers: [{{use: fake_classifier}}]
concurrency: {{analyses: 4, analyses_queue: 4}}
prediction: {{deadline: 60}}
auth: {{secret: "{SECRET}"}}
""",
    )
    with Client(config, [plugin(hanging)]) as client:
        client.new_user()
        body, content_type = multipart([("photo", "a.jpg", photo)])
        predict = {
            "method": "POST",
            "path": "/predict",
            "body": body,
            "headers": {"Content-Type": content_type},
        }
        token = {"Authorization": f"Bearer {client.token}"}
        others = [
            {"method": "GET", "path": "/health"},
            {"method": "GET", "path": "/history", "headers": token},
            {
                "method": "POST",
                "path": "/auth/login",
                "json": {"email": "nobody@example.org", "password": "correct horse"},
            },
        ]
        released = threading.Timer(30, gate.set)
        released.start()

        hung, rest = client.beside([predict] * 100, others, lambda _: gate.set(), hanging=8)
        released.cancel()
    assert [answer.status_code for answer in rest] == [200, 200, 401]
    statuses = [answer.status_code for answer in hung]
    assert statuses.count(200) == 8, "four ran, four waited"
    refused = [answer for answer in hung if answer.status_code == 503]
    assert len(refused) == 92
    for answer in refused:
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json["code"] == "overloaded"


def test_a_provider_that_raises_anything_costs_only_itself(tmp_path, photo):
    def explode():
        raise SystemExit("goodbye")

    config = embedded(
        tmp_path,
        "classifiers: [{use: fake_classifier}]\nnutrition: [{use: fake_source}, {use: food_table}]",
    )
    broken = FakeSource(answer=lambda foods: explode())
    with Client(config, [plugin(FakeClassifier(explode), broken)]) as client:
        meal = client.predict(photo)
    assert meal.status_code == 200
    assert meal.json["nutrition_source"] == "food_table"


def test_nutrition_is_looked_up_while_the_photo_is_being_stored(tmp_path, photo):
    storing, looking = threading.Event(), threading.Event()

    def look(foods):
        looking.set()
        assert storing.wait(10), "the photo waits for the nutrition"
        return [None] * len(foods)

    classifier = FakeClassifier(labelled(("apple", 0.9)))
    config = embedded(
        tmp_path,
        "classifiers: [{use: fake_classifier}]\nnutrition: [{use: fake_source}, {use: food_table}]",
    )
    with Client(config, [plugin(classifier, FakeSource(answer=look))]) as client:
        client.new_user()
        store = client.app.worker.storage.photos
        put = store.put

        def put_slowly(*args):
            storing.set()
            assert looking.wait(10), "the nutrition waits for the photo"
            put(*args)

        store.put = put_slowly
        assert client.predict(photo).status_code == 200


def test_storage_that_fails_is_a_503_without_its_reasons(tmp_path, photo):
    with Client(embedded(tmp_path)) as client:
        client.new_user()
        assert client.get("/health/ready").json["status"] == "ok"

        def fail(*_, **__):
            raise ProviderError("the disk at /secret/path is gone", retry_after=7)

        storage = client.app.worker.storage
        storage.meals.list = storage.meals.add = storage.check = fail
        for answer in (client.get("/history"), client.predict(photo)):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "7"
            assert "secret" not in answer.text
    with Client(embedded(tmp_path)) as client:
        client.app.worker.storage.check = fail
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert "secret" not in ready.text


def test_a_photo_far_larger_than_the_model_needs_is_sent_smaller(tmp_path, upstreams):
    with Client(chain(tmp_path, upstreams)) as client:
        assert client.predict(photos.jpeg(3000, 2000)).status_code == 200
    (asked,) = upstreams[0].requests
    sent = verify(asked.body)
    assert 512 < max(sent.width, sent.height) <= 1024


def test_storage_is_told_by_when_a_request_must_be_answered(tmp_path, photo):
    left = []

    with Client(embedded(tmp_path, "prediction: {deadline: 100}")) as client:
        client.new_user()
        storage = client.app.worker.storage

        def noting(call):
            def noted(*arguments, **keywords):
                left.append(request_deadline.get().left())
                return call(*arguments, **keywords)

            return noted

        for store, method in ((storage.meals, "list"), (storage.photos, "put")):
            setattr(store, method, noting(getattr(store, method)))
        assert client.get("/history").status_code == 200
        assert client.predict(photo).status_code == 200, "the photo is stored in another pool"
    assert len(left) == 2
    assert all(0 < seconds <= 100 for seconds in left)
    assert request_deadline.get() is None


def test_an_analysis_has_what_its_request_has_left(tmp_path):
    with Client(embedded(tmp_path, "prediction: {deadline: 100, reserve: 2}")) as client:
        pipeline = client.app.worker.pipeline
        assert 10 < pipeline.deadline().left() <= 98, "no request: all of it"
        before = request_deadline.set(Deadline(10))
        assert pipeline.deadline().left() <= 8
        request_deadline.reset(before)

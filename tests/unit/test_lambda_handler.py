"""What API Gateway sends to Lambda, and what it gets back; no server and no AWS are involved."""

import asyncio
import base64
import json
import runpy
from pathlib import Path

import pytest

import foodlog
from foodlog.errors import ConfigError
from foodlog.testing import photos
from foodlog.testing.client import embedded, multipart

MODULE = Path(foodlog.__file__).parent / "lambda_handler.py"


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    """The module as Lambda loads it."""
    folder = tmp_path_factory.mktemp("lambda")
    (folder / "foodlog.yaml").write_text(embedded(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOODLOG_CONFIG", str(folder / "foodlog.yaml"))
        loaded = runpy.run_path(str(MODULE))
    yield loaded["handler"]
    loaded["handler"].app.stop()
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


API = "abc.execute-api.eu-west-1.amazonaws.com"


@pytest.fixture
def call(function):
    def call(method, path, body=None, query="", stage="$default", domain=API, **headers):
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": domain, **headers},
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"},
                "domainName": domain,
                "stage": stage,
            },
            "isBase64Encoded": body is not None,
        }
        if body is not None:
            event["body"] = base64.b64encode(body).decode()
            event["headers"]["content-length"] = str(len(body))
        return function(event, None)

    return call


def upload(call, data, **headers):
    body, content_type = multipart([("photo", "meal.jpg", data)])
    return call("POST", "/predict", body, **{"content-type": content_type, **headers})


def signed_up(call, email):
    credentials = json.dumps({"email": email, "password": "correct horse"}).encode()
    answer = call("POST", "/auth/signup", credentials, **{"content-type": "application/json"})
    assert answer["statusCode"] == 201
    return {"authorization": f"Bearer {json.loads(answer['body'])['token']}"}


def test_health_is_answered_as_text(call):
    answer = call("GET", "/health")
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert json.loads(answer["body"])["status"] == "ok"


@pytest.mark.parametrize(
    ("path", "stage", "domain", "status"),
    [
        ("/prod/health", "prod", API, 200),
        ("/api/api/health", "api", API, 200),
        ("/health", "prod", API, 200),
        ("/prod", "prod", API, 404),
        ("/product/health", "prod", API, 404),
        ("/prod/health", "$default", API, 404),
        ("/health", "health", "api.example.org", 200),
    ],
)
def test_the_name_of_a_stage_is_no_part_of_the_path(call, path, stage, domain, status):
    assert call("GET", path, stage=stage, domain=domain)["statusCode"] == status


def test_a_rest_api_names_its_stage_apart_from_the_path(function):
    event = {
        "resource": "/{proxy+}",
        "path": "/health",
        "httpMethod": "GET",
        "headers": {"Host": API},
        "requestContext": {"stage": "prod", "path": "/prod/health", "domainName": API},
    }
    assert function(event, None)["statusCode"] == 200


def test_a_photo_becomes_a_meal_in_the_log_and_comes_back_byte_by_byte(call):
    token = signed_up(call, "ann@example.org")
    answer = upload(call, photos.jpeg(64, 48), **token)
    assert answer["statusCode"] == 200
    meal = json.loads(answer["body"])
    listed = json.loads(call("GET", "/history", query="limit=5", **token)["body"])
    assert [item["id"] for item in listed["items"]] == [meal["id"]]

    path, _, query = meal["image_url"].partition("?")
    shown = call("GET", path, query=query)
    assert shown["isBase64Encoded"] is True
    assert shown["headers"]["content-type"] == "image/jpeg"
    assert base64.b64decode(shown["body"]).startswith(b"\xff\xd8\xff")


def test_the_worker_is_built_once_for_all_invocations(call, function):
    first = function.app.worker
    for _ in range(3):
        assert call("GET", "/health/ready")["statusCode"] == 200
    assert function.app.worker is first


@pytest.mark.parametrize(("data", "status"), [(b"no photo", 415), (bytes(12 << 20), 413)])
def test_bad_photos_are_problems_one_can_read(call, data, status):
    answer = upload(call, data)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (status, False)
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["status"] == status


def test_a_configuration_that_cannot_work_stops_the_function_from_loading(monkeypatch, tmp_path):
    monkeypatch.setenv("FOODLOG_CONFIG", str(tmp_path / "missing.yaml"))
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        runpy.run_path(str(MODULE))

"""The OpenAPI document says what the application does, and is served by it."""

import re
import sys
from configparser import ConfigParser
from functools import partial
from pathlib import Path

import jsonschema_rs
import openapi_spec_validator
import pytest
from falcon import inspect

from foodlog import cli, errors
from foodlog.openapi import operations
from foodlog.openapi.document import document, text
from foodlog.resources.documents import ASSETS
from foodlog.testing.client import Client, embedded
from foodlog.testing.fakes import FakeClassifier, labelled, plugin
from foodlog.testing.storage_memory import MemoryStorage

ROOT = Path(__file__).parents[2]
FILE = ROOT / "foodlog" / "openapi.yaml"


@pytest.fixture(scope="module")
def made():
    return document()


def test_the_document_is_up_to_date(made):
    assert FILE.read_text(encoding="utf-8") == text(made), "run: make openapi"


def test_the_document_in_docs_is_the_one_that_is_served():
    assert (ROOT / "docs" / "openapi.yaml").read_bytes() == FILE.read_bytes()


def test_the_command_prints_it(capsys, made):
    assert cli.main(["openapi"]) == 0
    assert capsys.readouterr().out == text(made)


@pytest.fixture
def without(monkeypatch):
    """Hides a package as if it were not installed."""

    def hide(package):
        for module in ("document", "fields"):
            monkeypatch.delitem(sys.modules, f"foodlog.openapi.{module}", raising=False)
        monkeypatch.setitem(sys.modules, package, None)

    return hide


def test_without_apispec_the_command_prints_the_document_of_the_release(capsys, without):
    without("apispec")
    assert cli.main(["openapi"]) == 0
    assert capsys.readouterr().out == FILE.read_text(encoding="utf-8")


def test_without_what_is_always_installed_nothing_is_hidden(without):
    without("yaml")
    with pytest.raises(ModuleNotFoundError, match="yaml"):
        cli.main(["openapi"])


def test_it_is_valid_openapi_3_1_of_this_version(made):
    assert made["openapi"] == "3.1.0"
    openapi_spec_validator.validate(made)
    options = ConfigParser()
    options.read(ROOT / "setup.cfg")
    assert made["info"]["version"] == options["metadata"]["version"]


def template(route):
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", route)


def test_every_route_is_documented_and_every_documented_route_is_there(client):
    actual = {
        (template(route.path), method.method.lower(), route.class_name, method.function_name)
        for route in inspect.inspect_routes(client.app)
        for method in route.methods
        if not method.internal and method.method != "HEAD"  # GET's, and documented in prose
    }
    documented = set()
    for operation in operations.OPERATIONS:
        class_name, _, function = operation.responder.__qualname__.partition(".")
        prefixes = {"both": ("", "/api"), "root": ("",), "legacy": ("/api",)}[operation.server]
        for prefix in prefixes:
            documented.add((prefix + operation.path, operation.method, class_name, function))
    assert actual == documented


def media_types(made):
    """Each media type object of the document, and where it is."""
    for path, item in made["paths"].items():
        for method, operation in item.items():
            where = f"{method.upper()} {path}"
            for media in operation.get("requestBody", {}).get("content", {}).values():
                yield where, media
            for status, response in operation["responses"].items():
                for media in response.get("content", {}).values():
                    yield f"{where} {status}", media
    for name, response in made["components"]["responses"].items():
        for media in response["content"].values():
            yield name, media


def test_every_example_fits_its_schema(made, contract):
    count = 0
    for where, media in media_types(made):
        if "example" in media:
            errors = list(contract.validator(media["schema"]).iter_errors(media["example"]))
            assert not errors, (where, errors)
            count += 1
    assert count > 15


def test_whatever_is_json_or_a_form_has_an_example(made):
    lacking = [where for where, media in media_types(made) if "example" not in media]
    assert {where.rsplit(" ", 1)[0] for where in lacking} <= {
        *("GET /uploads/{key}", "GET /openapi.yaml", "GET /docs", "GET /docs/{name}")
    }


@pytest.mark.parametrize(
    "error",
    [
        errors.RequestTimeout("The body did not arrive in time."),
        errors.Overloaded(),
        errors.ProviderTimeout("the disk hangs"),
        errors.StorageFull("the disk is full"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_example_of_a_problem_is_what_is_answered(made, error):
    found = [
        media["example"]
        for response in made["components"]["responses"].values()
        for media in response["content"].values()
        if media["example"]["status"] == error.status
    ]
    same = {name: found[0][name] for name in ("instance", "request_id")}
    assert found == [errors.problem(error, **same)]


def test_the_example_of_a_service_that_is_not_ready_is_one(tmp_path, made):
    storage = MemoryStorage()
    with Client(embedded(tmp_path, "storage: {use: memory}"), [plugin(storage)]) as client:
        storage.failure = errors.ProviderError("the disk is gone")
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert shape(answer.json) == shape(example(made, "/health/ready", "get", "503"))
    assert answer.json["status"] == example(made, "/health/ready", "get", "503")["status"]


def shape(value):
    """The names and types in a value; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return float if isinstance(value, (int, float)) else type(value)


class Space(FakeClassifier):
    """Tells what the Hugging Face classifier tells."""

    metadata_key = "hf_space"


def classified(tmp_path, *labels):
    return Client(
        embedded(tmp_path, "classifiers: [{use: fake_classifier}]\n"),
        [plugin(Space(labelled(*labels)))],
    )


@pytest.fixture(scope="module")
def sample():
    return (ROOT / "docs" / "sample-meal.jpg").read_bytes()


def example(made, path, method, status=None):
    operation = made["paths"][path][method]
    body = operation["responses"][status] if status else operation["requestBody"]
    return body["content"]["application/json"]["example"]


def test_the_examples_are_what_the_application_answers(tmp_path, made, sample):
    of = partial(example, made)
    with classified(tmp_path, ("caesar_salad", 0.93), ("greek_salad", 0.05)) as client:
        session = client.post("/auth/signup", json=of("/auth/signup", "post")).json
        assert shape(session) == shape(of("/auth/signup", "post", "201"))
        again = client.post("/auth/login", json=of("/auth/login", "post")).json
        assert shape(again) == shape(of("/auth/login", "post", "200"))
        client.token = session["token"]
        predicted = client.predict(sample).json
        assert shape(predicted) == shape(of("/predict", "post", "200"))
        assert predicted["food"] == of("/predict", "post", "200")["food"]
        page = shape(client.get("/history").json)
        assert page | {"next_cursor": str} == shape(of("/history", "get", "200"))
        saved = client.post("/save_meal", json=of("/save_meal", "post")).json
        assert shape(saved) == shape(of("/save_meal", "post", "201"))
        assert shape(client.get("/meals").json) == shape(of("/meals", "get", "200"))
        assert shape(client.get("/auth/me").json) == shape(of("/auth/me", "get", "200"))
        assert shape(client.get("/health").json) == shape(of("/health", "get", "200"))
        assert shape(client.get("/health/ready").json) == shape(of("/health/ready", "get", "200"))
        uploaded = client.post_form("/upload", ("photo", "a.jpg", sample)).json
        assert shape(uploaded) == shape(of("/upload", "post", "200"))


def test_the_example_of_a_rejection_is_one(tmp_path, made, sample):
    with classified(tmp_path, ("ramen", 0.31), ("pho", 0.28)) as client:
        rejected = client.predict(sample)
    assert rejected.status_code == 422
    assert shape(rejected.json) == shape(example(made, "/predict", "post", "422"))


class Answer:
    """An answer as a client gets it."""

    def __init__(self, status=200, json=None, content_type="application/json", **headers):
        self.status_code = status
        self.json = json
        self.headers = {"Content-Type": content_type} | headers
        self.content = b"" if json is None else b"{}"


ALIVE = {"status": "ok", "timestamp": "2026-03-01T12:00:00+00:00"}
UNKNOWN = {
    "type": "urn:foodlog:problem:not_found",
    "title": "Not found",
    "status": 404,
    "detail": "There is nothing here.",
    "instance": "/nothing",
    "code": "not_found",
    "request_id": "1",
    "error": "There is nothing here.",
}
PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/health", Answer(json=ALIVE)),
        ("/api/health", Answer(json=ALIVE)),
        ("/nothing", Answer(404, UNKNOWN, PROBLEM)),
        ("/health/", Answer(json=ALIVE, content_type="application/json; charset=utf-8")),
    ],
)
def test_an_answer_that_is_in_the_contract_passes(contract, path, answer):
    contract.check("GET", path, answer)


@pytest.mark.parametrize(
    ("path", "answer", "fault"),
    [
        ("/health", Answer(418, ALIVE), "undocumented status"),
        ("/health", Answer(json=ALIVE, content_type="text/html"), "undocumented type"),
        ("/health", Answer(json={"status": "ok"}), "timestamp"),
        ("/health", Answer(json=ALIVE | {"status": "fine"}), "status"),
        ("/health", Answer(json=ALIVE | {"timestamp": "now"}), "date-time"),
        ("/health", Answer(json=ALIVE | {"secret": 1}), "secret"),
        ("/api/docs", Answer(json=ALIVE), "no such operation"),
        ("/profile", Answer(json={}), "no such operation"),
        ("/nothing", Answer(json=ALIVE), "no such operation"),
        ("/nothing", Answer(404, ALIVE), "undocumented type"),
        ("/nothing", Answer(404, ALIVE, PROBLEM), "required"),
        ("/auth/me", Answer(401, UNKNOWN | {"status": 401}, PROBLEM), "WWW-Authenticate"),
        ("/docs", Answer(304, {}), "a body"),
    ],
)
def test_an_answer_that_is_not_in_the_contract_fails(contract, path, answer, fault):
    with pytest.raises(AssertionError, match=fault):
        contract.check("GET", path, answer)


def test_every_answer_in_these_tests_is_held_to_the_contract(client, contract, monkeypatch):
    monkeypatch.delitem(contract.document["paths"]["/health"]["get"]["responses"], "200")
    with pytest.raises(AssertionError, match="undocumented status"):
        client.get("/health")
    with pytest.raises(AssertionError, match="undocumented status"):
        client.beside([{"method": "GET", "path": "/health"}], [], lambda _: None)


def test_the_document_is_served_and_kept(client):
    answer = client.get("/openapi.yaml")
    assert answer.content == FILE.read_bytes()
    assert answer.headers["Content-Type"] == "application/yaml"
    kept = client.get("/openapi.yaml", headers={"If-None-Match": answer.headers["ETag"]})
    assert (kept.status_code, kept.content) == (304, b"")


def test_the_page_takes_everything_from_the_application(client):
    page = client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in page.text.replace("/openapi.yaml", "")
    names = re.findall(r'(?:src|href)="/docs/([^"]+)"', page.text)
    assert set(names) == set(ASSETS)
    for name in names:
        assert client.get(f"/docs/{name}").status_code == 200


@pytest.mark.parametrize("name", ["index.html", "..%2Fdocs.html", "swagger-ui-bundle.js.map"])
def test_nothing_but_the_page_s_own_files_is_served(client, name):
    assert client.get(f"/docs/{name}").status_code == 404


def test_the_pattern_of_a_moment_takes_what_the_application_takes(made):
    schema = made["components"]["schemas"]["SaveMeal"]["properties"]["consumed_at"]
    validator = jsonschema_rs.Draft202012Validator(schema)
    for good in ("2026-03-01", "2026-03-01T12:30", "2026-03-01T12:30:15.123+01:00"):
        assert validator.is_valid(good)
    for bad in ("yesterday", "1969-12-31", "2100-01-01", "2026-13-01", "2026-03-01T25:00"):
        assert not validator.is_valid(bad)

"""The application with the embedded default, photos to post, and the contract held to it.

Every answer any client gets here is checked against the OpenAPI document: its status, its type,
its body. No member may come that the document does not know.
"""

import re
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from foodlog.testing import photos
from foodlog.testing.client import Client, embedded


@pytest.fixture
def client(tmp_path):
    """Open, with a user of its own."""
    with Client(embedded(tmp_path)) as client:
        client.new_user()
        yield client


@pytest.fixture(scope="session")
def photo():
    """A small JPEG."""
    return photos.jpeg(64, 48)


@pytest.fixture(scope="session")
def other_photo():
    return photos.jpeg(80, 60)


@pytest.fixture
def stored_files(tmp_path):
    """A function that lists the photos on disk."""

    def files():
        return sorted(p for p in (tmp_path / "uploads").rglob("*") if p.is_file())

    return files


PROBLEM = {"$ref": "#/components/schemas/Problem"}


class Contract:
    """The OpenAPI document as a check on answers."""

    def __init__(self, document):
        self.document = document
        self._components = closed(document["components"])
        self._made = {}

    def check(self, method, path, answer, prefix="/api", rejection_status=422):
        """Fails with what about the answer is not in the contract; the last two as configured."""
        where = f"{method} {path}: {answer.status_code}"
        if method == "HEAD":
            assert not answer.content, f"{where}: a body"
            return
        template = self._template(path, prefix)
        operation = self.document["paths"].get(template, {}).get(method.lower())
        if operation is None:
            if method != "OPTIONS":
                assert answer.status_code in {404, 405, 413}, f"{where}: no such operation"
                self._check_body(where, answer, {"application/problem+json": {"schema": PROBLEM}})
            return
        status = str(answer.status_code)
        if b'"status":"hf_rejected"' in answer.content and status == str(rejection_status):
            status = "422"  # where the operator wants it to have another
        assert status in operation["responses"], f"{where}: undocumented status"
        self._check_response(where, answer, operation["responses"][status])

    def _check_response(self, where, answer, response):
        if "$ref" in response:
            name = response["$ref"].rpartition("/")[2]
            response = self.document["components"]["responses"][name]
        for name, header in response.get("headers", {}).items():
            if "$ref" in header:
                assert name in answer.headers, f"{where}: no {name}"
        if response.get("content"):
            self._check_body(where, answer, response["content"])
        else:
            assert not answer.content, f"{where}: a body"

    def _check_body(self, where, answer, content):
        media = answer.headers["Content-Type"].partition(";")[0]
        assert media in content, f"{where}: undocumented type {media}"
        if media.endswith("json"):
            schema = content[media]["schema"]
            for error in self.validator(schema).iter_errors(answer.json):
                at = "/".join(str(step) for step in error.instance_path)
                raise AssertionError(f"{where}: at /{at}: {error.message}")

    def validator(self, schema):
        """Of a schema of the document, closed."""
        key = str(schema)
        if key not in self._made:
            self._made[key] = jsonschema_rs.Draft202012Validator(
                {**schema, "components": self._components}, validate_formats=True
            )
        return self._made[key]

    def _template(self, path, prefix):
        path = path.partition("?")[0].rstrip("/")
        legacy = bool(prefix) and path.startswith(f"{prefix}/")
        bare = path.removeprefix(prefix) if legacy else path
        for template, item in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", ".+", template), bare):
                here = {method: served(op, legacy) for method, op in item.items()}
                return template if any(here.values()) else None
        return None


def served(operation, legacy):
    """Whether an operation is there below the legacy prefix, or at the root."""
    servers = [server["url"] for server in operation.get("servers", ())]
    return not servers or servers == (["/api"] if legacy else ["/"])


def closed(node):
    """The schemas, such that they take no member they do not name."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    shut = {name: closed(item) for name, item in node.items()}
    if node.get("type") == "object" and "properties" in node:
        shut.setdefault("additionalProperties", False)
    return shut


@pytest.fixture(scope="session")
def contract():
    """What is served at /openapi.yaml."""
    path = Path(__file__).parents[2] / "docs" / "openapi.yaml"
    return Contract(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.fixture(autouse=True, scope="module")
def held_to_the_contract(contract):
    """Every answer in the tests here is checked."""

    def check(client, method, path, answer):
        config = client.app.config
        status = config.prediction.rejection_status
        contract.check(method, path, answer, config.api.legacy_prefix, status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "watch", check)
        yield

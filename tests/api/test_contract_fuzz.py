"""Requests made up from the OpenAPI document, fitting and not, against the application.

However they look: no 5xx, no undocumented status, no answer that does not fit. FOODLOG_FUZZ_CASES
says how many; `make fuzz` asks for 20,000 and for others each time.
"""

import os
from copy import deepcopy
from functools import partial
from math import ceil

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from foodlog.openapi.operations import OPERATIONS
from foodlog.passwords import Passwords
from foodlog.testing import photos
from foodlog.testing.client import Client, embedded

CASES = int(os.environ.get("FOODLOG_FUZZ_CASES", "2000"))
ALWAYS_THE_SAME = "FOODLOG_FUZZ_CASES" not in os.environ
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
MODES = {mode.value: mode for mode in schemathesis.GenerationMode}


def modes(operation):
    """A path alone cannot be wrong; where nothing is taken, one case is all there is."""
    if operation.query or operation.json or operation.form:
        return list(MODES)
    return ["positive"] if "{" in operation.path else []


def groups():
    """Who asks what, and in which way: each gets its share of the cases."""
    for client, servers in {"current": ("both", "root"), "legacy": ("both", "legacy")}.items():
        for operation in OPERATIONS:
            if operation.server in servers:
                yield from ((client, operation, mode) for mode in modes(operation))
    anonymous = next(operation for operation in OPERATIONS if operation.id == "predict")
    yield from (("anonymous", anonymous, mode) for mode in MODES)


GROUPS = list(groups())
SHARE = ceil(CASES / len(GROUPS))


def valid_photos():
    made = [photos.jpeg(64, 48), photos.png(40, 30), photos.webp(40, 30), photos.gif(40, 30)]
    return st.sampled_from([*made, photos.private_jpeg(6), photos.truncated(made[0])])


@pytest.fixture(scope="module")
def cheap_passwords():
    """A hash in a millisecond: what is made of a password is not what is tried here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foodlog.worker.Passwords", partial(Passwords, rounds=4))
        yield


@pytest.fixture
def asking(tmp_path, client, cheap_passwords, held_to_the_contract):
    """Who asks, of an application that nobody asked before: the current app with a token, the
    legacy app in single-user mode, or nobody. Two groups make up the same e-mails."""
    single = f"auth: {{mode: single_user, secret: '{'s' * 40}'}}\n" if client == "legacy" else ""
    with Client(embedded(tmp_path, single)) as asking:
        if client == "current":
            asking.new_user()
        yield asking


@pytest.fixture(scope="module")
def described(contract):
    """The document as each client sees it: the base path of the legacy app is its prefix."""
    schemathesis.openapi.format("binary", valid_photos() | st.binary(min_size=1, max_size=100))
    legacy = deepcopy(contract.document)
    legacy["servers"].reverse()
    return {
        "current": loaded(contract.document),
        "anonymous": loaded(contract.document),
        "legacy": loaded(legacy),
    }


def loaded(document):
    schema = schemathesis.openapi.from_dict(document)
    schema.config.generation.update(with_security_parameters=False)
    return schema


def sent(client, case, prefix):
    """Send the case; the answer as requests has it."""
    arguments = case.as_transport_kwargs(base_url=f"http://127.0.0.1{prefix}")
    request = requests.Request(
        **{name: arguments.get(name) for name in ("method", "url", "headers", "params", "cookies")},
        **{name: arguments[name] for name in ("json", "data", "files") if name in arguments},
    ).prepare()
    answer = client.request(
        request.method, request.path_url, headers=dict(request.headers), body=body_of(request)
    )
    return schemathesis.Response(
        status_code=answer.status_code,
        headers={name: [value] for name, value in answer.headers.items()},
        content=answer.content,
        request=request,
        elapsed=0.0,
        verify=False,
    )


def body_of(request):
    return request.body.encode() if isinstance(request.body, str) else request.body or b""


@pytest.mark.parametrize(
    ("client", "operation", "mode"), GROUPS, ids=lambda value: getattr(value, "id", str(value))
)
def test_whatever_is_asked_the_answer_is_in_the_contract(
    asking, described, client, operation, mode
):
    statuses = []
    made = described[client][operation.path][operation.method.upper()]
    prefix = "/api" if client == "legacy" else ""

    @hypothesis.given(case=made.as_strategy(generation_mode=MODES[mode]))
    @hypothesis.settings(
        max_examples=SHARE,
        derandomize=ALWAYS_THE_SAME,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    def ask(case):
        response = sent(asking, case, prefix)
        statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    ask()
    assert len(statuses) >= SHARE
    # Nobody guesses a password, nor a path that leads to a photo.
    if mode == "positive" and operation.id != "logIn" and "{" not in operation.path:
        assert min(statuses) < 300, "nothing got as far as the services"

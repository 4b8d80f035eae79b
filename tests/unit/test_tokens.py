import base64
import gc
import json
import subprocess
import sys
import weakref
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foodlog.errors import ConfigError, Unauthorized
from foodlog.models import User
from foodlog.tokens import REMEMBERED, Claims, Tokens

SECRET = b"s" * 32
NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
ISSUED = int(NOW.timestamp())
USER = User(id="u1", email="ann@example.org", created_at=NOW, password_hash="", epoch=3)
CLAIMS = {
    "iss": "foodlog",
    "typ": "access",
    "sub": "u1",
    "email": "ann@example.org",
    "epoch": 3,
    "iat": ISSUED,
    "exp": ISSUED + 3600,
    "jti": "id-1",
}
INVALID = "The token is not valid; log in again."


class Clock:
    now = NOW

    def __call__(self):
        return self.now


def tokens(secret=SECRET, clock=None, **kwargs):
    return Tokens(secret, timedelta(hours=1), clock or Clock(), ids=lambda: "id-1", **kwargs)


def signed(claims, secret=SECRET, algorithm="HS256", **kwargs):
    return jwt.encode(claims, secret, algorithm=algorithm, **kwargs)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def refusal(token, reader=None):
    with pytest.raises(Unauthorized) as caught:
        (reader or tokens()).read(token)
    return str(caught.value), caught.value.code


def test_a_token_says_whose_it_is():
    assert tokens().read(tokens().issue(USER)) == Claims(
        user_id="u1", email="ann@example.org", epoch=3
    )


def test_the_claims_are_the_documented_ones():
    token = tokens().issue(USER)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert jwt.decode(token, options={"verify_signature": False}) == CLAIMS


def test_ids_differ_by_default():
    issue = Tokens(SECRET, timedelta(hours=1), Clock()).issue
    assert issue(USER) != issue(USER)


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (3599, True), (3600, False), (9e6, False)]
)
def test_a_token_expires_by_the_clock_it_is_given(seconds, good):
    clock = Clock()
    reader = tokens(clock=clock)
    token = reader.issue(USER)
    reader.read(token)
    clock.now = NOW.replace(microsecond=0) + timedelta(seconds=seconds)
    if good:
        assert reader.read(token).user_id == "u1"
    else:
        assert refusal(token, reader) == ("The token has expired; log in again.", "token_expired")


@pytest.mark.parametrize("missing", list(CLAIMS))
def test_every_claim_is_required(missing):
    claims = {name: value for name, value in CLAIMS.items() if name != missing}
    assert refusal(signed(claims)) == (INVALID, "token_invalid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "another"},
        {"iss": ["foodlog"]},
        {"typ": "refresh"},
        {"typ": None},
        {"sub": 7},
        {"jti": 7},
        {"email": None},
        {"epoch": "3"},
        {"epoch": True},
        {"exp": str(ISSUED + 3600)},
        {"exp": float(ISSUED + 3600)},
        {"exp": 10**30},
        {"exp": -1},
        {"exp": float("inf")},
        {"iat": "now"},
        {"aud": "others"},
    ],
    ids=str,
)
def test_a_claim_of_another_type_or_value_is_refused(wrong):
    # jwt.encode would refuse some of them itself
    token = jwt.PyJWS().encode(json.dumps(CLAIMS | wrong).encode(), SECRET, "HS256")
    assert refusal(token) == (INVALID, "token_invalid")


def test_a_token_of_the_flask_service_is_refused_though_the_key_is_the_same():
    old = {name: CLAIMS[name] for name in ("sub", "email", "exp", "iat")}
    assert refusal(signed(old)) == (INVALID, "token_invalid")


def test_the_algorithm_is_pinned():
    assert refusal(signed(CLAIMS, None, "none"))[0] == INVALID
    assert refusal(signed(CLAIMS, b"s" * 64, "HS512"), tokens(b"s" * 64))[0] == INVALID
    unsigned = signed(CLAIMS).rpartition(".")[0]
    assert refusal(unsigned + ".")[0] == INVALID


def test_a_tampered_token_is_refused():
    head, _, signature = signed(CLAIMS).split(".")
    payload = b64(json.dumps(CLAIMS | {"sub": "u2"}).encode())
    assert refusal(f"{head}.{payload}.{signature}") == (INVALID, "token_invalid")
    assert refusal(signed(CLAIMS, b"t" * 32)) == (INVALID, "token_invalid")


def header(text):
    return f"{b64(text)}.{b64(b'{}')}.{b64(b'x')}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "....",
        "é.é.é",
        "\ud800",
        "\0",
        header(b"[" * 2900),
        header(b'{"a":' * 580),
        header(b"1" * 2900),
        header(b'{"alg":' + b"9" * 2900 + b"}"),
        header(b"\xff\xfe"),
        header(b'{"alg": "HS256", "kid": 7}'),
        header(b'{"alg": ["HS256"]}'),
        "x" * 10_000_000,
    ],
    ids=lambda token: token[:12],
)
def test_what_is_no_token_at_all_is_refused_in_the_same_words(token):
    assert refusal(token) == (INVALID, "token_invalid")


def test_a_token_over_4_kib_is_refused_though_it_is_signed():
    assert refusal(signed(CLAIMS | {"more": "x" * 3000}))[0] == INVALID


class Watched(str):
    """Text of which one can tell whether it is still in memory."""


def test_only_tokens_of_ours_are_remembered_and_nothing_else_drives_them_out():
    reader = tokens()
    good = Watched(reader.issue(USER))
    bad = [Watched(f"{n}.b.c") for n in range(REMEMBERED)]
    bad += [Watched("x" * 2_000_000), Watched("é"), Watched(signed(CLAIMS | {"typ": "x"}))]
    reader.read(good)
    for token in bad:
        refusal(token, reader)
    remembered, forgotten = weakref.ref(good), [weakref.ref(token) for token in bad]
    del good, bad, token
    gc.collect()
    assert remembered() is not None
    assert [left for each in forgotten if (left := each()) is not None] == []


@given(st.text())
def test_no_text_makes_reading_raise_anything_else(token):
    assert refusal(token) == (INVALID, "token_invalid")


def test_after_a_rotation_the_tokens_of_the_key_before_are_still_read():
    before = tokens(b"a" * 32).issue(USER)
    rotated = tokens(b"b" * 32, previous_secrets=[b"z" * 32, b"a" * 32])
    assert rotated.read(before).user_id == "u1"
    assert tokens(b"b" * 32).read(rotated.issue(USER)).user_id == "u1"
    assert refusal(before, tokens(b"b" * 32))[0] == INVALID
    assert refusal(signed(CLAIMS | {"typ": "x"}, b"a" * 32), rotated)[0] == INVALID


@pytest.mark.parametrize(
    "make",
    [lambda: tokens(b"short-secret"), lambda: tokens(previous_secrets=[b"short-secret"])],
)
def test_a_short_secret_is_refused_with_the_way_out_and_without_the_secret(make):
    with pytest.raises(ConfigError, match=r"JWT_SECRET_KEY \(auth\.secret\) is 12 bytes.*32") as e:
        make()
    assert "token_urlsafe" in str(e.value)
    assert "short-secret" not in str(e.value)


def test_the_longest_email_still_makes_a_token_that_can_be_read():
    email = "\U0001f600" * 61 + "@a.example"
    user = User(id="f" * 36, email=email, created_at=NOW, password_hash="")
    assert tokens().read(tokens().issue(user)).email == email


def test_jwt_is_not_imported_before_it_is_needed():
    code = "import sys, foodlog.tokens; sys.exit('jwt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0

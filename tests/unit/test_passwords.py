import hashlib
import subprocess
import sys
import time

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from foodlog.passwords import Passwords
from foodlog.passwords import _digest as digest

passwords = Passwords(rounds=4)

SALT = "abcDEF0123456789"


def scrypt(n, r, p, salt=SALT, digest="0" * 128):
    return f"scrypt:{n}:{r}:{p}${salt}${digest}"


def pbkdf2(iterations, salt=SALT, digest="0" * 64, name="sha256"):
    return f"pbkdf2:{name}:{iterations}${salt}${digest}"


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=100), st.text(max_size=100))
def test_a_hash_matches_its_own_password_only(password, other):
    stored = passwords.hash(password)
    assert passwords.verify(password, stored)
    assert passwords.verify(other, stored) == (
        other == password or digest(other) == digest(password)
    )


@pytest.mark.parametrize("head", ["x" * 72, "\0", "ab\0", "é" * 40, "x" * 1023])
def test_every_character_counts(head):
    stored = passwords.hash(head + "1")
    assert passwords.verify(head + "1", stored)
    assert not passwords.verify(head + "2", stored)
    assert not passwords.verify(head, stored)


def test_a_hash_names_its_scheme_and_holds_bcrypts_own_string():
    stored = passwords.hash("correct horse")
    assert stored.startswith("bcrypt$2b$04$")
    assert len(stored) == 66
    assert stored != passwords.hash("correct horse")
    assert not bcrypt.checkpw(b"correct horse", stored.removeprefix("bcrypt").encode())


def test_the_same_password_typed_decomposed_matches():
    assert passwords.verify("cafe\u0301 au lait", passwords.hash("caf\u00e9 au lait"))


@pytest.mark.parametrize(
    "method",
    [
        "scrypt:32768:8:1",
        "scrypt:1024:8:1",
        "pbkdf2:sha256:1000",
        "pbkdf2:sha1:50",
        "pbkdf2:sha512:9",
    ],
)
@pytest.mark.parametrize("password", ["correct horse", "пароль \U0001f511", "nul\0nul", ""])
def test_werkzeugs_hashes_are_verified(method, password):
    stored = generate_password_hash(password, method=method)
    assert passwords.verify(password, stored)
    assert not passwords.verify(password + "x", stored)
    assert passwords.needs_rehash(stored)


def test_a_hash_of_another_cost_is_verified_and_due_for_replacement():
    stored = Passwords(rounds=5).hash("password")
    assert passwords.verify("password", stored)
    assert passwords.needs_rehash(stored)
    assert not passwords.needs_rehash(passwords.hash("password"))


HOSTILE = [
    "",
    "bcrypt",
    "bcrypt$2b$31$" + "." * 53,
    "bcrypt$2b$16$" + "." * 53,
    "bcrypt$2b$03$" + "." * 53,
    "bcrypt$2b$99$" + "." * 53,
    "bcrypt$2b$٠٤$" + "." * 53,
    "bcrypt$2b$04$" + "." * 21 + "9" + "." * 31,
    "bcrypt$2b$04$" + "." * 52 + "é",
    "bcrypt$2b$04$" + "." * 54,
    scrypt(2**23, 8, 1),
    scrypt(32768, 999, 1),
    scrypt(2, 999, 999),
    scrypt(4096, 8, 999),
    scrypt(2**19, 1, 1),
    scrypt(32767, 8, 1),
    scrypt(0, 8, 1),
    scrypt(1, 8, 1),
    scrypt(16, 0, 1),
    scrypt(16, 8, 0),
    scrypt("9" * 5000, 8, 1),
    scrypt("-2", 8, 1),
    scrypt("²", 8, 1),
    scrypt(16, 8, 1, salt="é"),
    scrypt(16, 8, 1, salt=""),
    scrypt(16, 8, 1, digest="0" * 127),
    scrypt(16, 8, 1, digest="é" * 128),
    scrypt(16, 8, 1) + "\n",
    pbkdf2(0),
    pbkdf2(9_999_999),
    pbkdf2("1" * 5000),
    pbkdf2(10, digest="0" * 41),
    pbkdf2(10, digest="g" * 64),
    pbkdf2(10, name="md5"),
    pbkdf2(10, name="sha256:sha256"),
    "plain$$password",
    "\ud800",
    "$" * 10_000,
]


@pytest.mark.parametrize("stored", HOSTILE)
def test_a_hostile_stored_value_matches_nothing_and_costs_little(stored):
    start = time.thread_time()
    assert not passwords.verify("password", stored)
    assert time.thread_time() - start < 3


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=20),
    st.one_of(
        st.text(max_size=80),
        st.from_regex(r"bcrypt\$2b\$0[0-5]\$[./A-Za-z0-9]{53}", fullmatch=True),
        st.from_regex(r"scrypt:\d{1,3}:\d:\d\$\w{1,5}\$[0-9a-f]{128}", fullmatch=True),
        st.from_regex(r"pbkdf2:sha(1|256|512):\d{1,4}\$\w{1,5}\$[0-9a-f]{64}", fullmatch=True),
    ),
)
def test_no_stored_value_makes_verifying_raise(password, stored):
    assert passwords.verify(password, stored) in (True, False)
    assert passwords.needs_rehash(stored) in (True, False)


def test_a_password_that_is_no_text_matches_nothing_and_does_not_raise():
    werkzeug = generate_password_hash("password", method="pbkdf2:sha256:10")
    for stored in (passwords.hash("password"), werkzeug, None):
        assert not passwords.verify("pass\ud800word", stored)


@pytest.mark.parametrize("stored", [None, "", "nonsense", scrypt(2**23, 8, 1)])
def test_an_account_that_does_not_exist_takes_as_long_as_one_that_does(stored, bcrypt_costs):
    Passwords(rounds=6).verify("wrong password", Passwords(rounds=6).hash("password"))
    Passwords(rounds=6).verify("wrong password", stored)
    assert bcrypt_costs == [6, 6]


def test_a_wrong_password_for_an_old_hash_takes_half_of_that_beside_its_own_time(bcrypt_costs):
    Passwords(rounds=6).verify("wrong password", pbkdf2(10))
    assert bcrypt_costs == [5]


@pytest.mark.parametrize("rounds", [3, 16])
def test_a_cost_out_of_range_is_refused(rounds):
    with pytest.raises(ValueError, match=f"4 to 15, not {rounds}"):
        Passwords(rounds=rounds)


def test_what_is_hashed_is_the_documented_digest():
    import base64
    import hmac

    digest = hmac.new(b"foodlog-password-v1", b"password", hashlib.sha256).digest()
    stored = passwords.hash("password").removeprefix("bcrypt").encode()
    assert bcrypt.checkpw(base64.b64encode(digest), stored)


def test_bcrypt_is_not_imported_before_it_is_needed():
    code = "import sys, foodlog.passwords as p; p.Passwords(); sys.exit('bcrypt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0

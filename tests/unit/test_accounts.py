import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from foodlog.errors import Conflict, ProviderError, Unauthorized, Unprocessable
from foodlog.models import User
from foodlog.passwords import Passwords
from foodlog.services.accounts import AccountLimits, Accounts, normal_email
from foodlog.testing.storage_memory import MemoryStorage
from foodlog.tokens import Tokens

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
PASSWORD = "correct horse"
WRONG = ("The e-mail or the password is wrong.", "wrong_credentials")
INVALID = ("The token is not valid; log in again.", "token_invalid")


class Bench:
    """Accounts over a storage in memory, with a clock to turn and the storage's reads counted."""

    def __init__(self, **limits):
        self.storage = MemoryStorage()
        self.users = self.storage.users
        self.seconds = 0.0
        self.reads = []
        self.before_read = lambda email: None
        self.passwords = Passwords(rounds=4)
        self.tokens = Tokens(b"s" * 32, timedelta(minutes=60), lambda: NOW)
        self._get = self.users.get
        self.users.get = self._read
        self.accounts = self.worker(**limits)

    def worker(self, **limits):
        """The accounts of another worker process on the same storage."""
        ids = iter(f"id-{n}" for n in range(1, 1000))
        cache = {name: limits.pop(name) for name in [*limits] if name.startswith("cache_")}
        return Accounts(
            self.users,
            self.passwords,
            self.tokens,
            lambda: NOW,
            lambda: next(ids),
            AccountLimits(**limits),
            **cache,
            monotonic=lambda: self.seconds,
        )

    def _read(self, email):
        self.reads.append(email)
        self.before_read(email)
        return self._get(email)

    def stored(self, email="ann@example.org"):
        return self._get(email)

    def add(self, password_hash, email="ann@example.org"):
        user = User(id="old-1", email=email, created_at=NOW, password_hash=password_hash)
        assert self.users.add(user)
        return user


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def ann(bench):
    return bench.accounts.sign_up("ann@example.org", PASSWORD)


def refused(function, *args, error=Unauthorized):
    with pytest.raises(error) as caught:
        function(*args)
    return str(caught.value), caught.value.code


# Signing up


def test_signing_up_stores_an_account_and_logs_in(bench):
    session = bench.accounts.sign_up("  Ann@Example.ORG ", PASSWORD)
    assert session.user == bench.stored()
    assert session.user.id == "id-1"
    assert session.user.email == "ann@example.org"
    assert session.user.created_at == NOW
    assert session.user.epoch == 0
    assert session.expires_in == 3600
    assert bench.accounts.authenticate(session.token) == session.user
    assert PASSWORD not in session.user.password_hash


def test_an_email_signs_up_once_however_it_is_written(bench, ann):
    message, code = refused(bench.accounts.sign_up, "ANN@example.org", "x" * 9, error=Conflict)
    assert (message, code) == ("There is an account with this e-mail already.", "email_taken")
    assert bench.stored() == ann.user


def test_when_many_sign_up_at_once_one_of_them_does(bench):
    outcomes = []

    def sign_up():
        try:
            outcomes.append(bench.accounts.sign_up("ann@example.org", PASSWORD))
        except Conflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=sign_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [o for o in outcomes if not isinstance(o, Conflict)]
    assert len(outcomes) == 8
    assert [w.user for w in winners] == [bench.stored()]


@pytest.mark.parametrize(
    "email",
    [
        "",
        " ",
        "ann",
        "@example.org",
        "ann@",
        "a@b@c",
        "a b@c",
        "a@b c",
        "a\0@b",
        "a\n@b",
        "a\u200b@b",
        "a\ud800@b",
        "a" * 250 + "@b.cd",
        "é" * 125 + "@b.cd",
    ],
)
def test_what_is_no_email_is_refused(bench, email):
    with pytest.raises(Unprocessable, match="Give an e-mail address") as caught:
        bench.accounts.sign_up(email, PASSWORD)
    assert [v.pointer for v in caught.value.violations] == ["/email"]
    assert not [*bench.users.scan()]


@pytest.mark.parametrize("email", ["a@b", "a" * 249 + "@b.cd", "o'neil+food@sub.example.org"])
def test_what_may_be_an_email_is_taken(bench, email):
    assert bench.accounts.sign_up(email, PASSWORD).user.email == email


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "8 to 1,024 characters"),
        ("1234567", "8 to 1,024 characters"),
        ("x" * 1025, "8 to 1,024 characters"),
        ("pass\0word", "cannot be typed"),
        ("pass\ud800word", "cannot be typed"),
    ],
)
def test_a_password_that_is_too_short_too_long_or_no_text_is_refused(bench, password, words):
    with pytest.raises(Unprocessable, match=words) as caught:
        bench.accounts.sign_up("ann@example.org", password)
    assert [v.pointer for v in caught.value.violations] == ["/password"]
    assert not [*bench.users.scan()]


@pytest.mark.parametrize("password", ["12345678", "x" * 1024, "пароль \U0001f511"])
def test_a_password_within_the_limits_is_taken(bench, password):
    bench.accounts.sign_up("ann@example.org", password)
    assert bench.accounts.log_in("ann@example.org", password)


def test_all_that_is_wrong_is_said_at_once(bench):
    with pytest.raises(Unprocessable) as caught:
        bench.accounts.sign_up("ann", "short")
    assert [v.pointer for v in caught.value.violations] == ["/email", "/password"]
    assert str(caught.value) == " ".join(v.detail for v in caught.value.violations)


def test_the_limits_of_a_password_are_the_configured_ones():
    bench = Bench(min_password=12, max_password=64)
    message, _ = refused(bench.accounts.sign_up, "a@b", "x" * 11, error=Unprocessable)
    assert message == "The password must have 12 to 64 characters."


@given(st.text())
def test_a_normal_email_stays_as_it_is(email):
    assert normal_email(normal_email(email)) == normal_email(email)


def test_emails_that_differ_in_composition_only_are_one(bench):
    bench.accounts.sign_up("rene\u0301@example.org", PASSWORD)
    assert bench.accounts.log_in("REN\u00c9@example.org", PASSWORD)


# Logging in


def test_logging_in_answers_with_a_token_of_the_account(bench, ann):
    session = bench.accounts.log_in(" ANN@example.org", PASSWORD)
    assert session.user == ann.user
    assert session.expires_in == 3600
    assert bench.accounts.authenticate(session.token) == ann.user


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ann@example.org", "correct hors"),
        ("ann@example.org", ""),
        ("ann@example.org", PASSWORD + "\ud800"),
        ("bob@example.org", PASSWORD),
        ("", PASSWORD),
        ("a\ud800@b", PASSWORD),
        ("a" * 100_000, PASSWORD),
    ],
)
def test_whatever_is_wrong_the_answer_is_the_same(bench, ann, email, password):
    assert refused(bench.accounts.log_in, email, password) == WRONG


def test_an_overlong_password_gets_the_same_answer_even_if_it_was_the_right_one():
    bench = Bench(max_password=64)
    bench.add(bench.passwords.hash("x" * 65))
    assert refused(bench.accounts.log_in, "ann@example.org", "x" * 65) == WRONG


def test_an_email_that_cannot_be_stored_is_not_looked_up(bench):
    for email in ("", "a\0", "a" * 300):
        refused(bench.accounts.log_in, email, PASSWORD)
    assert bench.reads == []


def test_an_unknown_email_takes_as_long_as_a_wrong_password(bench, ann, bcrypt_costs):
    for email in ("ann@example.org", "bob@example.org", ""):
        refused(bench.accounts.log_in, email, "wrong password")
    assert bcrypt_costs == [4, 4, 4]


def test_a_user_of_the_flask_service_logs_in_and_gets_a_hash_of_ours(bench):
    old = bench.add(generate_password_hash("pw", method="pbkdf2:sha256:1000"))
    session = bench.accounts.log_in("ann@example.org", "pw")
    renewed = bench.stored()
    assert renewed.password_hash.startswith("bcrypt$")
    assert renewed == replace(old, password_hash=renewed.password_hash) == session.user
    assert bench.accounts.log_in("ann@example.org", "pw").user == renewed
    assert refused(bench.accounts.log_in, "ann@example.org", "no") == WRONG


def test_a_wrong_password_replaces_no_hash(bench):
    old = bench.add(generate_password_hash("pw", method="pbkdf2:sha256:1000"))
    assert refused(bench.accounts.log_in, "ann@example.org", "no") == WRONG
    assert bench.stored() == old


@pytest.mark.parametrize("failure", [ProviderError("no room"), RuntimeError("a plugin's own")])
def test_a_hash_that_cannot_be_replaced_does_not_stop_the_login(bench, caplog, failure):
    old = bench.add(generate_password_hash("pw", method="pbkdf2:sha256:1000"))

    def replace_(user):
        raise failure

    bench.users.replace = replace_
    with caplog.at_level(logging.WARNING):
        session = bench.accounts.log_in("ann@example.org", "pw")
    assert session.user == old == bench.stored()
    (record,) = caplog.records
    assert record.getMessage() == "password hash not replaced"
    assert (record.user_id, record.error) == ("old-1", type(failure).__name__)
    assert "bcrypt" not in str(record.__dict__)


def test_an_account_that_changes_while_its_hash_is_replaced_keeps_the_change(bench):
    old = bench.add(generate_password_hash("pw", method="pbkdf2:sha256:1000"))
    revoked = replace(old, epoch=1)

    def revoke_before_second_read(email):
        if len(bench.reads) == 2:
            bench.users.replace(revoked)

    bench.before_read = revoke_before_second_read
    session = bench.accounts.log_in("ann@example.org", "pw")
    assert bench.stored() == revoked
    assert refused(bench.accounts.authenticate, session.token) == INVALID


# Authenticating


def test_a_token_that_cannot_be_read_asks_no_storage(bench):
    assert refused(bench.accounts.authenticate, "nonsense") == INVALID
    assert bench.reads == []


def test_an_account_is_read_once_in_half_a_minute(bench, ann):
    for bench.seconds in (0.0, 10.0, 29.9):
        assert bench.accounts.authenticate(ann.token) == ann.user
    assert len(bench.reads) == 1
    bench.seconds = 30.0
    assert bench.accounts.authenticate(ann.token) == ann.user
    assert len(bench.reads) == 2


def test_the_half_minute_counts_from_before_a_slow_read(bench, ann):
    def slow(email):
        bench.seconds += 20

    bench.before_read = slow
    bench.accounts.authenticate(ann.token)
    bench.seconds += 10
    bench.accounts.authenticate(ann.token)
    assert len(bench.reads) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda users, user: users.delete(user.email),
        lambda users, user: users.replace(replace(user, epoch=1)),
        lambda users, user: (users.delete(user.email), users.add(replace(user, id="another"))),
    ],
    ids=["deleted", "revoked", "signed up anew"],
)
def test_a_token_of_a_changed_account_is_refused_within_half_a_minute(bench, ann, change):
    bench.accounts.authenticate(ann.token)
    change(bench.users, ann.user)
    bench.seconds = 29.9
    assert bench.accounts.authenticate(ann.token) == ann.user
    bench.seconds = 30.0
    assert refused(bench.accounts.authenticate, ann.token) == INVALID
    assert refused(bench.worker().authenticate, ann.token) == INVALID


def test_a_new_token_is_good_at_once_on_a_worker_that_remembers_the_account_before(bench, ann):
    other = bench.worker()
    other.authenticate(ann.token)
    bench.users.replace(replace(ann.user, epoch=1))
    renewed = bench.accounts.log_in("ann@example.org", PASSWORD)
    assert other.authenticate(renewed.token).epoch == 1
    assert refused(other.authenticate, ann.token) == INVALID


def test_that_there_is_no_account_is_never_remembered(bench, ann):
    bench.users.delete(ann.user.email)
    assert refused(bench.accounts.authenticate, ann.token) == INVALID
    bench.users.add(ann.user)
    assert bench.accounts.authenticate(ann.token) == ann.user


def test_only_so_many_accounts_are_remembered_the_oldest_is_forgotten_first():
    bench = Bench(cache_entries=2)
    tokens = [bench.accounts.sign_up(f"{n}@b", PASSWORD).token for n in "abc"]
    for token in tokens:
        bench.accounts.authenticate(token)
    bench.reads.clear()
    for token in (tokens[2], tokens[1], tokens[0]):
        bench.accounts.authenticate(token)
    assert bench.reads == ["a@b"]


def test_an_account_that_is_read_again_counts_as_new():
    bench = Bench(cache_entries=2)
    tokens = [bench.accounts.sign_up(f"{n}@b", PASSWORD).token for n in "abc"]
    bench.accounts.authenticate(tokens[0])
    bench.seconds = 29.0
    bench.accounts.authenticate(tokens[1])
    bench.seconds = 30.0
    bench.accounts.authenticate(tokens[0])
    bench.accounts.authenticate(tokens[2])
    bench.reads.clear()
    bench.accounts.authenticate(tokens[0])
    assert bench.reads == []


def test_nothing_is_remembered_where_so_configured():
    bench = Bench(cache_seconds=0)
    token = bench.accounts.sign_up("a@b", PASSWORD).token
    bench.accounts.authenticate(token)
    bench.accounts.authenticate(token)
    assert len(bench.reads) == 2


def test_many_threads_authenticate_at_once():
    bench = Bench(cache_entries=2)
    sessions = [bench.accounts.sign_up(f"{n}@b", PASSWORD) for n in range(4)]
    right = []

    def authenticate(session):
        right.extend(bench.accounts.authenticate(session.token) == session.user for _ in range(50))

    threads = [threading.Thread(target=authenticate, args=(s,)) for s in sessions * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 400


# Failures of the storage


def test_failures_of_the_storage_pass_through(bench, ann):
    bench.storage.failure = ProviderError("The disk is gone.")
    for call in (
        lambda: bench.accounts.sign_up("bob@example.org", PASSWORD),
        lambda: bench.accounts.log_in("ann@example.org", PASSWORD),
        lambda: bench.accounts.authenticate(ann.token),
    ):
        with pytest.raises(ProviderError, match="The disk is gone"):
            call()

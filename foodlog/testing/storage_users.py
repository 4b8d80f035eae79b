"""The part of the storage suite that is about accounts."""

from dataclasses import replace
from datetime import UTC, datetime

from foodlog.models import User
from foodlog.providers import Storage
from foodlog.testing.rules import rules
from foodlog.testing.storage_meals import assert_utc, race

SIGNED_UP = datetime(2024, 5, 17, 12, 0, 0, 1, tzinfo=UTC)


def user(name: str, number: int = 1) -> User:
    """An account whose e-mail comes from ``name`` and whose id from both."""
    return User(
        id=f"{name}-{number}",
        email=f"{name}@example.com",
        created_at=SIGNED_UP,
        password_hash="bcrypt$" + "x" * 60,
    )


@rules
class UserStoreTests:
    """Every rule of :class:`foodlog.providers.UserStore`."""

    accounts_to_scan: int = 600
    """How many accounts there are at most; lower it where a write is slow."""

    def test_an_account_comes_back_as_it_was_stored(self, provider: Storage) -> None:
        """add() loses nothing, and answers True for a new account."""
        ann = replace(user("ünïcødé+tag"), epoch=3)
        assert provider.users.add(ann) is True, "add() of a new e-mail answers True"
        assert provider.users.get(ann.email) == ann, "get() returns the account unchanged"
        assert list(provider.users.scan()) == [ann], "and so does scan()"
        for stored in provider.users.scan():
            assert_utc(stored.created_at, "`created_at` of an account")

    def test_emails_are_compared_in_lower_case(self, provider: Storage) -> None:
        """One mailbox, one account, however its e-mail is typed."""
        provider.users.add(user("ann"))
        assert provider.users.get("ANN@Example.com") == user("ann"), "get() ignores case"
        shouted = replace(user("ann", 2), email="ANN@EXAMPLE.COM")
        assert provider.users.add(shouted) is False, "ANN@EXAMPLE.COM is taken by ann@example.com"
        provider.users.delete("Ann@example.com")
        assert provider.users.get("ann@example.com") is None, "delete() ignores case"

    def test_a_taken_email_changes_nothing(self, provider: Storage) -> None:
        """add() of a taken e-mail answers False and leaves the account alone."""
        provider.users.add(user("ann"))
        assert provider.users.add(user("ann", 2)) is False, "the e-mail is taken"
        assert provider.users.get("ann@example.com") == user("ann"), (
            "a second sign-up must never take an account over"
        )

    def test_an_email_signs_up_once_however_many_race(self, provider: Storage) -> None:
        """Of sign-ups for one e-mail at once exactly one is told True."""
        told = race(lambda number: provider.users.add(user("ann", number)))
        assert told.count(True) == 1, "exactly one of the racing sign-ups may succeed"
        (stored,) = provider.users.scan()
        assert stored == user("ann", told.index(True)), "and it is the one that is stored"

    def test_an_account_that_is_not_there_is_none(self, provider: Storage) -> None:
        """get() of an unknown e-mail answers None; patterns in it match nobody."""
        provider.users.add(user("ann"))
        for unknown in ("bob@example.com", "", "%", "a_n@example.com", "ann@example.com "):
            assert provider.users.get(unknown) is None, f"{unknown!r} is nobody's e-mail"

    def test_replacing_keeps_the_account_and_changes_the_rest(self, provider: Storage) -> None:
        """replace() stores a new hash and epoch over the account with this e-mail alone."""
        provider.users.add(user("ann"))
        provider.users.add(user("bob"))
        changed = replace(user("ann"), password_hash="bcrypt$other", epoch=1)
        provider.users.replace(changed)
        assert provider.users.get(changed.email) == changed, "replace() stores what it is given"
        assert provider.users.get("bob@example.com") == user("bob"), "and touches nobody else"

    def test_replacing_a_deleted_account_does_not_bring_it_back(self, provider: Storage) -> None:
        """replace() of an account that is gone does nothing: a login may race its erasure."""
        provider.users.replace(user("ann"))
        assert provider.users.get("ann@example.com") is None, "replace() never makes an account"

    def test_a_deleted_email_is_free_again(self, provider: Storage) -> None:
        """delete() may be repeated, removes one account alone, and frees its e-mail."""
        provider.users.add(user("ann"))
        provider.users.add(user("bob"))
        for _ in range(2):
            provider.users.delete("ann@example.com")
        assert list(provider.users.scan()) == [user("bob")], "one account is gone, one is not"
        assert provider.users.add(user("ann", 2)) is True, "the e-mail may sign up again"

    def test_scan_sees_every_account(self, provider: Storage) -> None:
        """scan() yields every account once, whatever the number."""
        accounts = [user(f"user{number:04}") for number in range(self.accounts_to_scan)]
        for account in accounts:
            provider.users.add(account)
        scanned = sorted(provider.users.scan(), key=lambda u: u.email)
        assert scanned == accounts, "scan() yields every account exactly once"

"""The conformance suite of storage plugins: what ``foodlog.providers.Storage`` promises, as tests.

In a plugin's tests, with pytest::

    from foodlog.testing import StorageTests, build

    class TestPostgresStorage(StorageTests):
        @pytest.fixture
        def provider(self, database):
            return build(PostgresStorage, url=database)    # empty; the suite closes it

What was acknowledged must be there for a second storage that is built with the same options. Where
the options alone do not lead to the same place, give ``reopen``; a stand-in that forgets on purpose
says ``durable = False``.
"""

from collections.abc import Callable
from contextlib import closing

import pytest

from foodlog.errors import ProviderError
from foodlog.providers import Storage
from foodlog.testing.provider import Failing, ProviderTests, again
from foodlog.testing.rules import refused, rules
from foodlog.testing.storage_meals import MealStoreTests, meal
from foodlog.testing.storage_photos import PhotoStoreTests
from foodlog.testing.storage_users import UserStoreTests, user

__all__ = ["Failing", "StorageTests"]


@rules
class StorageTests(ProviderTests, MealStoreTests, UserStoreTests, PhotoStoreTests):
    """Every rule of the storage port. Inherit and give a ``provider`` fixture."""

    durable: bool = True
    """False: it forgets on purpose, as one in memory does, and is for tests alone."""

    @pytest.fixture
    def provider(self) -> Storage:
        """A new, empty storage for each test; override this."""
        raise NotImplementedError("give a provider fixture that returns an empty storage")

    @pytest.fixture
    def flaky(self) -> Failing | None:
        """Override to have repeating tried: in the context it gives, writes must raise."""
        return None

    @pytest.fixture
    def reopen(self, provider: Storage) -> Callable[[], Storage]:
        """Builds another storage over the same place; override where that takes more than the
        same options."""
        return lambda: again(provider)

    def use(self, provider: Storage) -> None:
        """Store a meal and a photo."""
        provider.meals.add(meal(1))
        provider.photos.put("ann/1.jpg", b"photo", "image/jpeg")

    def test_writes_are_safe_to_repeat_after_a_failure(
        self, provider: Storage, flaky: Failing | None
    ) -> None:
        """A write that failed may be repeated: one row, one account, one photo in the end."""
        if flaky is None:
            pytest.skip("no flaky fixture is given")
        ann, dinner = user("ann"), meal(1)
        writes: list[Callable[[], object]] = [
            lambda: provider.meals.add(dinner),
            lambda: provider.users.add(ann),
            lambda: provider.meals.delete("0" * 32),
        ]
        for write in writes:
            with flaky(), refused(ProviderError, otherwise=_UNTOLD):
                write()
            write()
        assert list(provider.meals.scan()) == [dinner], "a repeated add() makes no second row"
        assert list(provider.users.scan()) == [ann], "a repeated add() makes no second account"

    def test_what_was_acknowledged_outlives_the_instance(
        self, provider: Storage, close: Callable[[], None], reopen: Callable[[], Storage]
    ) -> None:
        """Every worker sees it at once, and so does the next one after a restart."""
        if not self.durable:
            pytest.skip("it is not durable, and says so")
        self.use(provider)
        provider.users.add(user("ann"))
        _assert_kept(reopen, "another worker does not see")
        close()
        _assert_kept(reopen, "after a restart it no longer has")


_UNTOLD = (
    "a write that could not be made must raise ProviderError: what is not refused is taken to be "
    "stored, and nobody repeats it"
)


def _assert_kept(reopen: Callable[[], Storage], otherwise: str) -> None:
    with closing(reopen()) as storage:
        kept = {
            "a meal": storage.meals.get(meal(1).id) == meal(1),
            "an account": storage.users.get(user("ann").email) == user("ann"),
            "a photo": storage.photos.get("ann/1.jpg") == (b"photo", "image/jpeg"),
        }
    lost = [what for what, there in kept.items() if not there]
    assert not lost, (
        f"{otherwise} {' and '.join(lost)} whose storing was acknowledged: what was acknowledged "
        "must be kept outside of the process, where it survives a power cut"
    )

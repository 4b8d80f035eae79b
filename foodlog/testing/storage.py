"""The conformance suite of storage plugins: what ``foodlog.providers.Storage`` promises, as tests.

In a plugin's tests, with pytest::

    from foodlog.testing.storage import StorageTests

    class TestPostgresStorage(StorageTests):
        @pytest.fixture
        def provider(self):
            return PostgresStorage({...}, context)     # empty; the suite closes it
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from foodlog.errors import ProviderError
from foodlog.providers import Storage
from foodlog.testing.storage_meals import MealStoreTests, meal
from foodlog.testing.storage_photos import PhotoStoreTests
from foodlog.testing.storage_users import UserStoreTests, user

Failing = Callable[[], AbstractContextManager[None]]
"""Gives a context in which the provider's writes fail."""


class StorageTests(MealStoreTests, UserStoreTests, PhotoStoreTests):
    """Every rule of the storage port. Inherit and give a ``provider`` fixture."""

    @pytest.fixture
    def provider(self) -> Storage:
        """A new, empty storage for each test; override this."""
        raise NotImplementedError("give a provider fixture that returns an empty storage")

    @pytest.fixture
    def flaky(self) -> Failing | None:
        """Override to have repeating tried: in the context it gives, writes must raise."""
        return None

    @pytest.fixture(autouse=True)
    def close(self, provider: Storage) -> Iterator[Callable[[], None]]:
        """Closes the provider once, at the latest when the test ends."""
        closed: list[bool] = []

        def close_once() -> None:
            if not closed:
                closed.append(True)
                provider.close()

        yield close_once
        close_once()

    def test_check_of_a_working_storage_passes(self, provider: Storage) -> None:
        """check() is silent where all is well: readiness and ``foodlog check`` rest on it."""
        provider.check()

    def test_close_leaves_no_thread(self, provider: Storage, close: Callable[[], None]) -> None:
        """close() ends the threads the provider started, or the worker could not exit."""
        before = set(threading.enumerate())
        provider.meals.add(meal(1))
        provider.photos.put("ann/1.jpg", b"photo", "image/jpeg")
        close()
        left = set(threading.enumerate()) - before
        assert not left, f"close() must end the provider's own threads; still alive: {left}"

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
            with flaky(), pytest.raises(ProviderError):
                write()
            write()
        assert list(provider.meals.scan()) == [dinner], "a repeated add() makes no second row"
        assert list(provider.users.scan()) == [ann], "a repeated add() makes no second account"

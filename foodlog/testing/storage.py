"""The conformance suite of storage plugins: what ``foodlog.providers.Storage`` promises, as tests.

In a plugin's tests, with pytest::

    from foodlog.testing import StorageTests, build

    class TestPostgresStorage(StorageTests):
        @pytest.fixture
        def provider(self, database):
            return build(PostgresStorage, url=database)    # empty; the suite closes it
"""

from collections.abc import Callable

import pytest

from foodlog.errors import ProviderError
from foodlog.providers import Storage
from foodlog.testing.provider import Failing, ProviderTests
from foodlog.testing.storage_meals import MealStoreTests, meal
from foodlog.testing.storage_photos import PhotoStoreTests
from foodlog.testing.storage_users import UserStoreTests, user

__all__ = ["Failing", "StorageTests"]


class StorageTests(ProviderTests, MealStoreTests, UserStoreTests, PhotoStoreTests):
    """Every rule of the storage port. Inherit and give a ``provider`` fixture."""

    @pytest.fixture
    def provider(self) -> Storage:
        """A new, empty storage for each test; override this."""
        raise NotImplementedError("give a provider fixture that returns an empty storage")

    @pytest.fixture
    def flaky(self) -> Failing | None:
        """Override to have repeating tried: in the context it gives, writes must raise."""
        return None

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
            with flaky(), pytest.raises(ProviderError):
                write()
            write()
        assert list(provider.meals.scan()) == [dinner], "a repeated add() makes no second row"
        assert list(provider.users.scan()) == [ann], "a repeated add() makes no second account"

"""aws_storage keeps the storage port's promises, as two stand-ins for AWS see them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aws_calls import Iam, allowed
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from foodlog.discovery import discover
from foodlog.testing.storage import Failing, StorageTests
from foodlog.testing.storage_meals import MealStoreTests
from foodlog.testing.storage_users import UserStoreTests
from foodlog_plugins.aws_storage import AwsStorage


def test_the_plugin_offers_it() -> None:
    assert discover().of("storage")["aws_storage"].provider is AwsStorage


@pytest.mark.parametrize("key", ["", "x" * 3000])
def test_what_cannot_be_a_key_is_not_asked_for(make: Callable[[], AwsStorage], key: str) -> None:
    storage = make()
    with Stubber(storage.clients.dynamodb):  # fails on any call
        assert storage.meals.get(key) is None
        assert storage.users.get(key) is None
        storage.meals.delete(key)


class TestAwsStorage(StorageTests):
    meals_in_history = 50  # 5,000 are paged through in test_aws_history
    accounts_to_scan = 60  # a scan of many pages is there, too

    @pytest.fixture
    def provider(self, storage: AwsStorage) -> Iterator[AwsStorage]:
        iam = Iam(storage)
        yield storage
        may = [allowed(storage.policy(purpose), iam.needed) for purpose in ("serve", "migrate")]
        assert iam.needed == set().union(*may), "a server and `migrate` may do all there is"

    @pytest.fixture
    def flaky(self, storage: AwsStorage) -> Failing:
        def fail(request: Any, **_: Any) -> None:
            raise ReadTimeoutError(endpoint_url=request.url)

        @contextmanager
        def unanswered() -> Iterator[None]:
            events = storage.clients.dynamodb.meta.events
            events.register("before-send.dynamodb", fail)
            yield
            events.unregister("before-send.dynamodb", fail)

        return unanswered


class TestAwsStorageOnDynalite(MealStoreTests, UserStoreTests):
    meals_in_history = 150
    accounts_to_scan = 60

    @pytest.fixture
    def provider(self, on_dynalite: AwsStorage) -> AwsStorage:
        return on_dynalite

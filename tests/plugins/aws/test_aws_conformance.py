"""aws_storage keeps the storage port's promises, as two stand-ins for AWS see them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from foodlog.testing.storage import Failing, StorageTests
from foodlog.testing.storage_meals import MealStoreTests
from foodlog.testing.storage_users import UserStoreTests
from foodlog_plugins.aws_storage import AwsStorage


class TestAwsStorage(StorageTests):
    meals_in_history = 60  # 5,000 are paged through in test_aws_history

    @pytest.fixture
    def provider(self, storage: AwsStorage) -> AwsStorage:
        return storage

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
    meals_in_history = 400

    @pytest.fixture
    def provider(self, on_dynalite: AwsStorage) -> AwsStorage:
        return on_dynalite

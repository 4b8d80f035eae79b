"""What comes with FoodLog and needs nothing keeps its port's promises."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from foodlog.errors import ProviderError
from foodlog.models import FoodQuery
from foodlog.testing import FallbackTests, NutritionSourceTests, build
from foodlog.testing.provider import Failing
from foodlog.testing.storage import StorageTests
from foodlog.testing.storage_memory import MemoryStorage
from foodlog_plugins.food_table import FoodTable
from foodlog_plugins.synthetic import Synthetic


class TestFoodTable(NutritionSourceTests):
    @pytest.fixture
    def provider(self) -> FoodTable:
        return build(FoodTable)

    @pytest.fixture
    def known(self) -> FoodQuery:
        return FoodQuery(name="cheddar cheese")

    # It depends on nothing that could fail or hang.
    test_a_failure_is_told_and_does_not_last = None
    test_an_answer_that_does_not_come_ends_in_time = None


class TestSynthetic(FallbackTests):
    @pytest.fixture
    def provider(self) -> Synthetic:
        return build(Synthetic)


class TestMemoryStorage(StorageTests):
    # It is for tests, and forgets on purpose.
    test_what_was_acknowledged_outlives_the_instance = None

    @pytest.fixture
    def provider(self) -> MemoryStorage:
        return build(MemoryStorage)

    @pytest.fixture
    def flaky(self, provider: MemoryStorage) -> Failing:
        @contextmanager
        def failing() -> Iterator[None]:
            provider.failure = ProviderError("memory is failing")
            yield
            provider.failure = None

        return failing

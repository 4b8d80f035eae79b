"""What comes with FoodLog and needs nothing keeps its port's promises."""

import pytest

from foodlog.models import FoodQuery
from foodlog.testing import FallbackTests, NutritionSourceTests, build
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


class TestSynthetic(FallbackTests):
    @pytest.fixture
    def provider(self) -> Synthetic:
        return build(Synthetic)


class TestMemoryStorage(StorageTests):
    @pytest.fixture
    def provider(self) -> MemoryStorage:
        return build(MemoryStorage)

"""usda keeps the nutrition port's promises, over its stub."""

from collections.abc import Iterator

import pytest

from foodlog.models import FoodQuery
from foodlog.testing import NutritionSourceTests, build
from foodlog.testing.provider import Failing
from foodlog.testing.upstreams import Reply
from foodlog.testing.usda import FDCStub, StubFood
from foodlog_plugins.usda import Usda

CHEDDAR = StubFood(
    173414,
    "Cheese, cheddar",
    {"208": 408, "203": 23.3, "204": 34.0, "205": 2.44, "307": 654},
    category="Dairy and Egg Products",
)
CHECKED = StubFood(173410, "Butter, salted", {"208": 717, "203": 0.85, "204": 81.1, "205": 0.06})


class TestUsda(NutritionSourceTests):
    @pytest.fixture
    def stub(self) -> Iterator[FDCStub]:
        with FDCStub([CHEDDAR, CHECKED], api_key="k3y") as stub:
            yield stub

    @pytest.fixture
    def provider(self, stub: FDCStub) -> Usda:
        return build(Usda, url=stub.url, api_key="k3y", cache_size=0)

    @pytest.fixture
    def known(self) -> FoodQuery:
        return FoodQuery(name="cheddar cheese")

    @pytest.fixture
    def down(self, stub: FDCStub) -> Failing:
        return lambda: stub.answering(stub.FAILURES["error"])

    @pytest.fixture
    def hanging(self, stub: FDCStub) -> Failing:
        return lambda: stub.answering(Reply(delay=30))


class TestUsdaByPinnedId(TestUsda):
    @pytest.fixture
    def known(self) -> FoodQuery:
        return FoodQuery(name="cheddar cheese", fdc_id=CHEDDAR.fdc_id)

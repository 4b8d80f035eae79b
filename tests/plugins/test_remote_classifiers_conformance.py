"""huggingface and ml_service keep the classifier port's promises, over their stubs."""

from collections.abc import Iterator

import pytest

from foodlog.providers import Classifier
from foodlog.testing import ClassifierTests, build
from foodlog.testing.provider import Failing
from foodlog.testing.upstreams import HuggingFaceStub, MLServiceStub, Reply, StubUpstream
from foodlog_plugins.huggingface import HuggingFace
from foodlog_plugins.ml_service import MLService


class RemoteTests(ClassifierTests):
    """Both depend on one service."""

    @pytest.fixture
    def down(self, stub: StubUpstream) -> Failing:
        return lambda: stub.answering(Reply(401, b"<html>"))

    @pytest.fixture
    def hanging(self, stub: StubUpstream) -> Failing:
        return lambda: stub.answering(Reply(delay=30))


class TestHuggingFaceRouter(RemoteTests):
    @pytest.fixture
    def stub(self) -> Iterator[HuggingFaceStub]:
        with HuggingFaceStub(token="t0k3n") as stub:
            yield stub

    @pytest.fixture
    def provider(self, stub: HuggingFaceStub) -> Classifier:
        return build(HuggingFace, url=stub.router_url, token="t0k3n")


class TestHuggingFaceSpace(TestHuggingFaceRouter):
    @pytest.fixture
    def provider(self, stub: HuggingFaceStub) -> Classifier:
        return build(HuggingFace, url=f"{stub.url}/run/predict", token="t0k3n")


class TestMLService(RemoteTests):
    @pytest.fixture
    def stub(self) -> Iterator[MLServiceStub]:
        with MLServiceStub(api_key="k3y") as stub:
            yield stub

    @pytest.fixture
    def provider(self, stub: MLServiceStub) -> Classifier:
        return build(MLService, url=stub.url, api_key="k3y")

"""A classifier that asks a service, tested over a stub: what docs/plugins.md shows."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from marshmallow import Schema

from foodlog.errors import ProviderError
from foodlog.models import Classification, Label
from foodlog.options import Url
from foodlog.photos import Photo
from foodlog.providers import Classifier
from foodlog.testing import ClassifierTests, build
from foodlog.testing.provider import Failing
from foodlog.testing.upstreams import Asked, Reply, StubUpstream


class Taster(Classifier):
    """Asks a service that answers one label."""

    name = "taster"

    class Options(Schema):
        url = Url(required=True, metadata={"help": "Where the service is."})

    def check(self) -> None:
        self._ask("GET", timeout=2)

    def classify(self, photo: Photo, timeout: float) -> Classification:
        told = self._ask("POST", timeout, photo.reduced(512))
        return Classification(labels=(Label(told["label"], told["score"]),))

    def _ask(self, method: str, timeout: float, data: bytes | None = None) -> Any:
        try:
            answer = requests.request(method, self.options["url"], data=data, timeout=timeout)
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException as error:
            raise ProviderError(f"the taster did not answer: {type(error).__name__}") from error


class TasterStub(StubUpstream):
    """The service as it is on a good day."""

    def answer(self, request: Asked) -> Reply:
        return Reply.json({"label": "pizza", "score": 0.9})


class TestTaster(ClassifierTests):
    @pytest.fixture
    def stub(self) -> Iterator[TasterStub]:
        with TasterStub() as stub:
            yield stub

    @pytest.fixture
    def provider(self, stub: TasterStub) -> Taster:
        return build(Taster, url=stub.url)

    @pytest.fixture
    def down(self, stub: TasterStub) -> Failing:
        return lambda: stub.answering(Reply(503, b"<html>"))

    @pytest.fixture
    def hanging(self, stub: TasterStub) -> Failing:
        return lambda: stub.answering(Reply(delay=30))

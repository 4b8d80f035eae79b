"""Each rule of the suites fails where a provider breaks it, and says what it is for."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf, nan
from typing import Any

import pytest
from marshmallow import EXCLUDE, Schema, fields

from foodlog.errors import ProviderError
from foodlog.models import Classification, Estimate, FoodQuery, Ingredient, Label, Nutrients
from foodlog.models import Nutrition as Record
from foodlog.providers import Classifier
from foodlog.testing import ClassifierTests, FallbackTests, NutritionSourceTests, build
from foodlog.testing import provider as common
from foodlog.testing.classifiers import assert_classification
from foodlog.testing.fakes import FakeClassifier, FakeFallback, FakeSource, labelled
from foodlog.testing.fallbacks import assert_estimate
from foodlog.testing.nutrition import assert_nutrition
from foodlog.testing.provider import ProviderTests

SUITE, SOURCES, FALLBACKS = ClassifierTests(), NutritionSourceTests(), FallbackTests()
WELL = labelled(("pizza", 0.9), ("soup", 0.1), ("bread", None))
APPLE = FoodQuery(name="apple")


@contextmanager
def caught(message: str) -> Iterator[None]:
    """The rule in the block fails with a message that matches."""
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        yield


@contextmanager
def nothing_happens() -> Iterator[None]:
    yield


class Sloppy(FakeClassifier):
    """Breaks every rule about options."""

    class Options(Schema):
        api_token = fields.String(metadata={"help": "The token."})
        size = fields.Integer()

        class Meta:
            unknown = EXCLUDE


def test_what_is_right_passes() -> None:
    assert_classification(WELL)
    assert_estimate(FakeFallback().predict(common.photo()))
    source = FakeSource({"apple": 52})
    assert_nutrition(source.lookup([APPLE], 1)[0], source)


def test_rules_of_all_providers() -> None:
    sloppy = Sloppy(WELL)
    with caught("lack metadata.*size"):
        SUITE.test_every_option_has_a_help_text(sloppy)
    with caught("api_token.*SecretField"):
        SUITE.test_secrets_are_secret_fields(sloppy)
    with caught("DID NOT RAISE"):
        SUITE.test_unknown_options_are_refused(sloppy)


@pytest.mark.parametrize("name", ["Onnx", "my-classifier", "", None])
def test_a_name_that_is_no_word(name: Any) -> None:
    provider = FakeClassifier(WELL)
    provider.name = name  # type: ignore[misc]
    with caught("`name`"):
        SUITE.test_the_name_is_a_word(provider)


def test_a_check_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 6.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    with caught("check.. took 6.0 s"):
        SUITE.test_check_of_a_working_provider_passes(FakeClassifier(WELL))


def test_a_thread_that_is_left() -> None:
    end = threading.Event()

    class Threaded(FakeClassifier):
        def classify(self, photo: Any, timeout: float) -> Classification:
            threading.Thread(target=end.wait, daemon=True).start()
            return WELL

    provider = Threaded(WELL)
    with caught("must end the provider's own threads"):
        SUITE.test_close_leaves_no_thread(provider, provider.close)
    end.set()


def test_words_in_a_meal_that_are_none() -> None:
    provider = FakeClassifier(WELL)
    provider.metadata_key = "Meta Data"  # type: ignore[misc]
    with caught("`metadata_key` is 'Meta Data'"):
        SUITE.test_the_words_in_a_meal_are_words(provider)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([Label("pizza", 0.9)], "must return a Classification"),
        (labelled(), "needs a label"),
        (Classification(labels=("pizza",)), "must be a Label"),  # type: ignore[arg-type]
        (labelled((" pizza", 0.9)), "spaces around"),
        (labelled(("", 0.9)), "empty"),
        (labelled(("piz\0za", 0.9)), "cannot be printed"),
        (labelled(("p" * 201, 0.9)), "201 characters"),
        (labelled((b"pizza", 0.9)), "must be a text"),  # type: ignore[arg-type]
        (labelled(("pizza", 93)), "outside 0..1"),
        (labelled(("pizza", -0.1)), "outside 0..1"),
        (labelled(("pizza", nan)), "no finite number"),
        (labelled(("pizza", True)), "no finite number"),
        (labelled(("soup", 0.1), ("pizza", 0.9)), "best first"),
        (labelled(("pizza", 0.9), diagnostics={"raw": object()}), "JSON-able"),
        (labelled(("pizza", 0.9), diagnostics={1: 2}), "JSON-able"),
        (labelled(("pizza", 0.9), diagnostics={"raw": "x" * 20_000}), "stored in every meal"),
        (labelled(("pizza", 0.9), ingredients=("", "flour")), "an ingredient"),
        (labelled(("pizza", 0.9), nutrients=Nutrients(fats=-1)), "below 0"),
        (labelled(("pizza", 0.9), nutrients={"fats": 1}), "must be Nutrients"),
    ],
)
def test_a_classification_that_is_wrong(answer: Any, message: str) -> None:
    with caught(message):
        SUITE.test_any_photo_is_classified(FakeClassifier(answer), "a JPEG")
    with caught(message):
        SUITE.test_several_threads_may_ask_at_once(FakeClassifier(answer))


def test_a_photo_that_is_changed() -> None:
    class Changing(FakeClassifier):
        def classify(self, photo: Any, timeout: float) -> Classification:
            photo.metadata.pop("gps")
            return WELL

    with caught("must not change the photo"):
        SUITE.test_a_photo_is_left_as_it_was(Changing(WELL))

    class ChangingFallback(FakeFallback):
        def predict(self, photo: Any, label: str | None = None) -> Estimate:
            photo.metadata.pop("gps")
            return super().predict(photo, label)

    with caught("must not change the photo"):
        FALLBACKS.test_a_photo_is_left_as_it_was(ChangingFallback())


def raising(error: Exception) -> Callable[[], Classification]:
    def answer() -> Classification:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: WELL, "made up"),
        (raising(KeyError("label")), "raised KeyError"),
        (raising(ProviderError(" ")), "must say something"),
        (raising(ProviderError("it is down")), "made up"),  # what its check() tells
    ],
)
def test_a_failure_that_is_not_told(answer: Any, message: str) -> None:
    with caught(message):
        SUITE.test_a_failure_is_told_and_does_not_last(FakeClassifier(answer), nothing_happens)


def test_a_failure_that_lasts() -> None:
    class Broken(FakeClassifier):
        def check(self) -> None:
            raise ProviderError("it is down")

    with pytest.raises(ProviderError, match="it is down"):
        SUITE.test_a_failure_is_told_and_does_not_last(
            Broken(raising(ProviderError("it is down"))), nothing_happens
        )


def test_a_time_out_that_is_not_kept() -> None:
    def late() -> Classification:
        time.sleep(0.3 + common.PATIENCE)
        raise ProviderError("too late")

    with caught("must bound the whole call"):
        SUITE.test_an_answer_that_does_not_come_ends_in_time(FakeClassifier(late), nothing_happens)


def record(**wrong: Any) -> Record:
    right: dict[str, Any] = {"per_100g": Nutrients(calories=52), "source": "fake_source"}
    return Record(**{**right, "source_id": "1", "description": "Apple, raw", **wrong})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "does not know"),
        ({"calories": 52}, "must be Nutrition"),
        (record(source="usda"), "must be the provider's name"),
        (record(source_id=""), "source_id"),
        (record(description="a\nb"), "description"),
        (record(serving_grams=0), "above 0"),
        (record(serving_grams=inf), "above 0"),
        (record(serving_grams=5001), "up to 5000 g"),
        (record(per_100g=Nutrients()), "no nutrient is known"),
        (record(per_100g=Nutrients(calories=nan)), "must be a number"),
        (record(per_100g=Nutrients(calories=2000)), "cannot hold"),
        (record(per_100g=Nutrients(sugars=101)), "cannot hold"),
        (record(per_100g=Nutrients(sodium_mg=5e4)), "cannot hold"),
        (record(per_100g=Nutrients(proteins=60, fats=60)), "of a serving"),
    ],
)
def test_a_record_that_is_wrong(answer: Any, message: str) -> None:
    with caught(message):
        SOURCES.test_a_known_food_is_answered_per_100_g(
            FakeSource(answer=lambda foods: [answer] * len(foods)), APPLE
        )


def test_a_source_that_knows_everything() -> None:
    source = FakeSource(answer=lambda foods: [record()] * len(foods))
    with caught("a wrong food is worse"):
        SOURCES.test_an_unknown_food_is_none(source)
    with caught("same order"):
        SOURCES.test_answers_come_in_the_order_asked(source, APPLE)
    with caught("from several threads"):
        SOURCES.test_several_threads_may_ask_at_once(source, APPLE)


def test_a_source_that_leaves_foods_out() -> None:
    found = FakeSource(answer=lambda foods: [record() for food in foods if food == APPLE])
    with caught("same order"):
        SOURCES.test_answers_come_in_the_order_asked(found, APPLE)
    with caught("one entry for each food"):
        SOURCES.test_any_name_can_be_asked_for(found, APPLE)
    with caught("must return a sequence"):
        SOURCES.test_answers_come_in_the_order_asked(FakeSource(answer=iter), APPLE)
    short = FakeSource(answer=lambda foods: [record()] * min(len(foods), 20))
    with caught("50 foods were asked for, 20 answered"):
        SOURCES.test_a_large_batch_is_answered(short, APPLE)
    padded = FakeSource(answer=lambda foods: [None] * len(foods))
    with caught("known each time"):
        SOURCES.test_a_large_batch_is_answered(padded, APPLE)
    with caught("must not cost the whole meal"):
        SOURCES.test_any_name_can_be_asked_for(padded, APPLE)
    with caught("nothing was asked"):
        SOURCES.test_no_food_at_all_is_no_answer(FakeSource(answer=lambda _: [None]))


def estimate(**wrong: Any) -> Estimate:
    known = Nutrients(calories=200, proteins=8, fats=4, carbohydrates=30)
    oats = Ingredient(name="Oats", grams=40)
    return Estimate(**{"food": "Porridge", "ingredients": (oats,), "nutrients": known, **wrong})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "it always answers"),
        (estimate(food=""), "`food`"),
        (estimate(ingredients=("oats",)), "no Ingredient"),
        (estimate(ingredients=(Ingredient(name="", grams=1),)), "name of an ingredient"),
        (estimate(ingredients=(Ingredient(name="Oats", grams=0),)), "weighs something"),
        (estimate(ingredients=(Ingredient(name="Oats", grams=nan),)), "no number"),
        (estimate(nutrients=Nutrients(calories=200)), "are unknown"),
    ],
)
def test_a_guess_that_is_wrong(answer: Any, message: str) -> None:
    fallback = FakeFallback(lambda: answer)
    with caught(message):
        FALLBACKS.test_any_photo_gets_a_guess(fallback, "a GIF")
    with caught(message):
        FALLBACKS.test_any_label_gets_a_guess(fallback, "soup")
    with caught(message):
        FALLBACKS.test_several_threads_may_ask_at_once(fallback)


def test_a_guess_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def ask() -> Estimate:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        return estimate()

    with caught("uses the network"):
        FALLBACKS.test_a_guess_needs_no_network(FakeFallback(ask), monkeypatch)


def test_a_guess_that_is_slow() -> None:
    def slow() -> Estimate:
        time.sleep(0.21)
        return estimate()

    with caught("0.2 s when the request's time is over"):
        FALLBACKS.test_a_guess_comes_at_once(FakeFallback(slow))


@pytest.mark.parametrize("suite", [ProviderTests, ClassifierTests])
def test_a_forgotten_fixture_is_asked_for(suite: Any) -> None:
    with pytest.raises(NotImplementedError, match="`provider` fixture"):
        suite.provider.__wrapped__(suite())


def test_the_forgotten_food_is_asked_for() -> None:
    forgotten: Any = NutritionSourceTests.known
    with pytest.raises(NotImplementedError, match="`known` fixture"):
        forgotten.__wrapped__(SOURCES)


def test_options_are_loaded_as_foodlog_loads_them() -> None:
    class Optioned(Classifier):
        name = "optioned"

        class Options(Schema):
            size = fields.Integer(load_default=3)

        def check(self) -> None: ...

        def classify(self, photo: Any, timeout: float) -> Classification:
            return WELL

    assert build(Optioned).options == {"size": 3}
    assert build(Optioned, size="4").options == {"size": 4}


def test_what_is_not_there_is_named() -> None:
    import foodlog.testing

    with pytest.raises(AttributeError, match="StoreTests"):
        foodlog.testing.StoreTests  # noqa: B018

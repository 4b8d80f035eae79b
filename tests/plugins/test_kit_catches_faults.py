"""Each rule of the suites fails where a provider breaks it, and says what it is for."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import inf, nan
from typing import Any

import pytest
from marshmallow import EXCLUDE, Schema, fields

from foodlog.errors import PartialAnswer, ProviderError
from foodlog.models import Classification, Estimate, FoodQuery, Ingredient, Label, Nutrients
from foodlog.models import Nutrition as Record
from foodlog.providers import Classifier, Context
from foodlog.testing import ClassifierTests, FallbackTests, NutritionSourceTests, build, fallbacks
from foodlog.testing import provider as common
from foodlog.testing.classifiers import assert_classification
from foodlog.testing.fakes import FakeClassifier, FakeFallback, FakeSource, labelled
from foodlog.testing.fallbacks import assert_estimate
from foodlog.testing.nutrition import assert_nutrition
from foodlog.testing.provider import ProviderTests

SUITE, SOURCES, FALLBACKS = ClassifierTests(), NutritionSourceTests(), FallbackTests()
WELL = labelled(("pizza", 0.9), ("soup", 0.1), ("bread", None))
APPLE = FoodQuery(name="apple")
SOURCES._known = APPLE


@contextmanager
def caught(message: str) -> Iterator[None]:
    """The rule in the block fails with a message that matches."""
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        yield


@contextmanager
def nothing_happens() -> Iterator[None]:
    yield


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A call that comes back when the test is over; the suite has had enough of it before."""
    for name in ("TIMEOUT", "LITTLE", "PATIENCE"):
        monkeypatch.setattr(common, name, 0.01)
    for name in ("CHECK_SECONDS", "CLOSE_SECONDS", "BUILD_SECONDS"):
        monkeypatch.setattr(common, name, 0.01)
    monkeypatch.setattr(fallbacks, "HANGS", 0.01)
    end = threading.Event()

    def hang(*_: object) -> None:
        end.wait()

    yield hang
    end.set()


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass, and nobody wait for them."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


class Made(Classifier):
    """A classifier as FoodLog builds it; what it does not do, subclasses do wrong."""

    name = "made"

    def check(self) -> None: ...

    def classify(self, photo: Any, timeout: float) -> Classification:
        return WELL


class Sloppy(FakeClassifier):
    """Breaks every rule about options."""

    class Options(Schema):
        api_token = fields.String(metadata={"help": "The token."})
        access_key = apikey = bearer = private_key = api_token
        size = fields.Integer()
        token_limit = fields.Integer(metadata={"help": "How many tokens."})

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
    secrets = ["api_token", "access_key", "apikey", "bearer", "private_key"]
    with caught(f"^{re.escape(str(secrets))} look like secrets.*SecretField"):
        SUITE.test_secrets_are_secret_fields(sloppy)
    with caught("an operator who misspells one would"):
        SUITE.test_unknown_options_are_refused(sloppy)


@pytest.mark.parametrize("name", ["Onnx", "my-classifier", "", None])
def test_a_name_that_is_no_word(name: Any) -> None:
    provider = FakeClassifier(WELL)
    provider.name = name  # type: ignore[misc]
    with caught("`name`"):
        SUITE.test_the_name_is_a_word(provider)


def test_what_hangs_is_told_and_holds_nobody_up(hung: Callable[..., Any]) -> None:
    kept = "must bound the whole call"
    classifier, source, fallback = FakeClassifier(hung), FakeSource(answer=hung), FakeFallback(hung)
    with caught(kept):
        SUITE.test_any_photo_is_classified(classifier, "a JPEG")
    with caught(kept):
        SUITE.test_several_threads_may_ask_at_once(classifier)
    with caught(kept):
        SUITE.test_little_time_is_kept(classifier)
    with caught(kept):
        SUITE.test_an_answer_that_does_not_come_ends_in_time(classifier, nothing_happens)
    with caught(kept):
        SOURCES.test_a_known_food_is_answered_per_100_g(source, APPLE)
    with caught(kept):
        SOURCES.test_little_time_is_kept(source)
    with caught(kept):
        SOURCES.test_a_large_batch_keeps_its_time(source, APPLE)
    with caught("predict.. had not come back"):
        FALLBACKS.test_any_photo_gets_a_guess(fallback, "a JPEG")
    classifier.check = hung  # type: ignore[method-assign]
    with caught("check.. had not come back"):
        SUITE.test_check_of_a_working_provider_passes(classifier)


def test_a_provider_that_cannot_be_built_or_closed(hung: Callable[..., Any]) -> None:
    class Hanging(Made):
        __init__ = hung

    with caught("the constructor had not come back"):
        build(Hanging)

    provider = FakeClassifier(WELL)
    provider.close = hung  # type: ignore[method-assign]
    fixture: Any = ProviderTests.close
    close = next(fixture.__wrapped__(SUITE, provider))
    with caught("close.. had not come back.*told to stop"):
        SUITE.test_close_leaves_no_thread(provider, close)


def test_a_constructor_that_waits(
    monkeypatch: pytest.MonkeyPatch, pass_time: Callable[[float], None]
) -> None:
    class Waiting(Made):
        def __init__(self, options: Mapping[str, Any], context: Context) -> None:
            super().__init__(options, context)
            pass_time(3)

    SUITE.test_the_constructor_waits_for_nothing(build(Made), monkeypatch)
    with caught("a worker answers nobody while it waits"):
        SUITE.test_the_constructor_waits_for_nothing(build(Waiting), monkeypatch)


def test_a_constructor_that_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connecting(Made):
        def __init__(self, options: Mapping[str, Any], context: Context) -> None:
            super().__init__(options, context)
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", 9), timeout=1)

    with caught("the constructor uses the network.*start while a service is down"):
        SUITE.test_the_constructor_waits_for_nothing(build(Connecting), monkeypatch)


def test_what_a_provider_may_not_raise() -> None:
    error = KeyError("label")
    with caught("raised KeyError: 'label'; but any photo is classified: Whatever FoodLog takes"):
        SUITE.test_any_photo_is_classified(FakeClassifier(raising(error)), "a JPEG")
    down = ProviderError("it is down")
    with caught("raised ProviderError: it is down; but any photo gets a guess: Nobody is left"):
        FALLBACKS.test_any_photo_gets_a_guess(FakeFallback(raising(down)), "a JPEG")


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


@pytest.mark.parametrize("word", ["manual", "local_fallback"])
def test_a_classifier_that_is_taken_for_none(word: str) -> None:
    provider = FakeClassifier(WELL)
    provider.inference_source = word  # type: ignore[misc]
    with caught("by which clients know a meal that no classifier named"):
        SUITE.test_the_words_in_a_meal_are_words(provider)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([Label("pizza", 0.9)], "must return a Classification"),
        (labelled(), "needs a label"),
        (Classification(labels=[Label("pizza")]), "`labels` must be a tuple, not list"),  # type: ignore[arg-type]
        (Classification(labels=(label for label in WELL.labels)), "not generator"),  # type: ignore[arg-type]
        (labelled(("pizza", 0.9), ingredients="rice"), "`ingredients` must be a tuple, not str"),
        (labelled(("pizza", 0.9), diagnostics=None), "`diagnostics` must be a mapping"),
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
        (labelled(("pizza", 0.9), nutrients=Nutrients(fats=2e6)), "more than any meal holds"),
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

    with caught("raised ProviderError: it is down; but a failure is told and does not last"):
        SUITE.test_a_failure_is_told_and_does_not_last(
            Broken(raising(ProviderError("it is down"))), nothing_happens
        )


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
        (record(data_type=5), "for a failure: lookup..: answered a data type"),
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
    with caught("must return a sequence, not tuple_iterator"):
        SOURCES.test_answers_come_in_the_order_asked(FakeSource(answer=iter), APPLE)
    with caught("must return a sequence, not NoneType"):
        SOURCES.test_an_unknown_food_is_none(FakeSource(answer=lambda _: None))
    with caught("1 foods were asked for, 2 answered"):
        SOURCES.test_a_known_food_is_answered_per_100_g(
            FakeSource(answer=lambda foods: [record(), None]), APPLE
        )
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


def test_a_source_that_mixes_up_threads() -> None:
    at_once = threading.Barrier(4)

    class Shared(FakeSource):
        def lookup(self, foods: Sequence[FoodQuery], timeout: float) -> Any:
            self.foods = foods
            at_once.wait()
            return [record() if food == APPLE else None for food in self.foods]

    with caught("from several threads"):
        SOURCES.test_several_threads_may_ask_at_once(Shared(), APPLE)


def partly(*answers: Record | None) -> FakeSource:
    """A source that has these answers, and fails with what else it is asked for."""

    def answer(foods: Sequence[FoodQuery]) -> None:
        unanswered = [None] * (len(foods) - len(answers))
        raise PartialAnswer("the service refused a name", [*unanswered, *answers])

    return FakeSource(answer=answer)


def test_a_part_of_an_answer_is_one_where_names_are_odd() -> None:
    SOURCES.test_any_name_can_be_asked_for(partly(record()), APPLE)
    with caught("must not cost the whole meal"):
        SOURCES.test_any_name_can_be_asked_for(partly(None), APPLE)
    with caught("must be Nutrition"):
        SOURCES.test_any_name_can_be_asked_for(partly({}, record()), APPLE)  # type: ignore[arg-type]
    with caught("raised PartialAnswer: the service refused a name; but a known food"):
        SOURCES.test_a_known_food_is_answered_per_100_g(partly(), APPLE)
    with caught("1 foods were asked for, 2 answered"):
        SOURCES.test_a_failure_is_told_and_does_not_last(partly(None, None), nothing_happens)


def estimate(**wrong: Any) -> Estimate:
    known = Nutrients(calories=200, proteins=8, fats=4, carbohydrates=30)
    oats = Ingredient(name="Oats", grams=40)
    return Estimate(**{"food": "Porridge", "ingredients": (oats,), "nutrients": known, **wrong})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "it always answers"),
        (estimate(food=""), "`food`"),
        (estimate(ingredients=[Ingredient(name="Oats", grams=40)]), "must be a tuple, not list"),
        (estimate(ingredients=("oats",)), "no Ingredient"),
        (estimate(ingredients=(Ingredient(name="", grams=1),)), "name of an ingredient"),
        (estimate(ingredients=(Ingredient(name="Oats", grams=0),)), "weighs something"),
        (estimate(ingredients=(Ingredient(name="Oats", grams=nan),)), "no number"),
        (
            estimate(ingredients=(Ingredient(name="Oats", grams=5001),)),
            "for a failure: predict..: answered an ingredient",
        ),
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


class Labelled(FakeFallback):
    """Does something before it answers with a label, and nothing before it answers without."""

    def __init__(self, before: Callable[[], object]) -> None:
        super().__init__()
        self._before = before

    def predict(self, photo: Any, label: str | None = None) -> Estimate:
        if label:
            self._before()
        return estimate()


def test_a_guess_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1)

    with caught("uses the network"):
        FALLBACKS.test_a_guess_needs_no_network(Labelled(ask), monkeypatch)


def test_a_guess_that_is_slow(pass_time: Callable[[float], None]) -> None:
    slow = Labelled(lambda: pass_time(0.21))
    FALLBACKS.test_a_guess_comes_at_once(slow, None)
    with caught("0.2 s when the request's time is over"):
        FALLBACKS.test_a_guess_comes_at_once(slow, "soup")


@pytest.mark.parametrize("suite", [ProviderTests, ClassifierTests])
def test_a_forgotten_fixture_is_asked_for(suite: Any) -> None:
    with pytest.raises(NotImplementedError, match="`provider` fixture"):
        suite.provider.__wrapped__(suite())


def test_the_forgotten_food_is_asked_for() -> None:
    forgotten: Any = NutritionSourceTests.known
    with pytest.raises(NotImplementedError, match="`known` fixture"):
        forgotten.__wrapped__(SOURCES)


def test_options_are_loaded_as_foodlog_loads_them() -> None:
    class Optioned(Made):
        class Options(Schema):
            size = fields.Integer(load_default=3)

    assert build(Optioned).options == {"size": 3}
    assert build(Optioned, size="4").options == {"size": 4}


def test_what_is_not_there_is_named() -> None:
    import foodlog.testing

    with pytest.raises(AttributeError, match="StoreTests"):
        foodlog.testing.StoreTests  # noqa: B018

"""From a photo to labels, ingredients and nutrition, whatever the providers do."""

import math
import threading
from dataclasses import replace

import pytest

from foodlog.concurrency import CircuitBreaker, Deadline, Guard
from foodlog.dishes import Dish, Dishes, Reference
from foodlog.errors import Declined, PartialAnswer, ProviderError, Rejected
from foodlog.models import (
    Classification,
    Component,
    Estimate,
    Ingredient,
    Label,
    Nutrients,
    Nutrition,
)
from foodlog.photos import verify
from foodlog.services.analysis import (
    OWN_SHARE,
    Analyst,
    Asked,
    Rules,
    coverage,
    main_source,
    total,
)
from foodlog.testing import photos
from foodlog.testing.fakes import NOON, FakeClassifier, FakeFallback, FakeSource, labelled

TOAST = Dish(
    key="toast",
    name="Toast",
    ingredients=(
        Ingredient(name="Bread", grams=60),
        Ingredient(name="Butter", grams=30),
        Ingredient(name="Salt", grams=10),
    ),
    reference=Reference(
        per_100g=Nutrients(calories=300, proteins=8, fats=9, carbohydrates=45), reason="made up"
    ),
)


@pytest.fixture(scope="module")
def photo():
    return verify(photos.jpeg(32, 32))


class Inline:
    """A guard that calls in the caller's thread, which no busy machine keeps from running."""

    def call(self, function, *args, timeout, fair):
        return function(*args)


def asked(provider, guard=None):
    if isinstance(provider, Asked):
        return provider
    return Asked(provider, guard or Guard(provider.name, 2, CircuitBreaker(failures=100)))


def analyst(classifiers=(), sources=(), fallback=None, threshold=0.5, min_coverage=0.6):
    return Analyst(
        classifiers=[asked(each) for each in classifiers],
        sources=[asked(each) for each in sources],
        fallback=asked(fallback or FakeFallback()),
        dishes=Dishes([TOAST]),
        rules=Rules(threshold=threshold, min_coverage=min_coverage),
        clock=lambda: NOON,
    )


def analyse(subject, photo):
    deadline = Deadline(5)
    finding = subject.classify(photo, deadline)
    return finding, subject.nutrition(finding, photo, deadline)


def fail(*_):
    raise ProviderError("the service is down")


EVERYTHING = {"Bread": 250, "Butter": 700, "Salt": 0}


def test_the_first_classifier_that_answers_is_believed(photo):
    second = FakeClassifier(labelled(("toast", 0.9), ("pizza", 0.05)))
    third = FakeClassifier(labelled(("pizza", 0.9)))
    first = FakeClassifier(fail)
    finding, _ = analyse(analyst([first, second, third], [FakeSource(EVERYTHING)]), photo)
    assert (finding.label, finding.confidence) == ("toast", 0.9)
    assert finding.candidates == (Label("toast", 0.9), Label("pizza", 0.05))
    assert finding.inference_source == "fake_classifier"
    assert third.calls == []
    assert finding.metadata["fake_classifier"] == {
        "label": "toast",
        "confidence": 0.9,
        "threshold": 0.5,
        "captured_at": NOON.isoformat(),
    }
    assert "the service is down" in finding.metadata["fake_classifier_error"]


def test_a_label_under_the_threshold_is_rejected_with_its_candidates(photo):
    subject = analyst([FakeClassifier(labelled(("toast", 0.49), ("pizza", 0.3)))])
    with pytest.raises(Rejected) as rejected:
        subject.classify(photo, Deadline(5))
    assert rejected.value.threshold == 0.5
    assert [c.name for c in rejected.value.candidates] == ["toast", "pizza"]


def test_a_label_at_the_threshold_or_without_confidence_is_accepted(photo):
    for confidence in (0.5, None):
        subject = analyst([FakeClassifier(labelled(("toast", confidence)))])
        assert subject.classify(photo, Deadline(5)).label == "toast"


def test_a_known_dish_is_the_sum_of_its_ingredients(photo):
    classifier = FakeClassifier(labelled(("toast", 0.9)))
    _, result = analyse(analyst([classifier], [FakeSource(EVERYTHING)]), photo)
    assert result.food == "Toast"
    assert result.ingredients == ("Bread", "Butter", "Salt")
    assert result.nutrients.calories == pytest.approx(250 * 0.6 + 700 * 0.3)
    assert result.nutrients.calories == sum(c.nutrients.calories for c in result.components)
    assert result.nutrients.sugars is None, "unknown is not 0"
    assert result.coverage == 1
    assert result.nutrition_source == "fake_source"
    assert result.estimated is False
    listed = result.metadata["fake_source"]["components"]
    assert [row["source_id"] for row in listed] == [f"fake_source:{n}" for n in EVERYTHING]


def test_what_one_source_does_not_know_the_next_is_asked(photo):
    first = FakeSource({"Bread": 250}, name="first")
    second = FakeSource({"Bread": 999, "Butter": 700}, name="second")
    classifier = FakeClassifier(labelled(("toast", 0.9)))
    _, result = analyse(analyst([classifier], [first, second]), photo)
    assert [food.name for food in second.calls[0]] == ["Butter", "Salt"]
    assert [c.source for c in result.components] == ["first", "second", None]
    assert result.coverage == pytest.approx(0.9)
    assert result.nutrition_source == "first"


def test_a_source_that_fails_is_noted_and_the_next_answers(photo):
    down = FakeSource(answer=fail, name="down")
    classifier = FakeClassifier(labelled(("toast", 0.9)))
    _, result = analyse(analyst([classifier], [down, FakeSource(EVERYTHING)]), photo)
    assert result.coverage == 1
    assert "the service is down" in result.metadata["down_error"]


def test_too_little_coverage_falls_to_the_dish_as_a_single_food(photo):
    source = FakeSource({"Butter": 700, "toast": 313})
    classifier = FakeClassifier(labelled(("toast", 0.9)))
    _, result = analyse(analyst([classifier], [source]), photo)
    assert [(c.name, c.grams) for c in result.components] == [("Toast", 100)]
    assert result.nutrients.calories == pytest.approx(313)


def test_an_unknown_dish_is_looked_up_as_a_single_food(photo):
    def serving(foods):
        assert [food.name for food in foods] == ["banana"]
        return [
            Nutrition(
                per_100g=Nutrients(calories=89),
                source="fake_source",
                source_id="1",
                description="Bananas, raw",
                serving_grams=118,
            )
        ]

    classifier = FakeClassifier(labelled(("banana", 0.9)))
    _, result = analyse(analyst([classifier], [FakeSource(answer=serving)]), photo)
    assert (result.food, result.components[0].grams) == ("Banana", 118)
    assert result.nutrients.calories == pytest.approx(89 * 1.18)


def test_a_classifiers_own_nutrition_counts_where_no_source_knows_better(photo):
    answer = labelled(
        ("stew", 0.9), ingredients=("Beef", "Beer"), nutrients=Nutrients(calories=420)
    )
    _, result = analyse(analyst([FakeClassifier(answer)], [FakeSource()]), photo)
    assert result.nutrients.calories == 420
    assert result.ingredients == ("Beef", "Beer")
    assert result.nutrition_source == "fake_classifier"
    assert result.coverage is None
    assert result.estimated is False


def test_what_nobody_knows_is_estimated_and_says_so(photo):
    finding, result = analyse(analyst([FakeClassifier(labelled(("stew", 0.9)))]), photo)
    assert finding.inference_source == "fake_classifier"
    assert result.food == "Stew"
    assert result.estimated is True
    assert result.nutrients.calories == 200
    assert result.nutrition_source == "fake_fallback"
    assert result.coverage == 0


def test_without_any_classifier_the_fallback_names_the_meal_and_says_that_it_guesses(photo):
    finding, result = analyse(analyst([FakeClassifier(fail)]), photo)
    assert finding.inference_source == "local_fallback"
    assert finding.confidence is None
    assert result.food == "Porridge"
    assert result.estimated is True
    assert "fake_classifier_error" in result.metadata


def decline():
    raise Declined("not my turn")


def test_a_classifier_that_stands_aside_leaves_no_error(photo):
    finding = analyst([FakeClassifier(decline)]).classify(photo, Deadline(5))
    assert finding.inference_source == "local_fallback"
    assert finding.metadata == {}


def test_a_fallback_that_fails_is_a_provider_error(photo):
    for answer in (fail, lambda: None, lambda: 1 / 0):
        with pytest.raises(ProviderError):
            analyst(fallback=FakeFallback(answer)).classify(photo, Deadline(5))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "pizza",
        Classification(labels=()),
        Classification(labels=None),
        labelled(("", 0.9)),
        labelled((None, 0.9)),
        labelled(("a\0b", 0.9)),
        labelled(("pizza", math.nan)),
        labelled(("pizza", 1.5)),
        labelled(("pizza", -0.1)),
        labelled(("pizza", "0.9")),
        labelled(("pizza", True)),
        *[
            Classification(labels=(Label("pizza", 0.9),), diagnostics=diagnostics)
            for diagnostics in (
                None,
                {"raw": b"\0"},
                {1: 2},
                {"large": 2**70},
                {"text": "\ud800"},
                {"long": "x" * 100_000},
            )
        ],
        Classification(labels=(Label("pizza", 0.9),), ingredients=("\ud800",)),
        Classification(labels=(Label("pizza", 0.9),), nutrients="many"),
        lambda: 1 / 0,
        lambda: (_ for _ in ()).throw(SystemExit),
    ],
    ids=lambda answer: getattr(answer, "__name__", None) or str(answer)[:60],
)
def test_nonsense_from_a_classifier_costs_only_that_classifier(photo, answer):
    good = FakeClassifier(labelled(("toast", 0.9)))
    finding = analyst([FakeClassifier(answer), good]).classify(photo, Deadline(5))
    assert finding.label == "toast"
    assert "fake_classifier_error" in finding.metadata


@pytest.mark.parametrize(
    "wrong",
    [
        {"food": None},
        {"food": "\ud800"},
        {"nutrients": None},
        {"nutrients": Nutrients()},
        {"nutrients": Nutrients(calories=math.nan)},
        {"nutrients": Nutrients(calories=-5)},
        {"nutrients": Nutrients(calories=1e12)},
        {"nutrients": Nutrients(calories="many")},
        {"ingredients": None},
        {"ingredients": ("rice",)},
        {"ingredients": (Ingredient(name="Rice", grams=math.inf),)},
        {"ingredients": (Ingredient(name="\0", grams=1),)},
    ],
    ids=str,
)
def test_nonsense_from_the_fallback_is_a_provider_error(photo, wrong):
    estimate = Estimate(food="Soup", ingredients=(), nutrients=Nutrients(calories=1))
    fallback = FakeFallback(lambda: replace(estimate, **wrong))
    with pytest.raises(ProviderError):
        analyst(fallback=fallback).classify(photo, Deadline(5))


def test_what_diagnostics_hold_is_json_as_it_comes_back_from_a_storage(photo):
    answer = Classification(labels=(Label("toast", 0.9),), diagnostics={"sizes": (1, 2)})
    finding = analyst([FakeClassifier(answer)]).classify(photo, Deadline(5))
    assert finding.metadata["fake_classifier"]["sizes"] == [1, 2]


def test_odd_characters_of_a_record_are_left_out(photo):
    record = Nutrition(
        per_100g=Nutrients(calories=250), source="s", source_id="1", description="Bre\u200bad"
    )
    classifier = FakeClassifier(labelled(("bread", 0.9)))
    source = FakeSource(answer=lambda foods: [record] * len(foods))
    _, result = analyse(analyst([classifier], [source]), photo)
    assert result.components[0].description == "Bread"


@pytest.mark.parametrize("label", ["カレー\u3000ライス", "bœuf\xa0bourguignon", "خوشمزه\u200cترین"])
def test_a_label_may_be_in_any_script(photo, label):
    finding, _ = analyse(analyst([FakeClassifier(labelled((label, 0.9)))]), photo)
    assert finding.candidates == (Label(label, 0.9),)


def test_a_million_labels_are_cut_to_the_best(photo):
    many = Classification(labels=tuple(Label(f"label {n}", 0.9) for n in range(1_000_000)))
    finding = analyst([FakeClassifier(many)]).classify(photo, Deadline(5))
    assert len(finding.candidates) == 10


def test_a_label_of_a_megabyte_is_cut(photo):
    finding = analyst([FakeClassifier(labelled(("x" * 1_000_000, 0.9)))]).classify(
        photo, Deadline(5)
    )
    assert len(finding.label) == 200


def amounts(calories, **more):
    return Nutrition(
        per_100g=Nutrients(calories=calories), source="s", source_id="1", description="d", **more
    )


@pytest.mark.parametrize(
    "answer",
    [
        lambda foods: None,
        lambda foods: [],
        lambda foods: [None] * (len(foods) + 1),
        lambda foods: (None for _ in foods),
        lambda foods: [{"calories": 1}] * len(foods),
        lambda foods: [amounts(math.nan)] * len(foods),
        lambda foods: [amounts(math.inf)] * len(foods),
        lambda foods: [amounts(-1)] * len(foods),
        lambda foods: [amounts("12")] * len(foods),
        lambda foods: [amounts(1.1e6)] * len(foods),
        lambda foods: [amounts(10**400)] * len(foods),
        lambda foods: [amounts(1, serving_grams=0)] * len(foods),
        lambda foods: [amounts(1, serving_grams=-1)] * len(foods),
        lambda foods: [amounts(1, serving_grams=5001)] * len(foods),
        lambda foods: [amounts(1, serving_grams=math.nan)] * len(foods),
        lambda foods: [amounts(1, serving_grams=math.inf)] * len(foods),
        lambda foods: [amounts(1, serving_grams="80")] * len(foods),
        lambda foods: 1 / 0,
    ],
)
def test_nonsense_from_a_source_costs_only_that_source(photo, answer):
    classifier = FakeClassifier(labelled(("toast", 0.9)))
    bad = FakeSource(answer=answer, name="bad")
    _, result = analyse(analyst([classifier], [bad, FakeSource(EVERYTHING)]), photo)
    assert {c.source for c in result.components} == {"fake_source"}
    assert "bad_error" in result.metadata


def test_a_classifiers_amount_beyond_all_bounds_is_unknown(photo):
    nutrients = Nutrients(calories=1e6, proteins=1e300, fats=math.inf)
    classifier = FakeClassifier(labelled(("stew", 0.9), nutrients=nutrients))
    finding = analyst([classifier]).classify(photo, Deadline(5))
    assert finding.nutrients == Nutrients(calories=1e6)


def test_a_provider_that_hangs_is_left_at_its_own_time_out(photo):
    gate = threading.Event()
    hanging = FakeClassifier(lambda: gate.wait(5), timeout=0.05)
    good = FakeClassifier(labelled(("toast", 0.9)))
    finding = analyst([hanging, good]).classify(photo, Deadline(5))
    gate.set()
    assert finding.label == "toast"


@pytest.mark.parametrize(
    ("own", "left", "given"),
    [(0.05, 5, 0.05), (None, 0, 0.2)],
)
def test_a_provider_has_its_own_time_out_and_of_a_spent_deadline_still_a_moment(
    photo, own, left, given
):
    classifier = FakeClassifier(labelled(("toast", 0.9)), timeout=own)
    finding = analyst([asked(classifier, Inline())]).classify(photo, Deadline(left))
    assert finding.label == "toast"
    assert classifier.calls[0][1] == pytest.approx(OWN_SHARE * given)


def test_a_spent_deadline_leaves_none_for_remote_ones(photo):
    remote = FakeClassifier(labelled(("pizza", 0.9)), timeout=5)
    local = FakeClassifier(labelled(("toast", 0.9)))
    finding = analyst([remote, local]).classify(photo, Deadline(0))
    assert finding.label == "toast"
    assert remote.calls == []


def test_a_partial_answer_is_used_and_told(photo):
    class Partly(FakeSource):
        def lookup(self, foods, timeout):
            found = super().lookup(foods, timeout)
            raise PartialAnswer("the rest failed", [found[0], *[None] * (len(foods) - 1)])

    classifier = FakeClassifier(labelled(("toast", 0.9)))
    _, result = analyse(analyst([classifier], [Partly(EVERYTHING, name="partly")]), photo)
    assert result.coverage == pytest.approx(0.6)
    assert result.metadata["partly_error"] == "the rest failed"


def test_a_partial_answer_is_remembered_but_does_not_open_the_breaker(photo):
    class Partly(FakeSource):
        def lookup(self, foods, timeout):
            raise PartialAnswer("the rest failed", [None] * len(foods))

    guarded = Asked(Partly({}), Guard("partly", 2, CircuitBreaker(failures=1)))
    subject = Analyst(
        classifiers=[],
        sources=[guarded],
        fallback=asked(FakeFallback()),
        dishes=Dishes([TOAST]),
        rules=Rules(threshold=0.5, min_coverage=0.6),
        clock=lambda: NOON,
    )
    subject.resolve("toast", None, Deadline(5))
    assert guarded.guard.status.last_error == "the rest failed"
    assert guarded.guard.status.breaker == "closed"


def test_what_is_unknown_of_most_of_the_weight_is_unknown_of_the_meal():
    parts = [
        Component(name="Salad", grams=95, nutrients=Nutrients(calories=20)),
        Component(name="Vinegar", grams=5, nutrients=Nutrients(calories=1, fiber=0.0)),
    ]
    assert total(parts) == Nutrients(calories=21)
    assert total(parts[1:]).fiber == 0


def test_a_provider_is_not_blamed_where_others_used_up_its_time(photo):
    gate = threading.Event()
    late = FakeClassifier(lambda: gate.wait(5))
    guarded = asked(late)
    subject = analyst([guarded], fallback=asked(FakeFallback(), Inline()))
    subject.classify(photo, Deadline(0))
    gate.set()
    assert guarded.guard.status.last_error is None


def test_resolving_a_dish_scales_it_to_the_weight_asked_for():
    subject = analyst(sources=[FakeSource(EVERYTHING)])
    whole = subject.resolve("toast", None, Deadline(5))
    double = subject.resolve("toast", 200, Deadline(5))
    assert sum(c.grams for c in double.components) == pytest.approx(200)
    assert double.nutrients.calories == pytest.approx(2 * whole.nutrients.calories)
    assert subject.resolve("spoon", None, Deadline(5)) is None


def test_coverage_and_source_of_nothing():
    assert coverage(()) == 0
    assert main_source(()) is None

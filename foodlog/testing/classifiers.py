"""The conformance suite of classifiers: what ``foodlog.providers.Classifier`` promises, as tests.

In a plugin's tests, with pytest::

    from foodlog.testing import ClassifierTests, build

    class TestMyClassifier(ClassifierTests):
        @pytest.fixture
        def provider(self):
            return build(MyClassifier, model="model.onnx")     # the suite closes it
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import orjson
import pytest

from foodlog.models import Classification, Label
from foodlog.photos import Photo
from foodlog.providers import NOT_CLASSIFIED, Classifier
from foodlog.services import checking
from foodlog.testing import provider as common
from foodlog.testing.rules import rules

DIAGNOSTICS_BYTES = 16 * 1024


@rules
class ClassifierTests(common.AskedTests):
    """Every rule of the classifier port. Inherit and give a ``provider`` fixture; where the
    classifier depends on a service, also ``down`` and ``hanging``."""

    def use(self, provider: Any, timeout: float | None = None) -> None:
        """Have a photo classified."""
        classify(provider, common.photo(), timeout)

    def test_the_words_in_a_meal_are_words(self, provider: Classifier) -> None:
        """They are keys in what clients read and in what is stored."""
        for attribute in ("inference_source", "metadata_key"):
            value = getattr(provider, attribute, None)
            assert isinstance(value, str), f"`{attribute}` must be a text, it is {value!r}"
            assert common.WORD.fullmatch(value), (
                f"`{attribute}` is {value!r}, but must be lower case letters, digits and "
                "underscores: clients read it in a meal"
            )
        assert provider.inference_source not in NOT_CLASSIFIED, (
            f"`inference_source` is {provider.inference_source!r}, by which clients know a meal "
            "that no classifier named"
        )

    @pytest.mark.parametrize("kind", common.PHOTOS)
    def test_any_photo_is_classified(self, provider: Classifier, kind: str) -> None:
        """Whatever FoodLog takes reaches the classifier."""
        assert_classification(classify(provider, common.photo(kind)))

    def test_a_photo_is_left_as_it_was(self, provider: Classifier) -> None:
        """The photo goes on to the next provider and into the store."""
        photo = common.photo("a JPEG lying on its side")
        before = (photo.clean(), deepcopy(photo.metadata))
        classify(provider, photo)
        assert (photo.clean(), photo.metadata) == before, (
            "classify() must not change the photo: what it knows is stored with the meal"
        )

    def test_several_threads_may_ask_at_once(self, provider: Classifier) -> None:
        """One instance serves all threads of a worker."""
        photos = [common.photo(kind) for kind in ("a JPEG", "a WebP", "a grey JPEG", "a GIF")]
        for answer in common.together(12, lambda n: classify(provider, photos[n % 4])):
            assert_classification(answer)


def classify(provider: Classifier, photo: Photo, timeout: float | None = None) -> Classification:
    """What it answers or raises, within its time."""
    return common.asked(provider.classify, photo, timeout=timeout)


def assert_classification(answer: object) -> None:
    """``answer`` is a classification FoodLog can use."""
    assert isinstance(answer, Classification), (
        f"classify() must return a Classification, not {type(answer).__name__}"
    )
    common.assert_tuple(answer.labels, "`labels`")
    assert answer.labels, "a classification needs a label at least; raise ProviderError where none"
    for label in answer.labels:
        _assert_label(label)
    known = [label.confidence for label in answer.labels if label.confidence is not None]
    assert known == sorted(known, reverse=True), (
        f"labels must come best first, these have {known}: the first one becomes the meal"
    )
    _assert_diagnostics(answer.diagnostics)
    common.assert_tuple(answer.ingredients, "`ingredients`")
    for name in answer.ingredients:
        common.assert_text(name, "an ingredient")
    if answer.nutrients is not None:
        common.assert_amounts(answer.nutrients, "the serving")
    common.assert_taken(checking.classification, "classify()", answer)


def _assert_label(label: object) -> None:
    assert isinstance(label, Label), f"a label must be a Label, not {label!r:.80}"
    common.assert_text(label.name, "the name of a label")
    confidence = label.confidence
    if confidence is None:
        return
    assert common.is_number(confidence), (
        f"the confidence {confidence!r} is no finite number of Python's own; None where there is "
        "none: it is compared with a threshold and written as JSON"
    )
    assert 0 <= confidence <= 1, (
        f"the confidence {confidence!r} is outside 0..1: the threshold is a share, no percentage"
    )


def _assert_diagnostics(diagnostics: Any) -> None:
    assert isinstance(diagnostics, Mapping), (
        f"`diagnostics` must be a mapping, not {type(diagnostics).__name__}: it becomes part of "
        "the meal's metadata"
    )
    try:
        size = len(orjson.dumps(dict(diagnostics)))
    except TypeError as error:
        pytest.fail(f"diagnostics must be JSON-able, for they are stored in the meal: {error}")
    assert size <= DIAGNOSTICS_BYTES, (
        f"diagnostics of {size} bytes; at most {DIAGNOSTICS_BYTES}: they are stored in every meal"
    )

"""The conformance suite of fallbacks: what ``foodlog.providers.Fallback`` promises, as tests.

In a plugin's tests, with pytest::

    from foodlog.testing import FallbackTests, build

    class TestLastSeenMeal(FallbackTests):
        @pytest.fixture
        def provider(self):
            return build(LastSeenMeal)     # the suite closes it
"""

import time
from copy import deepcopy
from typing import Any

import pytest

from foodlog.models import Estimate, Ingredient
from foodlog.photos import Photo
from foodlog.providers import Fallback
from foodlog.services import checking
from foodlog.services.analysis import LAST_CHANCE
from foodlog.testing import provider as common
from foodlog.testing.rules import forbid_network, in_time, rules

HANGS = 5.0
"""Seconds after which nobody waits for a guess any longer, however busy the machine is."""
ALWAYS_KNOWN = ("calories", "proteins", "fats", "carbohydrates")


@rules
class FallbackTests(common.ProviderTests):
    """Every rule of the fallback port. Inherit and give a ``provider`` fixture."""

    def use(self, provider: Any) -> None:
        """Have a photo guessed at."""
        guess(provider, common.photo())

    @pytest.mark.parametrize("kind", common.PHOTOS)
    def test_any_photo_gets_a_guess(self, provider: Fallback, kind: str) -> None:
        """Nobody is left to ask."""
        assert_estimate(guess(provider, common.photo(kind)))

    @pytest.mark.parametrize("label", [None, "pizza", *common.HOSTILE], ids=repr)
    def test_any_label_gets_a_guess(self, provider: Fallback, label: str | None) -> None:
        """A classifier named something of which nobody knows what it contains."""
        assert_estimate(guess(provider, common.photo(), label))

    def test_a_guess_needs_no_network(
        self, provider: Fallback, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is asked because others could not be reached."""
        forbid_network(
            monkeypatch, "predict() uses the network: a fallback is asked when there is none"
        )
        for label in (None, "soup"):
            assert_estimate(guess(provider, common.photo(), label))

    @pytest.mark.parametrize("label", [None, "soup", "x" * 5000], ids=["none", "short", "long"])
    def test_a_guess_comes_at_once(self, provider: Fallback, label: str | None) -> None:
        """The others may have used up the time of the request."""
        photo = common.photo()
        took = min(_seconds(provider, photo, label) for _ in range(5))
        assert took < LAST_CHANCE, (
            f"predict() took {took:.2f} s; it has {LAST_CHANCE} s when the request's time is over"
        )

    def test_a_photo_is_left_as_it_was(self, provider: Fallback) -> None:
        """The photo goes on into the store."""
        photo = common.photo("a JPEG lying on its side")
        before = (photo.clean(), deepcopy(photo.metadata))
        guess(provider, photo)
        assert (photo.clean(), photo.metadata) == before, (
            "predict() must not change the photo: what it knows is stored with the meal"
        )

    def test_several_threads_may_ask_at_once(self, provider: Fallback) -> None:
        """One instance serves all threads of a worker."""
        photos = [common.photo(kind) for kind in ("a JPEG", "a WebP", "a grey JPEG", "a GIF")]
        labels = [None, "soup", "pizza"]
        asked = [(photos[number % 4], labels[number % 3]) for number in range(12)]
        for estimate in common.together(12, lambda number: guess(provider, *asked[number])):
            assert_estimate(estimate)


def guess(provider: Fallback, photo: Photo, label: str | None = None) -> Estimate:
    """What it answers or raises."""
    return in_time(
        lambda: provider.predict(photo, label),
        HANGS,
        f"predict() had not come back after {HANGS:g} s: a fallback answers at once, since the "
        "others may have used up the time of the request",
    )


def assert_estimate(estimate: object) -> None:
    """``estimate`` is a guess FoodLog can log."""
    assert isinstance(estimate, Estimate), (
        f"predict() must return an Estimate, not {type(estimate).__name__}: it always answers"
    )
    common.assert_text(estimate.food, "`food`")
    common.assert_tuple(estimate.ingredients, "`ingredients`")
    for ingredient in estimate.ingredients:
        assert isinstance(ingredient, Ingredient), f"{ingredient!r:.80} is no Ingredient"
        common.assert_text(ingredient.name, "the name of an ingredient")
        grams = ingredient.grams
        assert common.is_number(grams), f"{ingredient.name} weighs {grams!r}, which is no number"
        assert grams > 0, f"{ingredient.name} weighs {grams:g} g; an ingredient weighs something"
    common.assert_amounts(estimate.nutrients, "the serving")
    unknown = [name for name in ALWAYS_KNOWN if getattr(estimate.nutrients, name) is None]
    assert not unknown, (
        f"{unknown} are unknown: clients show them, and the guess is the last word there is"
    )
    common.assert_taken(checking.estimate, "predict()", estimate)


def _seconds(provider: Fallback, photo: Photo, label: str | None) -> float:
    start = time.monotonic()
    guess(provider, photo, label)
    return time.monotonic() - start

"""The conformance suite of fallbacks: what ``foodlog.providers.Fallback`` promises, as tests.

In a plugin's tests, with pytest::

    from foodlog.testing import FallbackTests, build

    class TestLastSeenMeal(FallbackTests):
        @pytest.fixture
        def provider(self):
            return build(LastSeenMeal)     # the suite closes it
"""

import socket
import time
from copy import deepcopy
from typing import Any, NoReturn

import pytest

from foodlog.models import Estimate, Ingredient
from foodlog.providers import Fallback
from foodlog.services.analysis import LAST_CHANCE
from foodlog.testing import provider as common

ALWAYS_KNOWN = ("calories", "proteins", "fats", "carbohydrates")


class FallbackTests(common.ProviderTests):
    """Every rule of the fallback port. Inherit and give a ``provider`` fixture."""

    def use(self, provider: Any) -> None:
        """Have a photo guessed at."""
        provider.predict(common.photo())

    @pytest.mark.parametrize("kind", common.PHOTOS)
    def test_any_photo_gets_a_guess(self, provider: Fallback, kind: str) -> None:
        """Nobody is left to ask."""
        assert_estimate(provider.predict(common.photo(kind)))

    @pytest.mark.parametrize("label", [None, "pizza", *common.HOSTILE], ids=repr)
    def test_any_label_gets_a_guess(self, provider: Fallback, label: str | None) -> None:
        """A classifier named something of which nobody knows what it contains."""
        assert_estimate(provider.predict(common.photo(), label))

    def test_a_guess_needs_no_network(
        self, provider: Fallback, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is asked because others could not be reached."""

        def refuse(*_: object, **__: object) -> NoReturn:
            pytest.fail("predict() uses the network: a fallback is asked when there is none")

        for name in ("connect", "connect_ex", "sendto"):
            monkeypatch.setattr(socket.socket, name, refuse)
        for name in ("getaddrinfo", "create_connection"):
            monkeypatch.setattr(socket, name, refuse)
        assert_estimate(provider.predict(common.photo()))

    def test_a_guess_comes_at_once(self, provider: Fallback) -> None:
        """The others may have used up the time of the request."""
        photo = common.photo()
        took = min(_seconds(provider, photo) for _ in range(5))
        assert took < LAST_CHANCE, (
            f"predict() took {took:.2f} s; it has {LAST_CHANCE} s when the request's time is over"
        )

    def test_a_photo_is_left_as_it_was(self, provider: Fallback) -> None:
        """The photo goes on into the store."""
        photo = common.photo("a JPEG lying on its side")
        before = (photo.clean(), deepcopy(photo.metadata))
        provider.predict(photo)
        assert (photo.clean(), photo.metadata) == before, (
            "predict() must not change the photo: what it knows is stored with the meal"
        )

    def test_several_threads_may_ask_at_once(self, provider: Fallback) -> None:
        """One instance serves all threads of a worker."""
        photo = common.photo()
        for estimate in common.together(12, lambda _: provider.predict(photo, "soup")):
            assert_estimate(estimate)


def assert_estimate(estimate: object) -> None:
    """``estimate`` is a guess FoodLog can log."""
    assert isinstance(estimate, Estimate), (
        f"predict() must return an Estimate, not {type(estimate).__name__}: it always answers"
    )
    common.assert_text(estimate.food, "`food`")
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


def _seconds(provider: Fallback, photo: Any) -> float:
    start = time.monotonic()
    provider.predict(photo)
    return time.monotonic() - start

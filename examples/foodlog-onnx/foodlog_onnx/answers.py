"""What the numbers that a model answers mean."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foodlog.errors import ProviderError
from foodlog.models import Label
from foodlog_onnx.model import Array

ROUNDING = 1e-3
"""How far probabilities may add up to something else than 1."""


class Answers:
    """``labels``: what the numbers stand for. ``logits``: they are no probabilities yet."""

    def __init__(self, labels: Sequence[str], *, logits: bool) -> None:
        self._labels = labels
        self._logits = logits

    def best(self, answer: Array, most: int) -> tuple[Label, ...]:
        """The labels with the highest shares, best first."""
        shares = softmax(answer) if self._logits else answer
        order = np.argsort(-shares, kind="stable")[:most]
        clipped = np.clip(shares, 0, 1)
        return tuple(Label(self._labels[place], float(clipped[place])) for place in order)

    def check(self, answer: Array, model: Path) -> None:
        """Raise ProviderError where ``model`` answers the other kind of numbers.

        A softmax of a softmax makes every model unsure, and logits are no confidences.
        """
        logits = not _are_probabilities(answer)
        if logits != self._logits:
            found, said = _KINDS[logits], _KINDS[self._logits]
            raise ProviderError(
                f"the option 'output' is {said}, but what {model} answers is {found}: from "
                f"{answer.min():.3g} to {answer.max():.3g}, {answer.sum():.3g} in all. "
                f"Set it to {found}."
            )


def softmax(logits: Array) -> Array:
    """Logits as shares of 1."""
    powers = np.exp(logits - logits.max())
    shares: Array = powers / powers.sum()
    return shares


_KINDS = {True: "logits", False: "probabilities"}


def _are_probabilities(answer: Array) -> bool:
    inside = answer.min() >= -ROUNDING and answer.max() <= 1 + ROUNDING
    return bool(inside and abs(answer.sum() - 1) <= ROUNDING)

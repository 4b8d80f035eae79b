"""Two things measured in turns, so that whatever else the machine does falls on both."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Pairs:
    """Measurements of ours and theirs, each pair made one after the other."""

    ours: list[float]
    theirs: list[float]

    def __add__(self, more: Self) -> Self:
        return type(self)(self.ours + more.ours, self.theirs + more.theirs)

    @property
    def ratio(self) -> float:
        """The median of ours / theirs."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def medians(self) -> tuple[float, float]:
        """The median of each side."""
        return statistics.median(self.ours), statistics.median(self.theirs)


def in_turns(ours: Callable[[], float], theirs: Callable[[], float], count: int) -> Pairs:
    """Measure both ``count`` times in turns, every other pair in the other order; the first
    pair, which warms up, is left out."""
    pairs = Pairs([], [])
    for number in range(count + 1):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        one, two = first(), second()
        if number:
            pairs.ours.append(one if number % 2 else two)
            pairs.theirs.append(two if number % 2 else one)
    return pairs

"""Plans: what an account lacks, in words, and how it is made."""

from collections.abc import Callable
from dataclasses import dataclass, field

Pause = Callable[[float], None]
Report = Callable[[str], None]
"""Takes a line that says how far a step has come."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: what, in words, and doing it."""

    description: str
    run: Callable[[Report], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order, and what the operator has to decide."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

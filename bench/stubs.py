"""A stub upstream in a process of its own: ``python -m bench.stubs classifier|nutrition``.

Prints where it listens, and runs until its standard input ends.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.servers import ROOT
from foodlog.dishes import load
from foodlog.testing.upstreams import HuggingFaceStub, StubUpstream
from foodlog.testing.usda import FDCStub, StubFood

LABEL = "caprese_salad"
"""What is on every photo: a dish of five ingredients, all with a pinned record."""
CLASSIFIER_SECONDS, NUTRITION_SECONDS = 0.3, 0.15
"""How long each of them takes to answer."""
KEY = "bench"
_NO_LIMIT = 10**9
_AMOUNTS = {"208": 96.0, "203": 4.0, "204": 4.0, "205": 11.0}


@contextmanager
def stub(name: str) -> Iterator[str]:
    """Run the stub in another process until the context is left; its URL."""
    command = [sys.executable, "-m", "bench.stubs", name]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def food_ids() -> list[int]:
    """The records of the dish's ingredients."""
    dish = load().match(LABEL)
    assert dish is not None
    return [i.fdc_id for i in dish.ingredients if i.fdc_id is not None]


def _classifier() -> StubUpstream:
    return HuggingFaceStub(((LABEL, 0.93),), token=KEY, delay=CLASSIFIER_SECONDS)


def _nutrition() -> StubUpstream:
    foods = [StubFood(i, f"Food {i}", _AMOUNTS) for i in food_ids()]
    return FDCStub(foods, api_key=KEY, remaining=_NO_LIMIT, delay=NUTRITION_SECONDS)


if __name__ == "__main__":
    with {"classifier": _classifier, "nutrition": _nutrition}[sys.argv[1]]() as running:
        print(running.router_url if isinstance(running, HuggingFaceStub) else running.url)
        sys.stdout.flush()
        sys.stdin.read()

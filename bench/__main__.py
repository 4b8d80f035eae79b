"""Run the benchmarks: all of them and write the report, or those that are named."""

import sys
import time
from collections.abc import Callable, Sequence

from bench import answers, aws, photos, predictions, results, startup
from bench.results import Result

BENCHMARKS: dict[str, tuple[str, Callable[[], Sequence[Result]]]] = {
    "health": ("Answers", answers.health),
    "history": ("Answers", answers.history),
    "rows": ("Answers", answers.rows),
    "photos": ("Photos", photos.way_in),
    "alone": ("Predictions", predictions.alone),
    "flask": ("Predictions", predictions.against_flask),
    "crowd": ("Predictions", predictions.crowd),
    "aws": ("AWS", aws.calls),
    "start": ("Start and memory", startup.start),
    "memory": ("Start and memory", startup.memory),
}
"""By name: the section of the report it belongs to, and what measures it."""


def main(names: Sequence[str]) -> int:
    """Run the benchmarks ``names``, or all; 0 when every target is met."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
        return 2
    sections: dict[str, list[Result]] = {}
    for name in names or BENCHMARKS:
        section, measure = BENCHMARKS[name]
        started = time.monotonic()
        found = measure()
        print(f"{name} ({time.monotonic() - started:.0f} s)", flush=True)
        for result in found:
            print(f"  {result.row()}", flush=True)
        sections.setdefault(section, []).extend(found)
    if not names:
        results.write(sections)
    missed = [r.name for found in sections.values() for r in found if r.met is False]
    print(f"{len(missed)} missed: {'; '.join(missed)}" if missed else "all targets are met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load() -> ModuleType:
    path = Path(__file__).parents[2] / "bench" / "matching.py"
    spec = importlib.util.spec_from_file_location("bench_matching", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


matching = load()


@pytest.mark.parametrize("half", matching.HALVES)
def test_the_first_answer_is_right_and_the_unanswerable_is_refused(half: str) -> None:
    figures = matching.measure(half)
    assert figures.precision >= 0.95, figures.wrong
    assert figures.refused >= 0.9, figures.wrong


def test_there_are_enough_queries_of_both_kinds() -> None:
    halves = [matching.measure(half) for half in matching.HALVES]
    assert sum(f.answerable + f.unanswerable for f in halves) >= 150
    assert min(f.unanswerable for f in halves) >= 10


def test_every_query_names_hits_that_exist_and_answers_among_them() -> None:
    foods = matching.searches()["foods"]
    for query in matching.searches()["queries"]:
        listed = {fdc_id for tier in query["tiers"] for fdc_id in tier}
        assert {str(fdc_id) for fdc_id in listed} <= set(foods)
        assert set(query["accept"]) <= listed

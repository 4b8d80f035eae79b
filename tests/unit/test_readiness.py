"""Readiness: the storage decides, is asked seldom, and holds nobody up."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from foodlog.concurrency import CircuitBreaker, Guard
from foodlog.errors import ProviderError
from foodlog.services.readiness import FRESH, Readiness
from foodlog.testing.storage_memory import MemoryStorage


class Storage(MemoryStorage):
    """Counts how often it is checked; with a ``gate`` a check hangs until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0
        self.asked = threading.Event()
        self.gate: threading.Event | None = None

    def check(self) -> None:
        self.checks += 1
        self.asked.set()
        if self.gate:
            self.gate.wait(30)
        super().check()


class World:
    def __init__(self) -> None:
        self.storage = Storage()
        self.now = 0.0
        self.guard = Guard("storage", 2, CircuitBreaker(failures=1, seconds=FRESH))
        self.readiness = Readiness(self.storage, self.guard, (), clock=lambda: self.now)


@pytest.fixture
def world() -> World:
    return World()


def test_the_storage_is_asked_every_five_seconds_at_most(world: World) -> None:
    assert world.readiness.report() is world.readiness.report()
    world.now = FRESH - 0.1
    world.readiness.report()
    assert world.storage.checks == 1
    world.now = FRESH
    world.readiness.report()
    assert world.storage.checks == 2


def test_a_storage_that_fails_is_told_by_its_kind_alone(world: World) -> None:
    world.storage.failure = ProviderError("/srv/data/foodlog.db cannot be used")
    report = world.readiness.report()
    assert not report.ready
    assert report.rows[0]["last_error"] == ProviderError.title


def test_while_one_looks_the_others_are_given_what_was_seen_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foodlog.services.readiness.PATIENCE", 30.0)
    before = world.readiness.report()
    world.now = FRESH
    world.storage.gate = threading.Event()
    world.storage.asked.clear()
    with ThreadPoolExecutor(1) as looking, ThreadPoolExecutor(4) as probes:
        look = looking.submit(world.readiness.report)
        assert world.storage.asked.wait(10)
        try:
            asked = [probes.submit(world.readiness.report) for _ in range(4)]
            assert all(probe.result(10) is before for probe in asked)
            assert not look.done()
        finally:
            world.storage.gate.set()
        assert look.result(10) is not before
    assert world.storage.checks == 2


def test_the_first_report_is_waited_for(world: World) -> None:
    world.storage.gate = threading.Event()
    with ThreadPoolExecutor(2) as probes:
        asked = [probes.submit(world.readiness.report) for _ in range(2)]
        assert world.storage.asked.wait(10)
        world.storage.gate.set()
        assert asked[0].result(10) is asked[1].result(10)
    assert world.storage.checks == 1

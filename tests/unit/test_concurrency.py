"""Bounded pools, deadlines, breakers and guards."""

import threading
from contextvars import ContextVar

import pytest

from foodlog.concurrency import LONGEST_PAUSE, CircuitBreaker, Deadline, Guard, GuardStatus, Pool
from foodlog.errors import Declined, Overloaded, PartialAnswer, ProviderError, ProviderTimeout


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gate():
    """An event that hanging calls wait for; set at the end so that their threads go."""
    event = threading.Event()
    yield event
    event.set()


def breaker(clock, **kwargs):
    return CircuitBreaker(failures=2, seconds=10, clock=clock, jitter=lambda: 0.0, **kwargs)


def fail(breaker, *stay_away):
    """A call that is let through, and fails."""
    breaker.failed(breaker.allow(), *stay_away)


def test_pool_runs_a_call_and_hands_on_its_answer_or_error():
    pool = Pool("p", 1)
    assert pool.submit(lambda a, b: a + b, 1, b=2).result(5) == 3
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(5)
    pool.close()


def test_pool_takes_threads_plus_backlog_and_refuses_the_next(gate):
    pool = Pool("p", 2, backlog=1)
    futures = [pool.submit(gate.wait, 5) for _ in range(3)]
    with pytest.raises(Overloaded) as refused:
        pool.submit(int)
    assert refused.value.retry_after == 1
    gate.set()
    assert all(f.result(5) for f in futures)


def test_pool_has_room_again_as_soon_as_an_answer_is_there():
    pool = Pool("p", 1)
    for n in range(500):
        assert pool.submit(int, n).result(5) == n
    assert pool.pending == 0


def test_pool_runs_what_waits_in_the_order_it_came(gate):
    pool, ran = Pool("p", 1, backlog=5), []
    pool.submit(gate.wait, 5)
    waiting = [pool.submit(ran.append, n) for n in range(5)]
    gate.set()
    assert [f.result(5) for f in waiting] == [None] * 5
    assert ran == [0, 1, 2, 3, 4]


def test_pool_asks_the_thread_first_that_was_busy_last(gate):
    pool = Pool("p", 2)
    held = pool.submit(gate.wait, 5)
    pool.submit(int).result(5)
    until_idle(pool, 1)
    gate.set()
    held.result(5)
    until_idle(pool, 2)
    assert pool.submit(lambda: threading.current_thread().name).result(5) == "p-1"


def until_idle(pool, threads):
    """A thread waits for its next call a moment after the answer is there."""
    while len(pool._idle) < threads:
        pass


def test_pool_starts_no_more_threads_than_it_needs():
    before = threading.active_count()
    pool = Pool("p", 8)
    assert threading.active_count() == before
    pool.submit(int).result(5)
    assert threading.active_count() == before + 1


def test_pool_never_runs_a_call_that_was_cancelled_while_waiting(gate):
    ran = []
    pool = Pool("p", 1, backlog=1)
    busy = pool.submit(gate.wait, 5)
    waiting = pool.submit(ran.append, 1)
    assert waiting.cancel()
    gate.set()
    busy.result(5)
    assert pool.submit(int).result(5) == 0  # its thread has come past the cancelled call
    pool.close()
    assert ran == []


def test_pool_calls_see_the_callers_context():
    variable = ContextVar("variable", default="none")
    variable.set("mine")
    assert Pool("p", 1).submit(variable.get).result(5) == "mine"


def test_closed_pool_refuses_and_its_threads_end():
    pool = Pool("closing", 2)
    pool.submit(int).result(5)
    pool.close(5)
    with pytest.raises(Overloaded):
        pool.submit(int)
    assert not [t for t in threading.enumerate() if t.name.startswith("closing-")]


def test_closing_gives_what_runs_and_waits_time_to_end_and_no_more(gate):
    pool = Pool("p", 1, backlog=1)
    running, waiting = pool.submit(gate.wait, 5), pool.submit(int)
    pool.close(0.01)
    assert not running.done()
    gate.set()
    pool.close(5)
    assert waiting.done()


def test_pool_that_gets_no_thread_refuses_and_has_room_later(monkeypatch):
    def none_left(thread):
        raise RuntimeError("can't start new thread")

    pool = Pool("p", 1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(Overloaded):
            pool.submit(int)
    assert pool.pending == 0
    assert pool.submit(int).result(5) == 0


def test_deadline_counts_down_to_nothing(clock):
    deadline = Deadline(3, clock)
    clock.now += 1
    assert deadline.left() == 2
    clock.now += 5
    assert deadline.left() == 0


def test_breaker_opens_after_failures_in_a_row_and_not_before(clock):
    subject = breaker(clock)
    fail(subject)
    subject.succeeded(subject.allow())
    fail(subject)
    assert subject.state == "closed"
    assert subject.allow()
    assert subject.retry_after() == 0
    fail(subject)
    assert subject.state == "open"
    assert not subject.allow()
    assert subject.retry_after() == 10


def test_breaker_lets_one_probe_through_and_closes_when_it_is_answered(clock):
    subject = breaker(clock)
    fail(subject), fail(subject)
    clock.now += 10
    assert subject.state == "half-open"
    probe, *others = [subject.allow() for _ in range(3)]
    assert probe
    assert others == [0, 0]
    subject.succeeded(probe)
    assert subject.state == "closed"
    assert subject.allow()


def test_breaker_opens_again_when_the_probe_fails(clock):
    subject = breaker(clock)
    fail(subject), fail(subject)
    clock.now += 10
    fail(subject)
    assert subject.state == "open"
    assert subject.retry_after() == 10


def test_breaker_hears_no_more_of_calls_from_before_it_opened(clock):
    subject = breaker(clock)
    late = [subject.allow() for _ in range(4)]
    fail(subject, 600)
    subject.failed(late[0]), subject.failed(late[1])
    subject.succeeded(late[2])
    subject.released(late[3])
    assert subject.retry_after() == 600


def test_late_calls_neither_end_nor_double_a_probe(clock):
    subject = breaker(clock)
    late = subject.allow()
    fail(subject, 10)
    clock.now += 10
    probe = subject.allow()
    subject.released(late), subject.failed(late), subject.succeeded(late)
    assert subject.allow() == 0
    subject.succeeded(probe)
    assert subject.state == "closed"


def test_breaker_stays_away_as_long_as_it_is_told_but_not_for_ever(clock):
    subject = breaker(clock)
    fail(subject, 55)
    assert subject.retry_after() == 55
    other = breaker(clock)
    fail(other, 1e12)
    assert other.retry_after() == LONGEST_PAUSE


def test_guard_hands_on_the_answer(clock):
    assert Guard("g", 1, breaker(clock)).call(lambda a: a * 2, 21, timeout=5) == 42


def test_guard_turns_whatever_is_raised_into_a_provider_error_without_its_text(clock, caplog):
    guard = Guard("g", 1, breaker(clock))

    def leak():
        raise ValueError("token=hunter2")

    with pytest.raises(ProviderError, match=r"^g: raised ValueError$"):
        guard.call(leak, timeout=5)
    assert guard.status.last_error == "g: raised ValueError"
    assert guard.status.last_error_at is not None
    assert [record.message for record in caplog.records] == ["provider raised", "provider failed"]


def test_guard_gives_up_on_a_call_that_hangs(clock, gate):
    guard = Guard("g", 1, breaker(clock))
    with pytest.raises(ProviderTimeout, match="no answer within"):
        guard.call(gate.wait, 5, timeout=0.01)
    assert guard.status.last_error == "g: no answer within 0.0 s"


def test_guard_does_not_blame_a_provider_for_time_it_never_had(clock, gate):
    subject = breaker(clock)
    guard = Guard("g", 5, subject)
    for _ in range(4):
        with pytest.raises(ProviderTimeout):
            guard.call(gate.wait, 5, timeout=0.01, fair=False)
    assert guard.status == GuardStatus("closed", None, None)


def test_a_probe_without_a_fair_chance_leaves_room_for_another(clock, gate):
    subject = breaker(clock)
    fail(subject, 10)
    clock.now += 10
    guard = Guard("g", 5, subject)
    with pytest.raises(ProviderTimeout):
        guard.call(gate.wait, 5, timeout=0.01, fair=False)
    assert guard.call(int, timeout=5) == 0


def test_guard_fails_at_once_when_all_its_threads_hang(gate):
    guard = Guard("g", 1, CircuitBreaker(failures=100))
    with pytest.raises(ProviderTimeout):
        guard.call(gate.wait, 5, timeout=0.01)
    with pytest.raises(ProviderError, match="all its threads hang"):
        guard.call(int, timeout=5)


def test_guard_does_not_ask_when_no_time_is_left(clock):
    calls = []
    guard = Guard("g", 1, breaker(clock))
    with pytest.raises(ProviderTimeout, match="no time was left"):
        guard.call(calls.append, 1, timeout=0)
    assert calls == []
    assert guard.status.breaker == "closed"


def test_guard_does_not_ask_while_its_breaker_is_open_and_says_what_happened_last(clock):
    guard = Guard("g", 1, breaker(clock))

    def fail():
        raise ProviderError("the host is down")

    for _ in range(2):
        with pytest.raises(ProviderError):
            guard.call(fail, timeout=5)
    calls = []
    with pytest.raises(ProviderError, match=r"not asked.*the host is down") as refused:
        guard.call(calls.append, 1, timeout=5)
    assert calls == []
    assert refused.value.retry_after == 10
    assert guard.status.breaker == "open"


def test_guard_without_a_last_error_still_says_that_it_did_not_ask(clock):
    subject = breaker(clock)
    fail(subject, 60)
    with pytest.raises(ProviderError, match=r"not asked, it failed repeatedly$"):
        Guard("g", 1, subject).call(int, timeout=5)


def test_guard_opens_its_breaker_for_as_long_as_the_provider_says(clock):
    guard = Guard("g", 1, breaker(clock))

    def fail():
        raise ProviderError("quota", retry_after=55)

    with pytest.raises(ProviderError):
        guard.call(fail, timeout=5)
    assert guard.status.breaker == "open"
    clock.now += 54
    assert guard.status.breaker == "open"
    clock.now += 1
    assert guard.status.breaker == "half-open"
    assert guard.call(int, timeout=5) == 0
    assert guard.status.breaker == "closed"


def test_a_provider_that_stands_aside_has_not_failed(clock):
    guard = Guard("g", 1, breaker(clock))

    def decline():
        raise Declined("not my turn")

    for _ in range(5):
        with pytest.raises(Declined):
            guard.call(decline, timeout=5)
    assert guard.status == GuardStatus("closed", None, None)


@pytest.mark.parametrize("answer", [Declined("not my turn"), PartialAnswer("some", [None])])
def test_whatever_a_probe_is_told_but_a_failure_closes_the_breaker(clock, answer):
    subject = breaker(clock)
    fail(subject, 10)
    clock.now += 10

    def told():
        raise answer

    with pytest.raises(type(answer)):
        Guard("g", 1, subject).call(told, timeout=5)
    assert subject.state == "closed"


def test_closed_guard_lets_its_threads_go(clock):
    guard = Guard("leaving", 1, breaker(clock))
    guard.call(int, timeout=5)
    guard.close()
    for thread in threading.enumerate():
        if thread.name.startswith("leaving-"):
            thread.join(5)
            assert not thread.is_alive()

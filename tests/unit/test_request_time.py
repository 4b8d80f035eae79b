"""The one deadline of a request: what counts towards it, and what it ends."""

import asyncio
import threading

import pytest
from falcon import asgi, testing

from foodlog.concurrency import Deadline, Pool, request_deadline
from foodlog.errors import ProviderTimeout
from foodlog.resources.desk import Desk
from foodlog.resources.reading import Reader
from foodlog.resources.running import Workers
from foodlog.resources.users import Users
from foodlog.settings import Limits


def test_the_time_a_body_takes_to_arrive_does_not_count():
    now = [0.0]

    async def receive():
        now[0] += 45
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def left_after_reading():
        request_deadline.set(Deadline(50, clock=lambda: now[0]))
        now[0] += 10
        await Reader(Limits(), 60).json(asgi.Request(testing.create_scope(method="POST"), receive))
        return request_deadline.get().left()

    assert 30 < asyncio.run(left_after_reading()) <= 40


@pytest.fixture
def pool():
    """One thread."""
    pool = Pool("any", 1)
    yield pool
    pool.close(5)


@pytest.fixture
def workers(pool):
    """One thread for everything, and a minute for what has no deadline of its own."""
    return Workers(quick=pool, analyses=pool, passwords=pool, seconds=60)


@pytest.mark.parametrize("kind", ["analysis", "timely"])
def test_what_a_prediction_does_is_waited_for_until_its_requests_deadline(workers, kind):
    gate = threading.Event()

    async def wait():
        request_deadline.set(Deadline(0.2))
        await getattr(workers, kind)(gate.wait, 30)

    with pytest.raises(ProviderTimeout, match="no answer in 0"):
        asyncio.run(wait())
    gate.set()


def test_nothing_is_begun_that_nobody_waits_for(workers):
    begun = threading.Event()

    async def begin():
        request_deadline.set(Deadline(0))
        await workers.analysis(begun.set)

    with pytest.raises(ProviderTimeout, match="no time was left"):
        asyncio.run(begin())
    assert not begun.is_set()


def test_the_user_of_a_prediction_is_looked_up_within_its_deadline(workers):
    users = Users(lambda token: pytest.fail("nobody waits for this"))
    desk = Desk(reader=Reader(Limits(), 60), users=users, workers=workers)
    scope = testing.create_scope(method="POST", headers={"Authorization": "Bearer x"})

    async def look_up():
        request_deadline.set(Deadline(0))
        await desk.user_or_none(asgi.Request(scope, None))

    with pytest.raises(ProviderTimeout):
        asyncio.run(look_up())

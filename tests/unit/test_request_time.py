"""The one deadline of a request: what counts towards it, and what it ends."""

import asyncio
import threading

import pytest
from falcon import asgi, testing

from foodlog.concurrency import Deadline, Pool, request_deadline
from foodlog.errors import ProviderTimeout
from foodlog.resources.reading import Reader
from foodlog.resources.running import Workers
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


def test_an_analysis_is_waited_for_until_its_requests_deadline_and_a_grace():
    gate, pool = threading.Event(), Pool("any", 1)
    workers = Workers(quick=pool, analyses=pool, passwords=pool, seconds=60, grace=0.0)

    async def wait():
        request_deadline.set(Deadline(0))
        await workers.analysis(gate.wait, 30)

    with pytest.raises(ProviderTimeout, match="no answer in 0 s"):
        asyncio.run(wait())
    gate.set()
    pool.close(5)

"""Bodies are bounded one by one and all together, and an early answer can still be read."""

import asyncio

import pytest

from foodlog.bodies import BoundedBody, Budget
from foodlog.errors import Overloaded, RequestTimeout, TooLarge


def body_of(*chunks, limit=10, budget=None, declared=None, more=False):
    """A body that comes in these chunks, and the events that are sent to the client."""
    events = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if not more:
        events.append({"type": "http.request", "body": b"", "more_body": False})
    sent, pending = [], iter(events)

    async def receive():
        event = next(pending, None)
        if event is None:
            await asyncio.Event().wait()
        return event

    async def send(event):
        sent.append(event)

    headers = [(b"content-length", str(declared).encode())]
    if declared is None:
        headers = [(b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "headers": headers}
    return BoundedBody(scope, receive, send, limit, budget or Budget(1000)), sent


def read(body):
    async def run():
        data = b""
        while True:
            event = await body.receive()
            data += event["body"]
            if not event["more_body"]:
                return data

    return asyncio.run(run())


def answer(body):
    async def run():
        await body.send({"type": "http.response.start", "status": 413, "headers": [(b"a", b"b")]})
        await body.send({"type": "http.response.body", "body": b"part", "more_body": True})
        await body.send({"type": "http.response.body", "body": b"why"})

    asyncio.run(run())


def test_a_body_within_its_limit_is_read_whole():
    body, _ = body_of(b"12345", b"67890")
    assert read(body) == b"1234567890"


def test_a_body_is_refused_at_the_first_byte_too_many():
    body, _ = body_of(b"1234567890", b"1")
    with pytest.raises(TooLarge):
        read(body)


def test_nothing_of_a_body_is_waited_for_before_the_request_was_looked_at():
    body, _ = body_of(declared=11, more=True)
    assert asyncio.run(body.receive())["more_body"]


@pytest.mark.parametrize("declared", [0, "00"])
def test_a_request_without_a_body_has_one_event(declared):
    body, _ = body_of(declared=declared)
    assert asyncio.run(body.receive()) == {
        "type": "http.request",
        "body": b"",
        "more_body": False,
    }


def test_a_body_that_stops_coming_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("foodlog.bodies.IDLE_SECONDS", 0.01)
    body, _ = body_of(b"1234", more=True)
    with pytest.raises(RequestTimeout):
        read(body)


def test_all_bodies_together_are_bounded_and_what_is_let_go_counts_no_more():
    budget = Budget(15)
    first, _ = body_of(b"1234567890", budget=budget)
    second, _ = body_of(b"1234567890", budget=budget)
    assert read(first)
    with pytest.raises(Overloaded):
        read(second)
    budget.take(5)  # what was refused takes no room from others
    budget.give_back(5)
    second.close()
    first.close()
    third, _ = body_of(b"1234567890", budget=budget)
    assert read(third) == b"1234567890"


def test_an_answer_to_a_whole_body_is_passed_on_as_it_is():
    body, sent = body_of(b"123")
    read(body)
    answer(body)
    assert sent[0]["headers"] == [(b"a", b"b")]
    assert sent[-1] == {"type": "http.response.body", "body": b"why"}


def test_an_early_answer_goes_out_at_once_and_ends_after_the_client_had_its_say():
    body, sent = body_of(b"1234567890", b"more", b"and more")
    with pytest.raises(TooLarge):
        read(body)
    answer(body)
    assert (b"connection", b"close") in sent[0]["headers"]
    assert [event.get("more_body") for event in sent[1:]] == [True, True, None]
    assert sent[2]["body"] == b"why"


def test_a_client_that_never_stops_is_listened_to_for_a_while_only():
    body, sent = body_of(*[b"1234567890"] * 100, more=True)
    with pytest.raises(TooLarge):
        read(body)
    answer(body)
    assert body._size <= 60
    assert sent[-1]["body"] == b""


def test_a_client_that_falls_silent_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr("foodlog.bodies.LINGER_SECONDS", 0.01)
    body, sent = body_of(b"1234567890", b"1", more=True)
    with pytest.raises(TooLarge):
        read(body)
    answer(body)
    assert sent[-1]["body"] == b""

"""How a worker ends, in the test's own process; tests/e2e/test_sigterm.py does it with gunicorn."""

import asyncio
import contextlib
import socket

import pytest
from uvicorn import Config

from foodlog import gunicorn_worker
from foodlog.gunicorn_worker import BoundedHead, DrainingServer

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(scope, receive, send):
    """The least of applications."""
    while (await receive()).get("more_body"):
        pass
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(autouse=True)
def _a_long_last_call(monkeypatch):
    """However busy the machine, the clients here get to it."""
    monkeypatch.setattr(gunicorn_worker, "LAST_CALL", 60)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def server(notify=None):
    config = Config(
        answer,
        lifespan="off",
        log_config=None,
        http=BoundedHead,
        callback_notify=notify,
        timeout_notify=3600,
    )
    return DrainingServer(config)


async def ended(serving):
    await asyncio.wait_for(serving, 10)


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"ok"
    return head.lower()


def test_connections_without_a_request_may_still_send_one(listener):
    async def scenario():
        worker = server()
        serving = asyncio.create_task(worker.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(REQUEST)
        assert b"connection: close" not in await read_answer(reader)
        worker.should_exit = True
        while listener.fileno() >= 0:  # until it has stopped accepting
            await asyncio.sleep(0.01)
        assert not serving.done()
        writer.write(REQUEST)
        assert b"connection: close" in await read_answer(reader)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await ended(serving)

    asyncio.run(scenario())


def test_connections_the_kernel_made_but_nobody_took_are_served(listener):
    with socket.socket() as client:
        worker = server()

        async def meanwhile():
            client.connect(listener.getsockname())  # the loop, which runs this, cannot accept it

        async def scenario():
            worker.main_loop = meanwhile
            serving = asyncio.create_task(worker.serve([listener]))
            while not worker.started:
                await asyncio.sleep(0.01)
            client.sendall(REQUEST)
            await ended(serving)

        asyncio.run(scenario())
        client.settimeout(5)
        answered = client.recv(65536).lower()
    assert answered.startswith(b"http/1.1 200 ok")
    assert b"connection: close" in answered


def test_gunicorn_hears_from_a_worker_that_ends(listener):
    heard = []

    async def notify():
        heard.append("alive")

    async def scenario():
        worker = server(notify)
        worker.should_exit = True
        await ended(worker.serve([listener]))
        worker.started = True
        worker.servers = []
        heard.clear()
        await worker.shutdown([])

    asyncio.run(scenario())
    assert heard == ["alive"]


async def served(listener, *pieces):
    """What one connection gets that sends these pieces, each once the one before was read."""
    worker = server()
    serving = asyncio.create_task(worker.serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    answered = b""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answered = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    worker.should_exit = True
    await ended(serving)
    return answered


@pytest.mark.parametrize("endless", [b"GET /", b"GET / HTTP/1.1\r\nX-Long: "])
def test_a_head_that_goes_on_is_refused(listener, endless):
    answered = asyncio.run(served(listener, endless, *[b"x" * 10_000] * 7))
    assert answered.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x", REQUEST + b"GET"])
def test_a_head_that_does_not_arrive_is_not_waited_for(listener, begun, monkeypatch):
    monkeypatch.setattr("foodlog.gunicorn_worker.HEAD_SECONDS", 0.1)
    answered = asyncio.run(served(listener, begun))
    assert b"HTTP/1.1 408 " in answered
    assert answered.count(b"HTTP/1.1 200 ") == begun.count(REQUEST)


def test_long_heads_and_bodies_within_their_limits_are_read(listener):
    head = b"POST / HTTP/1.1\r\nConnection: close\r\nX-Long: " + b"x" * 60_000 + b"\r\n"
    body = b"Content-Length: 300000\r\n\r\n" + b"y" * 300_000
    assert asyncio.run(served(listener, head, body)).startswith(b"HTTP/1.1 200 ")

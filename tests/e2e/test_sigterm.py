"""Nothing accepted is lost: not when the server is stopped, not when workers are replaced."""

import http.client
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from foodlog.testing.client import multipart

BOUNDARY = "multipart/form-data; boundary=boundary"


class Load:
    """Clients that ask without a pause; the odd ones send photos, every other pair hangs up after
    each answer. ``lost``: what went wrong once a connection was there."""

    def __init__(self, port, photo, clients):
        self.answered = Counter()
        self.lost = []
        self._port = port
        self._body = multipart([("photo", "meal.jpg", photo)])[0]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def until(self, answers, also=lambda: True):
        """Go on until so many were answered and ``also`` is true, or something was lost."""
        end = time.monotonic() + 60
        while not (sum(self.answered.values()) >= answers and also()) and not self.lost:
            assert time.monotonic() < end, self.answered
            time.sleep(0.02)

    def _client(self, number):
        while not self._over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            try:
                while not self._ask(connection, photo=number % 2 == 1) and number % 4 >= 2:
                    if self._over.is_set():
                        break
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.lost.append(repr(error))
                return
            finally:
                connection.close()

    def _ask(self, connection, photo):
        if photo:
            connection.request("POST", "/predict", self._body, {"Content-Type": BOUNDARY})
        else:
            connection.request("GET", "/health")
        answer = connection.getresponse()
        assert json.loads(answer.read())
        self.answered[answer.status] += 1
        return answer.getheader("Connection") == "close"


def refuses(port):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    return True


def test_sigterm_under_load_loses_no_accepted_request(new_server, photo):
    server = new_server(workers=2).start()
    with Load(server.port, photo, clients=12) as load:
        load.until(answers=100)
        assert server.stop() == 0
        assert refuses(server.port)
    assert load.lost == []
    assert load.answered.keys() == {200}


def test_what_has_begun_when_sigterm_comes_gets_its_full_answer(new_server, photo):
    server = new_server(workers=1).start()
    body, content_type = multipart([("photo", "meal.jpg", photo)])
    head = (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: {content_type}\r\n\r\n"
    ).encode()
    request = head + body
    already_sent = {"nothing": 0, "half the head": 40, "half the body": len(head) + 100}
    connections = {}
    for name, sent in already_sent.items():
        connections[name] = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connections[name].sendall(request[:sent])
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    kept.request("GET", "/health")
    kept.getresponse().read()

    server.process.send_signal(signal.SIGTERM)
    until_refused(server.port)
    for name, sent in already_sent.items():
        connections[name].sendall(request[sent:])
    kept.request("GET", "/health")

    for name in already_sent:
        answer = http.client.HTTPResponse(connections[name])
        answer.begin()
        assert answer.status == 200, name
        assert json.loads(answer.read())["inference_source"] == "local_fallback", name
        assert answer.getheader("Connection") == "close" or name == "half the body"
        answer.close()
        connections[name].close()
    answer = kept.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (200, "close")
    answer.close()
    kept.close()
    assert server.process.wait(30) == 0
    assert "Traceback" not in server.log


def until_refused(port):
    """It stops accepting within a tenth of a second."""
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.005)
    raise AssertionError("it goes on accepting")


def test_workers_end_where_gunicorn_is_killed(new_server, tmp_path):
    """They would keep the port from the next server for ever."""
    server = new_server(workers=1).start()
    server.process.kill()
    server.process.wait(30)
    try:
        until_refused(server.port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("to", [os.kill, os.killpg], ids=["gunicorn", "all"])
def test_an_interrupted_server_ends_by_itself(new_server, tmp_path, number, to):
    """A terminal sends Ctrl-C to all processes; gunicorn passes what only it was sent on."""
    server = new_server(workers=1).start()
    to(server.process.pid, number)
    assert server.process.wait(60) == 0
    assert "was sent" not in server.log, "no worker was killed, nor died of the signal"
    assert "Traceback" not in server.log
    assert list(tmp_path.glob("*.db-wal")) == [], "they closed the storage"


def test_a_client_that_never_finishes_does_not_keep_the_server_from_ending(new_server, tmp_path):
    server = new_server(workers=1, environ={"GRACEFUL_TIMEOUT": "6"}).start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\nExpect: 100-continue\r\n\r\n"
        )
        assert b" 100 " in connection.recv(1000), "the request has begun"
        connection.sendall(b"-")
        assert list(tmp_path.glob("*.db-wal"))
        assert server.stop() == 0
    assert list(tmp_path.glob("*.db-wal")) == [], "it closed its storage, and was not killed"
    assert "Cancel 1 running task" in server.log


def test_replacing_workers_under_load_loses_nothing(new_server, photo):
    server = new_server(workers=2, environ={"MAX_REQUESTS": "40"}).start()
    first = workers_of(server)
    with Load(server.port, photo, clients=8) as load:
        # A worker ends some time after its last request, and only then comes the next one.
        load.until(answers=300, also=lambda: not first & server.workers)
    assert load.lost == []
    assert load.answered.keys() == {200}


def workers_of(server):
    """Both workers, once they are there."""
    for _ in itertools.repeat(None, 600):
        if len(found := server.workers) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError(server.log)

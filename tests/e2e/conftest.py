"""Real gunicorn on 127.0.0.1, started by ``foodlog serve`` as an operator starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from foodlog.testing import photos
from foodlog.testing.client import embedded


class Server:
    """A running FoodLog; its standard error goes to ``log``."""

    def __init__(self, config, log, workers=1, environ=None, python=sys.executable):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._command = [str(python), "-m", "foodlog", "serve", "--config", str(config)]
        self._command += ["--port", str(self.port), "--workers", str(workers)]
        self._environ = os.environ | (environ or {})
        self.process = None

    @property
    def log(self):
        return self._log.read_text()

    @property
    def workers(self):
        """The ids of its worker processes."""
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def start(self):
        with self._log.open("ab") as stream:
            self.process = subprocess.Popen(
                self._command,
                stderr=stream,
                stdout=stream,
                env=self._environ,
                start_new_session=True,
            )
        self._until_it_answers()
        return self

    def _until_it_answers(self):
        for _ in range(600):
            assert self.process.poll() is None, self.log
            try:
                if requests.get(f"{self.url}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(self.log)

    def kill(self):
        """The power goes out: every process at once, without a chance to finish anything."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def stop(self, patience=30):
        """What an orchestrator does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "foodlog.yaml"
    path.write_text(embedded(tmp_path))
    return path


@pytest.fixture
def new_server(tmp_path, config):
    """A function that makes servers over the same data; all are gone afterwards."""
    servers = []

    def new(**kwargs):
        servers.append(Server(config, tmp_path / f"server-{len(servers)}.log", **kwargs))
        return servers[-1]

    yield new
    for server in servers:
        if server.process and server.process.poll() is None:
            server.kill()


@pytest.fixture
def server(new_server):
    return new_server().start()


@pytest.fixture(scope="session")
def photo():
    return photos.jpeg(64, 48)


@pytest.fixture
def signed_up(server):
    """A session with the headers of a new user."""
    session = requests.Session()
    credentials = {"email": "ann@example.org", "password": "correct horse"}
    answer = session.post(f"{server.url}/auth/signup", json=credentials, timeout=30)
    assert answer.status_code == 201, answer.text
    session.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return session

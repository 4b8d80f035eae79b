"""Real gunicorn on 127.0.0.1, started by ``foodlog serve`` as an operator starts it."""

import os
import sys

import pytest
import requests
from servers import Server, free_port

from foodlog.testing import photos
from foodlog.testing.client import embedded


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "foodlog.yaml"
    path.write_text(embedded(tmp_path))
    return path


@pytest.fixture
def new_server(tmp_path, config):
    """A function that makes servers over the same data; all are gone afterwards."""
    servers = []

    def new(workers=1, environ=None, python=sys.executable):
        port = free_port()
        command = [python, "-m", "foodlog", "serve", "--config", config]
        command += ["--port", port, "--workers", workers]
        log = tmp_path / f"server-{len(servers)}.log"
        servers.append(Server(command, port, log, env=os.environ | (environ or {})))
        return servers[-1]

    yield new
    for server in servers:
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

"""Real servers in processes of their own, on 127.0.0.1, and what they cost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
"""Seconds a server has to start."""
GUNICORN = [sys.executable, "-m", "gunicorn", "--config", "python:foodlog.gunicorn_settings"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        pid = self.process.pid
        return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]

    def sign_up(self) -> str:
        """The token of a new user, ``bench@example.org``."""
        credentials = {"email": "bench@example.org", "password": "correct horse"}
        answer = requests.post(f"{self.url}/auth/signup", json=credentials, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["token"])


@contextmanager
def foodlog(config: Path, *, workers: int = 1, core: int | None = None) -> Iterator[Server]:
    """FoodLog as ``foodlog serve`` starts it. ``core``: keep it on this one."""
    command = [sys.executable, "-m", "foodlog", "serve", "--config", str(config)]
    with running([*command, "--workers", str(workers)], config.with_suffix(".log"), core) as server:
        yield server


@contextmanager
def asgi(application: str, folder: Path, *, core: int | None = None) -> Iterator[Server]:
    """An application under the same server with the same settings as FoodLog, one worker."""
    command = [*GUNICORN, "--workers", "1", application]
    with running(command, folder / f"{application}.log", core) as server:
        yield server


@contextmanager
def running(command: Sequence[str], log: Path, core: int | None = None) -> Iterator[Server]:
    """Run ``command`` with a free port in ``PORT`` until the context is left."""
    port = free_port()
    # Workers are not replaced while they are measured.
    environ = os.environ | {"PORT": str(port), "GUNICORN_CMD_ARGS": "--max-requests 0"}
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=stream,
            env=environ,
            cwd=ROOT,
            start_new_session=True,
        )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    server = Server(port, process, log)
    try:
        until_it_answers(server)
        yield server
    finally:
        _stop(process)


def until_it_answers(server: Server, path: str = "/health") -> None:
    """Wait for the first 200; raises :class:`RuntimeError` with the server's log."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    deadline = time.monotonic() + PATIENCE
    while server.process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 5) as link:
            link.sendall(request)
            if link.recv(16).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.005)
    raise RuntimeError(f"a server did not start:\n{server.log.read_text()[-4000:]}")


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def apart() -> Iterator[int | None]:
    """Keep this process on the first core; the last one, for a server. None where there is one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        yield None
        return
    os.sched_setaffinity(0, set(cores[:-1]))
    try:
        yield cores[-1]
    finally:
        os.sched_setaffinity(0, cores)


def memory(pid: int) -> tuple[float, float]:
    """MiB resident in a process: all of them, and its share of those it shares with others."""
    lines = (line.split() for line in _read(f"/proc/{pid}/smaps_rollup").splitlines())
    sizes = {line[0]: int(line[1]) / 1024 for line in lines if len(line) == 3}
    return sizes["Rss:"], sizes["Pss:"]


def processor_seconds(pid: int) -> float:
    """How long a process has kept a core busy."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _read(path: str) -> str:
    return Path(path).read_text()

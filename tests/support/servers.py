"""Servers that tests start, each in a process of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import requests

PATIENCE = 100.0
"""Seconds anything is waited for: long on any machine, and less than a test may take."""


def free_port() -> int:
    """A port nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """What ``command`` starts, which is to listen at ``port``; ``log`` gets what it prints."""

    def __init__(self, command: Sequence[object], port: int, log: Path, **popen: Any) -> None:
        """``popen``: further arguments of :class:`subprocess.Popen`."""
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self._command, self._log, self._popen = [str(part) for part in command], log, popen
        self.process: Any = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def workers(self) -> set[str]:
        """The ids of its worker processes."""
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as stream:
            self.process = subprocess.Popen(
                self._command, stdout=stream, stderr=stream, start_new_session=True, **self._popen
            )
        self.until(self.answers)
        return self

    def until(self, happened: Callable[[], object]) -> None:
        """Wait for it for as long as the server runs."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it does; not before it listens."""
        try:
            return requests.get(f"{self.url}/health", timeout=PATIENCE).ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """The power goes out: every process at once, without a chance to finish anything."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    def stop(self) -> int:
        """What an orchestrator does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

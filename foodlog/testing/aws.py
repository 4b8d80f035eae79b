"""S3 and DynamoDB on this machine, for tests: moto's server, and dynalite on Node.js.

Both are processes of their own that end with their standard input, so none is ever left behind.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LAUNCH_MOTO = """
import sys
from threading import Lock
from moto.moto_server import threaded_moto_server
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler
WSGIRequestHandler.protocol_version = "HTTP/1.1"
class OneAtATime(threaded_moto_server.DomainDispatcherApplication):
    # A conditional write is one step in DynamoDB, and several in moto.
    turn = Lock()
    def __call__(self, environ, start_response):
        with self.turn:
            return super().__call__(environ, start_response)
threaded_moto_server.DomainDispatcherApplication = OneAtATime
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
LAUNCH_DYNALITE = """
const options = {createTableMs: 0, deleteTableMs: 0, updateTableMs: 0}
const server = require('dynalite')(options)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit())
"""
HOW_TO_GET_DYNALITE = "dynalite is not installed: have Node.js (20 or newer) and run `npm ci`"


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a fresh S3 and DynamoDB."""
    with _process([sys.executable, "-c", LAUNCH_MOTO], Path.cwd()) as url:
        yield url


def dynalite_is_missing(directory: Path) -> bool:
    """Whether dynalite cannot be started from ``directory``; never said where CI is set."""
    return not os.environ.get("CI") and not _is_installed(directory)


@contextmanager
def dynalite(directory: Path) -> Iterator[str]:
    """The URL of a fresh DynamoDB; ``directory`` holds the ``node_modules`` it is in."""
    if not _is_installed(directory):
        raise RuntimeError(HOW_TO_GET_DYNALITE)
    with _process(["node", "-e", LAUNCH_DYNALITE], directory) as url:
        yield url


def _is_installed(directory: Path) -> bool:
    return bool(shutil.which("node")) and (directory / "node_modules" / "dynalite").is_dir()


@contextmanager
def _process(command: Sequence[str], directory: Path) -> Iterator[str]:
    """Run a server that prints its port as its first line."""
    with subprocess.Popen(
        command,
        cwd=directory,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            if not port:
                raise RuntimeError(f"{command[0]} did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.communicate(timeout=10)

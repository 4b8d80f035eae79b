"""S3 and DynamoDB on this machine, for tests: moto's server, and dynalite on Node.js."""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LAUNCH_DYNALITE = """
const options = {createTableMs: 0, deleteTableMs: 0, updateTableMs: 0}
const server = require('dynalite')(options)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit())
"""
HOW_TO_GET_DYNALITE = "dynalite is not installed: have Node.js (20 or newer) and run `npm ci`"


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a fresh S3 and DynamoDB in this process."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def dynalite_is_missing(directory: Path) -> bool:
    """Whether dynalite cannot be started from ``directory``; never said where CI is set."""
    if os.environ.get("CI"):
        return False
    return not (shutil.which("node") and (directory / "node_modules" / "dynalite").is_dir())


@contextmanager
def dynalite(directory: Path) -> Iterator[str]:
    """The URL of a fresh DynamoDB; ``directory`` holds the ``node_modules`` it is in."""
    process = subprocess.Popen(
        ["node", "-e", LAUNCH_DYNALITE],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(HOW_TO_GET_DYNALITE)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.communicate(timeout=10)

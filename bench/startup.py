"""What a start costs: time to the first answer, memory, and what is never imported."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import servers
from bench.pairs import in_turns
from bench.results import Result
from foodlog.testing.client import embedded

PAIRS = 10
IMPORTS = [sys.executable, "-c", "import falcon.asgi, uvicorn"]
BUILD = """
import asyncio, sys
import foodlog
app = foodlog.create_app("config/local.yaml")
app.start()
app.stop()
print("boto3" in sys.modules)
"""
"""Prints whether a worker on the embedded default has imported boto3."""


def start() -> list[Result]:
    """From ``foodlog serve`` to the first answer of ``/health``, against two imports."""
    with tempfile.TemporaryDirectory(prefix="foodlog-bench-") as folder:
        config = Path(folder) / "foodlog.yaml"
        config.write_text(embedded(folder))
        pairs = in_turns(lambda: _first_answer(config), _imports, PAIRS)
    ours, theirs = pairs.medians
    return [
        Result(
            name="`foodlog serve` to the first answer / importing falcon and uvicorn",
            value=pairs.ratio,
            at_most=3.0,
            detail=f"{ours * 1000:.0f} ms against {theirs * 1000:.0f} ms, {PAIRS} pairs",
        )
    ]


def memory() -> list[Result]:
    """Memory of a worker that has answered, and boto3 on the embedded default."""
    with tempfile.TemporaryDirectory(prefix="foodlog-bench-") as folder:
        config = Path(folder) / "foodlog.yaml"
        config.write_text(embedded(folder))
        with servers.foodlog(config, workers=2) as server:
            rss, pss = servers.memory(server.workers()[0])
        imported = _boto3_is_imported(folder)
    return [
        Result(
            name="memory of one of two workers at rest, its share (PSS)",
            value=round(pss, 1),
            unit="MiB",
            detail=f"RSS {rss:.0f} MiB, most of it shared",
        ),
        Result(
            name="modules of boto3 in a worker on config/local.yaml",
            value=int(imported),
            unit="",
            at_most=0,
        ),
    ]


def _first_answer(config: Path) -> float:
    started = time.perf_counter()
    with servers.foodlog(config):
        return time.perf_counter() - started


def _imports() -> float:
    started = time.perf_counter()
    subprocess.run(IMPORTS, check=True, cwd=servers.ROOT)
    return time.perf_counter() - started


def _boto3_is_imported(folder: str) -> bool:
    environ = {"FOODLOG_DATA": folder, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", BUILD]
    done = subprocess.run(
        command, check=True, cwd=servers.ROOT, env=environ, capture_output=True, text=True
    )
    return done.stdout.strip() == "True"

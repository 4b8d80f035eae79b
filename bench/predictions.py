"""``/predict`` with slow upstreams: how much FoodLog adds to what they take, alone and in a crowd.

The upstreams are stubs in processes of their own. FoodLog's memory of nutrition is switched off,
so that every prediction asks for all it needs.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import load, servers, stubs
from bench.pairs import in_turns
from bench.results import Result
from foodlog.testing import photos
from foodlog.testing.client import embedded, multipart

UPSTREAM = stubs.CLASSIFIER_SECONDS + stubs.NUTRITION_SECONDS
COUNT = 15
CLIENTS, WORKERS, THREADS = 256, 2, 8
"""So few threads that two cores, which clients and upstreams share, can keep them busy: more would
measure the cores."""
SECONDS, WARM_UP = 20.0, 5.0
"""In the first seconds all photos are on their way at once, and nothing is predicted yet."""
_CONFIG = """
classifiers: [{{use: huggingface, options: {{url: "{classifier}", token: {key}}}}}]
nutrition: [{{use: usda, options: {{url: "{nutrition}", api_key: {key}, cache_size: 0}}}}]
concurrency: {{analyses: {threads}, analyses_queue: {clients}}}
"""


@dataclass(frozen=True, slots=True)
class World:
    """FoodLog and its upstreams."""

    server: servers.Server
    token: str
    classifier: str
    nutrition: str
    folder: Path

    def predict(self, photo: bytes) -> bytes:
        """The request client A sends: the same photo twice."""
        return _predict(photo, self.token)


def alone() -> list[Result]:
    """One client: what FoodLog adds to the time the upstreams and the row take."""
    with _world(workers=1) as world:
        row = _seconds(world.server, _save_meal(world.token))
        return [
            _added("200 KB photo", photos.sample(1520, 1140), world, row, 1.10),
            _added("3 MB photo of 12 MP", photos.twelve_megapixels(6), world, row, 1.25),
        ]


def against_flask() -> list[Result]:
    """The same calls, made one after another by a Flask application."""
    photo = photos.sample(1520, 1140)
    with _world(workers=1) as world, _flask(world) as flask:
        pairs = in_turns(
            lambda: _once(flask, _predict(photo, world.token)),
            lambda: _once(world.server, world.predict(photo)),
            5,
        )
    theirs, ours = pairs.medians
    return [
        Result(
            name="plain Flask, one call after another / FoodLog, a dish of 5 ingredients",
            value=pairs.ratio,
            at_least=2.0,
            detail=f"{theirs * 1000:.0f} ms against {ours * 1000:.0f} ms",
        )
    ]


def crowd() -> list[Result]:
    """256 clients at once, against what the threads could do if nothing but waiting took time."""
    with _world(workers=WORKERS) as world:
        row = _seconds(world.server, _save_meal(world.token))
        before = _processor_seconds(world.server)
        done = load.drive(
            world.server.port,
            world.predict(photos.sample(1520, 1140)),
            connections=CLIENTS,
            seconds=SECONDS,
            warm_up=WARM_UP,
        )
        memory = [servers.memory(pid) for pid in world.server.workers()]
        busy = _processor_seconds(world.server) - before
    each = busy / (done.warm_ups + len(done.latencies)) * 1000
    limit = WORKERS * THREADS / (UPSTREAM + row)
    failed = f", the first: {done.failures[0]}" if done.failures else ""
    return [
        Result(
            name=f"{CLIENTS} clients, {WORKERS} workers: predictions a second / threads / latency",
            value=done.rate / limit,
            at_least=0.9,
            detail=f"{done.rate:.0f}/s of {limit:.0f}/s with {THREADS} threads a worker, "
            f"p50 {done.median:.1f} s; {each:.1f} ms of a core each, so that {1000 / each:.0f}/s "
            "keep a core busy",
        ),
        Result(
            name=f"{CLIENTS} clients: failed requests",
            value=len(done.failures),
            unit="",
            at_most=0,
            detail=f"of {len(done.failures) + len(done.latencies)}{failed}",
        ),
        Result(
            name=f"{CLIENTS} clients: largest RSS of a worker",
            value=round(max(rss for rss, _ in memory)),
            unit="MiB",
        ),
    ]


@contextmanager
def _world(workers: int) -> Iterator[World]:
    with (
        stubs.stub("classifier") as classifier,
        stubs.stub("nutrition") as nutrition,
        tempfile.TemporaryDirectory(prefix="foodlog-bench-") as name,
    ):
        folder = Path(name)
        more = _CONFIG.format(
            classifier=classifier,
            nutrition=nutrition,
            key=stubs.KEY,
            threads=THREADS,
            clients=CLIENTS,
        )
        config = folder / "foodlog.yaml"
        config.write_text(embedded(folder, more))
        with servers.foodlog(config, workers=workers) as server:
            token = server.sign_up()
            yield World(server, token, classifier, nutrition, folder)


@contextmanager
def _flask(world: World) -> Iterator[servers.Server]:
    settings = world.folder / "gunicorn.conf.py"
    settings.write_text('worker_class = "gthread"\nthreads = 8\nkeepalive = 75\n')
    command = [sys.executable, "-m", "gunicorn", "--config", str(settings)]
    os.environ |= {
        "CLASSIFIER_URL": world.classifier,
        "NUTRITION_URL": world.nutrition,
        "FOLDER": str(world.folder),
    }
    command += ["--no-control-socket", "bench.flask_baseline:app"]
    with servers.running(command, world.folder / "flask.log") as server:
        yield server


def _processor_seconds(server: servers.Server) -> float:
    return sum(servers.processor_seconds(pid) for pid in server.workers())


def _added(name: str, photo: bytes, world: World, row: float, most: float) -> Result:
    request = world.predict(photo)
    taken = _seconds(world.server, request)
    return Result(
        name=f"{name} / (classifier + nutrition + row)",
        value=taken / (UPSTREAM + row),
        at_most=most,
        detail=f"{taken * 1000:.0f} ms against {(UPSTREAM + row) * 1000:.0f} ms, of which "
        f"{row * 1000:.0f} a row; {len(photo) / 1000:.0f} KB",
    )


def _seconds(server: servers.Server, request: bytes) -> float:
    """The median time of one request after another, after a first one that opens connections."""
    _once(server, request)
    return statistics.median(_once(server, request) for _ in range(COUNT))


def _once(server: servers.Server, request: bytes) -> float:
    done = load.once(server.port, request)
    if done.failures:
        raise RuntimeError(done.failures[0])
    return done.median


def _predict(photo: bytes, token: str) -> bytes:
    parts = [(name, "meal.jpg", photo) for name in ("photo", "image")]
    return load.post("/predict", *multipart(parts), token)


def _save_meal(token: str) -> bytes:
    body = orjson.dumps({"name": "Porridge", "calories": 320})
    return load.post("/save_meal", body, "application/json", token)

"""How fast answers come: ``/health`` and ``/history`` against the least that could be done."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import requests

from bench import load, servers
from bench.pairs import Pairs, in_turns
from bench.results import Result
from foodlog.testing.client import embedded

CONNECTIONS = 8
SECONDS = 0.4
ROUNDS, PAIRS = 5, 7
FEW, MANY = 1_000, 1_000_000
MEALS = 50
SAMPLE = servers.ROOT / "docs" / "sample-meal.jpg"


def health() -> list[Result]:
    """``/health`` against a Falcon application that does nothing else."""
    with _folder() as folder, servers.apart() as core:
        pairs = _rates(_config(folder), load.get("/health"), core)
    return [
        Result(
            name="`/health` / bare Falcon ASGI, requests a second",
            value=pairs.ratio,
            at_least=0.7,
            detail=_detail(pairs),
        )
    ]


def history() -> list[Result]:
    """``/history`` of 50 meals against the same bytes out of a thread."""
    with _folder() as folder, servers.apart() as core:
        config = _config(folder)
        with servers.foodlog(config) as server:
            token = _log_meals(server, folder)
            body = _history(server, token)
        (folder / "body").write_bytes(body)
        os.environ["BENCH_BODY"] = str(folder / "body")
        pairs = _rates(config, load.get("/history?limit=50", token), core)
    return [
        Result(
            name="`/history` of 50 meals / the same bytes from a thread, requests a second",
            value=pairs.ratio,
            at_least=0.5,
            detail=f"{_detail(pairs)}, {len(body) / 1024:.0f} KiB an answer",
        )
    ]


def rows() -> list[Result]:
    """``/history`` in a table of a million rows against one of a thousand."""
    with _folder() as folder, servers.apart() as core:
        with (
            servers.foodlog(_config(folder / "many"), core=core) as many,
            servers.foodlog(_config(folder / "few"), core=core) as few,
        ):
            token_many = _log_meals(many, folder / "many", others=MANY)
            token_few = _log_meals(few, folder / "few", others=FEW)
            pairs = in_turns(
                lambda: _median(many, load.get("/history?limit=50", token_many)),
                lambda: _median(few, load.get("/history?limit=50", token_few)),
                15,
            )
        size = (folder / "many" / "foodlog.db").stat().st_size
    slow, fast = pairs.medians
    return [
        Result(
            name="`/history` of 50 meals, p50: 1,000,000 rows of others / 1,000 rows",
            value=pairs.ratio,
            at_most=1.2,
            detail=f"{slow * 1000:.2f} ms against {fast * 1000:.2f} ms, one connection, "
            f"{size / 2**20:.0f} MiB of database",
        )
    ]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="foodlog-bench-") as name:
        yield Path(name)


def _config(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    config = folder / "foodlog.yaml"
    config.write_text(embedded(folder))
    return config


def _rates(config: Path, request: bytes, core: int | None) -> Pairs:
    """Answers a second of FoodLog and of the bare application. Each round has new processes: how
    memory and threads happen to lie in one makes a difference that lasts as long as it does."""
    pairs = Pairs([], [])
    for _ in range(ROUNDS):
        with (
            servers.foodlog(config, core=core) as ours,
            servers.asgi("bench.bare:app", config.parent, core=core) as theirs,
        ):
            pairs += in_turns(partial(_rate, ours, request), partial(_rate, theirs, request), PAIRS)
    return pairs


def _rate(server: servers.Server, request: bytes) -> float:
    return _load(server, request, CONNECTIONS).rate


def _median(server: servers.Server, request: bytes) -> float:
    return _load(server, request, 1).median


def _load(server: servers.Server, request: bytes, connections: int) -> load.Load:
    done = load.drive(server.port, request, connections=connections, seconds=SECONDS)
    if done.failures:
        raise RuntimeError(f"{len(done.failures)} failed, the first with {done.failures[0]}")
    return done


def _detail(pairs: Pairs) -> str:
    ours, theirs = pairs.medians
    count = f"{CONNECTIONS} connections, {len(pairs.ours)} pairs"
    return f"{ours:,.0f}/s against {theirs:,.0f}/s, {count}"


def _history(server: servers.Server, token: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{server.url}/history?limit=50", headers=headers, timeout=30)
    if len(answer.json()["items"]) != MEALS:
        raise RuntimeError("the history is not what was put into it")
    return answer.content


def _log_meals(server: servers.Server, folder: Path, others: int = FEW) -> str:
    """Log one meal with its photo and one by hand; make 50 rows of the first, and of the second
    so many of other users. The user's token."""
    token = server.sign_up()
    headers = {"Authorization": f"Bearer {token}"}
    photo = {"photo": ("meal.jpg", SAMPLE.read_bytes(), "image/jpeg")}
    manual = {"name": "Porridge", "calories": 320}
    for path, body in (("predict", {"files": photo}), ("save_meal", {"json": manual})):
        sent: dict[str, Any] = body
        answer = requests.post(f"{server.url}/{path}", headers=headers, timeout=60, **sent)
        answer.raise_for_status()
    with closing(sqlite3.connect(folder / "foodlog.db", timeout=60)) as database:
        _multiply(database, others)
    return token


def _multiply(database: sqlite3.Connection, others: int) -> None:
    copied = ["id", "user_id", "consumed_at"]
    columns = [row[1] for row in database.execute("PRAGMA table_info(food_history)")]
    kept = ", ".join(column for column in columns if column not in copied)
    copy = (
        "INSERT INTO food_history (id, user_id, consumed_at, {kept})"
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " SELECT lower(hex(randomblob(16))), {user},"
        " strftime('%Y-%m-%dT%H:%M:%S+00:00', '2026-01-01', '+' || (i * 7) || ' minutes'), {kept}"
        " FROM n, food_history AS one WHERE one.food {which} 'Porridge' LIMIT ?"
    ).replace("{kept}", kept)
    with database:
        ours = copy.format(user="user_id", which="<>")
        database.execute(ours, (MEALS - 1, MEALS - 1))
        database.execute("UPDATE food_history SET user_id = 'other' WHERE food = 'Porridge'")
        theirs = copy.format(user="'other-' || (i % 10000)", which="=")
        database.execute(theirs, (others, others))

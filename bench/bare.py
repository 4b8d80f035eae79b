"""The least a Falcon application can do for the same answers: what FoodLog is measured against.

``BENCH_BODY``: the file whose bytes ``/history`` answers with.
"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import falcon
from falcon import asgi

BODY = Path(os.environ["BENCH_BODY"]).read_bytes() if "BENCH_BODY" in os.environ else b""


class App(asgi.App[asgi.Request, asgi.Response]):
    """Falcon's, with what FoodLog's server settings ask an application for."""

    def greeting(self, address: str) -> str:
        return f"listens at {address}"


class Health:
    """Answers as FoodLog's ``/health`` does."""

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = {"status": "ok", "timestamp": datetime.now(UTC).isoformat()}


class Bytes:
    """Fetches an answer from a thread."""

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.content_type = falcon.MEDIA_JSON
        resp.data = await asyncio.to_thread(lambda: BODY)


app = App()
app.add_route("/health", Health())
app.add_route("/history", Bytes())

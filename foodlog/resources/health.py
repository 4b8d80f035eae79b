"""Whether the service lives, and whether it can serve."""

from datetime import UTC, datetime

import orjson
from falcon import asgi

from foodlog import representations
from foodlog.resources.running import Workers
from foodlog.services.readiness import Readiness


class Health:
    """``GET /health``: touches nothing."""

    probe = True

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer that the process lives."""
        resp.data = orjson.dumps({"status": "ok", "timestamp": datetime.now(UTC).isoformat()})


class Ready:
    """``GET /health/ready``."""

    probe = True

    def __init__(self, readiness: Readiness, workers: Workers) -> None:
        self._readiness = readiness
        self._workers = workers

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with a row for each provider; 503 while the storage does not work."""
        report = await self._workers.quick(self._readiness.report)
        resp.status = 200 if report.ready else 503
        resp.data = orjson.dumps(representations.readiness(list(report.rows), report.ready))

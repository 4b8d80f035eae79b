"""Uploading a photo without a meal, and fetching photos by signed URL."""

from collections.abc import Callable
from datetime import datetime

import orjson
from falcon import asgi

from foodlog.errors import Forbidden
from foodlog.models import User
from foodlog.photos import PhotoLimits, verify
from foodlog.representations import PhotoUrl
from foodlog.resources import etags
from foodlog.resources.desk import Desk
from foodlog.resources.reading import idempotency_key
from foodlog.schemas import PhotoQuery, load
from foodlog.services.meals import MealLog
from foodlog.signing import Signer


class Upload:
    """``POST /upload``."""

    def __init__(self, log: MealLog, desk: Desk, photo_url: PhotoUrl, limits: PhotoLimits) -> None:
        self._log = log
        self._desk = desk
        self._photo_url = photo_url
        self._limits = limits

    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Store the photo; ``path`` and ``image_url`` are where it can be fetched."""
        key = idempotency_key(req)
        user = await self._desk.user(req)
        data, _ = await self._desk.reader.form(req)
        stored = await self._desk.workers.analysis(self._store, user, data, key)
        url = self._photo_url(stored)
        resp.data = orjson.dumps(
            {"success": True, "filename": stored, "path": url, "image_url": url}
        )

    def _store(self, user: User, data: bytes, key: str | None) -> str:
        return self._log.upload(user, verify(data, self._limits), key)


class Photos:
    """``GET /uploads/{key}``."""

    def __init__(
        self, log: MealLog, desk: Desk, signer: Signer, clock: Callable[[], datetime]
    ) -> None:
        self._log = log
        self._desk = desk
        self._signer = signer
        self._clock = clock

    async def on_get(self, req: asgi.Request, resp: asgi.Response, key: str) -> None:
        """Answer with the photo, to whoever holds its signed URL."""
        given = load(PhotoQuery(), req.params)
        if not self._desk.users.is_single and not self._signer.check_photo(
            key, given.get("expires", 0), given.get("signature", ""), self._clock()
        ):
            raise Forbidden("The photo's URL is not signed, or has expired; list the meal again.")
        data, content_type = await self._desk.workers.quick(self._log.photo, key)
        resp.set_header("Cache-Control", "private, max-age=3600")
        resp.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        etags.answer(req, resp, data, content_type)

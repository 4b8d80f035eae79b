"""Predicting, entering and listing meals."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import falcon
import orjson
from falcon import asgi

from foodlog import representations, schemas
from foodlog.concurrency import Deadline
from foodlog.models import Meal, MealQuery, Nutrients, Page, User
from foodlog.photos import PhotoLimits, verify
from foodlog.representations import PhotoUrl, image_url
from foodlog.resources.desk import Desk
from foodlog.resources.reading import Queries, bearer, idempotency_key
from foodlog.resources.running import Workers
from foodlog.resources.users import Users
from foodlog.services.meals import Details, ManualMeal, MealLog
from foodlog.signing import Signer

REMEMBERED = 64
"""Pages whose JSON is not written again while nothing on them changes."""
LARGEST = 100
"""Meals of a page that is remembered: some 200 KB."""


class Predict:
    """``POST /predict``."""

    def __init__(
        self,
        log: MealLog,
        desk: Desk,
        photo_url: PhotoUrl,
        limits: PhotoLimits,
        new_deadline: Callable[[], Deadline],
    ) -> None:
        self._log = log
        self._desk = desk
        self._photo_url = photo_url
        self._limits = limits
        self._new_deadline = new_deadline

    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Analyse the photo; with a token, log the meal."""
        key = idempotency_key(req)
        user = await self._desk.user_or_none(req)
        data, texts = await self._desk.reader.form(req)
        details = _details(schemas.load(schemas.PredictFields(), texts))
        deadline = self._new_deadline()
        meal = await self._desk.workers.analysis(self._predict, user, data, details, key, deadline)
        resp.data = orjson.dumps(
            representations.meal(meal, image_url(meal, self._photo_url), stored=user is not None)
        )

    def _predict(
        self, user: User | None, data: bytes, details: Details, key: str | None, deadline: Deadline
    ) -> Meal:
        photo = verify(data, self._limits)
        return self._log.predict(user, photo, details, key, deadline)


class SaveMeal:
    """``POST /save_meal``."""

    def __init__(self, log: MealLog, desk: Desk, photo_url: PhotoUrl) -> None:
        self._log = log
        self._desk = desk
        self._photo_url = photo_url

    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Log a meal entered by hand."""
        key = idempotency_key(req)
        user = await self._desk.user(req)
        given = schemas.load(schemas.SaveMeal(), await self._desk.reader.json(req))
        meal = await self._desk.workers.quick(self._log.enter, user, _manual(given), key)
        body = representations.meal(meal, image_url(meal, self._photo_url))
        body |= representations.legacy_meal(meal)
        resp.status = falcon.HTTP_201
        resp.data = orjson.dumps({"message": "Meal saved.", "meal": body})


class Lists:
    """A user's meals, a page at a time, behind signed cursors."""

    def __init__(
        self,
        log: MealLog,
        users: Users,
        signer: Signer,
        *,
        default: int,
        most: int,
    ) -> None:
        """``default`` and ``most``: meals on a page."""
        self._log = log
        self._users = users
        self._signer = signer
        self._default = default
        self._most = most

    @property
    def most(self) -> int:
        """Meals on a page at most."""
        return self._most

    def page(self, token: str | None, query: Mapping[str, Any]) -> tuple[Page, str | None]:
        """A page and the cursor of the next one."""
        user = self._users.required(token)
        chosen = {k: query.get(k) for k in ("since", "until", "meal_type")}
        filters = [_text(value) for value in chosen.values()]
        cursor = query.get("cursor")
        page = self._log.history(
            MealQuery(
                user_id=user.id,
                limit=max(1, min(query.get("limit", self._default), self._most)),
                after=self._signer.read_cursor(cursor, user.id, filters) if cursor else None,
                **chosen,
            )
        )
        following = page.next and self._signer.cursor(user.id, page.next, filters)
        return page, following or None


class History:
    """``GET /history``."""

    def __init__(self, lists: Lists, workers: Workers, photo_urls: Callable[[], PhotoUrl]) -> None:
        """``photo_urls``: says where the photos are, as of the moment it is called."""
        self._lists = lists
        self._workers = workers
        self._photo_urls = photo_urls
        self._queries = Queries(schemas.HistoryQuery())
        self._remembered = lru_cache(maxsize=REMEMBERED)(_written)

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with a page of the log, newest consumed first."""
        query = self._queries.read(req)
        resp.data = await self._workers.quick(self._body, bearer(req), query)

    def _body(self, token: str | None, query: Mapping[str, Any]) -> bytes:
        page, following = self._lists.page(token, query)
        photo_url = self._photo_urls()
        urls = tuple([image_url(meal, photo_url) for meal in page.meals])
        written = self._remembered if len(page.meals) <= LARGEST else _written
        return written(page, urls, following, "cursor" not in query)


class LegacyMeals:
    """``GET /meals``: a bare array, as the legacy app reads it."""

    def __init__(self, lists: Lists, workers: Workers) -> None:
        self._lists = lists
        self._workers = workers
        self._queries = Queries(schemas.PageQuery())

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with the newest meals; a Link header leads to older ones."""
        given = self._queries.read(req)
        query = {"limit": self._lists.most, **given}
        page, following = await self._workers.quick(self._lists.page, bearer(req), query)
        if following:
            resp.append_link(f"{req.path}?{urlencode({**given, 'cursor': following})}", "next")
        resp.data = orjson.dumps([representations.legacy_meal(meal) for meal in page.meals])


def _written(page: Page, urls: tuple[str | None, ...], cursor: str | None, first: bool) -> bytes:
    """A page as JSON, with the photos at ``urls``; ``first``: it is the list's first."""
    body: dict[str, Any] = {
        "items": list(map(representations.meal, page.meals, urls)),
        "next_cursor": cursor,
    }
    if first and not page.meals:
        body["message"] = "history empty"
    return orjson.dumps(body)


def _details(given: dict[str, Any]) -> Details:
    return Details(
        consumed_at=given.get("meal_date") or given.get("consumed_at") or given.get("date"),
        meal_type=given.get("meal_type"),
        note=given.get("note") or None,
    )


def _manual(given: dict[str, Any]) -> ManualMeal:
    facts = given.get("nutrition_facts", {}) | {"calories": given["calories"]}
    return ManualMeal(
        name=given["name"],
        nutrients=Nutrients(**facts),
        ingredients=tuple(given.get("ingredients", ())),
        details=_details(given),
    )


def _text(value: datetime | str | None) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else value

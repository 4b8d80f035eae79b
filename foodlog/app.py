"""The application: collaborators, then the route table."""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import falcon
import orjson
from falcon import asgi
from falcon.media import MultipartFormHandler

from foodlog import logs
from foodlog.config import Config, load_config
from foodlog.discovery import discover
from foodlog.errors import ClientError, FoodLogError, Rejected, TooLarge, problem
from foodlog.middleware import BodyLimit, RequestLog, SafeHeaders, cors
from foodlog.models import User
from foodlog.photos import PhotoLimits
from foodlog.plugins import Plugins, Selection, select
from foodlog.representations import rejection
from foodlog.resources.accounts import LogIn, Me, SignUp
from foodlog.resources.health import Health, Ready
from foodlog.resources.meals import History, LegacyMeals, Lists, Predict, SaveMeal
from foodlog.resources.photos import Photos, Upload
from foodlog.resources.reading import BodyLimits, Reader
from foodlog.resources.running import Workers
from foodlog.resources.users import Users
from foodlog.services.accounts import Session
from foodlog.worker import Worker, now

logger = logging.getLogger(__name__)

BODY_SECONDS = 300.0
"""How long a request's body may take to arrive."""
GRACE = 3.0
"""Seconds after its deadline for which an analysis is still waited for."""
QUICK_SECONDS = 15.0
"""How long storage may take to answer."""


def create_app(
    config: Config | str | Path | None = None, plugins: Iterable[object] = ()
) -> "Application":
    """The ASGI application.

    ``config``: a configuration or the path of a YAML file; without it, the one that
    ``FOODLOG_CONFIG`` or ``STORAGE_BACKEND`` names, else the embedded default. ``plugins``: plugin
    objects beside the installed ones. Nothing is opened or connected before the lifespan starts,
    so that the application can be loaded before a fork.

    Raises :class:`foodlog.errors.ConfigError`.
    """
    settings = config if isinstance(config, Config) else load_config(config)
    logs.configure(settings.logging.level, settings.logging.format)
    settings.auth.key()
    found = discover(plugins)
    return Application(settings, found, select(found, settings))


class Application(asgi.App[asgi.Request, asgi.Response]):
    """FoodLog as an ASGI application; its worker is built when the lifespan starts."""

    def __init__(self, config: Config, plugins: Plugins, selection: Selection) -> None:
        super().__init__(
            middleware=[
                RequestLog(),
                cors(config.cors.origins),
                SafeHeaders(),
                BodyLimit(config.limits.body_bytes),
                _Lifespan(self),
            ],
            cors_enable=False,
        )
        self.config = config
        self.selection = selection
        self.failure: str | None = None
        """Why the worker could not be built, in a sentence for the operator."""
        self._plugins = plugins
        self._worker: Worker | None = None
        self.resp_options.default_media_type = falcon.MEDIA_JSON
        self.req_options.strip_url_path_trailing_slash = True
        self.req_options.auto_parse_qs_csv = False
        self.req_options.keep_blank_qs_values = True
        self.req_options.media_handlers[falcon.MEDIA_MULTIPART] = _forms(config.limits.parts)
        self.add_error_handler(FoodLogError, self._answer_error)
        self.add_error_handler(Rejected, self._answer_rejection)
        self.add_error_handler(falcon.HTTPError, self._answer_http_error)
        self.add_error_handler(Exception, self._answer_bug)

    def greeting(self, address: str) -> str:
        """What is printed when the server listens at ``address``: where, what with, and a try."""
        providers = ", ".join(chosen.offer.name for chosen in self.selection.chosen)
        return (
            f"FoodLog listens at {address} ({self.config.name})\n"
            f"Active providers: {providers}\n"
            f"Try: curl -F photo=@docs/sample-meal.jpg {address}/predict"
        )

    @property
    def worker(self) -> Worker:
        """What serves the requests; there only while the lifespan lasts."""
        assert self._worker is not None, "the lifespan has not started"
        return self._worker

    def start(self) -> None:
        """Build the worker and its routes; raises as :class:`foodlog.worker.Worker`."""
        self._worker = Worker(self.config, self._plugins, self.selection)
        for path, resource in routes(self.config, self._worker):
            self.add_route(path, resource)

    def stop(self) -> None:
        """Close the worker."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    async def __call__(  # type: ignore[override]
        self, scope: Any, receive: Any, send: Any
    ) -> None:
        """Serve, counting the bytes of a body that did not say how long it is."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, _without_traceback(send, self))
        elif scope["type"] == "http":
            await super().__call__(scope, _counted(receive, self.config.limits.body_bytes), send)
        else:
            await super().__call__(scope, receive, send)

    async def _answer_error(
        self, req: asgi.Request, resp: asgi.Response, error: FoodLogError, params: Any
    ) -> None:
        if not isinstance(error, ClientError):
            logger.error("request failed", extra={"code": error.code, "reason": str(error)})
        resp.status = error.status
        resp.content_type = falcon.MEDIA_JSON.replace("json", "problem+json")
        if error.status == 401:
            resp.set_header("WWW-Authenticate", 'Bearer realm="foodlog"')
        if error.status in (429, 503):
            resp.set_header("Retry-After", str(max(1, round(error.retry_after or 1))))
        resp.data = orjson.dumps(
            problem(error, instance=req.path, request_id=logs.request_id.get())
        )

    async def _answer_rejection(
        self, req: asgi.Request, resp: asgi.Response, error: Rejected, params: Any
    ) -> None:
        resp.status = status = self.config.prediction.rejection_status
        resp.data = orjson.dumps(rejection(error, status, logs.request_id.get()))

    async def _answer_http_error(
        self, req: asgi.Request, resp: asgi.Response, error: falcon.HTTPError, params: Any
    ) -> None:
        for name, value in dict(error.headers or {}).items():
            resp.set_header(name, value)
        await self._answer_error(req, resp, _HttpProblem(error), params)

    async def _answer_bug(
        self, req: asgi.Request, resp: asgi.Response, error: Exception, params: Any
    ) -> None:
        logger.exception("request raised", exc_info=error)
        await self._answer_error(req, resp, FoodLogError(), params)


def routes(config: Config, worker: Worker) -> list[tuple[str, object]]:
    """Every route and its resource; all of them a second time under the legacy prefix."""
    limits = config.limits
    photo_limits = PhotoLimits(
        max_bytes=limits.photo_bytes,
        max_pixels=limits.photo_megapixels * 1_000_000,
        max_side=limits.photo_side,
    )
    reader = Reader(
        BodyLimits(
            json_bytes=limits.json_bytes,
            json_depth=limits.json_depth,
            photo_bytes=limits.photo_bytes,
            parts=limits.parts,
            seconds=BODY_SECONDS,
        )
    )
    deadline = worker.pipeline.deadline
    workers = Workers(
        quick=worker.pools.requests,
        analyses=worker.pools.analyses,
        passwords=worker.pools.passwords,
        seconds=QUICK_SECONDS,
        analysis=config.prediction.deadline + GRACE,
    )
    log, url, signer = worker.log, worker.photo_url, worker.signer
    accounts = worker.accounts
    single = _single_user() if config.auth.mode == "single_user" else None
    users = Users(
        accounts.authenticate,
        single=single,
        anonymous=config.auth.anonymous_predict == "analyze",
    )
    lists = Lists(log, users, signer, default=limits.history_default, most=limits.history_max)
    sign_up = SignUp(accounts, reader, workers)
    log_in = LogIn(accounts.log_in if single is None else _as(single, worker), reader, workers)
    me = Me(users, workers)
    table: list[tuple[str, object]] = [
        ("/auth/signup", sign_up),
        ("/auth/login", log_in),
        ("/auth/me", me),
        (
            "/predict",
            Predict(log, users, reader, workers, url, photo_limits, worker.pipeline.deadline),
        ),
        ("/history", History(lists, workers, url)),
        ("/meals", LegacyMeals(lists, workers)),
        ("/save_meal", SaveMeal(log, users, reader, workers, url)),
        ("/upload", Upload(log, users, reader, workers, url, photo_limits)),
        ("/uploads/{key:path}", Photos(log, users, workers, signer, now)),
        ("/health", Health()),
        ("/health/ready", Ready(worker.readiness, workers)),
    ]
    prefix = config.api.legacy_prefix
    if prefix:
        legacy = [*table, ("/signup", sign_up), ("/login", log_in), ("/profile", me)]
        table += [(prefix + path, resource) for path, resource in legacy]
    return table


def _forms(parts: int) -> MultipartFormHandler:
    handler = MultipartFormHandler()
    # One more than is allowed, so that the reader refuses it in our words.
    handler.parse_options.max_body_part_count = parts + 1
    return handler


class _Lifespan:
    """Builds the worker before the first request and closes it after the last."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def process_startup(self, scope: Any, event: Any) -> None:
        try:
            self._app.start()
        except FoodLogError as error:
            self._app.failure = str(error)
            raise

    async def process_shutdown(self, scope: Any, event: Any) -> None:
        self._app.stop()


class _HttpProblem(ClientError):
    """An error of Falcon's own, such as an unknown route, in our words."""

    def __init__(self, error: falcon.HTTPError) -> None:
        reason = HTTPStatus(error.status_code).phrase
        super().__init__(reason, code=reason.lower().replace(" ", "_"))
        self.status = error.status_code  # type: ignore[misc]
        self.title = reason  # type: ignore[misc]


def _as(user: User, worker: Worker) -> Callable[[str, str], Session]:
    """Logging in to single-user mode: whatever the credentials, there is but one user."""
    lifetime = int(worker.tokens.lifetime.total_seconds())
    return lambda email, password: Session(
        token=worker.tokens.issue(user), expires_in=lifetime, user=user
    )


def _single_user() -> User:
    return User(id="local", email="local@localhost", created_at=now(), password_hash="")


def _counted(receive: Any, limit: int) -> Any:
    """``receive`` that refuses more than ``limit`` bytes of body."""
    received = 0

    async def counted() -> Any:
        nonlocal received
        event = await receive()
        received += len(event.get("body", b""))
        if received > limit:
            raise TooLarge(f"The body is over {limit} bytes.")
        return event

    return counted


def _without_traceback(send: Any, app: Application) -> Any:
    """``send`` that tells the server in a sentence, not a traceback, why the start failed."""

    async def plain(event: Any) -> None:
        if event["type"] == "lifespan.startup.failed" and app.failure:
            event = {**event, "message": f"foodlog: {app.failure}"}
        await send(event)

    return plain

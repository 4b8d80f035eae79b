"""The application: what it is made of, and when; the route table is in foodlog.routes."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import falcon
from falcon import asgi

from foodlog import logs
from foodlog.bodies import BoundedBody, Budget
from foodlog.config import Config, load_config
from foodlog.discovery import discover
from foodlog.error_answers import ErrorAnswers
from foodlog.errors import FoodLogError
from foodlog.middleware import BodyLimit, CrossOrigin, RequestContext, SafeHeaders
from foodlog.plugins import Plugins, Selection, select
from foodlog.routes import routes
from foodlog.worker import Worker, dish_table

logger = logging.getLogger(__name__)


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
    if settings.auth.mode == "single_user" and "*" in settings.cors.origins:
        logger.warning(
            "auth.mode is single_user and cors.origins is '*': any web page that is opened on a "
            "machine which reaches this server can read and add meals; name the origins of your "
            "own pages in cors.origins, or leave it empty"
        )
    settings.auth.key()
    dish_table(settings)  # read before the fork, so that workers share it and errors are told once
    found = discover(plugins)
    return Application(settings, found, select(found, settings))


class Application(asgi.App[asgi.Request, asgi.Response]):
    """FoodLog as an ASGI application; its worker is built when the lifespan starts."""

    def __init__(self, config: Config, plugins: Plugins, selection: Selection) -> None:
        super().__init__(
            middleware=[
                RequestContext(config.prediction.deadline),
                CrossOrigin(config.cors.origins, config.cors.max_age),
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
        self._budget = Budget(config.limits.bodies_bytes)
        self.resp_options.default_media_type = falcon.MEDIA_JSON
        self.req_options.strip_url_path_trailing_slash = True
        self.req_options.auto_parse_qs_csv = False
        self.req_options.keep_blank_qs_values = True
        ErrorAnswers(config.prediction.rejection_status).register(self)

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
            if hasattr(resource, "on_get"):
                resource.on_head = resource.on_get  # the framework leaves the body out
            self.add_route(path, resource)

    def stop(self) -> None:
        """Close the worker."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    async def __call__(  # type: ignore[override]
        self, scope: Any, receive: Any, send: Any
    ) -> None:
        """Serve the lifespan and requests with bounded bodies."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, _without_traceback(send, self))
        elif scope["type"] == "http":
            # ASGI promises iterables, which may be good for one look only.
            scope["headers"] = [tuple(pair) for pair in scope["headers"]]
            limit = self.config.limits.body_bytes
            body = BoundedBody(scope, receive, send, limit, self._budget)
            try:
                await super().__call__(scope, body.receive, body.send)
            finally:
                body.close()
        else:
            await super().__call__(scope, receive, send)


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


def _without_traceback(send: Any, app: Application) -> Any:
    """``send`` that tells the server in a sentence, not a traceback, why the start failed."""

    async def plain(event: Any) -> None:
        if event["type"] == "lifespan.startup.failed" and app.failure:
            event = {**event, "message": f"foodlog: {app.failure}"}
        await send(event)

    return plain

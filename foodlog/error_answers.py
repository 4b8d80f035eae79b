"""Every error becomes an answer here: RFC 9457 problems, and the rejection's own form."""

import logging
from http import HTTPStatus
from typing import Any

import falcon
import orjson
from falcon import asgi

from foodlog import logs
from foodlog.errors import ClientError, FoodLogError, Rejected, problem
from foodlog.representations import rejection

logger = logging.getLogger(__name__)

MEDIA_PROBLEM = "application/problem+json"


class ErrorAnswers:
    """Falcon's error handlers."""

    def __init__(self, rejection_status: int) -> None:
        self._rejection_status = rejection_status

    def register(self, app: "asgi.App[asgi.Request, asgi.Response]") -> None:
        """Answer all errors of ``app``."""
        app.add_error_handler(Exception, self._answer_bug)
        app.add_error_handler(falcon.HTTPError, self._answer_http_error)
        app.add_error_handler(FoodLogError, self._answer_error)
        app.add_error_handler(Rejected, self._answer_rejection)

    async def _answer_error(
        self, req: asgi.Request, resp: asgi.Response, error: FoodLogError, params: Any
    ) -> None:
        if not isinstance(error, ClientError):
            logger.error("request failed", extra={"code": error.code, "reason": str(error)})
        resp.status = error.status
        resp.content_type = MEDIA_PROBLEM
        if error.status == 401:
            resp.set_header("WWW-Authenticate", 'Bearer realm="foodlog"')
        if error.status == 503:
            resp.set_header("Retry-After", str(max(1, round(error.retry_after or 1))))
        resp.data = orjson.dumps(
            problem(error, instance=req.path, request_id=logs.request_id.get())
        )

    async def _answer_rejection(
        self, req: asgi.Request, resp: asgi.Response, error: Rejected, params: Any
    ) -> None:
        resp.status = status = self._rejection_status
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


class _HttpProblem(ClientError):
    """An error of Falcon's own, such as an unknown route, in our words."""

    def __init__(self, error: falcon.HTTPError) -> None:
        reason = HTTPStatus(error.status_code).phrase
        super().__init__(reason, code=reason.lower().replace(" ", "_"))
        self.status = error.status_code  # type: ignore[misc]
        self.title = reason  # type: ignore[misc]

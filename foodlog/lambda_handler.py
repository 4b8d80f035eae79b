"""FoodLog as an AWS Lambda function, behind API Gateway or a function URL.

The function's handler is ``foodlog.lambda_handler.handler``; install ``foodlog[aws,lambda]``.
Everything is built when Lambda loads this module, once for each execution environment, as a
worker process does when it starts: clients and connections are shared by all its invocations.
"""

import asyncio
from typing import Any

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from foodlog.app import Application, create_app

TEXT = [*DEFAULT_TEXT_MIME_TYPES, "application/problem+json", "application/yaml"]
"""Content types that are answered as they are; all others in Base64, as Lambda wants it."""


class Adapter(Mangum):
    """Mangum, for HTTP APIs with a stage of any name, too."""

    def __call__(self, event: Any, context: Any) -> Any:
        """Serve the request an event tells of."""
        return super().__call__(_without_stage(event), context)


def _without_stage(event: Any) -> Any:
    """The event with the path that was asked for.

    An HTTP API (payload 2.0) puts the name of its stage before it, unless that is ``$default`` or
    the API is asked under a domain of one's own; a REST API does not.
    """
    context = event.get("requestContext", {})
    http, prefix = context.get("http", {}), f"/{context.get('stage')}"
    path = http.get("path", "")
    own_name = ".execute-api." in context.get("domainName", "")
    if not own_name or not f"{path}/".startswith(f"{prefix}/"):
        return event
    http = {**http, "path": path.removeprefix(prefix) or "/"}
    return {**event, "requestContext": {**context, "http": http}}


def adapter(app: Application) -> Mangum:
    """A Lambda handler for ``app``, whose worker is built now.

    Raises as :meth:`foodlog.app.Application.start`.
    """
    asyncio.set_event_loop(asyncio.new_event_loop())  # the one Mangum runs all requests in
    app.start()
    # Mangum's own lifespan would build and close the worker for every single request.
    return Adapter(app, lifespan="off", text_mime_types=TEXT)


handler = adapter(create_app())
"""What Lambda calls with an event and a context."""

"""FoodLog as an AWS Lambda function, behind API Gateway or a function URL.

The function's handler is ``foodlog.lambda_handler.handler``; install ``foodlog[aws,lambda]``.
Everything is built when Lambda loads this module, once for each execution environment, as a
worker process does when it starts: clients and connections are shared by all its invocations.
"""

import asyncio

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from foodlog.app import Application, create_app

TEXT = [*DEFAULT_TEXT_MIME_TYPES, "application/problem+json", "application/yaml"]
"""Content types that are answered as they are; all others in Base64, as Lambda wants it."""


def adapter(app: Application) -> Mangum:
    """A Lambda handler for ``app``, whose worker is built now.

    Raises as :meth:`foodlog.app.Application.start`.
    """
    asyncio.set_event_loop(asyncio.new_event_loop())  # the one Mangum runs all requests in
    app.start()
    # Mangum's own lifespan would build and close the worker for every single request.
    return Mangum(app, lifespan="off", text_mime_types=TEXT)


handler = adapter(create_app())
"""What Lambda calls with an event and a context."""

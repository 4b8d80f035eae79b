"""The contract itself, and a page to read and try it; everything is served from the package."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

import swagger_ui_bundle  # type: ignore[import-untyped]
from falcon import asgi

from foodlog.errors import NotFound
from foodlog.resources import etags
from foodlog.resources.running import Workers

DOCUMENT: Traversable = files("foodlog") / "openapi.yaml"
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing inline and nothing from elsewhere. Swagger UI's icons are data: images; a photo that was
asked for is a blob:."""

_HERE: Traversable = files("foodlog.resources")
_SWAGGER_UI: Traversable = swagger_ui_bundle.swagger_ui_path
ASSETS: Mapping[str, tuple[Traversable, str]] = {
    "docs.js": (_HERE / "docs.js", "text/javascript; charset=utf-8"),
    "swagger-ui-bundle.js": (
        _SWAGGER_UI / "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
    ),
    "swagger-ui.css": (_SWAGGER_UI / "swagger-ui.css", "text/css; charset=utf-8"),
    "favicon-32x32.png": (_SWAGGER_UI / "favicon-32x32.png", "image/png"),
}
"""Files of the page by name, and their types."""


class ApiDocument:
    """``GET /openapi.yaml``."""

    def __init__(self) -> None:
        self._data = DOCUMENT.read_bytes()

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with this contract."""
        _answer(req, resp, self._data, "application/yaml")


class DocsPage:
    """``GET /docs``."""

    def __init__(self) -> None:
        self._data = (_HERE / "docs.html").read_bytes()

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with a page to read and try this contract."""
        resp.set_header("Content-Security-Policy", PAGE_POLICY)
        _answer(req, resp, self._data, "text/html; charset=utf-8")


class DocsAsset:
    """``GET /docs/{name}``."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    async def on_get(self, req: asgi.Request, resp: asgi.Response, name: str) -> None:
        """Answer with a file of the page."""
        if name not in ASSETS:
            raise NotFound("The page has no such file.")
        file, content_type = ASSETS[name]
        _answer(req, resp, await self._workers.quick(file.read_bytes), content_type)


def _answer(req: asgi.Request, resp: asgi.Response, data: bytes, content_type: str) -> None:
    """Kept by browsers, but asked for anew each time: an update shows at once."""
    resp.set_header("Cache-Control", "public, no-cache")
    etags.answer(req, resp, data, content_type)

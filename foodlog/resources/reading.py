"""Reading requests: JSON bodies, multipart forms, tokens and headers, all within limits."""

import asyncio
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import falcon
import orjson
from falcon import asgi
from falcon.asgi.multipart import BodyPart, MultipartForm
from falcon.media.multipart import MultipartParseError
from marshmallow import Schema

from foodlog.concurrency import Deadline, request_deadline
from foodlog.errors import Malformed, RequestTimeout, TooLarge, Unauthorized, UnsupportedMedia
from foodlog.resources.forms import Forms
from foodlog.schemas import load
from foodlog.settings import Limits

TEXT_PART = 8192
"""Bytes a text part of a form may have."""
PHOTO_PARTS = ("photo", "image")
REMEMBERED_QUERIES = 256


class Reader:
    """Reads bodies. Raises :class:`foodlog.errors.ClientError` for whatever is wrong with them."""

    def __init__(self, limits: Limits, seconds: float) -> None:
        """``seconds``: how long a body may take to arrive."""
        self._limits = limits
        self._seconds = seconds
        self._forms = Forms()

    async def json(self, req: asgi.Request) -> Any:
        """The JSON body: no NaN, no infinity, no lone surrogates, bounded in size and depth."""
        if req.content_type and not _is_json(_media_type(req)):
            raise UnsupportedMedia("The body must be application/json.")
        if (req.content_length or 0) > self._limits.json_bytes:
            raise self._json_too_large()
        async with _Arriving(self._seconds):
            data = await req.stream.read(self._limits.json_bytes + 1)
        if len(data) > self._limits.json_bytes:
            raise self._json_too_large()
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise Malformed("The body is not valid JSON.") from error
        if _deeper_than(document, self._limits.json_depth):
            raise Malformed(f"The JSON is nested deeper than {self._limits.json_depth} levels.")
        return document

    async def form(self, req: asgi.Request) -> tuple[bytes, dict[str, str]]:
        """The photo of a multipart form and its text parts; one that is empty counts as absent.

        The photo may come as ``photo``, as ``image``, or as both when both are the same.
        """
        if _media_type(req) != "multipart/form-data":
            raise UnsupportedMedia("The body must be multipart/form-data with a photo.")
        try:
            async with _Arriving(self._seconds):
                form = await self._forms.deserialize_async(
                    req.stream, req.content_type, req.content_length
                )
                return await self._read_form(form)
        except falcon.HTTPInvalidHeader as error:
            raise Malformed("The form needs a boundary of 1 to 70 characters.") from error
        except UnicodeDecodeError as error:
            raise Malformed("A header of a form part is not UTF-8.") from error
        except (MultipartParseError, falcon.MediaMalformedError, ValueError) as error:
            raise Malformed("The multipart form cannot be read.") from error

    async def _read_form(self, form: MultipartForm) -> tuple[bytes, dict[str, str]]:
        photos: list[bytes] = []
        texts: dict[str, str] = {}
        count = 0
        async for part in form:
            count += 1
            if count > self._limits.parts:
                raise Malformed(f"The form has more than {self._limits.parts} parts.")
            name = part.name or ""
            if name in PHOTO_PARTS:
                photos.append(await self._photo(part))
            elif name in texts:
                raise Malformed("A part of the form was sent twice.")
            else:
                texts[name] = await _text(part)
        return _one_photo(photos), {name: text for name, text in texts.items() if text}

    async def _photo(self, part: BodyPart) -> bytes:
        limit = self._limits.photo_bytes
        data: bytes = await part.stream.read(limit + 1)
        if len(data) > limit:
            raise TooLarge(f"The photo is over {limit} bytes.", code="photo_too_large")
        return data

    def _json_too_large(self) -> TooLarge:
        return TooLarge(f"The JSON body is over {self._limits.json_bytes} bytes.")


class Queries:
    """Reads the query strings of a route. Those read lately are remembered: clients send the same
    few again and again, and checking one takes longer than finding a page."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._remembered = lru_cache(maxsize=REMEMBERED_QUERIES)(self._checked)

    def read(self, req: asgi.Request) -> Mapping[str, Any]:
        """The checked query. Raises :class:`foodlog.errors.Unprocessable`."""
        text = req.query_string
        return (self._remembered if len(text) <= TEXT_PART else self._checked)(text)

    def _checked(self, text: str) -> Mapping[str, Any]:
        # Not split at commas: what the API takes has none.
        params = falcon.uri.parse_query_string(text, keep_blank=True, csv=False)
        return MappingProxyType(load(self._schema, params))


class _Arriving:
    """Bounds how long a body may take to arrive. The request's deadline waits for it."""

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)
        deadline = request_deadline.get()
        self._left = deadline.left() if deadline else None

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        if self._left is not None:
            request_deadline.set(Deadline(self._left))
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError as expired:
            raise RequestTimeout("The body did not arrive in time.") from expired


def bearer(req: asgi.Request) -> str | None:
    """The token of the Authorization header; None without the header.

    Raises :class:`Unauthorized` where it holds something else.
    """
    header = req.get_header("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("The Authorization header must be: Bearer <token>.")
    return token.strip()


def idempotency_key(req: asgi.Request) -> str | None:
    """The Idempotency-Key header: 1 to 255 printable ASCII characters."""
    key = req.get_header("Idempotency-Key")
    if key is None:
        return None
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise Malformed("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    return str(key)


def _media_type(req: asgi.Request) -> str:
    """What the body is said to be, in lower case and without parameters; empty if nothing."""
    return (req.content_type or "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    # No web page may send such a body to another origin unless that allows it first.
    return media_type == "application/json" or media_type.endswith("+json")


async def _text(part: BodyPart) -> str:
    data: bytes = await part.stream.read(TEXT_PART + 1)
    if len(data) > TEXT_PART:
        raise TooLarge(f"A text part of the form is over {TEXT_PART} bytes.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("A text part of the form is not UTF-8.") from error


def _one_photo(photos: list[bytes]) -> bytes:
    if not photos:
        raise Malformed("No image provided: send it as photo or image.", code="no_photo")
    chosen = [photo for photo in photos if photo]  # browsers send an empty file for none
    if not chosen:
        raise Malformed("The photo is empty.", code="empty_photo")
    if any(photo != chosen[0] for photo in chosen[1:]):
        raise Malformed("Two different photos were sent.", code="two_photos")
    return chosen[0]


def _deeper_than(document: Any, depth: int) -> bool:
    level: list[Any] = [document]
    for _ in range(depth + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        return iter(node.values())
    return iter(node) if isinstance(node, list) else iter(())

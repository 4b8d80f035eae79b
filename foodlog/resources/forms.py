"""Multipart forms, taken apart more strictly than the framework does."""

from falcon.asgi.multipart import MultipartForm
from falcon.asgi.reader import BufferedReader
from falcon.media import MultipartFormHandler
from falcon.typing import AsyncReadableIO


class Forms(MultipartFormHandler):
    """Takes any number of parts.

    The forms raise UnicodeDecodeError at a part with a header that is not UTF-8, whichever header
    it is: the framework throws most of them away unread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parse_options.max_body_part_count = 0

    async def deserialize_async(
        self, stream: AsyncReadableIO, content_type: str | None, content_length: int | None
    ) -> MultipartForm:
        """The form; raises :class:`falcon.HTTPInvalidHeader` for one without a good boundary."""
        return await super().deserialize_async(_Headers(stream), content_type, content_length)


class _Headers(BufferedReader):
    """Checks what a form reads up to a delimiter: the headers of its parts, and nothing else."""

    __slots__ = ()

    async def read_until(
        self, delimiter: bytes, size: int = -1, consume_delimiter: bool = False
    ) -> bytes:
        headers = await super().read_until(delimiter, size, consume_delimiter)
        headers.decode()
        return headers

"""A verified photo, and the way from bytes to it."""

import hashlib
import threading
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from foodlog.errors import Malformed, TooLarge, UnsupportedMedia


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoLimits:
    """What a photo may be at most; all checked before anything is decoded."""

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_side: int = 12_000


class Photo:
    """A photo that was verified. Made by :func:`verify` alone."""

    content_type: str
    """Of the clean copy: ``image/jpeg``, ``image/png`` or ``image/webp``."""
    extension: str
    """Of the clean copy, without a dot: ``jpg``, ``png`` or ``webp``."""
    width: int
    """Pixels of the upright photo."""
    height: int
    digest: str
    """SHA-256 of the uploaded bytes, in hex."""
    metadata: dict[str, Any]
    """What EXIF tells; JSON types only; unknown facts are absent."""

    def __init__(self, data: bytes) -> None:
        from PIL import Image, ImageOps

        self._lock = threading.Lock()
        self._data = data
        with Image.open(BytesIO(data)) as image:
            self._image = ImageOps.exif_transpose(image).convert("RGB")
        self.content_type, self.extension = "image/jpeg", "jpg"
        self.width, self.height = self._image.size
        self.digest = hashlib.sha256(data).hexdigest()
        self.metadata = {}

    def clean(self) -> bytes:
        """The photo upright and without metadata, as :attr:`content_type`; colours unchanged."""
        return self.reduced(max(self.width, self.height))

    def reduced(self, longest_side: int) -> bytes:
        """A clean, upright JPEG whose longest side is at most ``longest_side`` pixels (>= 1)."""
        image = self._image.copy()
        image.thumbnail((longest_side, longest_side))
        out = BytesIO()
        image.save(out, "JPEG", quality=88)
        return out.getvalue()


def verify(data: bytes, limits: PhotoLimits = PhotoLimits()) -> Photo:  # noqa: B008 - frozen
    """The photo in ``data``.

    Raises :class:`~foodlog.errors.UnsupportedMedia` (not a photo that is taken here),
    :class:`~foodlog.errors.TooLarge` (over ``limits``) or :class:`~foodlog.errors.Malformed`
    (empty, truncated or damaged), and nothing else, whatever the bytes.
    """
    if not data:
        raise Malformed("The photo is empty.")
    if len(data) > limits.max_bytes:
        raise TooLarge(f"The photo is over {limits.max_bytes} bytes.")
    try:
        return Photo(data)
    except Exception as error:
        raise UnsupportedMedia("This is not a photo that is taken here.") from error

"""A verified photo, and the way from bytes to it."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from foodlog.errors import ClientError, Malformed, TooLarge, UnsupportedMedia
from foodlog.photos import exif, gif, heic, jpeg, png, webp
from foodlog.photos.container import Container, damaged

MAX_PIXELS = 89_478_485
"""The most :attr:`PhotoLimits.max_pixels` may be: from here on Pillow itself warns and refuses."""

_TYPES = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoLimits:
    """What a photo may be at most; all is checked before anything is decoded."""

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_side: int = 12_000

    def __post_init__(self) -> None:
        """Raises ValueError for more pixels than :data:`MAX_PIXELS`."""
        if self.max_pixels > MAX_PIXELS:
            raise ValueError(f"max_pixels is {self.max_pixels}, but may be at most {MAX_PIXELS}")


class Photo:
    """A photo that was verified; made by :func:`verify` alone. Safe to share between threads."""

    content_type: str
    """Of the clean copy: ``image/jpeg``, ``image/png`` or ``image/webp``."""
    extension: str
    """Of the clean copy, without a dot: ``jpg``, ``png`` or ``webp``."""
    width: int
    """Pixels of the upright photo."""
    height: int
    digest: str
    """SHA-256 of the bytes that were sent, in hex."""
    metadata: dict[str, Any]
    """What EXIF tells, as JSON types: ``make``, ``model``, ``lensModel``, ``focalLengthMm``,
    ``aperture``, ``exposureSeconds``, ``iso``, ``subjectDistanceMeters``,
    ``sceneRotationDegrees`` (clockwise), ``capturedAt`` (ISO 8601), ``gps`` (``latitude``,
    ``longitude``, ``altitude``). Unknown facts are absent."""

    def __init__(
        self,
        *,
        digest: str,
        metadata: dict[str, Any],
        container: Container,
        orientation: int,
        clean_format: str,
    ) -> None:
        size = (container.width, container.height)
        self.width, self.height = reversed(size) if exif.is_sideways(orientation) else size
        self.content_type, self.extension = _TYPES[clean_format]
        self.digest = digest
        self.metadata = metadata
        self._container = container
        self._orientation = orientation
        self._clean_format = clean_format
        self._clean = container.stripped if orientation == exif.UPRIGHT else None
        self._lock = threading.Lock()

    def clean(self) -> bytes:
        """The photo upright, without metadata, as :attr:`content_type`; made once.

        A photo that is upright already keeps its pixels bit by bit. Raises
        :class:`~foodlog.errors.Malformed` for damage :func:`verify` could not see.
        """
        with self._lock:
            if self._clean is None:
                from foodlog.photos import pixels

                source, kind = self._container.stripped, self._container.format
                with _damage_is_malformed():
                    self._clean = pixels.upright(
                        source, kind, self._orientation, self._clean_format
                    )
            return self._clean

    def reduced(self, longest_side: int) -> bytes:
        """A clean, upright JPEG, each side at most ``longest_side`` pixels; never enlarged.

        Transparency becomes white. Raises ValueError for less than 1 pixel, and like
        :meth:`clean`.
        """
        if longest_side < 1:
            raise ValueError(f"longest_side is {longest_side}, but must be at least 1")
        if self._clean_format == "JPEG" and max(self.width, self.height) <= longest_side:
            return self.clean()
        from foodlog.photos import pixels

        source, kind = self._container.stripped, self._container.format
        with _damage_is_malformed():
            return pixels.reduced(source, kind, self._orientation, longest_side)


def verify(data: bytes, limits: PhotoLimits | None = None) -> Photo:
    """The photo in ``data``: JPEG (also MPO), PNG, WebP, GIF, or HEIC with its extra.

    Its type is told by the bytes alone; of animations the first frame counts.

    Raises :class:`~foodlog.errors.UnsupportedMedia` (no photo of a supported type),
    :class:`~foodlog.errors.TooLarge` (over ``limits``) or :class:`~foodlog.errors.Malformed`
    (empty, truncated or damaged), and nothing else, whatever the bytes.
    """
    limits = limits or PhotoLimits()
    if not data:
        raise Malformed("The photo is empty.")
    if len(data) > limits.max_bytes:
        raise TooLarge(f"The photo is over {limits.max_bytes:,} bytes.")
    from foodlog.photos import pixels

    with _damage_is_malformed():
        container = _read(data)
        _check_size(container, limits)
        facts = exif.facts(container.exif)
        turn = exif.UPRIGHT if container.format == "HEIF" else exif.orientation(container.exif)
        if not container.final:
            container = pixels.still(container)
        mode = pixels.check(container)
    return Photo(
        digest=hashlib.sha256(data).hexdigest(),
        metadata=facts,
        container=container,
        orientation=turn,
        clean_format=_clean_format(container, mode, turn),
    )


@contextmanager
def _damage_is_malformed() -> Iterator[None]:
    """Turns whatever a decoder raises into Malformed: their list of errors has no end."""
    try:
        yield
    except ClientError:
        raise
    except MemoryError as error:
        raise TooLarge("The photo needs more memory than there is.") from error
    except Exception as error:
        raise damaged() from error


def _read(data: bytes) -> Container:
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg.read(data)
    if data.startswith(png.SIGNATURE):
        return png.read(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return gif.read(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return webp.read(data)
    if data[4:8] == b"ftyp" and data[8:12] in heic.BRANDS:
        return heic.read(data)
    raise UnsupportedMedia("This is no photo of a supported type: send JPEG, PNG, WebP or GIF.")


def _check_size(container: Container, limits: PhotoLimits) -> None:
    width, height = container.width, container.height
    if min(width, height) < 1:
        raise damaged()
    if max(width, height) > limits.max_side:
        raise TooLarge(
            f"The photo is {width:,} x {height:,} pixels; {limits.max_side:,} a side are allowed."
        )
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"The photo has {width * height:,} pixels; {limits.max_pixels:,} are allowed."
        )


def _clean_format(container: Container, mode: str, orientation: int) -> str:
    """The type of the clean copy; a WebP that has to be turned becomes JPEG, or PNG where that
    would lose something."""
    if container.format != "WEBP" or orientation == exif.UPRIGHT:
        return container.format
    return "JPEG" if mode == "RGB" and not container.lossless else "PNG"

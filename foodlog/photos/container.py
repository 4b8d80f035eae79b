"""What the bytes of a photo are, read from its headers without decoding a pixel."""

from dataclasses import dataclass

from foodlog.errors import Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A photo's file, taken apart."""

    format: str
    """Pillow's word: ``JPEG``, ``PNG``, ``WEBP``, ``GIF`` or ``HEIF``."""
    width: int
    """Pixels as stored, before turning."""
    height: int
    exif: bytes
    """The TIFF structure of the EXIF block; empty where there is none."""
    stripped: bytes
    """The still picture alone: pixels and colour profile, no metadata, nothing after the end."""
    probe: bytes | None = None
    """What to decode to find damage, where less than ``stripped`` tells the same."""
    lossless: bool = False
    """Whether a WebP keeps its pixels bit by bit."""
    final: bool = True
    """Whether ``stripped`` can be kept as it is; else it has to be written as another type."""


def truncated() -> Malformed:
    """The error for a file that ends before its picture does."""
    return Malformed("The photo is truncated: the file ends before the picture does.")


def damaged() -> Malformed:
    """The error for a file whose structure or pixels cannot be read."""
    return Malformed("The photo is damaged and cannot be read.")


def tiff(block: bytes) -> bytes:
    """An EXIF block without the ``Exif`` prefix that some containers put before it."""
    return block.removeprefix(b"Exif\0\0")

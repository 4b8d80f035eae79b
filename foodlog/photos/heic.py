"""HEIC photos, where the extra ``foodlog[heic]`` is installed."""

from types import ModuleType
from typing import TYPE_CHECKING

from foodlog.errors import UnsupportedMedia
from foodlog.photos.container import Container, tiff

if TYPE_CHECKING:
    from PIL.Image import Image

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Major brands of the ``ftyp`` box (ISO/IEC 23008-12)."""


def read(data: bytes) -> Container:
    """The size of the primary picture, which libheif hands over upright, and its EXIF.

    Raises UnsupportedMedia without the extra, and whatever libheif raises for damaged files.
    """
    picture = _library().open_heif(data, convert_hdr_to_8bit=True)
    width, height = picture.size
    return Container(
        format="HEIF",
        width=width,
        height=height,
        exif=tiff(picture.info.get("exif") or b""),
        stripped=data,
        final=False,
    )


def decode(data: bytes) -> "Image":
    """The primary picture, upright."""
    picture: Image = _library().open_heif(data, convert_hdr_to_8bit=True).to_pillow()
    return picture


def _library() -> ModuleType:
    try:
        import pillow_heif
    except ImportError:
        raise UnsupportedMedia(
            "HEIC photos are not supported here; send the photo as JPEG."
        ) from None
    return pillow_heif

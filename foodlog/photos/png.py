"""PNG files, taken apart by chunk (W3C PNG, third edition)."""

import zlib
from collections.abc import Iterator

from foodlog.photos.container import Container, damaged, tiff, truncated

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
"""Chunks that say how the colours are meant, apart from the ICC profile in ``iCCP``."""

_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"sBIT", b"IDAT", b"IEND", b"iCCP", *COLOURS))
_MAX_CHUNKS = 20_000
_MAX_PROFILE = 1024 * 1024
"""Bytes of a decompressed ICC profile; the limit Pillow has."""


def read(data: bytes) -> Container:
    """Take a PNG apart; of an animated one the still picture. Raises Malformed."""
    found = list(chunks(data))
    kind, header = found[0]
    if kind != b"IHDR" or len(header) != 13:
        raise damaged()
    kept = ((k, v) for k, v in found if k in _KEPT and (k != b"iCCP" or _is_profile(v)))
    return Container(
        format="PNG",
        width=int.from_bytes(header[:4], "big"),
        height=int.from_bytes(header[4:8], "big"),
        exif=next((tiff(v) for k, v in found if k == b"eXIf"), b""),
        stripped=SIGNATURE + b"".join(_chunk(k, v) for k, v in kept),
    )


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk up to the end; the checksums of those kept are checked."""
    position = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            raise truncated()
        kind, content = data[position + 4 : position + 8], data[position + 8 : end]
        checksum = int.from_bytes(data[end : end + 4], "big")
        if kind in _KEPT and zlib.crc32(content, zlib.crc32(kind)) != checksum:
            raise damaged()
        yield kind, content
        if kind == b"IEND":
            return
        position = end + 4
    raise damaged()


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return len(content).to_bytes(4, "big") + kind + content + checksum.to_bytes(4, "big")


def _is_profile(content: bytes) -> bool:
    """Whether an ``iCCP`` chunk unpacks to a profile of sane size."""
    _, _, packed = content.partition(b"\0")
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(packed[1:], _MAX_PROFILE)
    except zlib.error:
        return False
    return inflater.eof

"""PNG files, taken apart by chunk (W3C PNG, third edition)."""

import struct
import zlib
from collections.abc import Iterator
from itertools import takewhile

from foodlog.photos.container import Container, damaged, tiff, truncated

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
"""Chunks that say how the colours are meant, apart from the ICC profile in ``iCCP``."""

_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"sBIT", b"IDAT", b"IEND", b"iCCP", *COLOURS))
_MAX_CHUNKS = 20_000
_MAX_PROFILE = 1024 * 1024
"""Bytes of a decompressed ICC profile; the limit Pillow has."""

_PALETTE = 3
_CHANNELS = {0: 1, 2: 3, _PALETTE: 1, 4: 2, 6: 4}
"""Values of a pixel by colour type."""
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""The passes of an interlaced picture: first column and row, and the steps to the next ones."""
_PIECE = 1024
"""Bytes inflated at once: they become a megabyte at most."""


def read(data: bytes) -> Container:
    """Take a PNG apart; of an animated one the still picture. Raises Malformed."""
    found = list(chunks(data))
    kinds, header = [kind for kind, _ in found], found[0][1]
    if kinds[0] != b"IHDR" or kinds.count(b"IHDR") > 1 or len(header) != 13:
        raise damaged()
    before = takewhile(lambda kind: kind != b"IDAT", kinds)
    if header[9] == _PALETTE and b"PLTE" not in before:
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


def depth_and_colour(data: bytes) -> tuple[int, int]:
    """Bits a channel, and the colour type (2 RGB, 4 grey with alpha, 6 RGB with alpha ...)."""
    return data[24], data[25]


def with_rows(stripped: bytes, width: int, height: int, rows: bytes) -> bytes:
    """What :func:`read` stripped with other pixels of the same depth and colour type: ``rows``,
    each begun by the number of its filter."""
    kept = [(kind, content) for kind, content in chunks(stripped) if kind != b"IDAT"]
    (_, header), *others, end = kept
    turned = struct.pack(">2I", width, height) + header[8:12] + b"\0"  # not interlaced
    found = ((b"IHDR", turned), *others, (b"IDAT", zlib.compress(rows)), end)
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in found)


def is_whole(stripped: bytes) -> bool:
    """Whether a PNG that :func:`read` stripped holds every row that its header promises.

    A decoder takes the end of the compressed rows for the end of the picture and leaves the rest
    black. Keeps nothing of what it inflates; raises zlib.error for what cannot be.
    """
    missing = _rows_size(stripped)
    inflater = zlib.decompressobj()
    for piece in _compressed(stripped):
        missing -= len(inflater.decompress(piece))
        if missing <= 0 or inflater.eof:
            break
    return missing <= 0


def _compressed(data: bytes) -> Iterator[bytes]:
    for kind, content in chunks(data):
        if kind == b"IDAT":
            for start in range(0, len(content), _PIECE):
                yield content[start : start + _PIECE]


def _rows_size(data: bytes) -> int:
    """Bytes of all rows, each with its filter, before they are compressed."""
    header = struct.unpack_from(">2I5B", data, len(SIGNATURE) + 8)
    width, height, depth, colour, _, _, interlaced = header
    size = 0
    for left, top, across, down in _ADAM7 if interlaced else _WHOLE:
        columns = -((left - width) // across)
        rows = -((top - height) // down)
        if columns > 0:
            size += max(0, rows) * (1 + (columns * depth * _CHANNELS[colour] + 7) // 8)
    return size


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

"""WebP files, taken apart by chunk (RFC 9649)."""

from collections.abc import Iterator

from foodlog.photos.container import Container, damaged, tiff, truncated

_PICTURE = (b"VP8 ", b"VP8L")
_ANIMATED, _WITHOUT_METADATA = 0x02, 0x32
_MAX_CHUNKS = 10_000


def read(data: bytes) -> Container:
    """Take a WebP apart; of an animated one the first frame. Raises Malformed."""
    found = list(_chunks(data))
    kind, header = found[0]
    extended = kind == b"VP8X" and len(header) >= 10
    first: dict[bytes, bytes] = {}
    for name, content in found:
        first.setdefault(name, content)
    if extended:
        first[b"VP8X"] = bytes((header[0] & _WITHOUT_METADATA,)) + header[1:10]
    width, height = _canvas(header) if extended else _picture_size(kind, header)
    return Container(
        format="WEBP",
        width=width,
        height=height,
        exif=tiff(first.get(b"EXIF", b"")),
        stripped=_file(first, _order(extended, bool(extended and header[0] & _ANIMATED))),
        lossless=b"VP8L" in first,
        final=not (extended and header[0] & _ANIMATED),
    )


def _order(extended: bool, animated: bool) -> tuple[bytes, ...]:
    if not extended:
        return _PICTURE
    frames = (b"ANIM", b"ANMF") if animated else (b"ALPH", *_PICTURE)
    return (b"VP8X", b"ICCP", *frames)


def _file(chunks: dict[bytes, bytes], order: tuple[bytes, ...]) -> bytes:
    body = b"WEBP" + b"".join(_chunk(k, chunks[k]) for k in order if k in chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk within the file's own length."""
    file_end = 8 + int.from_bytes(data[4:8], "little")
    if file_end > len(data) or len(data) < 20:
        raise truncated()
    position = 12
    for _ in range(_MAX_CHUNKS):
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        if end > file_end:
            raise truncated()
        yield data[position : position + 4], data[position + 8 : end]
        position = end + end % 2
        if position + 8 > file_end:
            return
    raise damaged()


def _canvas(header: bytes) -> tuple[int, int]:
    width = int.from_bytes(header[4:7], "little") + 1
    return width, int.from_bytes(header[7:10], "little") + 1


def _picture_size(kind: bytes, content: bytes) -> tuple[int, int]:
    if kind == b"VP8 " and content[3:6] == b"\x9d\x01\x2a" and len(content) >= 10:
        width, height = content[6:8], content[8:10]
        return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
    if kind == b"VP8L" and content[:1] == b"\x2f" and len(content) >= 5:
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise damaged()

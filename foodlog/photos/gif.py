"""GIF files, reduced to their first frame (GIF89a specification)."""

from foodlog.photos.container import Container, damaged, truncated

_MAX_BLOCKS = 100_000
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL = 0xF9


def read(data: bytes) -> Container:
    """Take the first frame of a GIF. Raises Malformed."""
    if len(data) < 13:
        raise truncated()
    position = 13 + _palette_bytes(data[10])
    head, control = data[:position], b""
    for _ in range(_MAX_BLOCKS):
        kind = _byte(data, position)
        if kind == _IMAGE:
            return _still(data, head + control, position)
        if kind != _EXTENSION:
            raise damaged()
        end = _end_of_blocks(data, position + 2)
        if data[position + 1] == _GRAPHIC_CONTROL:
            control = data[position:end]
        position = end
    raise damaged()


def _still(data: bytes, head: bytes, start: int) -> Container:
    """The file that ends after the frame at ``start``; its size covers canvas and frame."""
    end = _end_of_blocks(data, start + 11 + _palette_bytes(_byte(data, start + 9)))
    left, top, width, height = (
        int.from_bytes(data[start + i : start + i + 2], "little") for i in (1, 3, 5, 7)
    )
    return Container(
        format="GIF",
        width=max(int.from_bytes(head[6:8], "little"), left + width),
        height=max(int.from_bytes(head[8:10], "little"), top + height),
        exif=b"",
        stripped=head + data[start:end] + bytes((_TRAILER,)),
        final=False,
    )


def _end_of_blocks(data: bytes, position: int) -> int:
    for _ in range(_MAX_BLOCKS):
        size = _byte(data, position)
        position += 1 + size
        if size == 0:
            return position
    raise damaged()


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        raise truncated()
    return data[position]

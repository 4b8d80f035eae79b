"""PNGs of 16 bits a channel are turned without losing any of them."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from foodlog.photos import pixels, png, verify
from foodlog.testing import photos

GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6
CHANNELS = {GREY: 1, COLOUR: 3, GREY_ALPHA: 2, COLOUR_ALPHA: 4}
WIDTH, HEIGHT = 5, 3

TURNS = {
    2: lambda rows: [row[::-1] for row in rows],
    3: lambda rows: [row[::-1] for row in rows[::-1]],
    4: lambda rows: rows[::-1],
    5: lambda rows: list(zip(*rows, strict=True)),
    6: lambda rows: list(zip(*rows[::-1], strict=True)),
    7: lambda rows: [row[::-1] for row in list(zip(*rows, strict=True))[::-1]],
    8: lambda rows: list(zip(*rows, strict=True))[::-1],
}


def picture(colour: int) -> list[list[tuple[int, ...]]]:
    """Rows of pixels, no two alike in any channel, nor in its high or its low byte alone."""
    numbers = iter(range(WIDTH * HEIGHT * CHANNELS[colour]))
    return [
        [
            tuple(next(numbers) * 257 * 3 + 1 & 0xFFFF for _ in range(CHANNELS[colour]))
            for _ in range(WIDTH)
        ]
        for _ in range(HEIGHT)
    ]


def written(rows: list[list[tuple[int, ...]]], colour: int, *more: bytes) -> bytes:
    header = struct.pack(">2I5B", len(rows[0]), len(rows), 16, colour, 0, 0, 0)
    packed = b"".join(
        b"\0" + b"".join(struct.pack(f">{len(pixel)}H", *pixel) for pixel in row) for row in rows
    )
    body = (photos.chunk(b"IHDR", header), *more, photos.chunk(b"IDAT", zlib.compress(packed)))
    return png.SIGNATURE + b"".join(body) + photos.chunk(b"IEND", b"")


def read(data: bytes) -> list[list[tuple[int, ...]]]:
    """The pixels of a PNG of 16 bits that uses no filter, or that of the row above."""
    chunks = dict(png.chunks(data))
    width, _, depth, colour, *_, interlaced = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert (depth, interlaced) == (16, 0)
    packed, stride = zlib.decompress(chunks[b"IDAT"]), 2 * width * CHANNELS[colour]
    rows, above = [], bytes(stride)
    for start in range(0, len(packed), stride + 1):
        row = packed[start + 1 : start + 1 + stride]
        assert packed[start] in (0, 2)
        if packed[start] == 2:
            row = bytes((byte + up) & 0xFF for byte, up in zip(row, above, strict=True))
        values = struct.unpack(f">{stride // 2}H", row)
        rows.append(list(zip(*[iter(values)] * CHANNELS[colour], strict=True)))
        above = row
    return rows


def as_lists(rows: list) -> list[list[tuple[int, ...]]]:
    return [list(row) for row in rows]


def turned(orientation: int) -> bytes:
    return photos.chunk(b"eXIf", photos.exif(orientation))


@pytest.mark.parametrize("colour", [COLOUR, GREY_ALPHA, COLOUR_ALPHA])
@pytest.mark.parametrize("orientation", TURNS)
def test_every_bit_of_a_turned_png_is_kept(colour: int, orientation: int) -> None:
    rows = picture(colour)
    photo = verify(written(rows, colour, turned(orientation)))
    copy = photo.clean()
    assert read(copy) == as_lists(TURNS[orientation](rows))
    assert (photo.width, photo.height) == Image.open(BytesIO(copy)).size


def test_what_says_how_the_colours_are_meant_is_kept_and_nothing_else() -> None:
    kept = {b"gAMA": b"\0\0\xb1\x8f", b"tRNS": struct.pack(">3H", *picture(COLOUR)[0][0])}
    private = photos.chunk(b"tEXt", b"Comment\0" + photos.SECRET)
    more = [photos.chunk(kind, content) for kind, content in kept.items()]
    copy = verify(written(picture(COLOUR), COLOUR, *more, private, turned(6))).clean()
    assert {kind for kind, _ in png.chunks(copy)} == {b"IHDR", b"IDAT", b"IEND", *kept}
    assert kept.items() <= dict(png.chunks(copy)).items()


def test_a_larger_one_is_turned_with_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "MAX_DEEP_PIXELS", WIDTH * HEIGHT - 1)
    rows = picture(COLOUR)
    copy = Image.open(BytesIO(verify(written(rows, COLOUR, turned(3))).clean()))
    assert copy.getpixel((0, 0)) == tuple(value >> 8 for value in rows[-1][-1])

"""Bytes that are no photo, too much of one, or a damaged one: refused early, and how."""

import struct
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from foodlog.errors import ClientError, Malformed, TooLarge, UnsupportedMedia
from foodlog.photos import PhotoLimits, jpeg, pixels, png, verify
from foodlog.testing import photos

MIB = 1024 * 1024
REAL = {
    "jpeg": photos.private_jpeg(6),
    "baseline": photos.jpeg(200, 150, quality=95, restart_marker_rows=1),
    "progressive": photos.jpeg(100, 80, 3, progressive=True),
    "cmyk": photos.jpeg(mode="CMYK"),
    "mpo": photos.mpo(),
    "png": photos.private_png(6),
    "palette": photos.png(mode="P"),
    "webp": photos.private_webp(8),
    "lossless": photos.webp(lossless=True),
    "alpha": photos.webp(mode="RGBA"),
    "gif": photos.gif(),
    "animated-gif": photos.animated("GIF"),
    "animated-webp": photos.animated("WEBP"),
    "animated-png": photos.animated("PNG"),
    "heic": photos.heic(),
}


def saved(kind: str) -> bytes:
    out = BytesIO()
    photos.picture().save(out, kind)
    return out.getvalue()


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def with_chunk(kind: bytes, content: bytes) -> bytes:
    data = photos.png()
    return data[:33] + photos.chunk(kind, content) + data[33:]


@pytest.mark.parametrize(
    "data",
    [
        b"this is text, whatever.jpg it calls itself",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!DOCTYPE html><html>",
        b"%PDF-1.7\n",
        b"\0" * 1000,
        b"\xff\xd8",
        b"GIF88a" + bytes(100),
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        saved("BMP"),
        saved("TIFF"),
        saved("ICO"),
        saved("JPEG2000"),
    ],
    ids=lambda data: ascii(data[:12]),
)
def test_what_is_no_photo_is_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        verify(data)


def test_heic_without_the_extra_is_unsupported_and_says_so(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedMedia, match="HEIC photos are not supported here"):
        verify(REAL["heic"])


def test_nothing_at_all_is_malformed() -> None:
    with pytest.raises(Malformed, match="empty"):
        verify(b"")


def test_too_many_bytes_are_refused_before_anything_is_read() -> None:
    with pytest.raises(TooLarge, match="over 10,485,760 bytes"):
        verify(bytes(20 * MIB))
    data = photos.jpeg()
    assert verify(data, PhotoLimits(max_bytes=len(data)))
    with pytest.raises(TooLarge):
        verify(data, PhotoLimits(max_bytes=len(data) - 1))


@pytest.mark.parametrize("name", [n for n in REAL if n not in ("jpeg", "cmyk")])
def test_sides_and_pixels_have_limits_in_every_format(name: str) -> None:
    photo = verify(REAL[name])
    side, pixels = max(photo.width, photo.height), photo.width * photo.height
    assert verify(REAL[name], PhotoLimits(max_side=side, max_pixels=pixels))
    with pytest.raises(TooLarge, match="a side are allowed"):
        verify(REAL[name], PhotoLimits(max_side=side - 1))
    with pytest.raises(TooLarge, match="pixels"):
        verify(REAL[name], PhotoLimits(max_pixels=pixels - 1))


def test_a_bomb_is_refused_from_its_header_alone(monkeypatch) -> None:
    bombs = [photos.bomb(), photos.bomb(9000, 9000), photos.bomb(2**31 - 1, 1)]
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    for data in bombs:
        assert len(data) < 10_000
        with pytest.raises(TooLarge):
            verify(data)


def test_a_size_of_nothing_is_malformed() -> None:
    frame = photos.jpeg().index(b"\xff\xc0")
    for data in (
        changed(photos.jpeg(), frame + 5, b"\0\0"),
        changed(photos.jpeg(), frame + 7, b"\0\0"),
        photos.bomb(0, 10),
    ):
        with pytest.raises(Malformed):
            verify(data)


@pytest.mark.parametrize("name", [n for n in REAL if n not in ("animated-gif", "animated-png")])
def test_a_truncated_photo_is_malformed_wherever_it_ends(name: str) -> None:
    data = REAL[name].removesuffix(photos.SECRET)
    if name == "jpeg":
        data = data.removesuffix(b"ftypmp42")
    if name == "mpo":
        data = data[: data.index(b"\xff\xd9") + 2]  # its second picture may be missing
    if name == "gif":
        data = data.removesuffix(b";")  # without its trailer the picture is whole
    steps = {*range(len(data) - 40, len(data)), *range(12, len(data), 97)}
    for end in steps:
        with pytest.raises(Malformed):
            verify(data[:end])


def test_a_jpeg_without_its_end_marker_is_truncated() -> None:
    data = photos.jpeg()
    assert data.endswith(b"\xff\xd9")
    with pytest.raises(Malformed, match="truncated"):
        verify(data[:-2])


def test_the_later_frames_of_an_animation_may_be_missing() -> None:
    for kind in ("GIF", "PNG"):
        data = photos.animated(kind)
        end = data.index(b"fdAT") - 4 if kind == "PNG" else len(data) - 40
        if kind == "PNG":
            data, end = data[:end] + photos.chunk(b"IEND", b""), None
        assert verify(data[:end])


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.replace(b"\xff\xc4\0\x1f\0", b"\xff\xc4\0\x1f\x44"),  # no such Huffman table
        lambda d: d.replace(b"\xff\xdb", b"\xff\xfe"),  # no quantization tables
        lambda d: d.replace(b"\xff\xc0", b"\xff\xfe"),  # no frame
        lambda d: d.replace(b"\xff\xda", b"\xff\xfe"),  # no scan
        lambda d: d[:2] + d[2:].replace(b"\xff\xc0", b"\xff\xd8"),  # a second start
        lambda d: d[:2] + photos.segment(0xD8, b"") + d[2:],
        lambda d: d[:2] + photos.segment(0xC0, b"") + d[2:],
        lambda d: d[:2] + b"\xff\xe1\0\1" + d[2:],  # a segment shorter than its length
        lambda d: d[:2] + b"\xff\xfe\0\2" * 20_000 + d[2:],
        lambda d: d[:2] + b"\xff\0" * 20_000 + d[2:],
    ],
)
def test_a_jpeg_of_broken_structure_is_malformed(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Malformed):
        verify(damage(photos.jpeg()))


def test_a_progressive_jpeg_of_endless_scans_is_malformed() -> None:
    data = photos.jpeg(progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert verify(data[:-2] + scan * 5 + data[-2:])
    with pytest.raises(Malformed):
        verify(data[:-2] + scan * 200 + data[-2:])


def test_damage_in_a_later_scan_of_a_progressive_jpeg_is_found() -> None:
    data = photos.jpeg(600, 400, progressive=True, quality=95)
    last_table = data.rindex(b"\xff\xc4")
    with pytest.raises(Malformed):
        verify(changed(data, last_table + 4, b"\x44"))


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC9, 0xCA, 0xDC])
def test_jpegs_that_browsers_cannot_show_are_unsupported(marker: int) -> None:
    data = photos.jpeg()
    with pytest.raises(UnsupportedMedia, match="kind of JPEG"):
        verify(data[:2] + photos.segment(marker, bytes(15)) + data[2:])


def test_a_jpeg_of_twelve_bits_is_unsupported() -> None:
    data = photos.jpeg()
    with pytest.raises(UnsupportedMedia, match="8 bits"):
        verify(changed(data, data.index(b"\xff\xc0") + 4, b"\x0c"))


def test_junk_and_fill_bytes_between_segments_are_forgiven_and_dropped() -> None:
    data = photos.jpeg()
    photo = verify(data[:20] + b"junk\xff\xff\xff" + data[20:])
    assert photo.clean() == verify(data).clean()


@pytest.mark.parametrize(
    "data",
    [
        png.SIGNATURE + photos.chunk(b"IEND", b""),
        png.SIGNATURE + photos.chunk(b"IHDR", bytes(12)) + photos.chunk(b"IEND", b""),
        changed(photos.png(), 16, b"\0\0\0\x50"),  # a checksum that does not fit
        changed(photos.png(256, 256), 150, b"\0\1\2\3"),
        photos.png()[:33] + photos.chunk(b"prVt", b"") * 30_000 + photos.png()[33:],
        photos.png()[:33] + photos.chunk(b"IEND", b""),
    ],
    ids=range(6),
)
def test_a_damaged_png_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        verify(data)


_ODD, _FIFTH = "77777777", "56565656"
PASSES = ("16462646", _ODD, _FIFTH, _ODD, "36463646", _ODD, _FIFTH, _ODD)
"""The pass of each pixel of an interlaced PNG, as the specification draws it."""


def rows(width: int, height: int, bits: int, interlaced: bool) -> bytes:
    """Black rows of a PNG as they stand before compression, each with its filter."""
    raw = b""
    for number in "1234567" if interlaced else "1":
        for y in range(height):
            pass_of = PASSES[y % 8] if interlaced else "1"
            pixels = sum(pass_of[x % len(pass_of)] == number for x in range(width))
            raw += bytes(1 + (pixels * bits + 7) // 8) if pixels else b""
    return raw


def png_of(
    width: int, height: int, depth: int, colour: int, interlaced: bool, packed: bytes, size: int
) -> bytes:
    """A PNG of these compressed rows, in chunks of ``size`` bytes, every checksum right."""
    header = struct.pack(">2I5B", width, height, depth, colour, 0, 0, interlaced)
    head = png.SIGNATURE + photos.chunk(b"IHDR", header)
    palette = photos.chunk(b"PLTE", bytes(6)) if colour == 3 else b""
    pieces = (packed[start : start + size] for start in range(0, len(packed), size))
    picture = b"".join(photos.chunk(b"IDAT", piece) for piece in pieces)
    return head + palette + picture + photos.chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("depth", "colour", "channels"),
    [(1, 0, 1), (8, 0, 1), (16, 0, 1), (8, 2, 3), (1, 3, 1), (4, 3, 1), (8, 4, 2), (16, 6, 4)],
)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (4, 4), (9, 13), (200, 90)], ids=str)
def test_a_png_with_fewer_rows_than_its_header_says_is_malformed(
    size: tuple[int, int], depth: int, colour: int, channels: int, interlaced: bool
) -> None:
    raw = rows(*size, depth * channels, interlaced)
    for whole in (raw, raw + bytes(1000)):
        assert verify(png_of(*size, depth, colour, interlaced, zlib.compress(whole), 10))
    for short in (raw[:-1], raw[: len(raw) // 2], b""):
        for chunk_size in (10, 100_000):
            data = png_of(*size, depth, colour, interlaced, zlib.compress(short), chunk_size)
            with pytest.raises(Malformed):
                verify(data)


@pytest.mark.parametrize("after", [b"", bytes(MIB), zlib.compress(bytes(MIB)) * 100])
def test_rows_are_counted_in_little_memory_and_not_beyond_the_end(after: bytes) -> None:
    whole = zlib.compress(bytes(5000 * (1 + 3 * 5000)), 9)
    short = zlib.compress(bytes(5000), 9)
    tracemalloc.start()
    for packed, complete in ((whole, True), (short, False)):
        data = png_of(5000, 5000, 8, 2, False, packed + after, 2**31)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert png.is_whole(data) == complete
        assert tracemalloc.get_traced_memory()[1] - before < 2 * len(data) + 4 * MIB
    tracemalloc.stop()


PALETTE = [photos.chunk(*each) for each in png.chunks(photos.png(mode="P"))]


@pytest.mark.parametrize(
    "order",
    [
        [0, 2, 3],  # no palette
        [0, 2, 1, 3],  # a palette after the pixels it is for
        [0, 0, 1, 2, 3],  # two headers
    ],
    ids=str,
)
def test_a_png_whose_chunks_are_missing_or_out_of_place_is_malformed(order: list[int]) -> None:
    assert [part[4:8] for part in PALETTE] == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert verify(png.SIGNATURE + b"".join(PALETTE)).reduced(20)
    with pytest.raises(Malformed):
        verify(png.SIGNATURE + b"".join(PALETTE[number] for number in order))


def test_text_and_profile_bombs_in_a_png_are_dropped_unopened() -> None:
    packed = zlib.compress(bytes(200 * MIB), 9)
    for kind, content in (
        (b"iCCP", b"bomb\0\0" + packed),
        (b"iCCP", b"no zlib\0\0nonsense"),
        (b"zTXt", b"bomb\0\0" + packed),
        (b"iTXt", b"bomb\0\1\0\0\0" + packed),
    ):
        started = time.process_time()
        photo = verify(with_chunk(kind, content))
        assert photo.clean() == verify(photos.png()).clean()
        assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x04\0\0\0WEBP",
        changed(photos.webp(), 15, b"!"),
        changed(photos.webp(), 23, b"\0\0\0"),  # the start code of the key frame
        changed(photos.webp(mode="RGBA"), 24, b"\x10"),  # a canvas of another size
        changed(photos.webp(lossless=True), 40, b"\xff" * 20),
        b"RIFF" + struct.pack("<I", 4 + 8 * 20_000) + b"WEBP" + b"junk\0\0\0\0" * 20_000,
    ],
    ids=range(6),
)
def test_a_damaged_webp_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        verify(data)


def test_the_canvas_of_a_webp_counts_not_only_its_picture() -> None:
    data = photos.webp(mode="RGBA")
    assert data[12:16] == b"VP8X"
    with pytest.raises(TooLarge):
        verify(changed(data, 24, b"\xff\xff\xff\xff\xff\xff"))


@pytest.mark.parametrize("side", [b"\xff\xff\1\0", b"\1\0\xff\xff"])
def test_the_frame_of_a_gif_counts_not_only_its_canvas(side: bytes) -> None:
    data = photos.gif()
    frame = data.index(b",\0\0\0\0")
    for at in (6, frame + 5):
        with pytest.raises(TooLarge):
            verify(changed(data, at, side))
    with pytest.raises(TooLarge):
        verify(changed(data, frame + 1, side))


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a",
        photos.gif()[:13] + bytes(10),
        photos.gif()[:-200] + b"\0;",
        photos.gif()[:-2] + b"\1\1" * 200_000 + b"\0;",
        b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\0" * 200_000,
        b"GIF89a\1\0\1\0\0\0\0;",
    ],
    ids=range(6),
)
def test_a_damaged_gif_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        verify(data)


def test_a_decoder_that_sees_another_size_than_the_limits_saw_is_not_trusted() -> None:
    container = jpeg.read(photos.jpeg())
    with pytest.raises(ValueError, match="disagree"):
        pixels.check(replace(container, width=container.width - 1))


def test_a_decoder_out_of_memory_is_too_large(monkeypatch) -> None:
    def load(self: object) -> None:
        raise MemoryError

    data = photos.jpeg()
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(TooLarge, match="memory"):
        verify(data)


@given(st.binary(max_size=300), st.sampled_from([b"", *(d[:16] for d in REAL.values())]))
def test_any_bytes_are_answered_with_a_client_error(data: bytes, prefix: bytes) -> None:
    with pytest.raises(ClientError):
        verify(prefix + data)


@st.composite
def damaged_photos(draw: st.DrawFn) -> bytes:
    """Real photos with bytes changed, removed, doubled or moved."""
    data = bytearray(REAL[draw(st.sampled_from(sorted(REAL)))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        length = draw(st.sampled_from([1, 2, 4, 16, 200]))
        kind = draw(st.sampled_from(["set", "flip", "cut", "double"]))
        if kind == "set":
            data[at : at + length] = draw(st.binary(min_size=1, max_size=length))
        elif kind == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[at : at + length]
        else:
            data[at:at] = data[at : at + length]
        if len(data) < 2:
            break
    return bytes(data)


@given(damaged_photos())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_photo_is_refused_or_can_be_used_throughout(data: bytes) -> None:
    try:
        photo = verify(data, PhotoLimits(max_pixels=1_000_000))
    except (Malformed, TooLarge, UnsupportedMedia):
        return
    clean, reduced = photo.clean(), photo.reduced(20)
    for copy, kind in ((clean, photo.content_type), (reduced, "image/jpeg")):
        image = Image.open(BytesIO(copy))
        image.load()
        assert Image.MIME[image.format or ""] == kind
        assert not image.getexif()
    assert Image.open(BytesIO(clean)).size == (photo.width, photo.height)
    assert max(Image.open(BytesIO(reduced)).size) <= 20

"""Turning JPEGs without loss: every kind, to the pixel, and never at the price of one."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat

from foodlog.errors import ClientError
from foodlog.photos import jpeg, lossless, verify
from foodlog.testing import photos

needs_library = pytest.mark.skipif(
    lossless.library() is None and not os.environ.get("CI"),
    reason=f"needs {lossless.LIBRARY}: apt-get install libturbojpeg0",
)

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TURNED = range(2, 9)
BACK = {6: 8, 8: 6}
KINDS = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "progressive": {"progressive": True},
    "own tables": {"optimize": True},
    "restart markers": {"restart_marker_rows": 1},
    "RGB": {"keep_rgb": True},
    "grey": {"mode": "L"},
    "CMYK": {"mode": "CMYK"},
}
every_kind = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
every_turn = pytest.mark.parametrize("orientation", TURNED)


@pytest.fixture
def no_library(monkeypatch):
    monkeypatch.setattr(lossless, "LIBRARY", "libnosuch.so.0")
    lossless.library.cache_clear()
    yield
    lossless.library.cache_clear()


def stripped(data: bytes) -> bytes:
    return jpeg.read(data).stripped


def turned(data: bytes, orientation: int) -> bytes:
    result = lossless.turned(data, orientation)
    assert result is not None
    return result


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def differences(one: Image.Image, other: Image.Image) -> tuple[int, float]:
    """The largest and the mean difference of two pictures in steps of 0 to 255."""
    assert (one.size, one.mode) == (other.size, other.mode)
    seen = ImageStat.Stat(ImageChops.difference(one, other))
    return max(high for _, high in seen.extrema), max(seen.mean)


@needs_library
@every_kind
@every_turn
def test_turned_there_and_back_every_pixel_is_what_it_was(orientation: int, options: dict) -> None:
    data = photos.jpeg(96, 64, quality=60, **options)
    there = turned(data, orientation)
    back = turned(there, BACK.get(orientation, orientation))
    assert opened(there).tobytes() != opened(data).tobytes()
    assert opened(back).tobytes() == opened(data).tobytes()


@needs_library
@every_kind
@every_turn
def test_it_shows_what_pillow_would_show(orientation: int, options: dict) -> None:
    data = photos.jpeg(96, 64, orientation, quality=60, **options)
    photo = verify(data)
    assert photo.clean() == lossless.turned(stripped(data), orientation)
    expected = ImageOps.exif_transpose(opened(data))
    most, mean = differences(opened(photo.clean()), expected)
    interpolated = options.get("subsampling", 2) > 0 and expected.mode == "RGB"
    rounded = interpolated or orientation >= 5  # decoders take columns first, then rows
    assert most <= (3 if rounded else 0)
    assert mean < 1


@needs_library
@pytest.mark.parametrize(
    ("size", "perfect"),
    [
        ((64, 48), {2, 3, 4, 5, 6, 7, 8}),
        ((72, 48), {4, 5, 6}),
        ((64, 50), {2, 5, 8}),
        ((100, 90), {5}),
    ],
)
@every_turn
def test_a_photo_that_cannot_be_turned_without_loss_keeps_all_its_pixels(
    orientation: int, size: tuple[int, int], perfect: set[int]
) -> None:
    data = photos.jpeg(*size, orientation, subsampling=2, quality=95)
    result = lossless.turned(stripped(data), orientation)
    assert (result is not None) == (orientation in perfect)
    expected = ImageOps.exif_transpose(opened(data))
    assert differences(opened(verify(data).clean()), expected)[1] < 2


@every_turn
def test_without_the_library_photos_are_turned_all_the_same(no_library, orientation: int) -> None:
    data = photos.jpeg(64, 48, orientation, quality=95)
    assert lossless.turned(data, orientation) is None
    expected = ImageOps.exif_transpose(opened(data))
    assert differences(opened(verify(data).clean()), expected)[1] < 2


@needs_library
def test_the_colour_profile_is_kept_once_and_nothing_else() -> None:
    profile = PROFILE + bytes(200_000)
    data = photos.jpeg(orientation=6, icc_profile=profile, comment=photos.SECRET)
    clean = verify(data).clean()
    assert clean == lossless.turned(stripped(data), 6)
    assert opened(clean).info["icc_profile"] == profile
    assert clean.count(b"ICC_PROFILE\0") == data.count(b"ICC_PROFILE\0") == 4
    assert photos.SECRET not in clean
    assert b"Exif" not in clean


@needs_library
def test_a_photo_that_would_take_too_much_memory_is_decoded(monkeypatch) -> None:
    data = photos.jpeg(64, 48, 6)
    monkeypatch.setattr(lossless, "MAX_PIXELS", 64 * 48)
    assert verify(data).clean() == lossless.turned(stripped(data), 6)
    monkeypatch.setattr(lossless, "MAX_PIXELS", 64 * 48 - 1)
    assert verify(data).clean() != lossless.turned(stripped(data), 6)


def test_the_library_is_loaded_when_the_first_photo_has_to_be_turned() -> None:
    lossless.library.cache_clear()
    photo = verify(photos.jpeg(orientation=1))
    assert photo.clean()
    photo = verify(photos.jpeg(orientation=6))
    assert photo.reduced(16)
    assert lossless.library.cache_info().currsize == 0
    assert photo.clean()
    assert lossless.library.cache_info().currsize == 1


@needs_library
def test_many_threads_turn_at_once() -> None:
    sources = [photos.jpeg(32 * n, 16 * n, quality=90) for n in range(1, 9)] * 8
    expected = [turned(data, 6) for data in sources]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda data: lossless.turned(data, 6), sources)) == expected


@needs_library
def test_nothing_is_left_in_memory() -> None:
    noise = BytesIO()
    Image.effect_noise((512, 512), 80).save(noise, "JPEG", quality=95)
    good, broken = noise.getvalue(), noise.getvalue()[:-10_000]
    assert len(turned(good, 6)) > 150_000
    assert lossless.turned(broken, 6) is None
    before = resident_bytes()
    for data in (good, broken, *[b""] * 20) * 50:
        lossless.turned(data, 6)
    assert resident_bytes() - before < 2_000_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@needs_library
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
def test_a_truncated_jpeg_is_left_to_the_decoder(options: dict) -> None:
    data = photos.jpeg(96, 64, quality=95, **options)
    for end in range(len(data) - 2):
        assert lossless.turned(data[:end], 6) is None


SOURCES = [stripped(photos.jpeg(64, 48, quality=q, **o)) for o in KINDS.values() for q in (30, 95)]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """JPEGs with bytes changed, removed or doubled, as they come out of taking a file apart."""
    data = bytearray(draw(st.sampled_from(SOURCES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(2, len(data) - 1))
        new = draw(st.binary(max_size=8) | st.just(bytes(data[at : at + 100])))
        data[at : at + draw(st.sampled_from([0, 1, len(new)]))] = new
    return bytes(data)


@needs_library
@given(damaged(), st.sampled_from(TURNED))
@settings(max_examples=200, deadline=None)
def test_a_damaged_jpeg_is_turned_as_far_as_it_can_be_read_or_not_at_all(
    data: bytes, orientation: int
) -> None:
    with suppress(ClientError):
        container = jpeg.read(data)
        if container.width * container.height > 1_000_000:
            return
        result = lossless.turned(container.stripped, orientation)
        if result is not None:
            size = (container.width, container.height)
            assert opened(result).size == (size[::-1] if orientation >= 5 else size)

"""What a verified photo is, and what its clean and reduced copies look like."""

import hashlib
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat

from foodlog.photos import Photo, PhotoLimits, jpeg, pixels, verify
from foodlog.testing import photos

SAMPLE = Path(__file__).parents[2] / "docs" / "sample-meal.jpg"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATIONS = range(1, 9)


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of the two pictures in steps of 0 to 255."""
    assert one.size == other.size
    pair = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    return max(ImageStat.Stat(pair).mean)


def metadata_left(data: bytes) -> set[str]:
    image = opened(data)
    known = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"}
    harmless = {"progressive", "progression", "icc_profile", "dpi", "transparency", "gamma"}
    return set(image.info) - known - harmless - {"loop", "background", "timestamp", "duration"}


@pytest.mark.parametrize(
    ("data", "content_type", "extension"),
    [
        (photos.jpeg(), "image/jpeg", "jpg"),
        (photos.jpeg(mode="L"), "image/jpeg", "jpg"),
        (photos.jpeg(mode="CMYK"), "image/jpeg", "jpg"),
        (photos.jpeg(progressive=True), "image/jpeg", "jpg"),
        (photos.mpo(), "image/jpeg", "jpg"),
        (photos.png(), "image/png", "png"),
        (photos.png(mode="I;16"), "image/png", "png"),
        (photos.png(mode="P"), "image/png", "png"),
        (photos.webp(), "image/webp", "webp"),
        (photos.webp(lossless=True), "image/webp", "webp"),
        (photos.webp(mode="RGBA"), "image/webp", "webp"),
        (photos.gif(), "image/png", "png"),
        (photos.animated("PNG"), "image/png", "png"),
        (photos.animated("WEBP"), "image/jpeg", "jpg"),
        (photos.animated("GIF"), "image/png", "png"),
        (photos.heic(), "image/jpeg", "jpg"),
    ],
)
def test_every_kind_of_photo_is_taken_and_its_clean_copy_is_what_it_says(
    data: bytes, content_type: str, extension: str
) -> None:
    photo = verify(data)
    assert (photo.content_type, photo.extension) == (content_type, extension)
    assert (photo.width, photo.height) == (64, 48)
    assert photo.digest == hashlib.sha256(data).hexdigest()
    copy = opened(photo.clean())
    assert Image.MIME[copy.format or ""] == content_type
    assert copy.size == (64, 48)
    assert getattr(copy, "n_frames", 1) == 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_of_an_animation_the_first_frame_is_kept(kind: str) -> None:
    copy = opened(verify(photos.animated(kind)).clean())
    assert difference(copy, photos.picture()) < 12
    assert difference(ImageOps.flip(copy), photos.picture()) > 30


def test_an_upright_jpeg_keeps_its_pixels_bit_by_bit() -> None:
    for data in (
        photos.jpeg(orientation=1, gps=photos.BERN),
        photos.mpo(),
        photos.jpeg(comment=b"x"),
    ):
        assert opened(verify(data).clean()).tobytes() == opened(data).tobytes()


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "RGB", "subsampling": 0},
        {"mode": "RGB", "subsampling": 1},
        {"mode": "RGB", "subsampling": 2},
        {"mode": "RGB", "progressive": True},
        {"mode": "RGB", "keep_rgb": True},
        {"mode": "L"},
        {"mode": "CMYK"},
    ],
    ids=str,
)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turned_jpeg_shows_what_pillow_would_show(orientation: int, options: dict) -> None:
    data = photos.jpeg(300, 270, orientation, quality=92, **options)
    photo = verify(data)
    expected = ImageOps.exif_transpose(opened(data))
    copy = opened(photo.clean())
    assert copy.mode == expected.mode
    assert copy.size == expected.size == (photo.width, photo.height)
    assert difference(copy, expected) < 2
    assert (
        photo.metadata["sceneRotationDegrees"]
        == [0, 0, 180, 180, 270, 90, 90, 270][orientation - 1]
    )


@pytest.mark.parametrize("height", [1, 8, 127, 128, 129, 256, 300])
def test_bands_join_to_the_very_picture_that_is_encoded_in_one(height: int) -> None:
    source = photos.picture(height, 40)  # its width becomes the height
    out = BytesIO()
    source.save(out, "JPEG", quality=90, subsampling=2)
    image = opened(out.getvalue())
    turned = image.transpose(Image.Transpose.ROTATE_270)
    tables = [pixels._table(t, True) for t in image.quantization.values()]  # type: ignore[attr-defined]
    whole = BytesIO()
    turned.save(whole, "JPEG", qtables=tables, subsampling=2)
    joined = pixels.upright(out.getvalue(), "JPEG", 6, "JPEG")
    assert opened(joined).tobytes() == opened(whole.getvalue()).tobytes()
    assert jpeg.BAND_ROWS % (8 * 16) == 0, "a band is whole cycles of restart markers"


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize(
    ("make", "content_type"),
    [
        (lambda exif: photos.png(exif=exif), "image/png"),
        (lambda exif: photos.png(mode="RGBA", exif=exif), "image/png"),
        (lambda exif: photos.webp(exif=exif), "image/jpeg"),
        (lambda exif: photos.webp(mode="RGBA", exif=exif), "image/png"),
        (lambda exif: photos.webp(lossless=True, exif=exif), "image/png"),
    ],
)
def test_other_photos_are_turned_too(make, content_type: str, orientation: int) -> None:
    data = make(photos.exif(orientation))
    photo = verify(data)
    assert photo.content_type == content_type
    copy, expected = opened(photo.clean()), ImageOps.exif_transpose(opened(data))
    assert copy.size == expected.size == (photo.width, photo.height)
    assert copy.has_transparency_data == expected.has_transparency_data
    assert difference(copy, expected) < 3
    assert not metadata_left(photo.clean())


def test_a_lossless_webp_is_turned_without_a_loss() -> None:
    photo = verify(photos.webp(lossless=True, exif=photos.exif(6)))
    assert opened(photo.clean()).tobytes() == (
        photos.picture().transpose(Image.Transpose.ROTATE_270).tobytes()
    )


def test_a_heic_is_turned_once_and_tells_its_exif() -> None:
    photo = verify(photos.heic(orientation=6))
    assert (photo.width, photo.height) == (48, 64)
    upright = photos.picture().transpose(Image.Transpose.ROTATE_270)
    assert difference(opened(photo.clean()), upright) < 12
    assert photo.metadata["sceneRotationDegrees"] == 90
    assert photo.metadata["gps"]["latitude"] == pytest.approx(photos.BERN[0], abs=1e-6)
    assert not metadata_left(photo.clean())


@pytest.mark.parametrize("orientation", [None, 6])
@pytest.mark.parametrize("make", [photos.private_jpeg, photos.private_png, photos.private_webp])
def test_no_copy_has_a_byte_of_metadata(make, orientation: int | None) -> None:
    data = make(orientation)
    assert photos.SECRET in data
    photo = verify(data)
    for copy in (photo.clean(), photo.reduced(32), photo.reduced(9000)):
        for trace in (photos.SECRET[:12], b"Exif", b"xmp", b"JFXX", b"Photoshop", b"MPF", b"eXIf"):
            assert trace not in copy
        assert not opened(copy).getexif()
        assert not metadata_left(copy)
    assert photo.metadata["make"] == photos.SECRET.decode()


def test_a_clean_webp_does_not_promise_metadata_that_is_gone() -> None:
    exif_and_xmp, profile = 0x0C, 0x20
    data = photos.webp(exif=photos.exif(), xmp=photos.SECRET, icc_profile=PROFILE)
    assert data[20] & exif_and_xmp == exif_and_xmp
    copy = verify(data).clean()
    assert copy[20] & exif_and_xmp == 0
    assert copy[20] & profile == profile


def test_metadata_between_the_scans_of_a_progressive_jpeg_goes_too() -> None:
    data = photos.jpeg(progressive=True)
    second_scan = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    tables = data.rindex(b"\xff\xc4", 0, second_scan)
    hidden = data[:tables] + photos.segment(0xFE, photos.SECRET) + data[tables:]
    assert verify(hidden).clean() == verify(data).clean()


def test_the_second_picture_of_an_mpo_is_gone() -> None:
    data = photos.mpo()
    assert opened(data).n_frames == 2  # type: ignore[attr-defined]
    copy = verify(data).clean()
    assert copy.count(b"\xff\xd8\xff") == 1
    assert copy.endswith(b"\xff\xd9")


@pytest.mark.parametrize("orientation", [None, 6])
@pytest.mark.parametrize("make", [photos.jpeg, photos.png, photos.webp])
def test_the_colour_profile_is_kept(make, orientation: int | None) -> None:
    photo = verify(make(icc_profile=PROFILE, exif=photos.exif(orientation)))
    assert opened(photo.clean()).info["icc_profile"] == PROFILE
    assert opened(photo.reduced(16)).info["icc_profile"] == PROFILE


def test_a_profile_larger_than_a_segment_is_kept_whole() -> None:
    profile = PROFILE + bytes(200_000)
    for orientation in (1, 3):
        photo = verify(photos.jpeg(orientation=orientation, icc_profile=profile))
        assert opened(photo.clean()).info["icc_profile"] == profile


def test_the_gamma_of_a_png_survives_turning() -> None:
    data = photos.png(exif=photos.exif(6))
    gamma = photos.chunk(b"gAMA", (50_000).to_bytes(4, "big"))
    photo = verify(data[:33] + gamma + data[33:])
    assert opened(photo.clean()).info["gamma"] == 0.5


def test_the_profile_of_inks_does_not_go_with_a_reduced_copy_in_rgb() -> None:
    photo = verify(photos.jpeg(mode="CMYK", icc_profile=PROFILE))
    reduced = opened(photo.reduced(32))
    assert reduced.mode == "RGB"
    assert "icc_profile" not in reduced.info
    assert opened(photo.clean()).info["icc_profile"] == PROFILE


@pytest.mark.parametrize(
    "make",
    [
        lambda: photos.jpeg(640, 480, 6),
        lambda: photos.jpeg(640, 480, mode="L"),
        lambda: photos.jpeg(640, 480, mode="CMYK"),
        lambda: photos.png(640, 480),
        lambda: photos.png(640, 480, mode="P"),
        lambda: photos.webp(640, 480),
        lambda: photos.gif(640, 480),
        lambda: photos.heic(640, 480),
    ],
)
@pytest.mark.parametrize("side", [1, 100, 333, 639])
def test_a_reduced_copy_is_an_upright_jpeg_within_the_side(make, side: int) -> None:
    photo = verify(make())
    small = opened(photo.reduced(side))
    assert small.format == "JPEG"
    assert side * 2 / 3 <= max(small.size) <= side
    assert (small.width < small.height) == (photo.width < photo.height) or side == 1
    whole = opened(photo.clean()).convert("RGB").resize(small.size, Image.Resampling.BICUBIC)
    assert side == 1 or difference(small, whole) < 8


def test_a_photo_that_is_small_enough_is_never_enlarged() -> None:
    turned = verify(photos.jpeg(orientation=6))
    assert turned.reduced(64) == turned.clean()
    plain = verify(photos.png())
    assert opened(plain.reduced(9999)).size == (64, 48)
    assert opened(plain.reduced(9999)).format == "JPEG"


@pytest.mark.parametrize("make", [photos.png, photos.webp])
def test_transparency_becomes_white(make) -> None:
    image = Image.new("RGBA", (64, 48), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (32, 0, 64, 48))
    out = BytesIO()
    image.save(out, "PNG" if make is photos.png else "WEBP", lossless=True)
    small = opened(verify(out.getvalue()).reduced(64))
    assert difference(small.crop((0, 0, 28, 48)), Image.new("RGB", (28, 48), "white")) < 3
    assert difference(small.crop((36, 0, 64, 48)), Image.new("RGB", (28, 48), "blue")) < 3


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (255, 0, 0)), ("L", 0), ("P", 0)])
def test_a_transparent_colour_of_a_png_becomes_white(mode: str, colour) -> None:
    out = BytesIO()
    Image.new(mode, (64, 48), colour).save(out, "PNG", transparency=colour)
    small = opened(verify(out.getvalue()).reduced(32))
    assert difference(small, Image.new("RGB", small.size, "white")) < 3


def test_sixteen_bits_of_grey_are_scaled_not_clipped() -> None:
    small = opened(verify(photos.png(mode="I;16")).reduced(64)).convert("L")
    assert difference(small, photos.picture().convert("L")) < 3


def test_a_side_below_one_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="longest_side is 0"):
        verify(photos.jpeg()).reduced(0)


def test_the_clean_copy_is_made_once_however_many_ask() -> None:
    photo = verify(photos.jpeg(800, 600, 6))
    copies: list[bytes] = []
    threads = [threading.Thread(target=lambda: copies.append(photo.clean())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(copies) == 8
    assert all(copy is copies[0] for copy in copies)


def test_a_photo_gives_away_nothing_but_clean_data() -> None:
    data = photos.private_jpeg(6)
    photo = verify(data)
    held = [v for v in vars(photo).values() if isinstance(v, bytes)]
    held += [photo._container.stripped, photo._container.probe or b""]
    assert all(photos.SECRET not in value and data not in value for value in held)
    assert set(dir(Photo)) - set(dir(object)) <= {
        *("__annotations__", "__dict__", "__module__", "__weakref__"),
        *("clean", "reduced"),
    }


def test_limits_above_what_pillow_takes_are_refused() -> None:
    PhotoLimits(max_pixels=89_478_485)
    with pytest.raises(ValueError, match="at most 89478485"):
        PhotoLimits(max_pixels=89_478_486)


def test_the_sample_photo_is_the_one_that_is_drawn_here() -> None:
    data = SAMPLE.read_bytes()
    assert difference(opened(data), opened(photos.sample())) < 10
    photo = verify(data)
    assert photo.metadata["gps"] == {"latitude": 46.94809, "longitude": 7.44744, "altitude": 540.0}
    assert 100_000 < len(data) < 200_000


def test_importing_photos_does_not_import_pillow() -> None:
    code = "import sys, foodlog.photos; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0

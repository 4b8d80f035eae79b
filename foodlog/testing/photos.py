"""Photos made by code, for tests and for plugin authors; none is larger than it has to be.

Every function returns the bytes of a file. Its picture is never symmetric, so that a wrong turn
shows. ``python -m foodlog.testing.photos FILE`` writes :func:`sample`.
"""

import math
import random
import struct
import sys
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

SECRET = b"nobody-may-read-this"
"""Stands in every piece of metadata of :func:`private_jpeg` and its siblings."""

BERN = (46.94809, 7.44744, 540.0)
"""Latitude, longitude and altitude of a place to have been at."""


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """A picture whose corners are red, green (top), blue and cyan (bottom)."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    both = ImageChops.lighter(across, down)
    return Image.merge("RGB", (ImageOps.invert(both), across, down))


def exif(
    orientation: int | None = None,
    gps: tuple[float, float, float] | None = None,
    tags: dict[int, Any] | None = None,
    **text: str,
) -> bytes:
    """An EXIF block with its ``Exif`` prefix: a full set of camera facts.

    ``gps``: latitude, longitude, altitude. ``tags``: more or other tags of the Exif IFD.
    ``text``: ``make=`` and ``model=``.
    """
    block = Image.Exif()
    block[0x010F] = text.get("make", "FoodLog")
    block[0x0110] = text.get("model", "Drawn by code")
    if orientation is not None:
        block[0x0112] = orientation
    block.get_ifd(0x8769).update(
        {
            0x829A: IFDRational(1, 125),
            0x829D: IFDRational(9, 5),
            0x8827: 64,
            0x9003: "2026:05:04 12:30:15",
            0x9011: "+02:00",
            0x9206: IFDRational(9, 20),
            0x920A: IFDRational(17, 4),
            0xA434: "Normal lens",
            **(tags or {}),
        }
    )
    if gps is not None:
        block.get_ifd(0x8825).update(_gps_tags(*gps))
    return block.tobytes()


def jpeg(
    width: int = 64,
    height: int = 48,
    orientation: int | None = None,
    gps: tuple[float, float, float] | None = None,
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    """A JPEG; with an EXIF block if ``orientation`` or ``gps`` is given.

    ``mode``: ``RGB``, ``L`` or ``CMYK``. ``options`` go to Pillow: ``quality``,
    ``progressive``, ``subsampling``, ``icc_profile``, ``exif``, ``comment``.
    """
    if orientation is not None or gps is not None:
        options.setdefault("exif", exif(orientation, gps))
    return _saved(picture(width, height).convert(mode), "JPEG", **options)


def png(width: int = 64, height: int = 48, mode: str = "RGB", **options: Any) -> bytes:
    """A PNG in any mode Pillow can write; ``RGBA`` is half transparent on the left."""
    return _saved(_in_mode(picture(width, height), mode), "PNG", **options)


def webp(width: int = 64, height: int = 48, mode: str = "RGB", **options: Any) -> bytes:
    """A WebP; ``options``: ``lossless``, ``exif``, ``xmp``, ``icc_profile``."""
    return _saved(_in_mode(picture(width, height), mode), "WEBP", **options)


def gif(width: int = 64, height: int = 48, frames: int = 1, **options: Any) -> bytes:
    """A GIF; with more ``frames`` an animation, each further frame turned upside down."""
    return _saved(picture(width, height), "GIF", **_animation(width, height, frames), **options)


def animated(kind: str, width: int = 64, height: int = 48) -> bytes:
    """An animation of two frames as ``PNG``, ``WEBP`` or ``GIF``; the first is ``picture()``."""
    return _saved(picture(width, height), kind, **_animation(width, height, 2))


def mpo(width: int = 64, height: int = 48, orientation: int | None = None) -> bytes:
    """Two JPEGs in one file, as phones write them; the second shows something else."""
    extra = ImageOps.flip(picture(width, height))
    return _saved(
        picture(width, height),
        "MPO",
        save_all=True,
        append_images=[extra],
        exif=exif(orientation, BERN),
    )


def heic(width: int = 64, height: int = 48, orientation: int | None = None) -> bytes:
    """A HEIC photo; needs the extra ``foodlog[heic]``."""
    import pillow_heif

    out = BytesIO()
    file = pillow_heif.from_pillow(picture(width, height))
    file.save(out, quality=80, exif=exif(orientation, BERN))
    return out.getvalue()


def private_jpeg(orientation: int | None = None) -> bytes:
    """A JPEG with :data:`SECRET` wherever metadata can be, a video after its end included."""
    plain = jpeg(exif=exif(orientation, BERN, make=SECRET.decode()), comment=SECRET)
    end_of_jfif = 4 + int.from_bytes(plain[4:6], "big")
    segments = (
        (0xE0, b"JFXX\0\x10" + SECRET),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + SECRET),
        (0xE2, b"MPF\0" + SECRET),
        (0xED, b"Photoshop 3.0\0008BIM\x04\x04" + SECRET),
        (0xEE, b"Adobe\0\x64\0\0\0\0\x01" + SECRET),
        (0xEF, SECRET),
        (0xFE, SECRET),
    )
    inserted = b"".join(segment(marker, payload) for marker, payload in segments)
    thumbnail = bytearray(plain[:end_of_jfif])
    thumbnail[18:20] = b"\x04\x02"  # JFIF's own thumbnail: 4 x 2 pixels of 3 bytes
    thumbnail[4:6] = (int.from_bytes(plain[4:6], "big") + 24).to_bytes(2, "big")
    head = bytes(thumbnail) + (SECRET * 2)[:24]
    return head + inserted + plain[end_of_jfif:] + b"ftypmp42" + SECRET


def private_png(orientation: int | None = None) -> bytes:
    """A PNG with :data:`SECRET` in text, EXIF and XMP, and after its end."""
    text = PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    text.add(b"tIME", b"\x07\xea\x05\x04\x0c\x1e\x0f")
    text.add(b"prVt", SECRET)
    block = exif(orientation, BERN, make=SECRET.decode())
    return png(pnginfo=text, exif=block) + SECRET


def private_webp(orientation: int | None = None) -> bytes:
    """A WebP with :data:`SECRET` in EXIF and XMP, and after its end."""
    return webp(exif=exif(orientation, BERN, make=SECRET.decode()), xmp=SECRET) + SECRET


def truncated(data: bytes | None = None, share: float = 0.5) -> bytes:
    """The beginning of a file (of a JPEG, if none is given): ``share`` of its bytes."""
    data = jpeg(256, 192) if data is None else data
    return data[: int(len(data) * share)]


def bomb(width: int = 13_000, height: int = 13_000) -> bytes:
    """A PNG of a few kB whose header says 169 megapixels; it holds fewer, but all of one row."""
    rows = zlib.compressobj(9)
    packed = rows.compress(bytes(min(1 + 3 * width, 50_000) * min(height, 64)))
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed + rows.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in chunks)


@cache
def twelve_megapixels(
    orientation: int | None = None, size: tuple[int, int] = (4032, 3024)
) -> bytes:
    """A JPEG of about 3 MB, with as much detail as a phone's; takes a second.

    ``size``: 4032 x 3024 are whole blocks of pixels; 4000 x 3000, also usual, are not.
    """
    noise = Image.effect_noise(size, 20).convert("RGB")
    return _saved(
        Image.blend(picture(*size), noise, 0.35), "JPEG", quality=88, exif=exif(orientation, BERN)
    )


def segment(marker: int, payload: bytes) -> bytes:
    """A JPEG segment."""
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return len(content).to_bytes(4, "big") + kind + content + checksum.to_bytes(4, "big")


def sample(width: int = 1280, height: int = 960) -> bytes:
    """A plate of food, drawn: a salad with tomatoes, egg and peas; EXIF and GPS included."""
    chance = random.Random(7)  # always the same plate
    image = _table(width, height)
    for draw in (_plate, _leaves, _tomatoes, _egg, _peas):
        draw(image, chance)
    image = image.filter(ImageFilter.GaussianBlur(1.2))
    grain = Image.effect_noise(image.size, 24).convert("RGB")
    image = Image.blend(image, ImageChops.soft_light(image, grain), 0.35)
    return _saved(image, "JPEG", quality=82, exif=exif(1, BERN, model="Sample photo"))


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _animation(width: int, height: int, frames: int) -> dict[str, Any]:
    others = [ImageOps.flip(picture(width, height)) for _ in range(frames - 1)]
    return {"save_all": True, "append_images": others, "duration": 100} if others else {}


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return image.convert("L").convert("I").point(lambda value: value * 257).convert("I;16")
    image = image.quantize() if mode == "P" else image.convert(mode)
    if "A" in mode:
        image.putalpha(image.getchannel(1).point(lambda value: 255 if value > 127 else 128))
    return image


def _gps_tags(latitude: float, longitude: float, altitude: float) -> dict[int, Any]:
    return {
        1: "N" if latitude >= 0 else "S",
        2: _sexagesimal(abs(latitude)),
        3: "E" if longitude >= 0 else "W",
        4: _sexagesimal(abs(longitude)),
        5: b"\0" if altitude >= 0 else b"\1",
        6: abs(altitude),
    }


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    whole, rest = divmod(degrees, 1)
    minutes, rest = divmod(rest * 60, 1)
    return whole, minutes, round(rest * 60, 4)


def _table(width: int, height: int) -> Image.Image:
    """Planks of wood, in light from the upper left."""
    grain = Image.effect_noise((width // 40, height), 60).resize((width, height))
    wood = ImageOps.colorize(grain, (86, 52, 28), (182, 130, 84))
    light = Image.radial_gradient("L").resize((width * 2, height * 2)).crop((0, 0, width, height))
    return ImageChops.multiply(wood, ImageOps.colorize(light, "white", (120, 105, 90)))


def _disc(image: Image.Image, x: float, y: float, radius: float, colour: Any) -> None:
    """A disc; all measures are shares of the picture's height, from its middle."""
    scale, middle = image.height, (image.width / 2, image.height / 2)
    box = [middle[i] + (v + s * radius) * scale for s in (-1, 1) for i, v in enumerate((x, y))]
    ImageDraw.Draw(image).ellipse(box, fill=colour)


def _plate(image: Image.Image, chance: random.Random) -> None:
    shadow = Image.new("L", image.size)
    _disc(shadow, 0.015, 0.025, 0.45, 150)
    image.paste((30, 18, 10), mask=shadow.filter(ImageFilter.GaussianBlur(18)))
    for step in range(30):
        _disc(image, 0, 0, 0.44 - step * 0.0008, (205 + step, 203 + step, 196 + step))
    _disc(image, 0.002, 0.003, 0.33, (214, 212, 206))
    _disc(image, 0, 0, 0.325, (240, 238, 233))


def _scattered(chance: random.Random, within: float) -> tuple[float, float]:
    angle, distance = chance.uniform(0, 2 * math.pi), within * math.sqrt(chance.random())
    return distance * math.cos(angle), distance * math.sin(angle)


def _leaves(image: Image.Image, chance: random.Random) -> None:
    for _ in range(420):
        x, y = _scattered(chance, 0.27)
        green, radius = chance.randint(90, 185), chance.uniform(0.012, 0.042)
        _disc(image, x + 0.004, y + 0.006, radius, (30, green // 2, 20))
        _disc(image, x, y, radius, (green // 2 + chance.randint(0, 35), green, 48))


def _tomatoes(image: Image.Image, chance: random.Random) -> None:
    for x, y in ((-0.13, -0.1), (0.02, -0.19), (-0.19, 0.07), (0.17, -0.08), (0.08, 0.19)):
        _disc(image, x + 0.006, y + 0.01, 0.062, (60, 50, 22))
        _disc(image, x, y, 0.06, (176, 28, 20))
        _disc(image, x, y, 0.053, (222, 62, 42))
        for seed in range(6):
            angle = seed * math.pi / 3 + chance.uniform(-0.1, 0.1)
            _disc(
                image, x + 0.03 * math.cos(angle), y + 0.03 * math.sin(angle), 0.014, (238, 150, 70)
            )


def _egg(image: Image.Image, chance: random.Random) -> None:
    for x, y in ((0.02, 0.03), (-0.07, 0.17)):
        _disc(image, x + 0.008, y + 0.012, 0.082, (50, 70, 24))
        _disc(image, x, y, 0.08, (250, 248, 240))
        _disc(image, x + 0.006, y - 0.004, 0.043, (236, 160, 26))
        _disc(image, x, y - 0.01, 0.034, (250, 190, 52))


def _peas(image: Image.Image, chance: random.Random) -> None:
    for _ in range(46):
        x, y = _scattered(chance, 0.28)
        _disc(image, x + 0.002, y + 0.004, 0.0125, (40, 74, 22))
        _disc(image, x, y, 0.012, (118, 172, 52))
        _disc(image, x - 0.004, y - 0.004, 0.004, (190, 224, 130))


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(sample())

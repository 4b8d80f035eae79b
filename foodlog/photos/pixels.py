"""Everything that decodes or encodes: the one module that imports Pillow, when a photo comes."""

from dataclasses import replace
from io import BytesIO
from math import ceil

from PIL import Image, ImageChops, JpegImagePlugin
from PIL.PngImagePlugin import PngImageFile, PngInfo

from foodlog.photos import heic, jpeg, lossless, png
from foodlog.photos.container import Container, damaged
from foodlog.photos.exif import UPRIGHT, is_sideways

QUALITY = 88
"""JPEG quality of what was not a JPEG before, and of reduced copies."""
SMALLEST = 2 / 3
"""Share of the side asked for that a reduced copy has at least."""
MAX_DEEP_PIXELS = 16_000_000
"""The largest PNG that is turned with 16 bits a channel, which takes some 30 bytes a pixel."""

_PLANES = {2: ("RGB;16B", "RGB;16L"), 4: ("RGBA",), 6: ("RGBA;16B", "RGBA;16L")}
"""By colour type, how Pillow, which knows 16 bits of grey alone, is told to read 16 bits a channel
as pictures of 8: the high bytes and the low ones; those of grey with alpha at once, as they are."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FROM_THE_END = (3, 4, 7, 8)
"""Orientations whose first upright row is the last stored row (or column, if sideways)."""


def check(container: Container) -> str:
    """Decode to find damage, a JPEG at an eighth of its size; return Pillow's mode of it."""
    if container.format == "PNG" and not png.is_whole(container.stripped):
        raise damaged()
    with _open(container.probe or container.stripped, container.format) as image:
        _compare_size(image, container)
        image.draft(None, (ceil(image.width / 8), ceil(image.height / 8)))
        image.load()
        return image.mode


def still(container: Container) -> Container:
    """The first frame as a file of its own: JPEG where nothing is lost by it, else PNG."""
    data, kind = container.stripped, container.format
    with heic.decode(data) if kind == "HEIF" else _open(data, kind) as image:
        _compare_size(image, container)
        image.load()
        target = "JPEG" if kind != "GIF" and image.mode == "RGB" else "PNG"
        return replace(container, format=target, stripped=_encode(image, target), final=True)


def upright(data: bytes, kind: str, orientation: int, target: str) -> bytes:
    """The photo turned as its orientation says, as ``target`` (``JPEG`` or ``PNG``)."""
    with _open(data, kind) as image:
        if kind == target == "JPEG":
            small = image.width * image.height <= lossless.MAX_PIXELS
            whole = lossless.turned(data, orientation) if small else None
            return whole or _turned_jpeg(image, orientation)
        if kind == "PNG" and (planes := _planes(data, image)):
            return _turned_deep(data, orientation, planes)
        return _encode(_turned(image, orientation), target, data if kind == "PNG" else b"")


def reduced(data: bytes, kind: str, orientation: int, longest_side: int) -> bytes:
    """An upright JPEG of at most ``longest_side`` pixels a side, transparency on white.

    A JPEG may come out a third smaller, where decoding it at a fraction of its size leads there
    without resampling, which takes several times as long as decoding.
    """
    with _open(data, kind) as image:
        image.draft(None, _within(image.size, longest_side * SMALLEST))
        image.load()
        small = _opaque(image)
        small.thumbnail((longest_side, longest_side), Image.Resampling.BILINEAR, reducing_gap=None)
        return _encode(_turned(small, orientation), "JPEG")


def _open(data: bytes, kind: str) -> Image.Image:
    return Image.open(BytesIO(data), formats=(kind,))


def _compare_size(image: Image.Image, container: Container) -> None:
    if image.size != (container.width, container.height):
        raise ValueError("the header and the picture disagree on the size")


def _within(size: tuple[int, int], longest_side: float) -> tuple[int, int]:
    ratio = min(1, longest_side / max(size))
    return ceil(size[0] * ratio), ceil(size[1] * ratio)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image if orientation == UPRIGHT else image.transpose(_TURNS[orientation])


def _planes(data: bytes, image: Image.Image) -> tuple[str, ...]:
    """What to read the PNG as; nothing where the picture Pillow makes of it lacks no bits."""
    depth, colour = png.depth_and_colour(data)
    small = image.width * image.height <= MAX_DEEP_PIXELS
    return _PLANES.get(colour, ()) if depth == 16 and small else ()


def _turned_deep(data: bytes, orientation: int, planes: tuple[str, ...]) -> bytes:
    turned = [_turned(_plane(data, mode), orientation) for mode in planes]
    width, height = turned[0].size
    raw = bytearray(sum(len(plane.getbands()) for plane in turned) * width * height)
    for index, plane in enumerate(turned):
        raw[index :: len(turned)] = _from_above(plane).tobytes()
    stride = len(raw) // height
    rows = b"".join(b"\2" + raw[start : start + stride] for start in range(0, len(raw), stride))
    return png.with_rows(data, width, height, rows)


def _plane(data: bytes, mode: str) -> Image.Image:
    with _open(data, "PNG") as image:
        assert isinstance(image, PngImageFile)
        image.tile = [tile._replace(args=mode) for tile in image.tile]
        image.load()
        return image


def _from_above(image: Image.Image) -> Image.Image:
    """What has to be added to each row for the next one: filter 2 of PNG, without which such
    pictures hardly get smaller."""
    above = Image.new(image.mode, image.size)
    above.paste(image, (0, 1))
    return ImageChops.subtract_modulo(image, above)


def _opaque(image: Image.Image) -> Image.Image:
    """The picture in a mode that JPEG has and that can be resized smoothly."""
    if image.mode in ("RGB", "L"):
        return image.copy() if "transparency" not in image.info else _on_white(image)
    if image.mode.startswith("I"):  # 16 bits of grey, which convert() would clip
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode == "CMYK":
        image.info.pop("icc_profile", None)  # a profile of inks says nothing of RGB
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    layers = image.convert("RGBA")
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(layers)
    flat = page.convert("RGB")
    flat.info["icc_profile"] = image.info.get("icc_profile")
    return flat


def _encode(image: Image.Image, target: str, png_source: bytes = b"") -> bytes:
    out = BytesIO()
    profile = image.info.get("icc_profile")
    if target == "JPEG":
        image.save(out, "JPEG", quality=QUALITY, icc_profile=profile)
    else:
        image.save(out, "PNG", icc_profile=profile, pnginfo=_colours(png_source))
    return out.getvalue()


def _colours(source: bytes) -> PngInfo:
    """The chunks of a PNG that say how its colours are meant."""
    info = PngInfo()
    for kind, content in png.chunks(source) if source else ():
        if kind in png.COLOURS:
            info.add(kind, content)
    return info


def _turned_jpeg(image: Image.Image, orientation: int) -> bytes:
    """Turned and encoded with the tables of the file it was decoded from, band by band.

    In bands because a second picture of full size costs more time and memory than all else.
    """
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    sideways = is_sideways(orientation)
    height = image.width if sideways else image.height
    tables = [_table(t, sideways) for _, t in sorted(image.quantization.items())]
    # Colour at half resolution both ways stays so; other patterns need not survive the turn.
    subsampling = 2 if JpegImagePlugin.get_sampling(image) == 2 else 0
    bands = []
    for start in range(0, height, jpeg.BAND_ROWS):
        end = min(start + jpeg.BAND_ROWS, height)
        first, last = (
            (height - end, height - start) if orientation in _FROM_THE_END else (start, end)
        )
        box = (first, 0, last, image.height) if sideways else (0, first, image.width, last)
        out = BytesIO()
        image.crop(box).transpose(_TURNS[orientation]).save(
            out,
            "JPEG",
            qtables=tables,
            subsampling=subsampling,
            restart_marker_rows=1,
            icc_profile=None if start else image.info.get("icc_profile"),
        )
        bands.append(out.getvalue())
    return jpeg.join(bands, height)


def _table(table: list[int], transposed: bool) -> list[int]:
    """A quantization table, for turned blocks if need be, within what baseline files can hold."""
    if transposed:
        table = [table[8 * column + row] for row in range(8) for column in range(8)]
    return [min(value, 255) for value in table]

"""EXIF: what a photo says of itself, from any bytes whatever.

Reads the few tags FoodLog uses from IFD0, the Exif IFD and the GPS IFD, each once, so that there
is nothing to loop on. Pillow's reader is not used because it warns through the process-wide
``warnings`` of what it dislikes. Tags and types: CIPA DC-008 (Exif 3.0), TIFF 6.0.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

MAX_TEXT = 120
"""Characters of a text that are kept."""

UPRIGHT = 1
"""The orientation of pixels that are stored as they are to be seen."""

_MAX_ENTRIES = 512
_MAX_VALUE_BYTES = 1024
_TURNED_BY = {1: 0, 2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}

_MAKE, _MODEL, _ORIENTATION = 0x010F, 0x0110, 0x0112
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXPOSURE, _APERTURE, _ISO = 0x829A, 0x829D, 0x8827
_TAKEN, _DIGITIZED, _OFFSET_TAKEN, _OFFSET_DIGITIZED = 0x9003, 0x9004, 0x9011, 0x9012
_DISTANCE, _FOCAL_LENGTH, _LENS_MODEL = 0x9206, 0x920A, 0xA434
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE, _ALTITUDE_REF, _ALTITUDE = range(1, 7)

_TEXT_TYPES = (1, 2, 7, 129)  # BYTE, ASCII, UNDEFINED, UTF-8
_NUMBER_SIZES = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4}
_RATIONALS = (5, 10)
_SIGNED = (6, 8, 9, 10)
_SIZES = {**_NUMBER_SIZES, 2: 1, 5: 8, 7: 1, 10: 8, 129: 1}

_INFINITE_DISTANCE = 0xFFFFFFFF

_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d", re.ASCII)


class _Ifd:
    """One directory: tag to the type and the raw bytes of its value."""

    def __init__(self, block: bytes, order: Literal["little", "big"], offset: int) -> None:
        self._order = order
        self._values: dict[int, tuple[int, bytes]] = {}
        count = self._int(block[offset : offset + 2])
        for start in range(offset + 2, offset + 2 + 12 * min(count, _MAX_ENTRIES), 12):
            entry = block[start : start + 12]
            kind, length = self._int(entry[2:4]), self._int(entry[4:8])
            size = length * _SIZES.get(kind, 0)
            if len(entry) < 12 or not 0 < size <= _MAX_VALUE_BYTES:
                continue
            where = self._int(entry[8:12])
            value = entry[8 : 8 + size] if size <= 4 else block[where : where + size]
            if len(value) == size:
                self._values.setdefault(self._int(entry[:2]), (kind, value))

    def text(self, tag: int) -> str | None:
        """The text without control characters, at most :data:`MAX_TEXT` long; None if empty."""
        kind, value = self._values.get(tag, (0, b""))
        if kind not in _TEXT_TYPES:
            return None
        raw = value.partition(b"\0")[0]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        shown = "".join(c for c in text if not unicodedata.category(c).startswith("C"))
        return shown.strip()[:MAX_TEXT].strip() or None

    def numbers(self, tag: int) -> Sequence[float]:
        """The numbers; a fraction with the denominator 0 is NaN."""
        kind, value = self._values.get(tag, (0, b""))
        if kind in _RATIONALS:
            parts = self._integers(value, 4, kind)
            return [n / d if d else math.nan for n, d in zip(parts[::2], parts[1::2], strict=True)]
        return self._integers(value, _NUMBER_SIZES[kind], kind) if kind in _NUMBER_SIZES else ()

    def number(self, tag: int) -> float | None:
        """The first number; None where there is none or it is not finite."""
        first = next(iter(self.numbers(tag)), math.nan)
        return first if math.isfinite(first) else None

    def positive(self, tag: int) -> float | None:
        """The first number, if it is above 0."""
        number = self.number(tag)
        return number if number is not None and number > 0 else None

    def _integers(self, value: bytes, size: int, kind: int) -> list[int]:
        cut = (value[i : i + size] for i in range(0, len(value), size))
        return [int.from_bytes(v, self._order, signed=kind in _SIGNED) for v in cut]

    def _int(self, raw: bytes) -> int:
        return int.from_bytes(raw, self._order)


def facts(block: bytes) -> dict[str, Any]:
    """What a TIFF block says, as JSON types; unknown facts are absent. Never raises."""
    base, exif, gps = _directories(block)
    found = {
        "make": base.text(_MAKE),
        "model": base.text(_MODEL),
        "lensModel": exif.text(_LENS_MODEL),
        "focalLengthMm": exif.positive(_FOCAL_LENGTH),
        "aperture": exif.positive(_APERTURE),
        "exposureSeconds": exif.positive(_EXPOSURE),
        "iso": exif.positive(_ISO),
        "subjectDistanceMeters": _distance(exif),
        "sceneRotationDegrees": _TURNED_BY.get(int(base.number(_ORIENTATION) or 0)),
        "capturedAt": _captured_at(exif),
        "gps": _position(gps),
    }
    return {name: value for name, value in found.items() if value is not None}


def orientation(block: bytes) -> int:
    """How the stored pixels have to be turned, 1 (not at all) to 8; 1 where that is unknown."""
    value = int(_directories(block)[0].number(_ORIENTATION) or UPRIGHT)
    return value if value in _TURNED_BY else UPRIGHT


def is_sideways(orientation: int) -> bool:
    """Whether turning swaps width and height."""
    return orientation >= 5


def _directories(block: bytes) -> tuple[_Ifd, _Ifd, _Ifd]:
    """IFD0, the Exif IFD and the GPS IFD; empty ones for those that are not there."""
    order: Literal["little", "big"] = "little" if block[:4] == b"II*\0" else "big"
    if block[:4] not in (b"II*\0", b"MM\0*"):
        block = b""
    base = _Ifd(block, order, int.from_bytes(block[4:8], order))
    exif, gps = (
        _Ifd(block, order, int(base.number(tag) or len(block))) for tag in (_EXIF_IFD, _GPS_IFD)
    )
    return base, exif, gps


def _distance(exif: _Ifd) -> float | None:
    """Metres; all ones as numerator means infinity, which is no distance."""
    distance = exif.positive(_DISTANCE)
    return distance if distance is not None and distance < _INFINITE_DISTANCE else None


def _captured_at(exif: _Ifd) -> str | None:
    """ISO 8601; with the offset from UTC where the camera wrote it, else local and naive."""
    for tag, offset_tag in ((_TAKEN, _OFFSET_TAKEN), (_DIGITIZED, _OFFSET_DIGITIZED)):
        parts = _TIME.fullmatch(exif.text(tag) or "")
        offset = exif.text(offset_tag) or ""
        if parts:
            text = "{}-{}-{}T{}:{}:{}".format(*parts.groups())
            try:
                moment = datetime.fromisoformat(text + offset * bool(_OFFSET.fullmatch(offset)))
            except ValueError:
                continue
            return moment.isoformat()
    return None


def _position(gps: _Ifd) -> dict[str, float] | None:
    """Degrees north and east, and metres above the sea; None without a whole position."""
    latitude = _degrees(gps, _LATITUDE, _LATITUDE_REF, "N", "S", 90)
    longitude = _degrees(gps, _LONGITUDE, _LONGITUDE_REF, "E", "W", 180)
    if latitude is None or longitude is None:
        return None
    position = {"latitude": latitude, "longitude": longitude}
    altitude = gps.number(_ALTITUDE)
    if altitude is not None:
        below = gps.number(_ALTITUDE_REF) == 1
        position["altitude"] = round(-altitude if below else altitude, 2)
    return position


def _degrees(gps: _Ifd, tag: int, ref: int, plus: str, minus: str, limit: int) -> float | None:
    numbers = gps.numbers(tag)
    sign = {plus: 1, minus: -1}.get((gps.text(ref) or "").upper()[:1])
    if sign is None or not 1 <= len(numbers) <= 3 or not all(0 <= n < math.inf for n in numbers):
        return None
    degrees = sum(n / 60**i for i, n in enumerate(numbers))
    return round(sign * degrees, 7) if degrees <= limit else None

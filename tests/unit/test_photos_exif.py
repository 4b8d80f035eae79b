"""EXIF: what is read from it, and that no bytes whatever can disturb the reading."""

import json
import math
import re
import struct
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from foodlog.photos import exif, verify
from foodlog.testing import photos

KEYS = {
    *("make", "model", "lensModel", "focalLengthMm", "aperture", "exposureSeconds", "iso"),
    *("subjectDistanceMeters", "sceneRotationDegrees", "capturedAt", "gps"),
}
REAL = photos.exif(6, photos.BERN).removeprefix(b"Exif\0\0")


def facts_of(block: bytes) -> dict:
    return exif.facts(block.removeprefix(b"Exif\0\0"))


def assert_sound(facts: dict) -> None:
    """JSON-able, known keys, finite numbers in their ranges, short printable text."""
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert set(facts) <= KEYS
    for key in ("focalLengthMm", "aperture", "exposureSeconds", "iso", "subjectDistanceMeters"):
        assert facts.get(key, 1) > 0
    for key in ("make", "model", "lensModel"):
        text = facts.get(key, "x")
        assert 0 < len(text) <= exif.MAX_TEXT
        assert text.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f]", text)
        text.encode("utf-8")
    assert facts.get("sceneRotationDegrees", 0) in (0, 90, 180, 270)
    if "capturedAt" in facts:
        datetime.fromisoformat(facts["capturedAt"])
    if gps := facts.get("gps"):
        assert -90 <= gps["latitude"] <= 90
        assert -180 <= gps["longitude"] <= 180
        assert math.isfinite(gps.get("altitude", 0))


def test_a_full_block_gives_every_fact() -> None:
    assert facts_of(photos.exif(8, (-33.8568, 151.2153, -3.5))) == {
        "make": "FoodLog",
        "model": "Drawn by code",
        "lensModel": "Normal lens",
        "focalLengthMm": 4.25,
        "aperture": 1.8,
        "exposureSeconds": 0.008,
        "iso": 64,
        "subjectDistanceMeters": 0.45,
        "sceneRotationDegrees": 270,
        "capturedAt": "2026-05-04T12:30:15+02:00",
        "gps": {"latitude": -33.8568, "longitude": 151.2153, "altitude": -3.5},
    }


@pytest.mark.parametrize(
    "data",
    [
        photos.jpeg(gps=photos.BERN),
        photos.mpo(),
        photos.png(exif=photos.exif(gps=photos.BERN)),
        photos.webp(exif=photos.exif(gps=photos.BERN)),
        photos.heic(),
    ],
    ids=["jpeg", "mpo", "png", "webp", "heic"],
)
def test_every_container_hands_over_its_exif(data: bytes) -> None:
    metadata = verify(data).metadata
    assert metadata["lensModel"] == "Normal lens"
    assert metadata["gps"]["altitude"] == 540


def test_a_photo_without_exif_has_no_facts() -> None:
    for make in (photos.jpeg, photos.png, photos.webp, photos.gif):
        assert verify(make()).metadata == {}


def test_both_byte_orders_are_read() -> None:
    def block(order: str, mark: bytes) -> bytes:
        entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, 3, 0)
        return mark + struct.pack(order + "I", 8) + struct.pack(order + "H", 1) + entry + bytes(4)

    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        assert exif.facts(block(order, mark)) == {"sceneRotationDegrees": 180}
        assert exif.orientation(block(order, mark)) == 3


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({0x9003: "2026:05:04 12:30:15"}, "2026-05-04T12:30:15+02:00"),
        ({0x9003: "2026-05-04T12:30:15", 0x9011: "-09:30"}, "2026-05-04T12:30:15-09:30"),
        ({0x9011: ""}, "2026-05-04T12:30:15"),
        ({0x9011: "+99:00"}, "2026-05-04T12:30:15"),
        ({0x9003: "", 0x9004: "2025:01:02 03:04:05"}, "2025-01-02T03:04:05"),
        ({0x9003: "2026:13:04 12:30:15", 0x9004: "2025:01:02 03:04:05"}, "2025-01-02T03:04:05"),
        ({0x9003: "0000:00:00 00:00:00"}, None),
        ({0x9003: "    :  :     :  :  "}, None),
        ({0x9003: "2026:02:30 12:30:15"}, None),
        ({0x9003: "yesterday"}, None),
    ],
)
def test_the_time_of_the_photo(tags: dict, expected: str | None) -> None:
    assert facts_of(photos.exif(tags=tags)).get("capturedAt") == expected


@pytest.mark.parametrize(
    ("tag", "key"),
    [
        (0x829A, "exposureSeconds"),
        (0x829D, "aperture"),
        (0x9206, "subjectDistanceMeters"),
        (0x920A, "focalLengthMm"),
    ],
)
def test_fractions_without_a_value_are_unknown(tag: int, key: str) -> None:
    for fraction in (IFDRational(0, 1), IFDRational(1, 0), IFDRational(0, 0)):
        assert key not in facts_of(photos.exif(tags={tag: fraction}))


def test_a_subject_at_infinity_has_no_distance() -> None:
    far = photos.exif(tags={0x9206: IFDRational(0xFFFFFFFF, 1)})
    assert "subjectDistanceMeters" not in facts_of(far)


def test_text_is_printable_and_bounded() -> None:
    facts = facts_of(photos.exif(make="A\x07B\u202eC ", model="x" * 500))
    assert facts["model"] == "x" * 120
    assert "\x07" not in facts["make"]
    assert facts_of(photos.exif(make="\0\0"))["model"] == "Drawn by code"
    assert "make" not in facts_of(photos.exif(make=" \0 hidden"))
    assert facts_of(photos.exif(tags={0xA434: "Objektiv für Nähe"}))["lensModel"].startswith("Obj")


@pytest.mark.parametrize(
    "position",
    [(90.5, 7.0, 0.0), (47.0, 180.5, 0.0)],
)
def test_a_position_off_the_globe_is_no_position(position: tuple[float, float, float]) -> None:
    assert "gps" not in facts_of(photos.exif(gps=position))


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_half_a_position_is_no_position(missing: int) -> None:
    block = Image.Exif()
    block.get_ifd(0x8825).update({t: v for t, v in _bern().items() if t != missing})
    assert "gps" not in facts_of(block.tobytes())


def test_a_position_without_altitude_is_a_position() -> None:
    block = Image.Exif()
    block.get_ifd(0x8825).update({t: v for t, v in _bern().items() if t < 5})
    assert facts_of(block.tobytes())["gps"] == {"latitude": 46.5, "longitude": 7.25}


def test_minutes_without_a_value_make_no_position() -> None:
    block = Image.Exif()
    block.get_ifd(0x8825).update(_bern() | {2: (IFDRational(46), IFDRational(0, 0))})
    assert "gps" not in facts_of(block.tobytes())


def _bern() -> dict:
    return {1: "N", 2: (46, 30, 0), 3: "E", 4: (7, 15, 0), 5: b"\0", 6: 540}


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_an_unknown_orientation_turns_nothing(orientation: int) -> None:
    data = photos.jpeg(orientation=orientation)
    photo = verify(data)
    assert "sceneRotationDegrees" not in photo.metadata
    assert (photo.width, photo.height) == (64, 48)


def test_directories_that_point_at_themselves_end() -> None:
    entries = [(0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0x0112, 3, 1, 6)]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    block = b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", 8)
    assert exif.facts(block) == {"sceneRotationDegrees": 90}


def test_huge_counts_cost_nothing() -> None:
    entry = struct.pack("<HHII", 0x010F, 2, 0xFFFFFFFF, 0)
    block = b"II*\0" + struct.pack("<IH", 8, 0xFFFF) + entry * 65535
    assert exif.facts(block) == {}


@given(st.binary(max_size=400))
@example(b"II*\0\xff\xff\xff\xff")
@example(b"MM\0*\0\0\0\x08\xff\xff")
def test_any_bytes_give_sound_facts(block: bytes) -> None:
    for prefix in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert_sound(exif.facts(prefix + block))
        assert 1 <= exif.orientation(prefix + block) <= 8


@given(st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)), max_size=12))
@settings(max_examples=300)
def test_damage_anywhere_in_a_real_block_gives_sound_facts(damage: list[tuple[int, int]]) -> None:
    block = bytearray(REAL)
    for where, value in damage:
        block[where] = value
    assert_sound(exif.facts(bytes(block)))


@given(
    tag=st.sampled_from([0x010F, 0x0110, 0x0112, 0x8769, 0x8825, 1, 2, 3, 4, 5, 6, 0x8827, 0x9003]),
    kind=st.integers(0, 130),
    count=st.integers(0, 300),
    value=st.integers(0, 2**32 - 1),
    tail=st.binary(max_size=64),
)
@settings(max_examples=300)
def test_any_single_entry_gives_sound_facts(tag, kind, count, value, tail) -> None:
    entry = struct.pack("<HHII", tag, kind, count, value)
    assert_sound(exif.facts(b"II*\0" + struct.pack("<IH", 8, 1) + entry + tail))


@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    altitude=st.floats(-400, 9000),
)
def test_a_position_comes_back_as_it_was_written(latitude, longitude, altitude) -> None:
    gps = facts_of(photos.exif(gps=(latitude, longitude, altitude)))["gps"]
    assert gps["latitude"] == pytest.approx(latitude, abs=2e-6)
    assert gps["longitude"] == pytest.approx(longitude, abs=2e-6)
    assert gps["altitude"] == pytest.approx(altitude, abs=0.01)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_hostile_exif_never_keeps_a_good_photo_out(block: bytes) -> None:
    data = photos.jpeg()
    hostile = data[:2] + photos.segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + block) + data[2:]
    photo = verify(hostile)
    assert_sound(photo.metadata)
    assert len(photo.clean()) > 0

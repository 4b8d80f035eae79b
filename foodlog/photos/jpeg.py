"""JPEG files: taken apart by segment, and put together from separately encoded bands.

Markers and segments: ITU-T T.81 annex B; JFIF: T.871; ICC profiles in APP2: ICC.1 annex B.4.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foodlog.errors import UnsupportedMedia
from foodlog.photos.container import Container, damaged, tiff, truncated

BAND_ROWS = 128
"""Rows of a band for :func:`join`: eight rows of 16 x 16 blocks or sixteen of 8 x 8, so that
every band begins at the first of the eight restart markers."""

_MAX_SEGMENTS = 10_000
_MAX_SCANS = 100
"""Progressive files have about ten; every scan costs a pass over all blocks of the picture."""
_PROBE_BYTES = 4096

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), (0xC2,)
_TABLES = (0xC4, 0xDB, 0xDD)
_STANDALONE = (0x00, 0x01, *range(0xD0, 0xD8))
_DROPPED = (*range(0xE0, 0xF0), *range(0xF0, 0xFE), _COM)
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    payload: bytes
    scan: bytes = b""

    def __bytes__(self) -> bytes:
        head = bytes((0xFF, self.marker)) + (len(self.payload) + 2).to_bytes(2, "big")
        return head + self.payload + self.scan


def read(data: bytes) -> Container:
    """Take a JPEG apart; of an MPO and of a motion photo the first picture alone.

    Raises Malformed (no end marker, broken structure) and UnsupportedMedia (arithmetic coding,
    lossless, 12 bits: browsers cannot show these).
    """
    segments = list(_segments(data))
    markers = [segment.marker for segment in segments]
    frames = [s for s in segments if s.marker in (*_BASELINE, *_PROGRESSIVE)]
    scans = markers.count(_SOS)
    if len(frames) != 1 or not 1 <= scans <= _MAX_SCANS or len(frames[0].payload) < 6:
        raise damaged()
    frame = frames[0].payload
    if frame[0] != 8:
        raise UnsupportedMedia("JPEG photos with more than 8 bits a colour are not supported.")
    stripped = b"".join((b"\xff\xd8", *map(_kept, segments), b"\xff\xd9"))
    return Container(
        format="JPEG",
        width=int.from_bytes(frame[3:5], "big"),
        height=int.from_bytes(frame[1:3], "big"),
        exif=next((tiff(s.payload) for s in segments if _is_exif(s)), b""),
        stripped=stripped,
        probe=_probe(segments),
    )


def join(bands: Sequence[bytes], height: int) -> bytes:
    """One JPEG of ``height`` rows from bands of :data:`BAND_ROWS` (the last may have fewer).

    The bands are baseline JPEGs of one width, encoded with the same tables and a restart marker
    after every row of blocks; their compressed data are put one after the other, unchanged.
    """
    parts = [list(_segments(band)) for band in bands]
    head = b"".join(
        bytes(_resized(s, height) if s.marker in _BASELINE else s) for s in parts[0][:-1]
    )
    scans = [part[-1].scan for part in parts]
    first = _Segment(_SOS, parts[0][-1].payload, b"\xff\xd7".join(scans))
    return b"\xff\xd8" + head + bytes(first) + b"\xff\xd9"


def _segments(data: bytes) -> Iterator[_Segment]:
    """Every segment up to the end marker, a scan with the compressed data that follow it."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        position = data.find(b"\xff", position)
        while data[position : position + 1] == b"\xff" and position >= 0:
            position += 1
        if not 0 < position < len(data):
            raise truncated()
        marker = data[position]
        position += 1
        if marker == _EOI:
            return
        if marker in _STANDALONE:
            continue
        end = position + int.from_bytes(data[position : position + 2], "big")
        if end < position + 2:
            raise damaged() if position + 2 <= len(data) else truncated()
        if end > len(data):
            raise truncated()
        payload = data[position + 2 : end]
        position = end
        if marker == _SOS:
            following = _NEXT_MARKER.search(data, end)
            if following is None:
                raise truncated()
            position = following.start()
        yield _Segment(marker, payload, data[end:position])
    raise damaged()


def _kept(segment: _Segment) -> bytes:
    """The segment as the clean copy has it; empty where it has it not."""
    marker, payload = segment.marker, segment.payload
    if marker in (*_BASELINE, *_PROGRESSIVE, *_TABLES, _SOS):
        return bytes(segment)
    if marker == 0xE0 and payload.startswith(b"JFIF\0") and len(payload) >= 14:
        return bytes(_Segment(marker, payload[:12] + b"\0\0"))  # without its thumbnail
    if marker == 0xE2 and payload.startswith(b"ICC_PROFILE\0"):
        return bytes(segment)
    if marker == 0xEE and payload.startswith(b"Adobe") and len(payload) >= 12:
        return bytes(_Segment(marker, payload[:12]))  # says how the colours are stored
    if marker in _DROPPED:
        return b""
    if marker == _SOI:
        raise damaged()
    raise UnsupportedMedia(
        "This kind of JPEG is not supported: send a baseline or progressive one."
    )


def _probe(segments: Sequence[_Segment]) -> bytes:
    """The file with only the beginning of each scan.

    The decoder refuses what headers and tables say; wrong or missing bits within a scan it
    decodes to something whatever they are, so that decoding all of them tells no more.
    """
    kept = [
        _kept(_Segment(s.marker, s.payload, s.scan[:_PROBE_BYTES]) if s.scan else s)
        for s in segments
    ]
    return b"".join((b"\xff\xd8", *kept, b"\xff\xd9"))


def _is_exif(segment: _Segment) -> bool:
    return segment.marker == 0xE1 and segment.payload.startswith(b"Exif\0\0")


def _resized(frame: _Segment, height: int) -> _Segment:
    payload = frame.payload[:1] + height.to_bytes(2, "big") + frame.payload[3:]
    return _Segment(frame.marker, payload)

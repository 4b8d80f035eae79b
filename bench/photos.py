"""A photo's way in against what Pillow alone would do with it, in turns in one process.

Times are of the processor: nothing waits here, and neighbours on the machine do not count.
"""

import gc
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO

from PIL import Image, ImageOps

from bench.pairs import in_turns
from bench.results import Result
from foodlog.photos import lossless, verify
from foodlog.testing import photos

PAIRS = 15
PARTIAL_BLOCKS = (4000, 3000)
"""A usual size, but 3,000 rows are no whole number of 16 x 16 blocks of pixels."""


def way_in() -> list[Result]:
    """Photos of 12 megapixels: upright, turned in each way, and reduced for a classifier."""
    upright = photos.twelve_megapixels(1)
    turned = photos.twelve_megapixels(6)
    partial_blocks = photos.twelve_megapixels(6, PARTIAL_BLOCKS)
    how = "without loss" if lossless.library() else f"encoded again for want of {lossless.LIBRARY}"
    return [
        _measured(
            "12 MP JPEG, upright: verify + EXIF + clean copy / Pillow decode + encode",
            lambda: verify(upright).clean(),
            lambda: _pillow(upright),
            at_most=0.25,
        ),
        _measured(
            f"12 MP JPEG, turned {how}: verify + EXIF + clean copy / Pillow decode + encode",
            lambda: verify(turned).clean(),
            lambda: _pillow(turned),
            at_most=1.0,
        ),
        _measured(
            "12 MP JPEG, turned and encoded again: verify + EXIF + clean copy / "
            "Pillow decode + encode",
            lambda: verify(partial_blocks).clean(),
            lambda: _pillow(partial_blocks),
        ),
        _measured(
            "12 MP JPEG, turned and encoded again: the same / Pillow decode + turn + encode",
            lambda: verify(partial_blocks).clean(),
            lambda: _pillow(partial_blocks, turn=True),
        ),
        _measured(
            "12 MP JPEG, turned: verify + copy of 1,024 pixels / Pillow decode + encode",
            lambda: verify(turned).reduced(1024),
            lambda: _pillow(turned),
            at_most=0.9,
        ),
    ]


def _pillow(data: bytes, turn: bool = False) -> bytes:
    """Pillow's full decode and encode, with the quality and tables the photo came with."""
    out = BytesIO()
    with Image.open(BytesIO(data)) as image:
        tables = {"qtables": image.quantization, "subsampling": 2}  # type: ignore[attr-defined]
        shown = ImageOps.exif_transpose(image) if turn else image
        shown.save(out, "JPEG", **tables)
    return out.getvalue()


def _measured(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    at_most: float | None = None,
) -> Result:
    pairs = in_turns(partial(_seconds, ours), partial(_seconds, theirs), PAIRS)
    mine, other = (median * 1000 for median in pairs.medians)
    detail = f"{mine:.0f} ms of CPU against {other:.0f} ms, {PAIRS} pairs"
    return Result(name=name, value=pairs.ratio, at_most=at_most, detail=detail)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.thread_time()
    work()
    return time.thread_time() - started

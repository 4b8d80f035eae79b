"""A photo's way in against what Pillow alone would do with it, side by side in one process.

Times are of the processor: nothing waits here, and neighbours on the machine do not count.
``run()`` returns the measurements; ``python -m bench.photos`` prints them.
"""

import gc
import statistics
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from foodlog.photos import lossless, verify
from foodlog.testing import photos

PAIRS = 15
PARTIAL_BLOCKS = (4000, 3000)
"""A usual size, but 3,000 rows are no whole number of 16 x 16 blocks of pixels."""


def run() -> list[dict[str, Any]]:
    """Each measurement as ``name``, ``ratio``, ``target`` (at most; None: for information) and
    ``detail``; a ratio is the median over pairs run one after the other."""
    return [upright(), turned(), encoded_again(), encoded_again_by_pillow(), reduced()]


def upright() -> dict[str, Any]:
    """Verify, EXIF and clean copy of a 12 MP JPEG that needs no turning."""
    data = photos.twelve_megapixels(1)
    return _measured(
        "12 MP JPEG, upright: verify + EXIF + clean copy / Pillow decode + encode",
        lambda: verify(data).clean(),
        lambda: _pillow(data),
        target=0.25,
    )


def turned() -> dict[str, Any]:
    """The same of one that has to be turned by 90 degrees."""
    data = photos.twelve_megapixels(6)
    how = "without loss" if lossless.library() else f"encoded again for want of {lossless.LIBRARY}"
    return _measured(
        f"12 MP JPEG, turned {how}: verify + EXIF + clean copy / Pillow decode + encode",
        lambda: verify(data).clean(),
        lambda: _pillow(data),
        target=1.0,
    )


def encoded_again() -> dict[str, Any]:
    """The same of one that no library can turn without loss."""
    data = photos.twelve_megapixels(6, PARTIAL_BLOCKS)
    return _measured(
        "12 MP JPEG, turned and encoded again: verify + EXIF + clean copy / Pillow decode + encode",
        lambda: verify(data).clean(),
        lambda: _pillow(data),
        target=None,
    )


def encoded_again_by_pillow() -> dict[str, Any]:
    """The same against Pillow turning it too, which is the same work."""
    data = photos.twelve_megapixels(6, PARTIAL_BLOCKS)
    return _measured(
        "12 MP JPEG, turned and encoded again: the same / Pillow decode + turn + encode",
        lambda: verify(data).clean(),
        lambda: _pillow(data, turn=True),
        target=None,
    )


def reduced() -> dict[str, Any]:
    """Verify and the copy that is sent to a classifier."""
    data = photos.twelve_megapixels(6)
    return _measured(
        "12 MP JPEG, turned: verify + copy of 1,024 pixels / Pillow decode + encode",
        lambda: verify(data).reduced(1024),
        lambda: _pillow(data),
        target=0.9,
    )


def _pillow(data: bytes, turn: bool = False) -> bytes:
    """Pillow's full decode and encode, with the quality and tables the photo came with."""
    out = BytesIO()
    with Image.open(BytesIO(data)) as image:
        tables = {"qtables": image.quantization, "subsampling": 2}  # type: ignore[attr-defined]
        shown = ImageOps.exif_transpose(image) if turn else image
        shown.save(out, "JPEG", **tables)
    return out.getvalue()


def _measured(
    name: str, ours: Callable[[], object], theirs: Callable[[], object], *, target: float | None
) -> dict[str, Any]:
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(PAIRS + 1)][1:]
    mine, other = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
    ratio = statistics.median(one / two for one, two in pairs)
    detail = f"{mine:.0f} ms of CPU against {other:.0f} ms, {PAIRS} pairs"
    return {"name": name, "ratio": round(ratio, 3), "target": target, "detail": detail}


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.thread_time()
    work()
    return time.thread_time() - started


if __name__ == "__main__":
    for measurement in run():
        print(measurement)

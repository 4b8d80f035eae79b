"""What the classifiers that run elsewhere share: which values of an answer are believed, and a
picture to ask about when nobody has posted one.
"""

from collections.abc import Sequence
from io import BytesIO
from math import isfinite

from foodlog.characters import controls
from foodlog.errors import ProviderError

CHECK_TIMEOUT = 5.0
"""Seconds the check of a provider waits at most."""
MAX_TEXT = 200
"""Characters of a label or an ingredient."""
ROUNDING = 1.0001
"""A confidence up to here is 1 with a rounding error; above, it is a percentage."""


def text(value: object) -> str | None:
    """``value`` without spaces around it; None where it is no text of 1 to 200, or has controls."""
    stripped = value.strip() if isinstance(value, str) else ""
    return stripped if 0 < len(stripped) <= MAX_TEXT and not controls(stripped) else None


def amount(value: object, most: float) -> float | None:
    """``value`` as a number from 0 to ``most``; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= most and isfinite(value) else None


def confidences(values: Sequence[object]) -> list[float]:
    """The confidences of one answer in 0..1; all are percentages where one is above 1.

    Raises ProviderError where one is no number from 0 to 100.
    """
    numbers = [amount(value, 100) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        raise ProviderError("the answer holds a confidence that is no number from 0 to 100")
    scale = 100 if max(known, default=0) > ROUNDING else 1
    return [min(number / scale, 1.0) for number in known]


def tiny_picture() -> bytes:
    """A JPEG of 32 by 32 pixels."""
    from PIL import Image

    picture = BytesIO()
    Image.new("RGB", (32, 32), "tan").save(picture, "JPEG")
    return picture.getvalue()

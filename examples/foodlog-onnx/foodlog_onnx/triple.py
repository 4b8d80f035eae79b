"""An option that holds three numbers."""

from typing import Any

from marshmallow import ValidationError, fields

from foodlog.options import Number


class Triple(fields.Field[tuple[float, float, float]]):
    """Three numbers, for red, green and blue: a list in YAML, or text with commas."""

    def __init__(self, minimum: float = -1000, maximum: float = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._number = Number(minimum, maximum)
        self.allowed = f"three numbers from {minimum:g} to {maximum:g}, as in [0.5, 0.5, 0.5]"

    def _deserialize(
        self, value: Any, attr: Any, data: Any, **kwargs: Any
    ) -> tuple[float, float, float]:
        entries = value.split(",") if isinstance(value, str) else value
        if not isinstance(entries, list | tuple) or len(entries) != 3:
            raise ValidationError("not three numbers")
        red, green, blue = (self._number.deserialize(entry) for entry in entries)
        return red, green, blue

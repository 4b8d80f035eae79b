"""From a photo to the numbers a model takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import numpy as np
from marshmallow import ValidationError, fields
from PIL import Image

from foodlog.options import Number
from foodlog.photos import Photo
from foodlog_onnx.model import Array

LAYOUTS = ("nchw", "nhwc")
FINEST = 2
"""A photo is reduced to so many times the model's size first, so that nothing is lost twice."""
LONGEST = 4096
"""Pixels a side of what is decoded at most: this bounds the memory of a very long photo."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What is done to a photo before a model sees it."""

    size: int
    crop: bool
    share: float
    """Of each side, from the middle."""
    scale: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    layout: str

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """As the provider's options say."""
        same = {name: options[name] for name in ("size", "share", "scale", "mean", "std", "layout")}
        return cls(crop=options["fit"] == "crop", **same)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the model's input."""
        if self.layout == "nchw":
            return (1, 3, self.size, self.size)
        return (1, self.size, self.size, 3)

    def apply(self, photo: Photo) -> Array:
        """The photo in :attr:`shape`, 32-bit floats."""
        with Image.open(BytesIO(photo.reduced(self._longest(photo)))) as image:
            side = (self.size, self.size)
            square = image.convert("RGB").resize(
                side, Image.Resampling.BILINEAR, box=self._box(image.size)
            )
        pixels: Array = np.asarray(square, np.float32) * np.float32(self.scale / 255)
        pixels = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        if self.layout == "nchw":
            pixels = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels[np.newaxis])

    def _longest(self, photo: Photo) -> int:
        shortest, longest = sorted((photo.width, photo.height))
        return min(LONGEST, math.ceil(FINEST * self.size / self.share * longest / shortest))

    def _box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of the photo that is used: left, upper, right, lower."""
        width, height = (min(size), min(size)) if self.crop else size
        across, down = width * self.share / 2, height * self.share / 2
        x, y = size[0] / 2, size[1] / 2
        return (x - across, y - down, x + across, y + down)

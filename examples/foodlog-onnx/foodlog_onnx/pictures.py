"""From a photo to the numbers a model takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import numpy as np
from PIL import Image

from foodlog.photos import Photo
from foodlog_onnx.model import Array

FINEST = 2
"""A photo is reduced to so many times the model's size first, so that nothing is lost twice."""
LONGEST = 4096
"""Pixels a side of what is decoded at most: this bounds the memory of a very long photo."""


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

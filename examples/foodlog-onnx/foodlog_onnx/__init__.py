"""The classifier ``onnx`` for FoodLog: an image-classification model on the machine itself."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import Schema

import foodlog
from foodlog.errors import ProviderError
from foodlog.models import Classification, Label
from foodlog.options import Choice, FilePath, Number, Seconds, Whole
from foodlog.photos import Photo
from foodlog.providers import Classifier, Context
from foodlog_onnx.labels import load_labels
from foodlog_onnx.model import Array, Model
from foodlog_onnx.pictures import LAYOUTS, Preprocessing, Triple

CHECK_TIMEOUT = 4.0
"""Seconds the check waits at most."""
ROUNDING = 1e-3
"""How far probabilities may add up to something else than 1."""


class OnnxClassifier(Classifier):
    """Runs a model with onnxruntime, on the CPU. One session for all threads of a worker."""

    name = "onnx"

    class Options(Schema):
        """Which model, how pictures are made ready for it, and what it may use.

        The defaults for pictures are those of the Vision Transformers of Hugging Face.
        """

        model = FilePath(required=True, metadata={"help": "The model, an .onnx file."})
        labels = FilePath(
            required=True,
            metadata={
                "help": "What the outputs mean: text with a label a line, a JSON list, or the "
                "config.json of a Hugging Face model."
            },
        )
        size = Whole(
            16, 1024, load_default=224, metadata={"help": "Pixels a side of the model's picture."}
        )
        fit = Choice(
            ("squash", "crop"),
            load_default="squash",
            metadata={"help": "squash: the whole photo is made square; crop: its middle is used."},
        )
        share = Number(
            0.1,
            1,
            load_default=1.0,
            metadata={"help": "How much of each side is used, from the middle; torchvision: 0.875"},
        )
        scale = Choice(
            (1, 255), load_default=1, metadata={"help": "The value of a white pixel, before mean."}
        )
        mean = Triple(
            load_default=(0.5, 0.5, 0.5), metadata={"help": "Subtracted from red, green and blue."}
        )
        std = Triple(
            0.001,
            load_default=(0.5, 0.5, 0.5),
            metadata={"help": "Red, green and blue are divided by it."},
        )
        layout = Choice(
            LAYOUTS, load_default="nchw", metadata={"help": "nchw: colours first; nhwc: last."}
        )
        output = Choice(
            ("logits", "probabilities"),
            load_default="logits",
            metadata={"help": "What the model answers; of logits the softmax is taken."},
        )
        top_k = Whole(
            1, 100, load_default=5, metadata={"help": "How many labels are kept, best first."}
        )
        threads = Whole(1, 64, load_default=1, metadata={"help": "Threads of one run."})
        parallel = Whole(
            1, 64, load_default=1, metadata={"help": "Runs at once; more photos wait."}
        )
        timeout = Seconds(load_default=8.0, metadata={"help": "Seconds for an answer."})

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        """Raises ProviderError where model, labels and options do not fit together."""
        super().__init__(options, context)
        self._labels = load_labels(options["labels"])
        self._preprocessing = Preprocessing.of(options)
        self._model = Model(
            options["model"],
            shape=self._preprocessing.shape,
            answers=len(self._labels),
            threads=options["threads"],
            parallel=options["parallel"],
        )
        self._check_output(self._try(timeout=60))

    def check(self) -> None:
        """Has an empty picture classified."""
        self._try(min(self.options["timeout"], CHECK_TIMEOUT))

    def classify(self, photo: Photo, timeout: float) -> Classification:
        """The model's labels, best first; a run that takes longer than ``timeout`` is ended."""
        ends = time.monotonic() + timeout
        picture = self._preprocessing.apply(photo)
        start = time.monotonic()
        answer = self._model.run(picture, ends - start)
        took = time.monotonic() - start
        return Classification(
            labels=self._best(answer),
            diagnostics={"model": self.options["model"].name, "milliseconds": round(took * 1000)},
        )

    def close(self) -> None:
        """Let go of the model."""
        self._model.close()

    def _try(self, timeout: float) -> Array:
        return self._model.run(np.zeros(self._preprocessing.shape, np.float32), timeout)

    def _best(self, answer: Array) -> tuple[Label, ...]:
        shares = softmax(answer) if self.options["output"] == "logits" else answer
        order = np.argsort(-shares, kind="stable")[: self.options["top_k"]]
        clipped = np.clip(shares, 0, 1)
        return tuple(Label(self._labels[place], float(clipped[place])) for place in order)

    def _check_output(self, answer: Array) -> None:
        """A softmax of a softmax makes every model unsure, and logits are no confidences."""
        found = "probabilities" if _are_probabilities(answer) else "logits"
        if found != self.options["output"]:
            raise ProviderError(
                f"the option 'output' is {self.options['output']}, but what "
                f"{self.options['model']} answers is {found}: from {answer.min():.3g} to "
                f"{answer.max():.3g}, {answer.sum():.3g} in all. Set it to {found}."
            )


def softmax(logits: Array) -> Array:
    """Logits as shares of 1."""
    powers = np.exp(logits - logits.max())
    shares: Array = powers / powers.sum()
    return shares


def _are_probabilities(answer: Array) -> bool:
    inside = answer.min() >= -ROUNDING and answer.max() <= 1 + ROUNDING
    return bool(inside and abs(answer.sum() - 1) <= ROUNDING)


@foodlog.hookimpl
def foodlog_classifiers() -> list[type[Classifier]]:
    """What this plugin offers."""
    return [OnnxClassifier]

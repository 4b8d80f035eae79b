"""The classifier ``onnx`` for FoodLog: an image-classification model on the machine itself."""

import time
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

import foodlog
from foodlog.models import Classification
from foodlog.options import Choice, FilePath, Number, Seconds, Whole
from foodlog.photos import Photo
from foodlog.providers import Classifier, Context
from foodlog_onnx.labels import load_labels
from foodlog_onnx.triple import Triple

CHECK_TIMEOUT = 4.0
"""Seconds the check waits at most."""


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
            ("nchw", "nhwc"),
            load_default="nchw",
            metadata={"help": "nchw: colours first; nhwc: last."},
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
        # Not above: servers load this module before they fork, whether they use it or not, and
        # a thread that onnxruntime has started by then is missing in every worker.
        from foodlog_onnx.answers import Answers
        from foodlog_onnx.model import Model
        from foodlog_onnx.pictures import Preprocessing

        labels = load_labels(options["labels"])
        self._preprocessing = Preprocessing.of(options)
        self._answers = Answers(labels, logits=options["output"] == "logits")
        self._model = Model(
            options["model"],
            shape=self._preprocessing.shape,
            answers=len(labels),
            threads=options["threads"],
            parallel=options["parallel"],
        )
        self._answers.check(self._model.try_out(timeout=60), options["model"])

    def check(self) -> None:
        """Has an empty picture classified."""
        self._model.try_out(min(self.options["timeout"], CHECK_TIMEOUT))

    def classify(self, photo: Photo, timeout: float) -> Classification:
        """The model's labels, best first; a run that takes longer than ``timeout`` is ended."""
        ends = time.monotonic() + timeout
        picture = self._preprocessing.apply(photo)
        start = time.monotonic()
        answer = self._model.run(picture, ends - start)
        took = time.monotonic() - start
        return Classification(
            labels=self._answers.best(answer, self.options["top_k"]),
            diagnostics={"model": self.options["model"].name, "milliseconds": round(took * 1000)},
        )

    def close(self) -> None:
        """Let go of the model."""
        self._model.close()


@foodlog.hookimpl
def foodlog_classifiers() -> list[type[Classifier]]:
    """What this plugin offers."""
    return [OnnxClassifier]

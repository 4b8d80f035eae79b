"""Models small enough to be made by a test, and the fixture that serves FoodLog."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from foodlog.testing.plugin import foodlog_app

__all__ = ["foodlog_app"]

LABELS = ("pizza", "salad", "blueberry_muffin")
"""What the models see in red, green and blue."""
SIZE = 16

Make = Callable[..., Path]


def colours(
    *,
    outputs: int = 3,
    shape: tuple[Any, ...] = ("batch", 3, SIZE, SIZE),
    kind: int = TensorProto.FLOAT,
    nhwc: bool = False,
    softmax: bool = False,
    gain: float = 8.0,
    out: tuple[Any, ...] | None = None,
) -> onnx.ModelProto:
    """A model whose outputs are the mean red, green and blue of the picture, times ``gain``."""
    weights = numpy_helper.from_array(
        (np.eye(3, outputs) * gain).astype(helper.tensor_dtype_to_np_dtype(kind)), "weights"
    )
    axes = [1, 2] if nhwc else [2, 3]
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["numbers"]),
    ]
    last = "numbers"
    if softmax:
        nodes.append(helper.make_node("Softmax", ["numbers"], ["shares"], axis=-1))
        last = "shares"
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pixels", kind, shape)],
        [helper.make_tensor_value_info(last, kind, out or ("batch", outputs))],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a model of :func:`colours`, or the one given, and gives its path."""

    def write(model: onnx.ModelProto | None = None, **wanted: Any) -> Path:
        path = tmp_path / "model.onnx"
        path.write_bytes((model or colours(**wanted)).SerializeToString())
        return path

    return write


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """The labels, as a Hugging Face model's config.json has them."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"id2label": {str(n): label for n, label in enumerate(LABELS)}}))
    return path

"""What a model of this size costs: ``python bench.py [vit|mobile] [--int8] [--threads N]``.

The model has the shape of a Vision Transformer B/16 or, roughly, of a MobileNet, with random
weights: it recognises nothing, but takes the memory and the time of a real one. Prints MB on disk,
MB of memory the classifier adds to the process, the most it has, and ms for a photo.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from foodlog_onnx import OnnxClassifier
from onnx import TensorProto, helper, numpy_helper

from foodlog.photos import verify
from foodlog.testing import build, photos

LABELS = 101
CHANCE = np.random.default_rng(7)


class Graph:
    """Collects nodes and weights."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int) -> str:
        """Random weights; their name."""
        values = CHANCE.standard_normal(shape, np.float32) * np.float32(0.02)
        return self.constant(values)

    def constant(self, values: np.ndarray) -> str:
        """A tensor's name."""
        self.weights.append(numpy_helper.from_array(values, f"w{len(self.weights)}"))
        return self.weights[-1].name

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        """A node; its output's name."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        """A fully connected layer."""
        return self.add(
            "Add", self.add("MatMul", x, self.weight(inputs, outputs)), self.weight(outputs)
        )

    def model(self, output: str) -> onnx.ModelProto:
        """All of it, with a last layer renamed to ``logits``."""
        self.nodes.append(helper.make_node("Identity", [output], ["logits"]))
        ends = [
            helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, (1, 3, 224, 224)),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, LABELS)),
        ]
        graph = helper.make_graph(self.nodes, "bench", ends[:1], ends[1:], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def vit(width: int = 768, layers: int = 12, heads: int = 12) -> onnx.ModelProto:
    """The shape of ViT-B/16: 86 million weights, 197 tokens."""
    g = Graph()
    patches = g.add(
        "Conv", "pixel_values", g.weight(width, 3, 16, 16), kernel_shape=[16, 16], strides=[16, 16]
    )
    flat = g.add("Reshape", patches, g.constant(np.array([1, width, 196])))
    x = g.add("Concat", g.weight(1, 1, width), g.add("Transpose", flat, perm=[0, 2, 1]), axis=1)
    x = g.add("Add", x, g.weight(1, 197, width))
    for _ in range(layers):
        x = g.add("Add", x, attention(g, normal(g, x, width), width, heads))
        x = g.add("Add", x, perceptron(g, normal(g, x, width), width))
    first = g.add("Gather", normal(g, x, width), g.constant(np.array(0)), axis=1)
    return g.model(g.dense(first, width, LABELS))


def normal(g: Graph, x: str, width: int) -> str:
    """Layer normalisation."""
    return g.add("LayerNormalization", x, g.weight(width), g.weight(width))


def attention(g: Graph, x: str, width: int, heads: int) -> str:
    """Self-attention."""
    split = g.constant(np.array([1, 197, heads, width // heads]))
    query, key, value = (
        g.add("Transpose", g.add("Reshape", g.dense(x, width, width), split), perm=[0, 2, *order])
        for order in ((1, 3), (3, 1), (1, 3))
    )
    scores = g.add("Mul", g.add("MatMul", query, key), g.constant(np.float32(0.125).reshape(())))
    mixed = g.add("MatMul", g.add("Softmax", scores, axis=-1), value)
    joined = g.add("Transpose", mixed, perm=[0, 2, 1, 3])
    return g.dense(g.add("Reshape", joined, g.constant(np.array([1, 197, width]))), width, width)


def perceptron(g: Graph, x: str, width: int) -> str:
    """Two layers with GELU between."""
    hidden = g.dense(x, width, 4 * width)
    half = g.constant(np.float32(0.5).reshape(()))
    root = g.constant(np.float32(2**0.5).reshape(()))
    one = g.constant(np.float32(1).reshape(()))
    bell = g.add("Add", g.add("Erf", g.add("Div", hidden, root)), one)
    return g.dense(g.add("Mul", g.add("Mul", hidden, bell), half), 4 * width, width)


def mobile() -> onnx.ModelProto:
    """Depthwise and pointwise convolutions, in number and width as of MobileNet 1.0."""
    g = Graph()
    x = g.add("Relu", convolution(g, "pixel_values", 3, 32, 3, 2))
    width = 32
    wider = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    for outputs, stride in [*wider, *[(512, 1)] * 5, (1024, 2), (1024, 1)]:
        x = g.add("Relu", convolution(g, x, width, width, 3, stride, group=width))
        x = g.add("Relu", convolution(g, x, width, outputs, 1, 1))
        width = outputs
    pooled = g.add("Flatten", g.add("GlobalAveragePool", x))
    return g.model(g.dense(pooled, width, LABELS))


def convolution(
    g: Graph, x: str, inputs: int, outputs: int, side: int, stride: int, group: int = 1
) -> str:
    """A convolution that keeps the size, but for its stride."""
    return g.add(
        "Conv",
        x,
        g.weight(outputs, inputs // group, side, side),
        kernel_shape=[side, side],
        pads=[side // 2] * 4,
        strides=[stride, stride],
        group=group,
    )


def resident() -> float:
    """MB of memory the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    """Make the model, classify with it, print a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", choices=["vit", "mobile"], nargs="?", default="vit")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, labels = Path(folder, "model.onnx"), Path(folder, "labels.txt")
        labels.write_text("\n".join(f"label {n}" for n in range(LABELS)))
        if pid := os.fork():  # making it must not count
            os.waitpid(pid, 0)
        else:
            make(arguments.shape, path, arguments.int8)
            os._exit(0)
        measure(path, labels, arguments)


def make(shape: str, path: Path, int8: bool) -> None:
    """Write the model."""
    onnx.save(vit() if shape == "vit" else mobile(), path)
    if int8:
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(path, path, op_types_to_quantize=["MatMul"])


def measure(path: Path, labels: Path, arguments: argparse.Namespace) -> None:
    """Classify a photo of 12 megapixels, and print what it took."""
    photo = verify(photos.twelve_megapixels())
    photo.reduced(448)
    before = resident()
    classifier = build(
        OnnxClassifier, model=str(path), labels=str(labels), threads=arguments.threads
    )
    took = []
    for _ in range(15):
        start, busy = time.perf_counter(), time.process_time()
        answer = classifier.classify(photo, 60)
        whole, busy = time.perf_counter() - start, time.process_time() - busy
        took.append((whole * 1000, answer.diagnostics["milliseconds"], busy * 1000))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    whole, model, busy = (min(part) for part in zip(*took, strict=True))
    print(  # noqa: T201 - what it is for
        f"{arguments.shape}{' int8' if arguments.int8 else ''}, {arguments.threads} thread(s): "
        f"{path.stat().st_size / 1e6:.0f} MB on disk, +{resident() - before:.0f} MB of memory, "
        f"most {peak:.0f} MB; {whole:.0f} ms a photo at best, {model:.0f} of them the model; "
        f"{busy:.0f} ms of processor time"
    )


if __name__ == "__main__":
    main()

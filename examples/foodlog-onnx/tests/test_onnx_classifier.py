"""Pictures, models and labels: what is right is exact, what is wrong is told at the start."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from foodlog_onnx import OnnxClassifier
from foodlog_onnx.answers import softmax
from foodlog_onnx.model import Model
from foodlog_onnx.pictures import Preprocessing
from marshmallow import ValidationError
from onnx import TensorProto, helper
from PIL import Image

from foodlog.errors import ProviderError, ProviderTimeout
from foodlog.photos import Photo, verify
from foodlog.testing import build

Make = Callable[..., Path]
TORCHVISION = {"mean": "0.485, 0.456, 0.406", "std": [0.229, 0.224, 0.225], "fit": "crop"}


def picture(*bands: str, size: tuple[int, int] = (90, 30)) -> Photo:
    """Upright stripes of these colours."""
    image = Image.new("RGB", size)
    for number, colour in enumerate(bands):
        width = size[0] // len(bands)
        image.paste(colour, (number * width, 0, (number + 1) * width, size[1]))
    data = BytesIO()
    image.save(data, "PNG")
    return verify(data.getvalue())


def onnx_classifier(make: Make, labels: Path, /, **options: Any) -> OnnxClassifier:
    model = options.pop("model", None) or make(**options.pop("made", {}))
    return build(
        OnnxClassifier, **{"model": str(model), "labels": str(labels), "size": 16} | options
    )


def refusal(make: Make, labels: Path, /, **options: Any) -> str:
    with pytest.raises(ProviderError) as caught:
        onnx_classifier(make, labels, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("colour", "label"), [("red", "pizza"), ("lime", "salad"), ("blue", "blueberry_muffin")]
)
def test_it_sees_what_the_model_sees(make: Make, labels: Path, colour: str, label: str) -> None:
    answer = onnx_classifier(make, labels).classify(picture(colour), 5)
    assert answer.labels[0].name == label
    # 8 times 1, -1 and -1, through the softmax
    assert answer.labels[0].confidence == pytest.approx(1 / (1 + 2 * np.exp(-16)), abs=1e-4)
    assert sum(label.confidence or 0 for label in answer.labels) == pytest.approx(1)
    assert answer.diagnostics["model"] == "model.onnx"


def test_top_k_labels_are_kept(make: Make, labels: Path) -> None:
    answer = onnx_classifier(make, labels, top_k=2).classify(picture("red", "red", "lime"), 5)
    assert [label.name for label in answer.labels] == ["pizza", "salad"]


def test_probabilities_are_taken_as_they_are(make: Make, labels: Path) -> None:
    both = [
        onnx_classifier(make, labels, **given).classify(picture("red"), 5).labels
        for given in ({}, {"made": {"softmax": True}, "output": "probabilities"})
    ]
    for one, other in zip(*both, strict=True):
        assert one.name == other.name
        assert one.confidence == pytest.approx(other.confidence, abs=1e-5)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_models_of_both_layouts_and_precisions_run(make: Make, labels: Path, kind: int) -> None:
    made = {"nhwc": True, "shape": (1, None, None, 3), "kind": kind}
    classifier = onnx_classifier(make, labels, made=made, layout="nhwc")
    assert classifier.classify(picture("lime"), 5).labels[0].name == "salad"


def preprocessing(**options: Any) -> Preprocessing:
    given = {"model": "m", "labels": "l", "size": 16} | options
    return Preprocessing.of(OnnxClassifier.Options().load(given))


def test_the_whole_photo_is_squashed_or_its_middle_is_cropped() -> None:
    photo = picture("red", "lime", "blue")
    squashed = preprocessing(scale=255, mean=[0, 0, 0], std=[1, 1, 1]).apply(photo)
    assert squashed.shape == (1, 3, 16, 16)
    assert squashed.dtype == np.float32
    red, green, blue = squashed[0, :, 8, 1], squashed[0, :, 8, 8], squashed[0, :, 8, 14]
    assert [list(np.round(c / 255)) for c in (red, green, blue)] == [
        *([1, 0, 0], [0, 1, 0]),
        [0, 0, 1],
    ]
    cropped = preprocessing(fit="crop", share=0.8, scale=255, mean=[0, 0, 0], std=[1, 1, 1])
    assert np.round(cropped.apply(photo)[0, 1] / 255).min() == 1, "nothing but the green middle"


def test_mean_and_std_are_those_of_each_colour() -> None:
    pixels = preprocessing(**TORCHVISION, layout="nhwc").apply(picture("white"))
    assert pixels.shape == (1, 16, 16, 3)
    assert pixels[0, 3, 3] == pytest.approx(
        [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], rel=1e-5
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": [0.5, 0.5]},
        {"mean": "a,b,c"},
        {"mean": 1},
        {"std": [0, 1, 1]},
        {"std": "nan,1,1"},
        {"fit": "stretch"},
        {"scale": 2},
        {"size": 8},
        {"top_k": 0},
        {"threads": 65},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        preprocessing(**wrong)
    assert list(caught.value.messages_dict) == list(wrong)


def test_a_model_that_is_none(make: Make, labels: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    assert refusal(make, labels, model=missing) == (
        f"the option 'model': {missing} cannot be used: there is no such file."
    )
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(make().read_bytes()[:60])
    assert f"'model': {broken} cannot be used: onnxruntime cannot load it (" in refusal(
        make, labels, model=broken
    )


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ({"shape": (1, 3, 32, 32)}, "tensor(float) [1, 3, 32, 32]"),
        ({"shape": (8, 3, 16, 16)}, "tensor(float) [8, 3, 16, 16]"),
        ({"shape": ("n", 16, 16, 3), "nhwc": True}, "tensor(float) [n, 16, 16, 3]"),
        ({"shape": (1, 3, 16, 16), "kind": TensorProto.DOUBLE}, "tensor(double) [1, 3, 16, 16]"),
    ],
)
def test_a_model_that_takes_something_else(
    make: Make, labels: Path, made: dict[str, Any], found: str
) -> None:
    said = refusal(make, labels, made=made)
    assert f"it takes pixels: {found}; expected" in said
    assert said.endswith(
        "expected one input of tensor(float) or tensor(float16) [1, 3, 16, 16], which the options "
        "'size' and 'layout' make."
    )


def test_a_model_with_two_inputs(make: Make, labels: Path) -> None:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("a", (1, 3)), ("b", (1, 3)), ("c", (1, 3)))
    ]
    node = helper.make_node("Add", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "two", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert "it takes a: tensor(float) [1, 3], b: tensor(float) [1, 3]; expected one" in refusal(
        make, labels, model=make(model)
    )


def test_a_model_with_other_labels(make: Make, labels: Path) -> None:
    assert refusal(make, labels, made={"outputs": 5}).endswith(
        "it answers numbers: tensor(float) [batch, 5]; expected [1, 3], a number for each of the "
        "3 labels of the option 'labels'."
    )


def unforeseen(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    """A model that nobody knows the output's shape of before it runs."""
    values = [
        helper.make_tensor_value_info("pixels", TensorProto.FLOAT, (1, 3, 16, 16)),
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ("a", "b")),
    ]
    first = helper.make_node("NonZero", ["pixels"], ["places"])
    graph = helper.make_graph([first, *nodes], "unforeseen", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_model_whose_answer_turns_out_to_be_another(make: Make, labels: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["places"], ["shape"]),
        helper.make_node("ReduceProd", ["shape"], ["side"], keepdims=1),
        helper.make_node("Concat", ["side", "side"], ["square"], axis=0),
        helper.make_node("ConstantOfShape", ["square"], ["numbers"]),
    ]
    said = refusal(make, labels, model=make(unforeseen(*nodes)))
    assert said.endswith("it answered [0, 0]; expected [1, 3].")


def test_a_model_that_fails_when_it_runs(make: Make, labels: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["places"], ["shape"]),
        helper.make_node("Reshape", ["pixels", "shape"], ["numbers"]),
    ]
    assert "the model failed (" in refusal(make, labels, model=make(unforeseen(*nodes)))


def test_an_output_that_is_something_else(make: Make, labels: Path) -> None:
    assert "'output' is logits, but what" in refusal(make, labels, made={"softmax": True})
    said = refusal(make, labels, output="probabilities")
    assert "answers is logits: from -0 to" in said or "answers is logits: from 0 to" in said
    assert said.endswith("Set it to logits.")


def test_a_model_that_answers_no_numbers(make: Make, labels: Path) -> None:
    assert "NaN or infinite" in refusal(make, labels, made={"gain": float("nan")})


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.txt", "pizza\n", "there are 1 labels"),
        ("a.txt", "pizza\n\nsoup", "label 1 is ''"),
        ("a.txt", "pizza\nso\0up", "label 1 is"),
        ("a.json", "{", "it is no JSON"),
        ("a.json", "[" * 100_000, "it is no JSON"),
        ("a.json", '"pizza"', "expected a list"),
        ("a.json", '{"id2label": {"0": "a", "2": "b"}}', "expected a list"),
        ("a.json", '["pizza", 7]', "label 1 is ''"),
        ("a.json", json.dumps(["a", "b" * 201]), "not text of 1 to 200"),
        ("a.txt", "x\n" * 3_000_000, "more than 4194304 bytes"),
    ],
)
def test_labels_that_are_none(make: Make, tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    said = refusal(make, tmp_path / name)
    assert said.startswith(f"the option 'labels': {tmp_path / name} cannot be used: ")
    assert why in said


def test_labels_that_cannot_be_read(make: Make, tmp_path: Path) -> None:
    assert "No such file or directory" in refusal(make, tmp_path / "missing.txt")
    (tmp_path / "latin.txt").write_bytes("crème\nsoup".encode("latin-1"))
    assert "no text in UTF-8" in refusal(make, tmp_path / "latin.txt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "pizza\nsalad \nblueberry_muffin\n\n"),
        ("labels.json", '["pizza", "salad", "blueberry_muffin"]'),
        ("labels.json", '{"2": "blueberry_muffin", "0": "pizza", "1": "salad"}'),
    ],
)
def test_labels_of_every_form(make: Make, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    answer = onnx_classifier(make, tmp_path / name).classify(picture("lime"), 5)
    assert answer.labels[0].name == "salad"


def slow(rounds: int) -> onnx.ModelProto:
    """Multiplies a large matrix by itself, again and again."""
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, (1, 3, 16, 16))]
    outputs = [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, (1, 3))]
    size = helper.make_tensor("size", TensorProto.INT64, [2], [700, 700])
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Expand", ["mean", "size"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{n}", f"m{n}"], [f"m{n + 1}"]) for n in range(rounds)),
        helper.make_node("ReduceMean", [f"m{rounds}"], ["all"], axes=[0, 1], keepdims=0),
        helper.make_node("ReduceMean", ["pixels"], ["colours"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["all", "colours"], ["numbers"]),
    ]
    graph = helper.make_graph(nodes, "slow", inputs, outputs, [size])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def endless(make: Make) -> Model:
    return Model(make(slow(3000)), shape=(1, 3, 16, 16), answers=3, threads=1, parallel=1)


def test_a_run_that_takes_too_long_is_ended(make: Make) -> None:
    with pytest.raises(ProviderTimeout, match="took too long and was stopped"):
        endless(make).run(np.zeros((1, 3, 16, 16), np.float32), 0.2)


def test_photos_wait_for_a_slot_no_longer_than_their_time(make: Make) -> None:
    model = endless(make)
    with (
        model._slots,  # as a photo has it that takes long
        pytest.raises(ProviderTimeout, match="raise the option 'parallel' or 'threads'"),
    ):
        model.run(np.zeros((1, 3, 16, 16), np.float32), 0.05)


def test_softmax_of_large_numbers() -> None:
    assert list(softmax(np.array([1000.0, 1000.0]))) == [0.5, 0.5]


def test_the_readme_has_every_option_with_its_default() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    table = readme.split("## Options")[1].split("##")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    for name, field in OnnxClassifier.Options().fields.items():
        (row,) = [row for row in rows if f"`{name}`" in row.split("|")[1]]
        default = "required" if field.required else str(field.load_default).removesuffix(".0")
        assert ("0.5 each" if name in ("mean", "std") else default) in row.split("|")[2]


def test_only_a_classifier_that_is_used_loads_the_runtime() -> None:
    """Servers load every plugin before they fork, and threads do not survive a fork."""
    look = "import sys, foodlog_onnx; print({'numpy', 'onnxruntime'} & sys.modules.keys())"
    loaded = subprocess.check_output([sys.executable, "-c", look], text=True, timeout=60)
    assert loaded == "set()\n"


def test_the_runtime_tells_nobody_that_it_is_used() -> None:
    look = "import os, foodlog_onnx.model; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    said = subprocess.check_output([sys.executable, "-c", look], text=True, timeout=60, env=environ)
    assert said == "1\n"

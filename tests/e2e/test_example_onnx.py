"""The wheels of FoodLog and of examples/foodlog-onnx, in a fresh environment, serve together."""

import json
import os
import shutil
import site
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from foodlog.testing.client import embedded

pytestmark = pytest.mark.xdist_group("example_onnx")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/foodlog-onnx"
SOURCES = ("foodlog", "plugins", "config", "setup.cfg", "pyproject.toml", "README.md")
OFFLINE = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
LABELS = ("pizza", "caesar_salad", "sushi")


def run(*command, cwd):
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def no_checkout_on_the_path():
    """Whoever runs the tests may have one there, and it would be used in place of the wheels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPATH", raising=False)
        yield


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Both, built from copies: building leaves folders beside the sources."""
    folder = tmp_path_factory.mktemp("wheels")
    ours, example = folder / "foodlog", folder / "foodlog-onnx"
    ours.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, ours / name, ignore=unwanted)
        elif source.exists():
            shutil.copy(source, ours)
    shutil.copytree(EXAMPLE, example, ignore=unwanted)
    pip = (sys.executable, "-m", "pip", "wheel", *OFFLINE, "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, ours, example, cwd=folder)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheels, tmp_path_factory):
    """Of an environment in which the wheels are installed; what they depend on is shared."""
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    # A path that a .pth file adds is not searched for further .pth files, so that an editable
    # FoodLog which is installed there stays out.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    python = folder / "bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", *OFFLINE)
    run(*pip, "--ignore-installed", *wheels, cwd=folder)
    where = run(python, "-c", "import foodlog; print(foodlog.__file__)", cwd=folder)
    assert where.startswith(str(packages)), "the environment must use the wheel"
    return python


def colours():
    """A model that sees pizza in red, salad in green and sushi in blue pictures."""
    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32) * 8, "weights")
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["logits"]),
    ]
    ends = [
        helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ("batch", 3, 224, 224)),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", 3)),
    ]
    graph = helper.make_graph(nodes, "colours", ends[:1], ends[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "model.onnx").write_bytes(colours().SerializeToString())
    (tmp_path / "labels.json").write_text(json.dumps(LABELS))
    options = f"{{model: {tmp_path}/model.onnx, labels: {tmp_path}/labels.json}}"
    path = tmp_path / "foodlog.yaml"
    path.write_text(embedded(tmp_path, f"classifiers: [{{use: onnx, options: {options}}}]"))
    return path


def test_predict_classifies_with_the_model(new_server, python):
    server = new_server(python=python).start()
    for colour, label in zip(("red", "lime", "blue"), LABELS, strict=True):
        picture = BytesIO()
        Image.new("RGB", (300, 200), colour).save(picture, "JPEG")
        files = {"photo": ("meal.jpg", picture.getvalue(), "image/jpeg")}
        answer = requests.post(f"{server.url}/predict", files=files, timeout=30)
        assert answer.status_code == 200, answer.text
        meal = answer.json()
        assert meal["inference_source"] == "onnx"
        assert meal["candidates"][0]["label"] == label
        assert meal["confidence"] > 0.99
        assert meal["estimated"] is False
        assert meal["calories"] > 0
    assert server.stop() == 0


def test_the_example_s_own_tests_pass_on_the_wheels(python, wheels):
    said = run(python, "-m", "pytest", "-q", cwd=wheels[0].parent / "foodlog-onnx")
    assert " passed" in said
    assert " failed" not in said


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_broken_model_is_told_at_the_start(python, config, tmp_path, command):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    done = subprocess.run(
        [python, "-m", "foodlog", command, "--config", config],
        env=os.environ | {"PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("foodlog: classifiers[0]: 'onnx' of foodlog-onnx 1.0.0 ")
    assert f"the option 'model': {tmp_path}/model.onnx cannot be used: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("used", [True, False])
def test_workers_are_replaced_without_a_sound(new_server, python, config, tmp_path, used):
    if not used:
        config.write_text(embedded(tmp_path))
    server = new_server(python=python, environ={"MAX_REQUESTS": "2"}).start()
    greeting, first = server.log, server.workers
    end = time.monotonic() + 60
    while first & server.workers:
        assert time.monotonic() < end, server.log
        requests.get(f"{server.url}/health", timeout=30)
        time.sleep(0.05)
    assert server.stop() == 0
    assert server.log == greeting

"""onnx keeps the promises of FoodLog's classifier port, and works in FoodLog."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from foodlog_onnx import OnnxClassifier
from PIL import Image

from foodlog.testing import ClassifierTests, build
from foodlog.testing.plugin import OpenApp

Make = Callable[..., Path]


class TestOnnxClassifier(ClassifierTests):
    """It depends on no service, so there is nothing that could be down."""

    @pytest.fixture
    def provider(self, make: Make, labels: Path) -> OnnxClassifier:
        return build(OnnxClassifier, model=str(make()), labels=str(labels), size=16)


def test_foodlog_classifies_with_it(foodlog_app: OpenApp, make: Make, labels: Path) -> None:
    options = f"{{model: {make()}, labels: {labels}, size: 16}}"
    app = foodlog_app(f"classifiers: [{{use: onnx, options: {options}}}]")
    picture = BytesIO()
    Image.new("RGB", (60, 40), "red").save(picture, "PNG")
    meal = app.predict(picture.getvalue()).json
    assert (meal["food"], meal["inference_source"]) == ("Pizza", "onnx")
    assert meal["metadata"]["onnx"]["model"] == "model.onnx"


def test_foodlog_does_not_start_with_a_broken_model(
    foodlog_app: OpenApp, tmp_path: Path, labels: Path
) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")
    options = f"{{model: {broken}, labels: {labels}}}"
    with pytest.raises(Exception, match=r"classifiers\[0\]: 'onnx' of foodlog-onnx .*cannot start"):
        foodlog_app(f"classifiers: [{{use: onnx, options: {options}}}]")

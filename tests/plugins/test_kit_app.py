"""The fixture that serves the application with a plugin in it."""

import gc
import warnings
from pathlib import Path

import pytest

from foodlog.testing import photos
from foodlog.testing.fakes import FakeClassifier, labelled, plugin
from foodlog.testing.plugin import OpenApp
from foodlog.testing.plugin import foodlog_app as foodlog_app


def test_the_plugin_answers_in_the_app(foodlog_app: OpenApp) -> None:
    classifier = FakeClassifier(labelled(("pizza", 0.9)))
    app = foodlog_app("classifiers: [{use: fake_classifier}]", plugin(classifier))
    answer = app.predict(photos.jpeg())
    assert answer.status_code == 200
    assert answer.json["inference_source"] == "fake_classifier"
    assert answer.json["food"] == "Pizza"
    assert len(classifier.calls) == 1


def test_without_anything_it_is_the_embedded_default(foodlog_app: OpenApp) -> None:
    assert foodlog_app().predict(photos.jpeg()).json["inference_source"] == "local_fallback"


def test_one_that_does_not_start_leaves_nothing_open(
    foodlog_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left open warns whenever the garbage is collected: in whichever test runs then."""
    (tmp_path / "foodlog.db").write_bytes(b"no database" * 1000)
    unraisable: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    with pytest.raises(Exception, match="sqlite_storage"):
        foodlog_app()
    (tmp_path / "foodlog.db").unlink()
    foodlog_app()  # asyncio itself keeps the last loop
    with warnings.catch_warnings(action="error", category=ResourceWarning):
        gc.collect()
    assert not unraisable

"""``foodlog predict`` and ``foodlog lookup``: what they print, and their exit codes."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foodlog import cli
from foodlog.testing import photos

Run = Callable[..., tuple[int, str]]

CONFIG = """\
auth: {secret: "0123456789abcdef0123456789abcdef"}
limits: {photo_bytes: 8 KiB, photo_side: 100}
prediction: {rejection_status: 200}
storage: {use: sqlite_storage, options: {database: foodlog.db, photos: uploads}}
classifiers: [{use: unsure}]
nutrition: [{use: food_table}]
fallback: {use: synthetic}
"""
UNSURE = """
import foodlog
from foodlog.models import Classification, Label
from foodlog.providers import Classifier

class Unsure(Classifier):
    name = "unsure"

    def check(self): ...

    def classify(self, photo, timeout):
        best = Label(name="pizza", confidence=0.25 if photo.width < 64 else 0.75)
        return Classification(labels=(best, Label(name="pie", confidence=None)))

@foodlog.hookimpl
def foodlog_classifiers():
    return [Unsure]
"""


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    install: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """Runs a command; its exit code and what it printed."""
    install("unsure", UNSURE)
    monkeypatch.chdir(tmp_path)
    Path("t.yaml").write_text(CONFIG)
    handlers, level = logging.root.handlers[:], logging.root.level

    def run(*arguments: str) -> tuple[int, str]:
        code = cli.main(["--config", "t.yaml", *arguments])
        printed = capsys.readouterr()
        return code, printed.out or printed.err

    yield run
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def written(data: bytes) -> str:
    Path("photo").write_bytes(data)
    return "photo"


def test_a_meal_is_shown_with_its_parts_or_as_the_api_answers_it(run: Run) -> None:
    photo = written(photos.jpeg(64, 48))
    code, shown = run("predict", photo)
    assert code == 0
    assert shown.startswith("Pizza (unsure, 75% certain)\n")
    code, shown = run("predict", photo, "--json")
    assert code == 0
    assert json.loads(shown)["stored"] is False


def test_a_rejection_is_told_though_a_confidence_is_unknown(run: Run) -> None:
    photo = written(photos.jpeg(32, 32))
    assert run("predict", photo) == (
        1,
        "rejected: under the threshold of 50% (pizza 25%, pie ?)\n",
    )


def test_a_rejection_as_json_is_what_the_api_answers(run: Run) -> None:
    code, shown = run("predict", written(photos.jpeg(32, 32)), "--json")
    assert code == 1
    body = json.loads(shown)
    assert (body["status"], body["http_status"], body["accepted"]) == ("hf_rejected", 200, False)
    assert body["candidates"][1] == {"label": "pie", "confidence": None}


def test_a_photo_may_be_as_large_as_the_configuration_says(run: Run) -> None:
    code, said = run("predict", written(photos.jpeg(101, 50)))
    assert code == 1
    assert "100 a side are allowed" in said


def test_of_a_file_no_more_is_read_than_a_photo_may_have(run: Run) -> None:
    photo = written(photos.jpeg(64, 48))
    os.truncate(photo, 1 << 40)
    assert run("predict", photo) == (1, "foodlog: The photo is over 8,192 bytes.\n")


def test_a_photo_that_is_not_there_is_a_message(run: Run) -> None:
    code, said = run("predict", "nothing.jpg")
    assert code == 2
    assert "nothing.jpg cannot be read" in said


def test_a_name_nobody_knows_is_told_in_words_or_as_json(run: Run) -> None:
    assert run("lookup", "xyzzy") == (1, "xyzzy: no dish and no food of this name is known\n")
    code, shown = run("lookup", "xyzzy", "--json")
    assert (code, json.loads(shown)) == (1, {"name": "xyzzy", "found": False})
    code, shown = run("lookup", "pizza", "--json")
    assert (code, json.loads(shown)["food"]) == (0, "Pizza")

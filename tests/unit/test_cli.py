"""The command line: what it prints, and its exit codes."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from foodlog import cli
from foodlog.errors import NotFound

Install = Callable[..., Path]

CONFIG = """\
auth: {secret: "${JWT_SECRET_KEY:-0123456789abcdef0123456789abcdef}"}
storage: {use: shelf}
classifiers:
  - {use: taster, optional: true, options: {key: "${TASTER_KEY:-}", timeout: 3}}
nutrition:
  - {use: scale, options: {mood: "${MOOD:-fine}"}}
fallback: {use: guess}
"""


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install, pantry: str) -> Path:
    for name in ("MOOD", "TASTER_KEY", "FOODLOG_CONFIG", "STORAGE_BACKEND", "JWT_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    install("pantry", pantry, version="1.2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(CONFIG)
    return tmp_path


def rows(text: str) -> list[list[str]]:
    return [line.split(maxsplit=3) for line in text.splitlines()]


def test_check_says_ok_for_every_provider(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--config", "t.yaml"]) == 0
    printed = rows(capsys.readouterr().out)
    assert [row[:3] for row in printed] == [
        ["ok", "storage", "shelf"],
        ["ok", "nutrition[0]", "scale"],
        ["ok", "fallback", "guess"],
        ["skipped", "classifiers[0]", "taster"],
    ]
    assert all(row[3].endswith(" ms") for row in printed[:3])
    assert "set TASTER_KEY in the environment" in printed[3][3]


@pytest.mark.parametrize(
    ("mood", "text"),
    [("down", "nobody answers at port 9"), ("buggy", "ZeroDivisionError: by zero")],
)
def test_check_says_what_is_wrong_with_a_provider(
    mood: str, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOD", mood)
    assert cli.main(["--config", "t.yaml", "check"]) == 1
    printed = rows(capsys.readouterr().out)
    assert printed[1] == ["failed", "nutrition[0]", "scale", text]
    assert [row[0] for row in printed] == ["ok", "failed", "ok", "skipped"]


def test_check_does_not_wait_for_a_provider_that_hangs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOD", "hung")
    assert cli.main(["check", "--config", "t.yaml", "--timeout", "0.2"]) == 1
    pantry = __import__("pantry")
    assert "woke scale" not in pantry.events
    pantry.waking.set()
    assert "failed   nutrition[0]    scale   no answer within 0.2 s" in capsys.readouterr().out


def test_check_tells_a_provider_that_cannot_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOD", "unbuildable")
    assert cli.main(["check", "--config", "t.yaml"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "foodlog: nutrition[0]: 'scale' of pantry 1.2 (entry point pantry) cannot start: "
        "the shelf is full"
    )


def test_check_refuses_a_key_file_the_server_would_refuse_and_makes_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = folder / "secret.key"
    (folder / "t.yaml").write_text(CONFIG.replace("secret:", "secret_file: secret.key, secret:"))
    key.write_text("short")
    assert cli.main(["check", "--config", "t.yaml"]) == 0, "it is not used beside a secret"
    text = CONFIG.partition("\n")[2] + "auth: {secret_file: secret.key}\n"
    (folder / "t.yaml").write_text(text)
    capsys.readouterr()
    assert cli.main(["check", "--config", "t.yaml"]) == 2
    assert "secret.key holds fewer than 32 bytes" in capsys.readouterr().err
    key.unlink()
    assert cli.main(["check", "--config", "t.yaml"]) == 0
    assert not key.exists()


@pytest.mark.parametrize("command", ["check", "config", "plugins"])
@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_a_configuration_error_is_a_message_and_exit_code_2(
    command: str,
    place: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "bad.yaml").write_text(CONFIG.replace("{use: guess}", "{use: guess}\nlimit: 3"))
    option = ["--config", "bad.yaml"]
    if place == "environment":
        monkeypatch.setenv("FOODLOG_CONFIG", "bad.yaml")
        option = []
    argv = [command, *option] if place == "after" else [*option, command]
    assert cli.main(argv) == 2
    assert capsys.readouterr().err == (
        "foodlog: the configuration bad.yaml cannot be used:\n"
        "  limit: no such setting (bad.yaml:8); did you mean 'limits'? Known: api, auth, breaker, "
        "classifiers, concurrency, cors, fallback, limits, logging, nutrition, prediction, "
        "storage.\n"
    )


def test_config_prints_every_value_with_its_origin_and_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASTER_KEY", "s3cr3t")
    monkeypatch.setenv("JWT_SECRET_KEY", "s3cr3t" * 6)
    assert cli.main(["config", "--config", "t.yaml"]) == 0
    printed = capsys.readouterr().out
    assert "s3cr3t" not in printed
    lines = printed.splitlines()
    assert lines[0] == "# t.yaml"
    for line in (
        "storage.use: shelf  # t.yaml:2",
        "classifiers[0].options.key: ********  # t.yaml:4, from TASTER_KEY",
        "classifiers[0].options.timeout: 3.0  # t.yaml:4",
        "nutrition[0].options.mood: fine  # t.yaml:6",
        "nutrition[0].options.pages: 5  # default",
        "auth.secret: ********  # t.yaml:1, from JWT_SECRET_KEY",
        "limits.photo_bytes: 10 MiB  # default",
        "cors.origins: [*]  # default",
    ):
        assert line in lines


def test_config_says_which_provider_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "--config", "t.yaml"]) == 0
    printed = capsys.readouterr().out
    assert "classifiers[0].optional: true (skipped)  # t.yaml:4\n" in printed
    assert "classifiers[0].options" not in printed


def listed(capsys: pytest.CaptureFixture[str], expected: int = 0) -> dict[str, dict[str, str]]:
    assert cli.main(["plugins", "--json", "--config", "t.yaml"]) == expected
    entries = json.loads(capsys.readouterr().out)
    return {e["name"]: e for e in entries if e["distribution"] != "foodlog"}


def test_plugins_lists_what_is_installed_and_why_it_is_not_in_use(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("foodlog-onnx", "import onnxruntime_missing", entry_point="onnx", version="0.1")
    install("larder", ONE_MORE)
    found = listed(capsys)
    assert found["shelf"] == {
        "name": "shelf",
        "kind": "storage",
        "distribution": "pantry",
        "version": "1.2",
        "status": "active: storage",
    }
    assert found["scale"]["status"] == "active: nutrition[0]"
    assert found["taster"]["status"].startswith("skipped: classifiers[0].options.key: required")
    assert found["cellar"]["status"] == "not in use: the configuration does not name it"
    assert found["onnx"] == {
        "name": "onnx",
        "kind": "?",
        "distribution": "foodlog-onnx",
        "version": "0.1",
        "status": "broken: ModuleNotFoundError: No module named 'onnxruntime_missing'; "
        "reinstall foodlog-onnx, or uninstall it",
    }


ONE_MORE = """
import foodlog
from foodlog.providers import Storage

class Cellar(Storage):
    name = "cellar"
    def check(self): ...

@foodlog.hookimpl
def foodlog_storages():
    return [Cellar]
"""


def test_plugins_is_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plugins", "--config", "t.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "kind", "distribution", "version", "status"]
    assert any(
        " ".join(line.split()) == "shelf storage pantry 1.2 active: storage" for line in lines
    )


def test_plugins_are_listed_even_where_the_configuration_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "t.yaml").write_text(CONFIG.replace("shelf", "shelve"))
    assert listed(capsys, 2)["shelf"]["status"] == "unknown: the configuration cannot be used"


def test_two_plugins_with_one_name_stop_every_command(
    install: Install, pantry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    install("larder", pantry)
    assert cli.main(["check", "--config", "t.yaml"]) == 2
    assert capsys.readouterr().err == (
        "foodlog: two plugins offer a storage provider named 'shelf': larder 1.0 (entry point "
        "larder) and pantry 1.2 (entry point pantry). Uninstall one of them, or rename its "
        "provider.\n"
    )


def test_check_warns_of_a_broken_plugin_nobody_asked_for(
    install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    install("foodlog-onnx", "import onnxruntime_missing", entry_point="onnx")
    assert cli.main(["check", "--config", "t.yaml"]) == 0
    said = capfd.readouterr().err
    assert "foodlog-onnx 1.0 (entry point onnx)" in said
    assert "reinstall foodlog-onnx, or uninstall it" in said


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("{a: 3}", "dish 'a': 3 is not a mapping like {\"ingredient\": grams}."),
        ("{pizza: {x: -3}}", "dish 'pizza', ingredient 'x': -3 is not a weight in grams; use a"),
    ],
)
def test_wrong_ingredient_weights_are_told_with_their_setting(
    folder: Path, capsys: pytest.CaptureFixture[str], weights: str, said: str
) -> None:
    text = f"prediction: {{ingredient_weights: {weights}}}\n"
    (folder / "t.yaml").write_text(text + CONFIG)
    assert cli.main(["check", "--config", "t.yaml"]) == 2
    where = "foodlog: prediction.ingredient_weights (t.yaml:1): "
    assert capsys.readouterr().err.startswith(where + said)


def test_an_interrupt_and_other_errors_have_their_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(error: BaseException) -> int:
        def run(_: object) -> int:
            raise error

        def register(subparsers: object) -> None:
            parser = subparsers.add_parser("fail")  # type: ignore[attr-defined]
            parser.set_defaults(run=run)

        monkeypatch.setattr(cli, "COMMANDS", [SimpleNamespace(register=register)])
        return cli.main(["fail"])

    assert raising(KeyboardInterrupt()) == 130
    assert raising(NotFound("there is no such photo")) == 1
    assert capsys.readouterr().err == "foodlog: there is no such photo\n"


def test_it_runs_as_a_module_and_refuses_an_unknown_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "foodlog", "dance"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "invalid choice: 'dance'" in done.stderr


@pytest.mark.parametrize("buffered", ["", "1"])
def test_whoever_stops_reading_gets_no_traceback(buffered: str) -> None:
    """As in ``foodlog config | head``; what is buffered is written when the program ends."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "foodlog", "config", "--reference"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": buffered},
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_reference_shows_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "--reference"]) == 0
    printed = capsys.readouterr().out
    assert "| `photo_bytes` | bytes from 1 KiB to 100 MiB, as in '64 KiB' | `10 MiB` |" in printed
    assert "### storage: `shelf`" not in printed

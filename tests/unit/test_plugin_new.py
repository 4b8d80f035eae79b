"""``foodlog plugin new``: which names it takes, what it says and what it leaves alone."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from foodlog.cli import main
from foodlog.commands.plugin_new import LONGEST_NAME, Names, contents
from foodlog.config import parse_config
from foodlog.errors import ConfigError
from foodlog.providers import KINDS


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["plugin", "new", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.removeprefix("foodlog: ").strip()


def test_it_writes_a_distribution_and_says_the_next_step(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugin", "new", "FoodLog_Swiss.Foods", "--kind", "nutrition"]) == 0
    assert capsys.readouterr().out == (
        "foodlog-swiss-foods holds the nutrition provider 'swiss_foods'. Next:\n\n"
        "  cd foodlog-swiss-foods\n"
        "  pip install -e '.[test]'   # FoodLog finds it from now on\n"
        "  pytest                     # every rule of the port\n"
        "  foodlog plugins            # lists it\n\n"
        "Then replace what foodlog_swiss_foods.py does with what it should do; README.md has the "
        "YAML.\n"
    )
    folder = here / "foodlog-swiss-foods"
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        "README.md",
        "foodlog_swiss_foods.py",
        "pyproject.toml",
        "tests/conftest.py",
        "tests/test_foodlog_swiss_foods.py",
    ]
    assert [path.name for path in here.iterdir()] == ["foodlog-swiss-foods"]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "foodlog-swiss-foods"
    assert project["dependencies"] == ["foodlog>=1.0,<2"]
    assert project["entry-points"] == {"foodlog": {"swiss_foods": "foodlog_swiss_foods"}}


def test_it_writes_where_it_is_told(here: Path) -> None:
    assert main(["plugin", "new", "guess", "--kind", "fallback", "--to", "a/b/guess"]) == 0
    assert (here / "a/b/guess/guess.py").is_file()


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("foodlog-onnx", ("foodlog-onnx", "foodlog_onnx", "onnx", "OnnxClassifier")),
        ("My_Taste", ("my-taste", "my_taste", "my_taste", "MyTasteClassifier")),
        ("classifier", ("classifier", "classifier", "classifier", "ClassifierClassifier")),
    ],
)
def test_all_names_come_from_one(name: str, names: tuple[str, ...]) -> None:
    assert Names.of(name, "classifier") == Names(*names)


@pytest.mark.parametrize(
    "name",
    ["", "-", "a b", "../evil", "a/b", "näme", "foodlog-", ".hidden", "x" * (LONGEST_NAME + 1)],
)
def test_a_name_that_is_none_of_a_distribution(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    said = refusal(capsys, "--kind", "fallback", "--", name)
    assert said == (
        f"{name!r} cannot be the name of a distribution. Allowed: letters and digits with single "
        "hyphens between, 60 characters at most, as in foodlog-onnx."
    )
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(("name", "word"), [("2nd", "2nd"), ("foodlog-class", "class")])
def test_a_name_that_python_cannot_import(name: str, word: str) -> None:
    with pytest.raises(ConfigError, match=f"gives the name '{word}', which Python cannot import"):
        Names.of(name, "storage")


def test_a_name_that_is_taken(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "foodlog-synthetic", "--kind", "fallback").startswith(
        "there is a fallback provider 'synthetic' already, of foodlog "
    )
    assert refusal(capsys, "json", "--kind", "fallback") == (
        "a module 'json' is installed already, and the plugin would hide it; choose another name, "
        "as in foodlog-json."
    )
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["manual", "foodlog-local-fallback", "huggingface-space", "gps", "usda_fdc"]
)
def test_a_word_that_means_something_else_in_a_meal(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    word = Names.of(name, "classifier").provider
    assert refusal(capsys, name, "--kind", "classifier") == (
        f"a classifier cannot be named '{word}': in the inference_source or the metadata of a meal "
        "clients take that word for something else; choose another name."
    )
    assert list(here.iterdir()) == []
    assert main(["plugin", "new", name, "--kind", "storage"]) == 0


def test_a_folder_that_exists_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "guess").mkdir()
    assert refusal(capsys, "guess", "--kind", "fallback") == (
        "guess exists already and is left alone; name another folder with --to."
    )
    (here / "link").symlink_to("nowhere")
    assert "link exists already" in refusal(capsys, "guess", "--kind", "fallback", "--to", "link")
    assert list((here / "guess").iterdir()) == []


def test_a_folder_that_cannot_be_made(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert refusal(capsys, "guess", "--kind", "fallback", "--to", "file/guess") == (
        "file/guess cannot be made (File exists: file); name a folder you may write to with --to."
    )


def test_what_cannot_be_finished_leaves_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "guess")

    monkeypatch.setattr(Path, "rename", full)
    assert "guess cannot be made (No space left on device: guess)" in refusal(
        capsys, "guess", "--kind", "fallback"
    )
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_clean_and_its_yaml_can_be_read(here: Path, kind: str) -> None:
    names = Names.of("foodlog-mine", kind)
    for path, text in contents(names, kind).items():
        assert "$" not in text
        target = here / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    rules = "E,F,W,I,N,UP,B,D1,ANN,PT,RUF,SIM"
    settings = ["--isolated", "--line-length", "100"]
    for command in (["check", "--select", rules], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings, "."], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    readme = (here / "README.md").read_text()
    config = parse_config(_whole(readme.split("```yaml\n")[1].split("```")[0]), "t", {})
    uses = [config.storage, *config.classifiers, *config.nutrition, config.fallback]
    assert "mine" in [use.use for use in uses]
    ast.parse((here / "foodlog_mine.py").read_text())


def _whole(section: str) -> str:
    """A configuration with this section in it."""
    rest = {"storage": "{use: sqlite_storage}", "fallback": "{use: synthetic}"}
    rest["auth"] = "{secret: 0123456789abcdef0123456789abcdef}"
    missing = [f"{key}: {text}" for key, text in rest.items() if not section.startswith(key)]
    return "\n".join([section, *missing])

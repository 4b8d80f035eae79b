"""Each kind of plugin that ``foodlog plugin new`` writes works at once, installed by pip."""

import json
import site
import subprocess
import sys
from pathlib import Path

import pytest

from foodlog.providers import KINDS

pytestmark = pytest.mark.xdist_group("plugin_new")


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one plugin of each kind, and an environment in which they are installed
    beside all that is installed here."""
    folder = tmp_path_factory.mktemp("workshop")
    run(sys.executable, "-m", "venv", "--without-pip", "env", cwd=folder)
    packages = next((folder / "env").glob("lib/python*/site-packages"))
    here = site.getsitepackages()[0]
    (packages / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    for kind in KINDS:
        command = ("-m", "foodlog", "plugin", "new", f"foodlog-new-{kind}", "--kind", kind)
        run(sys.executable, *command, cwd=folder)
    pip = ("-m", "pip", "--python", folder / "env/bin/python", "install", "--quiet")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    editable = [part for kind in KINDS for part in ("-e", folder / f"foodlog-new-{kind}")]
    run(sys.executable, *pip, *offline, *editable, cwd=folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass_and_foodlog_lists_it(workshop: Path, kind: str) -> None:
    python, plugin = workshop / "env/bin/python", workshop / f"foodlog-new-{kind}"
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=plugin)
    assert " passed" in said
    assert " failed" not in said
    listed = json.loads(run(python, "-m", "foodlog", "plugins", "--json", cwd=workshop))
    (row,) = [row for row in listed if row["distribution"] == f"foodlog-new-{kind}"]
    assert (row["name"], row["kind"]) == (f"new_{kind}", kind)
    assert row["status"] == "not in use: the configuration does not name it"

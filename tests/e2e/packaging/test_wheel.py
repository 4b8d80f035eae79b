"""The wheel holds all it takes to serve: plugins, configurations, tables, the contract, pages."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest
import requests

from foodlog.testing import photos

pytestmark = [pytest.mark.xdist_group("packaging"), pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[3]
PACKAGES = {"foodlog": "foodlog", "plugins/foodlog_plugins": "foodlog_plugins"}
PACKAGES["config"] = "foodlog_config"


def files_of_the_packages():
    for folder, package in PACKAGES.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(ROOT / folder).as_posix()}"


def test_every_file_of_the_packages_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert sorted(set(files_of_the_packages()) - packed) == []
    assert not [name for name in packed if "test" in name and not name.startswith("foodlog/")]


def test_the_licence_and_the_types_are_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.namelist()
    assert [name for name in packed if name.endswith(".dist-info/licenses/LICENSE")]
    assert "foodlog/py.typed" in packed, "or a type checker takes all of the ports for Any"


def run(installed, *arguments, cwd, environ=None):
    return subprocess.run(
        [installed.python, *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_nothing_of_the_repository_is_visible(installed, tmp_path):
    code = "import foodlog, foodlog_plugins, foodlog_config, json, sys\n"
    code += "modules = [foodlog, foodlog_plugins, foodlog_config]\n"
    code += "print(json.dumps([[m.__file__ for m in modules], sys.path]))"
    done = run(installed, "-c", code, cwd=tmp_path)
    files, path = json.loads(done.stdout)
    assert all(Path(file).is_relative_to(installed.path) for file in files)
    assert not [entry for entry in path if Path(entry).is_relative_to(ROOT)]
    assert run(installed, "-c", "import pytest", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("config", ["local.yaml", "aws.yaml", "render.yaml"])
def test_the_installed_configurations_work(installed, tmp_path, config):
    file = installed.site_packages / "foodlog_config" / config
    environ = {"JWT_SECRET_KEY": "k" * 32, "AWS_BUCKET_NAME": "photos", "AWS_REGION": "eu-west-1"}
    done = run(
        installed, "-m", "foodlog", "plugins", "--config", file, cwd=tmp_path, environ=environ
    )
    assert done.returncode == 0, done.stderr
    for provider in ("sqlite_storage", "aws_storage", "huggingface", "usda", "synthetic"):
        assert provider in done.stdout


def test_it_serves_from_an_empty_folder(installed, serving, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    server = serving([installed.path / "bin" / "foodlog", "serve"], folder)
    files = {"photo": ("meal.jpg", photos.jpeg(64, 48), "image/jpeg")}
    meal = requests.post(f"{server.url}/predict", files=files, timeout=30)
    assert meal.status_code == 200
    assert meal.json()["calories"] > 0, "dishes.yaml and foods.csv are there"
    for page in ("/openapi.yaml", "/docs", "/health/ready"):
        assert requests.get(server.url + page, timeout=30).status_code == 200, page
    assert server.stop() == 0
    assert sorted(path.name for path in folder.iterdir()) == ["data"]

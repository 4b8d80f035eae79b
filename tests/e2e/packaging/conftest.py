"""FoodLog installed where nothing of the repository and of its environment can be seen."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from servers import Server, free_port

ROOT = Path(__file__).parents[3]
SOURCES = ("config", "foodlog", "plugins")
FILES = ("constraints.txt", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")


def closure(requirements):
    """The installed distributions these need, by name. What is required but not installed here is
    an error: the tests' environment was made from the same declarations."""
    found, todo = {}, list(requirements)
    while todo:
        requirement = todo.pop()
        name = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if name in found:
            continue
        found[name] = distribution(requirement.name)
        todo += needed(found[name], requirement.extras)
    return {name: dist for (name, _), dist in found.items()}


def needed(dist, extras):
    """What a distribution requires, on this machine, with these extras."""
    requirements = map(Requirement, dist.requires or ())
    environments = [{"extra": extra} for extra in ("", *extras)]
    return [
        each
        for each in requirements
        if not each.marker or any(map(each.marker.evaluate, environments))
    ]


def pack(dist, folder):
    """Make a wheel again of a distribution that is installed here."""
    tags = re.findall(r"^Tag: (\S+?)-(\S+?)-(\S+)", dist.read_text("WHEEL"), re.MULTILINE)
    tag = "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))
    name = canonicalize_name(dist.name).replace("-", "_")
    with zipfile.ZipFile(folder / f"{name}-{dist.version}-{tag}.whl", "w") as wheel:
        for file in dist.files:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                wheel.write(file.locate(), file.as_posix())


class Environment:
    """An environment of Python's, at first with nothing in it."""

    def __init__(self, path):
        self.path = path
        command = [sys.executable, "-m", "venv", "--without-pip", str(path)]
        subprocess.run(command, check=True, timeout=60)
        self.python = path / "bin" / "python"

    @property
    def site_packages(self):
        return next(self.path.glob("lib/python3*/site-packages"))


def clean_environ(**more):
    """The environment without what would make the repository or settings of tests visible."""
    dropped = ("FOODLOG", "PYTHON", "COV", "VIRTUAL", "AWS", "HF_", "FDC", "JWT", "PIP", "PORT")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    return kept | more


@pytest.fixture
def serving(tmp_path):
    """A function that starts a FoodLog command in an environment of its own variables; what it
    started is gone afterwards."""
    started = []

    def serving(command, folder, **environ):
        port = free_port()
        environ = clean_environ(**{**environ, "PORT": str(port)})
        log = tmp_path / f"server-{len(started)}.log"
        started.append(Server(command, port, log, cwd=folder, env=environ))
        return started[-1].start()

    yield serving
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """What a package is built from, without anything that was built before."""
    folder = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, folder)
    return folder


@pytest.fixture(scope="session")
def offline(sources, tmp_path_factory):
    """Variables that let pip find what FoodLog declares to need, and setuptools, without a network:
    packed again from the tests' own environment, which was made with the same constraints."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    declared = ConfigParser()
    declared.read(sources / "setup.cfg")
    lines = declared["options"]["install_requires"].split("\n")
    for extra in ("aws", "heic"):
        lines += declared["options.extras_require"][extra].split("\n")
    for dist in closure(map(Requirement, ["pip", "setuptools", *filter(None, lines)])).values():
        pack(dist, folder)
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}
    return found | {"PIP_NO_COMPILE": "1"}


@pytest.fixture(scope="session")
def pip(offline):
    """A function that runs pip."""

    def pip(*arguments):
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        done = subprocess.run(
            [*command, *map(str, arguments)],
            env=clean_environ(**offline),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr

    return pip


@pytest.fixture(scope="session")
def wheel(sources, pip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "-w", folder, sources)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel, pip, tmp_path_factory):
    """An environment into which pip installed the wheel, with two of its extras."""
    environment = Environment(tmp_path_factory.mktemp("installed"))
    constraints = ROOT / "constraints.txt"
    into = ("--python", environment.python, "install", "--constraint", constraints)
    pip(*into, f"{wheel}[aws,heic]")
    return environment


@pytest.fixture(scope="session")
def new_image(pip):
    """A function that makes what stands for a Python image: it has pip and nothing else."""

    def new_image(path):
        image = Environment(path)
        pip("--python", image.python, "install", "pip")
        return image

    return new_image

"""The Dockerfile's own steps, one by one and in order, without Docker.

Each stage is a folder that stands for the image's root: absolute paths of the instructions are
moved below it, an environment of Python's stands for the base image's. pip runs as written, but
without a network. The commands that only root may run are recorded.
"""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from foodlog.testing import photos

pytestmark = [pytest.mark.xdist_group("packaging"), pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[3]
FOLDERS = re.compile(r"(?<![\w./])(?=/(?:opt|src|data|etc/foodlog)\b)")
OLD_RUN = """-e STORAGE_BACKEND=aws -e AWS_REGION=eu-west-1 -e AWS_BUCKET_NAME=photos
    -e AWS_DYNAMODB_TABLE=FoodLogHistory -e AWS_USERS_TABLE=FoodLogUsers -e AWS_ACCESS_KEY_ID=AKIA
    -e AWS_SECRET_ACCESS_KEY=secret -e HF_API_TOKEN=hf_token -e FDC_API_KEY=fdc_key"""
"""The variables of the Flask service's ``docker run``."""


def instructions(text):
    """The instructions of a Dockerfile: a word in capitals and the rest."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]


class Build:
    """Carries instructions out; afterwards it says what the image is like."""

    def __init__(self, folder, context, new_environment, offline):
        self.root = folder / "root"
        self.user, self.volumes, self.exposed = "root", [], []
        self.health = self.command = None
        self.privileged = []
        self._folder, self._context = folder, context
        self._new_environment, self._offline = new_environment, offline
        self._stages, self._names = [], []

    def carry_out(self, name, rest):
        getattr(self, f"_{name.lower()}")(rest)

    def inside(self, text):
        return FOLDERS.sub(str(self.root), text)

    def environ(self, **more):
        path = self.env.get("PATH", "$PATH").replace("$PATH", str(self._base.path / "bin"))
        values = {name: self.inside(value) for name, value in (self.env | more).items()}
        return values | {"PATH": f"{self._folder / 'stubs'}:{self.inside(path)}:/usr/bin:/bin"}

    def _from(self, rest):
        assert re.fullmatch(r"python:3\.1\d-slim( AS \w+)?", rest)
        if self.root.exists():
            self._stages.append(self.root.rename(self._folder / f"stage-{len(self._stages)}"))
        self._names.append(rest.partition(" AS ")[2])
        self.root.mkdir(parents=True)
        self.env, self.workdir = {}, self.root
        self._base = self._new_environment(self.root / "usr" / "local")

    def _workdir(self, rest):
        self.workdir = Path(self.inside(rest))
        self.workdir.mkdir(parents=True, exist_ok=True)

    def _env(self, rest):
        name, _, value = rest.partition("=")
        self.env[name] = value

    def _run(self, rest):
        program = rest.split()[0]
        if program in ("apt-get", "useradd", "chown"):
            self.privileged.append(rest)
            return
        assert self.user == "root"
        done = subprocess.run(
            ["/bin/sh", "-ec", self.inside(rest)],
            cwd=self.workdir,
            env=self.environ(**self._offline, HOME=str(self._folder)),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, (rest, done.stderr)

    def _copy(self, rest):
        *sources, target = shlex.split(rest)
        target = Path(self.inside(target)) if target.startswith("/") else self.workdir / target
        base = self._context
        if sources[0].startswith("--from="):
            base = self._stages[self._names.index(sources.pop(0).removeprefix("--from="))]
        for source in sources:
            for found in [base] if source == "." else list(base.glob(source.lstrip("/"))):
                if found.is_dir():
                    shutil.copytree(found, target, dirs_exist_ok=True, symlinks=True)
                else:
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(found, target)

    def _user(self, rest):
        self.user = rest

    def _volume(self, rest):
        self.volumes.append(rest)

    def _expose(self, rest):
        self.exposed.append(rest)

    def _healthcheck(self, rest):
        self.health = json.loads(rest.partition(" CMD ")[2])

    def _cmd(self, rest):
        self.command = json.loads(rest)

    def run(self, command, **environ):
        """What ``docker run`` does with this command and these variables, to its end."""
        return subprocess.run(
            [shutil.which(command[0], path=self.environ()["PATH"]), *command[1:]],
            cwd=self.workdir,
            env=self.environ(**environ),
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """What Docker is sent: everything the last rule of .dockerignore that fits lets through."""
    folder = tmp_path_factory.mktemp("context")
    rules = [r for r in (ROOT / ".dockerignore").read_text().splitlines() if r and r[0] != "#"]
    assert rules[0] == "*"
    ignored = shutil.ignore_patterns(*(r.removeprefix("**/") for r in rules if r[:3] == "**/"))
    for name in (rule[1:] for rule in rules if rule[0] == "!"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.exists():
            shutil.copy2(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory, context, new_image, offline):
    built = Build(tmp_path_factory.mktemp("image"), context, new_image, offline)
    for name, rest in instructions((ROOT / "Dockerfile").read_text()):
        built.carry_out(name, rest)
    return built


def test_it_serves_as_its_own_user_and_says_how_it_is(image, serving, tmp_path):
    data = tmp_path / "volume"
    data.mkdir()
    environ = image.environ(HOST="127.0.0.1", FOODLOG_DATA=str(data))
    command = [shutil.which(image.command[0], path=environ["PATH"]), *image.command[1:]]
    server = serving(command, image.workdir, **environ)
    port = server.url.rpartition(":")[2]
    assert image.run(image.health, PORT=port).returncode == 0
    files = {"photo": ("meal.jpg", photos.jpeg(64, 48), "image/jpeg")}
    assert requests.post(f"{server.url}/predict", files=files, timeout=30).status_code == 200
    assert server.stop() == 0
    assert image.run(image.health, PORT=port).returncode != 0
    assert {"foodlog.db", "secret.key"} <= {path.name for path in data.iterdir()}
    assert '"event":' in server.log, "JSON for the platform's log"


def test_it_is_what_a_container_should_be(image):
    assert image.user == "foodlog"
    assert any(step.startswith("useradd") for step in image.privileged)
    assert "chown foodlog:foodlog /data" in image.privileged
    assert (image.volumes, image.exposed) == (["/data"], ["5000"])
    assert image.env["FOODLOG_DATA"] == "/data"
    assert image.env["HOST"] == "0.0.0.0"
    assert image.env["PORT"] == "5000"


def test_nothing_to_build_with_is_left(image):
    names = {path.name.lower() for path in image.root.rglob("site-packages/*")}
    assert not [n for n in names if re.match(r"(pip|setuptools|wheel|pytest)\b", n)], names
    assert not (image.root / "src").exists()
    assert shutil.which("pip", path=str(image.root / "usr/local/bin")) is None


def test_the_licence_is_in_the_image(image):
    assert list(image.root.rglob("foodlog-*.dist-info/licenses/LICENSE"))


def test_the_shipped_configurations_are_where_operators_look(image):
    shipped = {path.name for path in (ROOT / "config").glob("*.yaml")}
    assert {path.name for path in (image.root / "etc" / "foodlog").iterdir()} == shipped


def old_variables():
    return dict(pair.split("=") for pair in shlex.split(OLD_RUN)[1::2])


def test_the_old_docker_run_needs_one_variable_more_and_is_told_which(image):
    done = image.run(["foodlog", "serve"], **old_variables())
    assert done.returncode == 2
    assert "JWT_SECRET_KEY" in done.stderr
    assert "several must share the key" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_variables_of_the_old_docker_run_arrive(image):
    done = image.run(["foodlog", "config"], **old_variables(), JWT_SECRET_KEY="k" * 40)
    assert done.returncode == 0, done.stderr
    shown = dict(re.findall(r"^(\S+): (\S+)", done.stdout, re.MULTILINE))
    assert shown["storage.options.bucket"] == "photos"
    assert shown["storage.options.region"] == "eu-west-1"
    assert shown["storage.options.meals_table"] == "FoodLogHistory"
    assert shown["storage.options.users_table"] == "FoodLogUsers"
    assert "hf_token" not in done.stdout
    assert "(skipped)" not in next(
        line for line in done.stdout.splitlines() if line.startswith("classifiers[0].")
    )


def test_another_port_is_honoured(image):
    done = image.run(["foodlog", "serve", "--help"], PORT="8080")
    assert "8080" in done.stdout

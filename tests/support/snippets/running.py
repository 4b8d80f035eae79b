"""A reader: goes through a page in a folder and checks that everything is as the page says."""

import ast
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from servers import free_port

from foodlog.settings import SECTIONS
from foodlog.testing.aws import moto_server

from .matching import matches
from .pages import CHECKED, PLAIN, REPOSITORY, SHELLS, Block, commands
from .sessions import Session

WRITTEN = "127.0.0.1:5000"
"""Where the server listens on every page."""
CONFIGURATION = {*SECTIONS, "storage", "classifiers", "nutrition", "fallback"}

_SERVER = re.compile(r"^(?P<environ>(?:\w+=\S* )*)(?P<program>make run|foodlog serve|gunicorn)\b")
# What a page calls "make" is looked up, not made: the test may be running under make itself.
# "pip install FOLDER" installs for the page alone, and nothing from elsewhere.
_SHELL = """
make() { command make --no-print-directory -n -C "$REPOSITORY" "$@" > /dev/null; }
pip() {
  local folder="${@: -1}"
  [ "$1" = install ] && [ -d "${folder%[*}" ] || { echo "pip $*: beyond this test"; return 1; }
  python -m pip install --quiet --no-index --no-deps --no-build-isolation --upgrade \\
    --target "$PYTHONPATH" "${folder%[*}" 2> /dev/null
}
"""
_AWS = "STORAGE_BACKEND=aws"
# A page that says so once has an account: empty, on this machine.
_ACCOUNT = """
export AWS_ENDPOINT_URL={} AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
export AWS_REGION=eu-west-1 AWS_BUCKET_NAME=meals JWT_SECRET_KEY=0123456789abcdef0123456789abcdef
# The first request to each service loads it, which may take longer than FoodLog waits.
curl -s -m 30 -o /dev/null "$AWS_ENDPOINT_URL"
curl -s -m 30 -o /dev/null -H 'X-Amz-Target: DynamoDB_20120810.ListTables' "$AWS_ENDPOINT_URL"
"""
_STOP = "kill $SERVER 2> /dev/null && { wait $SERVER || true; }\n"
_WAIT = """SERVER=$!
for _ in $(seq 600); do
  curl -sf -o /dev/null http://{address}/health && break
  kill -0 $SERVER 2> /dev/null || break
  sleep 0.1
done
sed '/route.*\\/health/d' {log}
curl -sf -o /dev/null http://{address}/health
"""


class Wrong(AssertionError):
    """A page says what is not so."""


class Reader:
    """Runs the blocks of one page in ``folder``, in order; a context manager."""

    def __init__(self, folder: Path, page: str) -> None:
        """An example's page is read in the example's own folder, any other one at the top."""
        self._folder = folder
        self._start = folder / Path(page).parent if page.startswith("examples/") else folder
        self._address = f"127.0.0.1:{free_port()}"
        self._stack = contextlib.ExitStack()
        self._sessions: dict[str, Session] = {}
        self._serving = self._on_aws = False
        self._printed: str | None = None
        self._count = 0
        _furnish(folder)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def read(self, block: Block) -> None:
        """Do what the block says. Raises :class:`Wrong`."""
        if block.language not in (*CHECKED, *PLAIN):
            raise Wrong(f"{block.place}: {block.language!r} is none of {(*CHECKED, *PLAIN)}")
        if block.excerpt_of:
            self._find(block, self._folder / block.excerpt_of)
        elif block.tested_by:
            check_tested(block)
        else:
            check_syntax(block)
            self._follow(block)

    def _follow(self, block: Block) -> None:
        if block.output:
            self._expect(block, block.text, self._printed)
        elif block.file:
            self._write(block.file, block.text)
        elif not block.not_run:
            self._run(block)

    def _run(self, block: Block) -> None:
        if block.language in SHELLS:
            shown = commands(block)
            for number, (command, output) in enumerate(shown, 1):
                code = block.exit if number == len(shown) else 0
                self._command(block, command, output, code)
        elif block.language in ("python", "javascript"):
            if block.language == "python" or shutil.which("node"):
                self._execute(block, block.language, block.text, block.exit)
        elif block.language == "yaml":
            self._configure(block)

    def _configure(self, block: Block) -> None:
        file = self._folder / f".configuration-{self._count}.yaml"
        file.write_text(whole_configuration(block), encoding="utf-8")
        given = " ".join(f"{name}={value}" for name, value in _variables(block.text).items())
        self._execute(block, "bash", f"{given} foodlog config --config {file} > /dev/null", 0)

    def _find(self, block: Block, file: Path) -> None:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        lines = {line.strip() for line in text.splitlines()}
        if _flat(block.text) not in _flat(text):
            missing = [line for line in block.text.splitlines() if line.strip() not in lines]
            raise Wrong(f"{block.place}: not so in {block.excerpt_of}: {missing or 'its order'}")

    def _command(self, block: Block, command: str, shown: str, code: int) -> None:
        server = _SERVER.match(command)
        if server and not code:
            command = self._server_command(server, command)
        self._execute(block, "bash", command, code, serves=bool(server))
        if shown:
            self._expect(block, shown, self._printed)

    def _server_command(self, found: re.Match[str], command: str) -> str:
        """Start it in the background, in place of the one before, and wait until it answers."""
        program, arguments = found["program"], command[found.end() :].strip().removesuffix("&")
        if program == "make run":
            program, arguments = "foodlog serve", _made(arguments)
        where = "--bind {}" if program == "gunicorn" else "--host {} --port {}"
        address = [self._address] if program == "gunicorn" else self._address.split(":")
        log = f".server-{self._count}.log"
        start = f"{found['environ']}{program} {arguments} {where.format(*address)} > {log} 2>&1 &\n"
        stop, self._serving = _STOP if self._serving else "", True
        return stop + start + _WAIT.format(address=self._address, log=log)

    def _execute(
        self, block: Block, language: str, text: str, code: int, serves: bool = False
    ) -> None:
        if WRITTEN in text and not self._serving and not serves:
            self._command(block, "foodlog serve --config config/local.yaml", "", 0)
        if _AWS in text and not self._on_aws:
            self._on_aws = True
            self._source(_ACCOUNT.format(self._stack.enter_context(moto_server())))
        file = self._folder / f".block-{self._count}"
        self._count += 1
        file.write_text(text.replace(WRITTEN, self._address), encoding="utf-8")
        got, printed = self._session(language).run(file)
        self._printed = self._as_written(printed)
        if got != code:
            raise Wrong(f"{block.place}: exit code {got}, not {code}:\n{text}\n{self._printed}")

    def _expect(self, block: Block, shown: str, printed: str | None) -> None:
        if printed is None:
            raise Wrong(f"{block.place}: it is the output of nothing")
        if not matches(shown, printed):
            raise Wrong(f"{block.place}: shown is\n{shown}\nbut printed was\n{printed}")

    def _as_written(self, printed: str) -> str:
        for found, written in (
            (self._address, WRITTEN),
            (f"{self._folder}/", ""),
            (f"{REPOSITORY}/", ""),
        ):
            printed = printed.replace(found, written)
        return printed

    def _session(self, language: str) -> Session:
        if language not in self._sessions:
            session = Session(language, self._start, _environ(self._folder))
            self._sessions[language] = self._stack.enter_context(session)
            if language == "bash":
                self._source(_SHELL)
        return self._sessions[language]

    def _source(self, settings: str) -> None:
        session = self._session("bash")
        profile = self._folder / ".profile"
        profile.write_text(settings)
        session.run(profile)

    def _write(self, name: str, text: str) -> None:
        path = (self._folder / name).resolve()
        assert path.is_relative_to(self._folder.resolve()), name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(WRITTEN, self._address), encoding="utf-8")


def _made(variables: str) -> str:
    """The arguments with which the Makefile calls ``foodlog serve`` for ``make run VARIABLES``."""
    given = dict(word.split("=", 1) for word in variables.split())
    return f"--config {given.get('CONFIG', 'config/local.yaml')}"


def check_syntax(block: Block) -> None:
    """Refuse what its language cannot read. Raises :class:`Wrong`."""
    try:
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "json" and not block.output:
            json.loads(re.sub(r",?\s*(…|\.\.\.)(?=\s*[\]}])", "", block.text))
        elif block.language == "yaml":
            list(yaml.safe_load_all(block.text))
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language in SHELLS:
            for command, _ in commands(block):
                _parse_shell(command)
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        raise Wrong(f"{block.place}: {error}") from error


def whole_configuration(block: Block) -> str:
    """The fragment over the shipped default. Raises :class:`Wrong` where it is none."""
    fragment: Any = yaml.safe_load(block.text)
    if not isinstance(fragment, dict) or not CONFIGURATION.issuperset(fragment):
        raise Wrong(f"{block.place}: this is no configuration; mark it as a file or as not run")
    local = (REPOSITORY / "config" / "local.yaml").read_text(encoding="utf-8")
    return str(yaml.safe_dump(yaml.safe_load(local) | fragment))


def check_tested(block: Block) -> None:
    """Refuse a test that does not speak of the page. Raises :class:`Wrong`."""
    test = REPOSITORY / str(block.tested_by)
    if not test.is_file() or Path(block.page).name not in test.read_text(encoding="utf-8"):
        raise Wrong(f"{block.place}: {block.tested_by} does not test {block.page}")


def _flat(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _variables(text: str) -> Mapping[str, str]:
    names = re.findall(r"\$\{(\w+)[}:-]", text)
    values = {name: f"{name.lower()}-in-a-test-of-32-bytes" for name in names}
    values |= {name: "https://example.org/" for name in names if name.endswith("URL")}
    return {name: value for name, value in values.items() if f"${{{name}}}" in text}


def _parse_shell(command: str) -> None:
    parsed = subprocess.run(
        ["bash", "-n"], input=command, capture_output=True, text=True, check=False
    )
    if parsed.returncode:
        raise ValueError(parsed.stderr)


def _furnish(folder: Path) -> None:
    """What a reader finds in the folder: the checkout's, as far as pages name it."""
    (folder / "docs").mkdir()
    shutil.copy(REPOSITORY / "docs" / "sample-meal.jpg", folder / "docs")
    shutil.copytree(REPOSITORY / "config", folder / "config")
    shutil.copy(REPOSITORY / "gunicorn.conf.py", folder)
    (folder / ".venv").symlink_to(sys.prefix)
    if (REPOSITORY / "examples").is_dir():
        kept = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        shutil.copytree(REPOSITORY / "examples", folder / "examples", ignore=kept)


def _environ(folder: Path) -> Mapping[str, str]:
    """Nothing of the developer's own; one process serves, on a machine that does other things."""
    programs = Path(sys.executable).parent
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
        "REPOSITORY": str(REPOSITORY),
        "WEB_CONCURRENCY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # A pytest that ends clears away what earlier ones left, of this machine's as well.
        "PYTEST_DEBUG_TEMPROOT": str(folder),
        "PYTHONPATH": str(folder / ".site-packages"),
    }

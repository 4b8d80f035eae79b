"""README, pages and code speak of the same routes, commands, errors, providers and settings."""

import ast
import re
import types
from pathlib import Path
from xml.etree import ElementTree

import pytest
from snippets import pages

from foodlog import cli
from foodlog.config import shipped_files
from foodlog.discovery import discover
from foodlog.errors import ConfigError, FoodLogError, Rejected
from foodlog.routes import routes
from foodlog.settings import SECTIONS, section_fields
from foodlog.testing import photos
from foodlog.testing.client import Client, embedded

PAGES = {pages.name(page): page.read_text(encoding="utf-8") for page in pages.pages()}
EVERYTHING = "\n".join(PAGES.values())
API = PAGES["docs/api.md"]
CODE = pages.REPOSITORY / "foodlog"
METHODS = ("get", "post", "put", "patch", "delete")


def code_spans(text):
    """What stands between single backticks outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^\s*(```+).*?^\s*\1", "", text))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Method and path of every route, such as ``GET /uploads/{key}``."""
    with Client(embedded(tmp_path_factory.mktemp("app"))) as client:
        table = routes(client.app.config, client.app.worker)
    return {
        f"{method.upper()} {re.sub(r':[a-z]+}', '}', path)}"
        for path, resource in table
        for method in METHODS
        if hasattr(resource, f"on_{method}")
    }


def test_the_table_of_routes_is_that_of_the_code(served):
    table = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", API, re.MULTILINE))
    assert table == {route for route in served if " /api/" not in route}


def test_every_route_has_its_twin_for_the_legacy_app(served):
    twins = {re.sub(" /api/", " /", route) for route in served if " /api/" in route}
    for older in ("POST /signup", "POST /login", "GET /profile"):
        twins.remove(older)
        assert f"`{older.replace(' ', ' /api')}`" in API
    alone = {route for route in served if " /api/" not in route} - twins
    assert {route.split("/")[1].split(".")[0] for route in alone} == {"docs", "openapi"}


@pytest.mark.parametrize("name", PAGES)
def test_routes_that_a_page_names_exist(served, name):
    spans = code_spans(PAGES[name])
    named = {
        span.split("?")[0] for span in spans if re.match(r"(GET|POST|PUT|PATCH|DELETE) /", span)
    }
    assert named <= served


def commands():
    [subparsers] = [a for a in cli.parser()._actions if getattr(a, "choices", None)]
    return set(subparsers.choices)


def test_commands_of_the_code_and_of_the_pages_are_the_same():
    named = re.findall(r"(?:^\$ |`|^|\| )(?:\w+=\S+ )*foodlog ([a-z]+)\b", EVERYTHING, re.MULTILINE)
    assert set(named) == commands()


def defined_errors():
    """Status and code of every error that can be answered."""
    pending, found = [FoodLogError], {(405, "method_not_allowed")}
    classes = {}
    while pending:
        error = pending.pop()
        if error.__module__.startswith("foodlog."):
            pending += error.__subclasses__()
            classes[error.__name__] = error
    answered = [e for e in classes.values() if not issubclass(e, (ConfigError, Rejected))]
    found |= {(e.status, e.code) for e in answered if not e.__name__.startswith("_")}
    for source in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in classes:
                codes = [k.value for k in node.keywords if k.arg == "code"]
                status = classes[node.func.id].status
                found |= {(status, code.value) for code in codes if isinstance(code, ast.Constant)}
    return found


def test_the_table_of_errors_is_that_of_the_code():
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", API, re.MULTILINE)
    table = {(int(status), code) for status, codes in rows for code in code_spans(codes)}
    assert table == defined_errors()


def test_the_picture_names_every_provider_that_comes_with_foodlog():
    picture = ElementTree.parse(pages.REPOSITORY / "docs" / "architecture.svg")
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    named = {word for text in texts for word in re.split(", ", text)}
    ours = {o.name for o in discover().offers if o.source.distribution == "foodlog"}
    assert ours <= named
    assert ours <= set(code_spans(PAGES["CHANGELOG.md"]))


def test_every_shipped_configuration_is_named_and_every_named_one_is_shipped():
    named = set(re.findall(r"\bconfig/([a-z]+\.yaml)", EVERYTHING))
    assert named == {path.name for path in shipped_files()}


@pytest.mark.parametrize("name", PAGES)
def test_settings_that_a_page_names_exist(name):
    sections = {section: set(section_fields(kind)) for section, kind in SECTIONS.items()}
    named = [span.split(":")[0].split(".") for span in code_spans(PAGES[name])]
    for section, setting in (parts for parts in named if len(parts) == 2 and parts[0] in sections):
        assert setting in sections[section], f"{section}.{setting}"


def test_events_that_are_worth_an_alert_are_logged_so():
    table = PAGES["docs/operating.md"].split("Worth an alert:")[1].split("\n\n")[1]
    events = re.findall(r"`([a-z]+(?: [a-z]+)+)`", table)
    code = _text_of(pages.REPOSITORY / "foodlog")
    assert len(events) >= 5
    for event in events:
        assert f'"{event}"' in code, event


@pytest.mark.parametrize("name", PAGES)
def test_environment_variables_that_a_page_names_are_read(name):
    read = _text_of(*(pages.REPOSITORY / folder for folder in ("config", "foodlog", "plugins")))
    outside = {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    for span in code_spans(PAGES[name]):
        for variable in re.findall(r"^[A-Z][A-Z0-9]*_[A-Z0-9_]+(?==|$)", span):
            assert variable in outside or variable in read, variable


def _text_of(*folders: Path):
    files = [f for folder in folders for kind in ("*.py", "*.yaml") for f in folder.rglob(kind)]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_targets_that_a_page_names_are_in_the_makefile():
    makefile = (pages.REPOSITORY / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r"(?:`|^\$ )make ([a-z]+)\b|^make ([a-z]+)$", EVERYTHING, re.MULTILINE)
    named = {inline or alone for inline, alone in found}
    assert {"run", "test"} <= named <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_the_provider_of_the_readme_classifies(tmp_path):
    [block] = [b for b in pages.blocks("README.md", PAGES["README.md"]) if b.language == "python"]
    plugin = types.ModuleType("always_pizza")
    exec(block.text, vars(plugin))
    config = embedded(tmp_path, "classifiers: [{use: always_pizza}]")
    with Client(config, [plugin]) as client:
        meal = client.predict(photos.jpeg(64, 48)).json
    assert (meal["food"], meal["inference_source"]) == ("Pizza", "always_pizza")
    assert meal["estimated"] is False

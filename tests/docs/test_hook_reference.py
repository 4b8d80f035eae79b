"""docs/hooks.md has every hook and port as it is in the code, and nothing that is not."""

import ast
import re
from pathlib import Path

import pytest

from foodlog import discovery, models

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/hooks.md").read_text()
SOURCES = ("foodlog/hookspecs.py", "foodlog/providers.py")


def signatures(code: str) -> dict[str, str]:
    """Public classes, attributes and functions of ``code`` by their dotted name, each in one line
    without its body."""
    found: dict[str, str] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                found[prefix + node.name] = ", ".join(ast.unparse(base) for base in node.bases)
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef) and is_public(node.name):
                returns = ast.unparse(node.returns) if node.returns else "None"
                found[prefix + node.name] = f"({ast.unparse(node.args)}) -> {returns}"
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and prefix:
                value = f" = {ast.unparse(node.value)}" if node.value else ""
                found[prefix + node.target.id] = ast.unparse(node.annotation) + value

    visit(ast.parse(code).body, "")
    return found


def is_public(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


IN_CODE = signatures("\n".join((ROOT / source).read_text() for source in SOURCES))
IN_DOCS = signatures("\n".join(part.split("```")[0] for part in TEXT.split("```python\n")[1:]))


@pytest.mark.parametrize("name", IN_CODE)
def test_every_signature_is_in_the_reference(name: str) -> None:
    assert IN_DOCS.get(name) == IN_CODE[name], (
        f"{name} is promised to plugins: say in docs/hooks.md what it is now, and look there "
        "whether it may change in this release"
    )


def test_the_reference_has_nothing_that_is_not() -> None:
    assert IN_DOCS.keys() <= IN_CODE.keys()


def test_what_is_looked_at_is_all_there_is() -> None:
    assert {*discovery.HOOKS.values(), "foodlog_meal_logged"} == {
        name for name in IN_CODE if name.startswith("foodlog_")
    }
    assert {"Storage.photos", "MealStore.list", "Context.clock", "Provider.name"} <= IN_CODE.keys()


def test_every_model_of_the_ports_is_named() -> None:
    kinds = {
        name
        for name, kind in vars(models).items()
        if getattr(kind, "__module__", "") == models.__name__
    }
    for name in kinds & set(re.findall(r"\w+", " ".join(IN_CODE.values()))):
        assert f"`{name}`" in TEXT, f"docs/hooks.md must say what {name} is"

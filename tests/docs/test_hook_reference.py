"""docs/hooks.md has every hook, port and value as it is in the code, and nothing that is not."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from foodlog import discovery
from foodlog.commands.plugin_new import Names, contents
from foodlog.providers import KINDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/hooks.md").read_text()
SOURCES = ("foodlog/hookspecs.py", "foodlog/providers.py", "foodlog/models.py")
"""All that is public in them is promised."""
FURTHER = ("foodlog/photos/photo.py", "foodlog/dishes.py", "foodlog/errors.py")
"""What the page names of them is promised."""


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
                found[prefix + node.target.id] = ast.unparse(node.annotation) + default(node.value)

    visit(ast.parse(code).body, "")
    return found


def default(value: ast.expr | None) -> str:
    """What a field is where it is left out."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        made = [keyword.value for keyword in value.keywords if keyword.arg == "default_factory"]
        return "".join(f" = {ast.unparse(factory)}()" for factory in made)
    return f" = {ast.unparse(value)}" if value else ""


def is_public(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


def read(*sources: str) -> str:
    return "\n".join((ROOT / source).read_text() for source in sources)


PROMISED = signatures(read(*SOURCES))
IN_CODE = signatures(read(*FURTHER)) | PROMISED
PROMISED |= {
    name: signature
    for name, signature in IN_CODE.items()
    if name.startswith("Photo.") and not name.endswith("__init__")
}
IN_DOCS = signatures("\n".join(part.split("```")[0] for part in TEXT.split("```python\n")[1:]))


@pytest.mark.parametrize("name", PROMISED)
def test_every_signature_is_in_the_reference(name: str) -> None:
    assert IN_DOCS.get(name) == PROMISED[name], (
        f"{name} is promised to plugins: say in docs/hooks.md what it is now, and look there "
        "whether it may change in this release"
    )


@pytest.mark.parametrize("name", IN_DOCS)
def test_the_reference_has_nothing_that_is_not(name: str) -> None:
    assert IN_DOCS[name] == IN_CODE.get(name)


def test_what_is_looked_at_is_all_there_is() -> None:
    assert {*discovery.HOOKS.values(), "foodlog_meal_logged"} == {
        name for name in IN_CODE if name.startswith("foodlog_")
    }
    some = {"Storage.photos", "MealStore.list", "Context.clock", "Provider.name"}
    some |= {"Meal.note", "User.epoch", "Nutrients.scaled", "Photo.reduced"}
    assert some <= PROMISED.keys()


def imports(kind: str) -> Iterator[tuple[str, set[str]]]:
    """What a new plugin imports of FoodLog: the package below ``foodlog``, and the names."""
    for path, text in contents(Names.of("foodlog-new", kind), kind).items():
        for node in ast.walk(ast.parse(text if path.endswith(".py") else "")):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("foodlog."):
                yield str(node.module).split(".")[1], {alias.name for alias in node.names}


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_new_plugin_builds_on_is_promised(kind: str) -> None:
    for package, names in imports(kind):
        assert f"`foodlog.{package}`" in TEXT
        assert package in ("testing", "options") or names <= IN_DOCS.keys()

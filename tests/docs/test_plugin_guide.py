"""docs/plugins.md quotes what ``foodlog plugin new`` writes, and code that is tested."""

import re
from pathlib import Path

import pytest

from foodlog.cli import parser
from foodlog.commands.plugin_new import Names, contents
from foodlog.providers import KINDS
from foodlog.testing import __all__ as offered

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/plugins.md").read_text()
WRITTEN = contents(Names.of("foodlog-swiss", "nutrition"), "nutrition")
TESTED = (ROOT / "tests/plugins/test_kit_with_a_stub.py").read_text()
QUOTED = re.findall(r"```(python|toml|yaml)\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("language", "quoted"), QUOTED)
def test_what_is_quoted_is_what_is_written(language: str, quoted: str) -> None:
    assert any(flat(quoted) in flat(text) for text in (*WRITTEN.values(), TESTED)), quoted


def flat(code: str) -> str:
    """Without its layout."""
    return re.sub(r"\s", "", code)


def test_every_file_is_explained() -> None:
    assert set(re.findall(r"^\| `([^`]+\.\w+)` \|", TEXT, re.MULTILINE)) == set(WRITTEN)


def test_its_command_is_the_one_that_wrote_them() -> None:
    (command,) = re.findall(r"^foodlog (plugin new .*)$", TEXT, re.MULTILINE)
    arguments = parser().parse_args(command.split())
    assert (arguments.name, arguments.kind) == ("foodlog-swiss", "nutrition")


def test_every_kind_and_every_suite_is_named() -> None:
    for name in (*KINDS, *offered):
        assert f"`{name}`" in TEXT or f"--kind {name}" in TEXT, name


def test_the_message_of_a_broken_rule_is_the_real_one() -> None:
    source = (ROOT / "foodlog/testing/nutrition.py").read_text()
    assert (
        'a wrong food is worse "\n            "than none, and the next source may know it' in source
    )

"""docs/configuration.md says what the code declares, and every shipped file can be used."""

from pathlib import Path

import pytest

from foodlog import reference
from foodlog.config import load_config, shipped_files
from foodlog.discovery import Plugins, discover
from foodlog.plugins import select

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return discover()


def test_every_built_in_plugin_works(plugins: Plugins) -> None:
    assert [str(b) for b in plugins.broken if b.source.distribution == "foodlog"] == []


def test_the_reference_is_up_to_date(plugins: Plugins) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == reference.markdown(plugins), (
        "run: foodlog config --reference > docs/configuration.md"
    )


def test_every_option_of_a_built_in_provider_has_help(plugins: Plugins) -> None:
    for offer in plugins.offers:
        for name, field in offer.provider.Options().fields.items():
            assert field.metadata.get("help"), f"{offer.name}: {name}"


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: path.name)
def test_every_shipped_file_can_be_used(plugins: Plugins, path: Path) -> None:
    environ = {"JWT_SECRET_KEY": "x" * 32, "AWS_BUCKET_NAME": "meals", "AWS_REGION": "eu-west-1"}
    assert select(plugins, load_config(path, environ)).chosen

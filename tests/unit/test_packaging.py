"""What is in the repository is in the wheel."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_package_is_listed_in_setup_cfg() -> None:
    options = ConfigParser()
    options.read(ROOT / "setup.cfg")
    found = {
        ".".join(folder.relative_to(base).parts)
        for base, top in ((ROOT, "foodlog"), (ROOT / "plugins", "foodlog_plugins"))
        for init in (base / top).rglob("__init__.py")
        for folder in [init.parent]
    }
    assert set(options["options"]["packages"].split()) == found | {"foodlog_config"}

"""What several unit tests share."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

Install = Callable[..., Path]


@pytest.fixture
def bcrypt_costs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cost of each hash that bcrypt has worked out; what it refuses costs nothing."""
    costs: list[int] = []
    check = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        matches = check(password, hashed)
        costs.append(int(hashed.split(b"$")[2]))
        return matches

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return costs


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module, which is its plugin, in a folder on the path."""
    site = tmp_path / "site-packages"
    modules: list[str] = []

    def add(name: str, source: str, *, entry_point: str = "", version: str = "1.0") -> Path:
        module = name.replace("-", "_")
        modules.append(module)
        info = site / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[foodlog]\n{entry_point or module} = {module}\n")
        monkeypatch.syspath_prepend(str(site))
        return site

    yield add
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def pantry() -> str:
    """Source of a plugin with a provider of every kind: shelf, taster, scale and guess."""
    return PANTRY


PANTRY = '''
from threading import Event

import foodlog
from foodlog.errors import ProviderError
from foodlog.options import SecretField, Seconds, Whole
from foodlog.providers import Classifier, Fallback, NutritionSource, Storage
from marshmallow import Schema, fields

events = []
waking = Event()


class Recorded:
    def __init__(self, options, context):
        super().__init__(options, context)
        if options.get("mood") == "unbuildable":
            raise ProviderError("the shelf is full")
        if options.get("mood") == "crash":
            raise KeyError("boom")
        events.append(f"built {self.name}")

    def check(self):
        mood = self.options.get("mood")
        if mood == "down":
            raise ProviderError("nobody answers at port 9")
        if mood == "buggy":
            raise ZeroDivisionError("by zero")
        if mood == "hung":
            waking.wait(30)
            events.append(f"woke {self.name}")

    def close(self):
        events.append(f"closed {self.name}")
        if self.options.get("mood") == "stuck":
            raise OSError("will not close")


class Shelf(Recorded, Storage):
    """A shelf."""

    name = "shelf"

    class Options(Schema):
        mood = fields.String(load_default="fine", metadata={"help": "How it is."})


class Taster(Recorded, Classifier):
    name = "taster"

    class Options(Schema):
        key = SecretField(required=True, metadata={"help": "The key."})
        timeout = Seconds(maximum=60, load_default=8.0, metadata={"help": "Patience."})
        mood = fields.String(load_default="fine", metadata={"help": "How it is."})

    def classify(self, photo, timeout):
        raise NotImplementedError


class Scale(Recorded, NutritionSource):
    name = "scale"

    class Options(Schema):
        pages = Whole(1, 25, load_default=5, metadata={"help": "How many."})
        mood = fields.String(load_default="fine", metadata={"help": "How it is."})

    def lookup(self, foods, timeout):
        raise NotImplementedError


class Guess(Recorded, Fallback):
    name = "guess"

    def predict(self, photo, label=None):
        raise NotImplementedError


@foodlog.hookimpl
def foodlog_storages():
    return [Shelf]


@foodlog.hookimpl
def foodlog_classifiers():
    return (Taster,)


@foodlog.hookimpl
def foodlog_nutrition_sources():
    yield Scale


@foodlog.hookimpl
def foodlog_fallbacks():
    return [Guess]


@foodlog.hookimpl
def foodlog_meal_logged(meal):
    events.append(meal)
'''

"""What tests of FoodLog and of its plugins share.

The suites of the ports are here under their own names::

    from foodlog.testing import ClassifierTests, build

They need pytest: ``pip install 'foodlog[testing]'``. Beside them are ``photos`` (made, of every
type), ``fakes``, ``upstreams`` and ``usda`` (stub services), ``client`` (the application without a
server) and ``plugin`` (fixtures for pytest).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foodlog.testing.classifiers import ClassifierTests
    from foodlog.testing.fallbacks import FallbackTests
    from foodlog.testing.nutrition import NutritionSourceTests
    from foodlog.testing.provider import build
    from foodlog.testing.storage import StorageTests

__all__ = ["ClassifierTests", "FallbackTests", "NutritionSourceTests", "StorageTests", "build"]

_MODULES = {
    "ClassifierTests": "classifiers",
    "FallbackTests": "fallbacks",
    "NutritionSourceTests": "nutrition",
    "StorageTests": "storage",
    "build": "provider",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: photos and stub services are of use without pytest, too.
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

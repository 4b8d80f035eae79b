"""Fixtures for the tests of plugins.

In ``tests/conftest.py``::

    from foodlog.testing.plugin import foodlog_app

    __all__ = ["foodlog_app"]
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from foodlog.testing.client import Client, embedded


class OpenApp(Protocol):
    """What the fixture ``foodlog_app`` gives."""

    def __call__(self, config: str = "", *plugins: object) -> Client:
        """Open the application."""


@pytest.fixture
def foodlog_app(tmp_path: Path) -> Iterator[OpenApp]:
    """A function that serves the application, with the plugin in it, without a server.

    It takes sections of the YAML, which replace those of the embedded default, and plugins
    (modules or objects with hooks) that are not installed; installed ones are found. It gives a
    :class:`foodlog.testing.client.Client`; everything is kept below ``tmp_path``::

        def test_a_photo_is_classified(foodlog_app):
            app = foodlog_app("classifiers: [{use: my_classifier}]")
            assert app.predict(photos.jpeg()).json["inference_source"] == "my_classifier"
    """
    with ExitStack() as stack:

        def open_app(config: str = "", *plugins: object) -> Client:
            return stack.enter_context(Client(embedded(tmp_path, config), plugins))

        yield open_app

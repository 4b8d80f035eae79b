"""FoodLog: the backend of a meal-tracking app."""

from typing import TYPE_CHECKING, Any

import pluggy

hookimpl = pluggy.HookimplMarker("foodlog")
"""Marks a plugin's functions as implementations of :mod:`foodlog.hookspecs`."""

__all__ = ["create_app", "hookimpl"]

if TYPE_CHECKING:
    from foodlog.app import create_app


def __getattr__(name: str) -> Any:
    # The application is imported on first use, so that a plugin can import hookimpl cheaply.
    if name == "create_app":
        from foodlog.app import create_app

        return create_app
    raise AttributeError(name)

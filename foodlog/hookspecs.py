"""Every extension point of FoodLog, on one page.

A plugin is a module (or object) named by an entry point in the group ``foodlog``. It implements
any of these hooks with :data:`foodlog.hookimpl`. Hooks run once, when a worker starts; requests
never go through them (but for :func:`foodlog_meal_logged`).
"""

from collections.abc import Iterable

import pluggy

from foodlog.models import Meal
from foodlog.providers import Classifier, Fallback, NutritionSource, Storage

hookspec = pluggy.HookspecMarker("foodlog")


@hookspec
def foodlog_storages() -> Iterable[type[Storage]]:  # type: ignore[empty-body]
    """Storage providers this plugin offers; ``storage.use`` in the YAML picks one by name.

    Example::

        @foodlog.hookimpl
        def foodlog_storages():
            return [PostgresStorage]
    """


@hookspec
def foodlog_classifiers() -> Iterable[type[Classifier]]:  # type: ignore[empty-body]
    """Classifiers this plugin offers; ``classifiers`` in the YAML lists which are asked, in order.

    Example::

        @foodlog.hookimpl
        def foodlog_classifiers():
            return [OnnxClassifier]
    """


@hookspec
def foodlog_nutrition_sources() -> Iterable[type[NutritionSource]]:  # type: ignore[empty-body]
    """Nutrition sources this plugin offers; ``nutrition`` in the YAML lists them, in order.

    Example::

        @foodlog.hookimpl
        def foodlog_nutrition_sources():
            return [SwissFoodTable]
    """


@hookspec
def foodlog_fallbacks() -> Iterable[type[Fallback]]:  # type: ignore[empty-body]
    """Fallbacks this plugin offers; ``fallback.use`` in the YAML picks one by name.

    Example::

        @foodlog.hookimpl
        def foodlog_fallbacks():
            return [LastSeenMeal]
    """


@hookspec
def foodlog_meal_logged(meal: Meal) -> None:
    """A meal was stored. Called after the commit, off the request's path, in no set order.

    What a listener raises is logged and changes nothing for the client.

    Example::

        @foodlog.hookimpl
        def foodlog_meal_logged(meal):
            statistics.count(meal.food)
    """

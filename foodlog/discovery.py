"""What is installed: plugins are loaded once, and what they offer is checked.

A plugin that does not work is set aside with the reason; whether that matters is for those to
say who know what is wanted (:mod:`foodlog.plugins`).
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from importlib.metadata import EntryPoint, entry_points

import pluggy
from marshmallow import Schema

from foodlog import hookspecs
from foodlog.errors import ConfigError
from foodlog.models import Meal
from foodlog.providers import KINDS, Provider
from foodlog.validation import unknown

GROUP = "foodlog"
"""The entry-point group of plugins."""
HOOKS = {
    "storage": "foodlog_storages",
    "classifier": "foodlog_classifiers",
    "nutrition": "foodlog_nutrition_sources",
    "fallback": "foodlog_fallbacks",
}
"""The hook that registers each kind of provider."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin comes from."""

    entry_point: str
    """Its entry point's name; of a plugin that was passed in, its own."""
    distribution: str | None = None
    """None where the plugin was passed in."""
    version: str | None = None

    def __str__(self) -> str:
        if self.distribution is None:
            return f"the plugin {self.entry_point} that was passed in"
        return f"{self.distribution} {self.version} (entry point {self.entry_point})"


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider class and the plugin that offers it."""

    kind: str
    """One of :data:`foodlog.providers.KINDS`."""
    provider: type[Provider]
    source: Source

    @property
    def name(self) -> str:
        """The word for it in YAML."""
        return self.provider.name


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin that cannot be used, and why."""

    source: Source
    reason: str

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.source} cannot be used: {self.reason}{remedy}"

    @property
    def remedy(self) -> str:
        """What to do about it; empty where the plugin was passed in."""
        name = self.source.distribution
        return f"reinstall {name}, or uninstall it" if name else ""


@dataclass(frozen=True)
class Plugins:
    """All there is to choose from."""

    offers: tuple[Offer, ...]
    broken: tuple[Broken, ...]
    manager: pluggy.PluginManager
    """Knows every plugin that works."""

    def of(self, kind: str) -> dict[str, Offer]:
        """The offers of one kind, by name."""
        return {offer.name: offer for offer in self.offers if offer.kind == kind}

    def listeners(self) -> list[Callable[[Meal], object]]:
        """The implementations of ``foodlog_meal_logged``, to be called one by one."""
        caller = self.manager.hook.foodlog_meal_logged
        return [_listener(implementation) for implementation in caller.get_hookimpls()]


class _UnusableError(Exception):
    """A plugin does not keep to the rules; the message says which."""


def discover(
    extra: Iterable[object] = (), installed: Iterable[EntryPoint] | None = None
) -> Plugins:
    """Load every installed plugin, and those in ``extra`` (modules or objects with hooks).

    ``installed``: the entry points to load; without it, all of :data:`GROUP`.

    What is wrong with an installed plugin is kept in ``broken``. Raises
    :class:`foodlog.errors.ConfigError` where a plugin in ``extra`` cannot be used, and where two
    plugins offer one name.
    """
    manager = pluggy.PluginManager("foodlog")
    manager.add_hookspecs(hookspecs)
    offers: list[Offer] = []
    broken: list[Broken] = []
    for source, plugin in _candidates(extra, installed):
        try:
            loaded = plugin.load() if isinstance(plugin, EntryPoint) else plugin
            offers += _register(manager, loaded, source)
        except (Exception, SystemExit) as error:
            broken.append(Broken(source, reason(error)))
            if source.distribution is None:
                raise ConfigError(f"{broken[-1]}.") from error
    _refuse_duplicates(offers)
    return Plugins(tuple(offers), tuple(broken), manager)


def reason(error: BaseException) -> str:
    """What went wrong in a plugin, in one line for an operator."""
    if isinstance(error, _UnusableError):
        return str(error)
    if isinstance(error, pluggy.PluginValidationError):
        return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _candidates(
    extra: Iterable[object], installed: Iterable[EntryPoint] | None
) -> Iterator[tuple[Source, object]]:
    entries = entry_points(group=GROUP) if installed is None else installed
    for entry in sorted(entries, key=lambda entry: entry.name):
        name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
        yield Source(entry.name, name, version), entry
    for plugin in extra:
        yield Source(getattr(plugin, "__name__", None) or type(plugin).__name__), plugin


def _register(manager: pluggy.PluginManager, plugin: object, source: Source) -> list[Offer]:
    """Register the plugin and return what it offers; it stays out where anything is wrong."""
    try:
        manager.register(plugin, name=f"{source.distribution}:{source.entry_point}:{id(plugin)}")
        _check_hooks(manager, plugin)
        return [
            Offer(kind, provider, source)
            for kind, hook in HOOKS.items()
            for provider in _provided(manager, plugin, kind, hook)
        ]
    except BaseException:
        with suppress(AssertionError):  # it may not have come so far
            manager.unregister(plugin)
        raise


def _listener(implementation: pluggy.HookImpl) -> Callable[[Meal], object]:
    # A hook may leave out what it does not use.
    if implementation.argnames:
        return implementation.function
    return wraps(implementation.function)(lambda meal: implementation.function())


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    known = [name for name in vars(hookspecs) if name.startswith("foodlog_")]
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            raise _UnusableError(
                f"there is no hook {caller.name!r}; {unknown(caller.name, known)[:-1]}"
            )
    if not callers:
        raise _UnusableError("it implements no hook; is @foodlog.hookimpl missing?")


def _provided(
    manager: pluggy.PluginManager, plugin: object, kind: str, hook: str
) -> Iterator[type[Provider]]:
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin is not plugin:
            continue
        classes = implementation.function()
        if not isinstance(classes, Iterable) or isinstance(classes, str):
            raise _UnusableError(f"{hook} returned {classes!r:.80}, not a list of classes")
        for provider in classes:
            _check_class(provider, kind, hook)
            yield provider


def _check_class(provider: object, kind: str, hook: str) -> None:
    port = KINDS[kind]
    if not inspect.isclass(provider) or not issubclass(provider, port):
        raise _UnusableError(
            f"{hook} returned {provider!r:.80}, which is no subclass of {port.__name__}"
        )
    if inspect.isabstract(provider):
        lacking = ", ".join(sorted(provider.__abstractmethods__))
        raise _UnusableError(f"the class {provider.__qualname__} lacks {lacking}")
    name = getattr(provider, "name", None)
    if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise _UnusableError(
            f"the class {provider.__qualname__} has the name {name!r}; a name is lower case "
            "letters, digits and underscores"
        )
    if not inspect.isclass(provider.Options) or not issubclass(provider.Options, Schema):
        raise _UnusableError(f"{provider.__qualname__}.Options is no marshmallow schema")


def _refuse_duplicates(offers: Iterable[Offer]) -> None:
    first: dict[tuple[str, str], Offer] = {}
    for offer in offers:
        other = first.setdefault((offer.kind, offer.name), offer)
        if other.provider is not offer.provider:
            raise ConfigError(
                f"two plugins offer a {offer.kind} provider named '{offer.name}': {other.source} "
                f"and {offer.source}. Uninstall one of them, or rename its provider."
            )

"""Providers: chosen by name among what is installed, validated, built, closed."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from foodlog import validation
from foodlog.config import Config
from foodlog.discovery import Broken, Offer, Plugins, Source, reason
from foodlog.errors import ConfigError, ProviderError
from foodlog.providers import Classifier, Context, Fallback, NutritionSource, Provider, Storage
from foodlog.settings import Use
from foodlog.validation import Problem, raise_problems

__all__ = ["Built", "Chosen", "Plugins", "Providers", "Selection", "Skipped", "select", "uses"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A provider class with its validated options."""

    setting: str
    """Where the configuration names it: ``classifiers[0]``."""
    offer: Offer
    options: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An optional provider that is not used, and why."""

    setting: str
    offer: Offer
    reason: str


@dataclass(frozen=True, slots=True)
class Built:
    """A running provider and how it was chosen."""

    chosen: Chosen
    provider: Provider


def select(plugins: Plugins, config: Config, *, quiet: bool = False) -> "Selection":
    """Choose what ``config`` names and check the options; nothing is built.

    Broken plugins and skipped providers are told in the log, unless ``quiet``.

    Raises :class:`foodlog.errors.ConfigError`, with everything that is wrong in one message.
    """
    chosen: list[Chosen] = []
    skipped: list[Skipped] = []
    problems: list[Problem] = []
    for kind, use in uses(config):
        offer = plugins.of(kind).get(use.use)
        if offer is None:
            problems.append(Problem(f"{use.setting}.use", _no_offer(plugins, kind, use, config)))
            continue
        outcome, wrong = _validate(offer, use, config)
        problems += wrong
        (skipped if isinstance(outcome, Skipped) else chosen).append(outcome)  # type: ignore[arg-type]
    raise_problems(config.name, problems)
    if not quiet:
        _tell(plugins.broken, skipped)
    return Selection(tuple(chosen), tuple(skipped))


def uses(config: Config) -> Iterator[tuple[str, Use]]:
    """Every provider the configuration names, with its kind, in the order they are built."""
    yield "storage", config.storage
    yield from (("classifier", use) for use in config.classifiers)
    yield from (("nutrition", use) for use in config.nutrition)
    yield "fallback", config.fallback


@dataclass(frozen=True, slots=True)
class Selection:
    """The providers a configuration asks for, ready to be built."""

    chosen: tuple[Chosen, ...]
    skipped: tuple[Skipped, ...]

    def without(self, kind: str) -> "Selection":
        """The same but for the providers of one kind."""
        kept = tuple(chosen for chosen in self.chosen if chosen.offer.kind != kind)
        return Selection(kept, self.skipped)

    def build(self, context: Context, storage_threads: int | None = None) -> "Providers":
        """Construct all of them; ``storage_threads``: how many call the storage at once, where
        not as many as call the others.

        Raises :class:`foodlog.errors.ProviderError` that names the setting and the provider
        where one fails; those that were built before it are closed.
        """
        built: list[Built] = []
        for_storage = replace(context, threads=storage_threads or context.threads)
        for chosen in self.chosen:
            given = for_storage if chosen.offer.kind == "storage" else context
            try:
                built.append(Built(chosen, chosen.offer.provider(chosen.options, given)))
            except Exception as error:
                Providers(tuple(built)).close()
                raise ProviderError(_not_built(chosen, error), permanent=True) from error
        return Providers(tuple(built))


@dataclass(frozen=True, slots=True)
class Providers:
    """The running providers of one worker."""

    built: tuple[Built, ...]

    @property
    def storage(self) -> Storage:
        """Where everything is kept."""
        return next(p for p in self._all() if isinstance(p, Storage))

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """In the order they are asked."""
        return tuple(p for p in self._all() if isinstance(p, Classifier))

    @property
    def nutrition(self) -> tuple[NutritionSource, ...]:
        """In the order they are asked."""
        return tuple(p for p in self._all() if isinstance(p, NutritionSource))

    @property
    def fallback(self) -> Fallback:
        """What answers when nobody else does."""
        return next(p for p in self._all() if isinstance(p, Fallback))

    def close(self) -> None:
        """Close all, last built first; what one raises is logged and keeps no other open."""
        for built in reversed(self.built):
            try:
                built.provider.close()
            except Exception:
                logger.exception(
                    "closing a provider failed", extra={"provider": built.provider.name}
                )

    def _all(self) -> Iterator[Provider]:
        return (built.provider for built in self.built)


def _no_offer(plugins: Plugins, kind: str, use: Use, config: Config) -> str:
    """Which choices exist, and which plugin might have been meant had it worked."""
    origin = config.origins.get(f"{use.setting}.use") or config.origins.get(use.setting)
    where = f" ({origin})" if origin else ""
    choices = validation.unknown(use.use, plugins.of(kind))
    named = [b for b in plugins.broken if _names(b.source, use.use)]
    culprits = " ".join(f"{broken}." for broken in named or plugins.broken)
    if not use.use:
        return f"required, but empty{where}; name a {kind} provider. {choices} {culprits}".rstrip()
    return f"there is no {kind} provider '{use.use}'{where}; {choices} {culprits}".rstrip()


def _names(source: Source, word: str) -> bool:
    return word in (source.entry_point, (source.distribution or "").replace("-", "_"))


def _validate(offer: Offer, use: Use, config: Config) -> tuple[Chosen | Skipped, list[Problem]]:
    path = f"{use.setting}.options"
    options, problems = validation.load(offer.provider.Options(), use.options, path, config.origins)
    empty = [problem for problem in problems if problem.missing]
    if use.optional and empty:
        why = " ".join(f"{problem.path}: {problem.text}" for problem in empty)
        rest = [problem for problem in problems if not problem.missing]
        return Skipped(use.setting, offer, why), rest
    told = [
        Problem(
            problem.path, f"{problem.text} It is an option of '{offer.name}' of {offer.source}."
        )
        for problem in problems
    ]
    return Chosen(use.setting, offer, options), told


def _tell(broken: Iterable[Broken], skipped: Iterable[Skipped]) -> None:
    for plugin in broken:
        logger.warning(
            "a plugin cannot be used",
            extra={
                "plugin": str(plugin.source),
                "reason": plugin.reason,
                "remedy": plugin.remedy,
            },
        )
    for left_out in skipped:
        logger.info(
            "an optional provider is skipped",
            extra={"provider": left_out.offer.name, "reason": left_out.reason},
        )


def _not_built(chosen: Chosen, error: Exception) -> str:
    text = str(error) if isinstance(error, ProviderError | ConfigError) else reason(error)
    return f"{chosen.setting}: '{chosen.offer.name}' of {chosen.offer.source} cannot start: {text}"

"""What one worker process holds: pools, providers, services. Built after the fork.

The command line builds one too, to run the pipeline without HTTP.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from foodlog import dishes
from foodlog.concurrency import CircuitBreaker, Deadline, Guard, Pool, request_left
from foodlog.config import Config
from foodlog.dishes import Dishes
from foodlog.errors import ConfigError, Overloaded
from foodlog.models import Meal
from foodlog.passwords import Passwords
from foodlog.plugins import Plugins, Providers, Selection
from foodlog.providers import Context, Provider
from foodlog.services.accounts import AccountLimits, Accounts
from foodlog.services.analysis import Analyst, Asked, Rules
from foodlog.services.meals import MealLog
from foodlog.services.readiness import FRESH, Readiness
from foodlog.signing import Signer
from foodlog.tokens import Tokens

logger = logging.getLogger(__name__)

P = TypeVar("P", bound=Provider)

PARTING = 2.0
"""Seconds the calls that outlive their requests get when a worker ends."""


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh id of 32 hexadecimal digits."""
    return uuid4().hex


def dish_table(config: Config) -> Dishes:
    """The dishes with the operator's ingredient weights; raises
    :class:`foodlog.errors.ConfigError` that names the setting, the dish and the ingredient."""
    try:
        return dishes.load().with_weights(config.prediction.ingredient_weights)
    except ConfigError as error:
        origin = config.origins.get(setting := "prediction.ingredient_weights")
        where = f" ({origin})" if origin else ""
        raise ConfigError(f"{setting}{where}: {error}.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The thread pools of a worker. Photos are stored and listeners told in ``side``."""

    requests: Pool
    analyses: Pool
    passwords: Pool
    side: Pool

    @classmethod
    def of(cls, config: Config) -> "Pools":
        """Pools of the configured sizes; no thread runs yet."""
        sizes = config.concurrency
        return cls(
            requests=Pool("request", sizes.requests, sizes.requests_queue),
            analyses=Pool("analysis", sizes.analyses, sizes.analyses_queue),
            passwords=Pool("password", sizes.passwords, sizes.passwords_queue),
            # Room for the clean copy and the photo of each analysis, and for listeners.
            side=Pool("side", sizes.analyses, 3 * sizes.analyses),
        )

    def close(self) -> None:
        """Let all threads end; what they are at gets :data:`PARTING` seconds altogether."""
        parting = Deadline(PARTING)
        # Last the one that the others hand work to: photos to delete, listeners to tell.
        for pool in (self.requests, self.analyses, self.passwords, self.side):
            pool.close(parting.left())


class Pipeline:
    """The providers and the analyst that asks them; :meth:`close` at the end."""

    def __init__(self, config: Config, selection: Selection) -> None:
        """Builds the selected providers.

        Raises :class:`foodlog.errors.ConfigError` or :class:`foodlog.errors.ProviderError`
        with a sentence for the operator.
        """
        table = dish_table(config)
        self._config = config
        self.guards: list[tuple[str, str, Guard]] = []
        """Kind and name of each provider that is asked, and the guard it is asked through."""
        sizes = config.concurrency
        self.providers: Providers = selection.build(
            Context(dishes=table, clock=now, threads=sizes.analyses),
            # From every pool; the side pool has as many threads as that for analyses.
            storage_threads=sizes.requests + sizes.passwords + 2 * sizes.analyses,
        )
        self.analyst = Analyst(
            classifiers=[self._asked("classifier", p) for p in self.providers.classifiers],
            sources=[self._asked("nutrition", p) for p in self.providers.nutrition],
            fallback=self._asked("fallback", self.providers.fallback),
            dishes=table,
            rules=Rules(
                threshold=config.prediction.threshold, min_coverage=config.prediction.min_coverage
            ),
            clock=now,
        )

    def deadline(self) -> Deadline:
        """The time an analysis has, from now on: all its request has left but the reserve."""
        rules = self._config.prediction
        return Deadline(request_left(rules.deadline) - rules.reserve)

    def close(self) -> None:
        """Let the threads end and close the providers."""
        for _, _, guard in self.guards:
            guard.close()
        self.providers.close()

    def _asked(self, kind: str, provider: P) -> Asked[P]:
        rules = self._config.breaker
        breaker = CircuitBreaker(failures=rules.failures, seconds=rules.seconds)
        guard = Guard(provider.name, self._config.concurrency.analyses, breaker)
        self.guards.append((kind, provider.name, guard))
        return Asked(provider, guard)


class Worker:
    """Everything a worker process needs to serve; :meth:`close` when it ends."""

    def __init__(self, config: Config, plugins: Plugins, selection: Selection) -> None:
        """Builds the selected providers; raises as :class:`Pipeline`."""
        self._config = config
        self._plugins = plugins
        self.pipeline = Pipeline(config, selection)
        self.storage = self.pipeline.providers.storage
        self.pools = Pools.of(config)
        self.log = MealLog(
            storage=self.storage,
            analyst=self.pipeline.analyst,
            side=self.pools.side,
            clock=now,
            ids=new_id,
            on_logged=self._tell,
        )
        key = config.auth.key().reveal().encode()
        previous = [old.reveal().encode() for old in config.auth.previous_secrets]
        lifetime = timedelta(minutes=config.auth.expiration_minutes)
        self.signer = Signer(key, previous_secrets=previous)
        self.tokens = Tokens(key, lifetime, now, previous_secrets=previous)
        self.accounts = Accounts(
            self.storage.users,
            Passwords(),
            self.tokens,
            clock=now,
            ids=new_id,
            limits=AccountLimits(
                min_password=config.limits.password_min, max_password=config.limits.password_max
            ),
        )
        storage_guard = Guard("storage", 2, CircuitBreaker(failures=1, seconds=FRESH))
        self.readiness = Readiness(self.storage, storage_guard, self.pipeline.guards)

    def photo_url(self, key: str) -> str:
        """Where a client fetches a stored photo."""
        return self.photo_urls()(key)

    def photo_urls(self) -> Callable[[str], str]:
        """Says of many stored photos where a client fetches them, from now on."""
        expires_at = now() + timedelta(minutes=self._config.auth.photo_url_minutes)
        stored, signed = self.storage.photos.url, self.signer.photo_urls(expires_at)
        return lambda key: stored(key) or signed(key)

    def close(self) -> None:
        """Let the threads end and close the providers."""
        self.pools.close()
        self.pipeline.close()

    def _tell(self, meal: Meal) -> None:
        for listener in self._plugins.listeners():
            try:
                self.pools.side.submit(_told, listener, meal)
            except Overloaded:
                logger.warning("a listener was not told of a meal", extra={"meal_id": meal.id})


def _told(listener: Callable[[Meal], object], meal: Meal) -> None:
    try:
        listener(meal)
    except Exception:
        logger.exception(
            "a listener failed", extra={"plugin": listener.__module__, "meal_id": meal.id}
        )

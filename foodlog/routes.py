"""The route table."""

from collections.abc import Callable
from typing import Any

from foodlog.config import Config
from foodlog.models import User
from foodlog.resources.accounts import LogIn, Me, SignUp
from foodlog.resources.desk import Desk
from foodlog.resources.documents import ApiDocument, DocsAsset, DocsPage
from foodlog.resources.health import Health, Ready
from foodlog.resources.meals import History, LegacyMeals, Lists, Predict, SaveMeal
from foodlog.resources.photos import Photos, Upload
from foodlog.resources.reading import Reader
from foodlog.resources.running import Workers
from foodlog.resources.users import Users
from foodlog.services.accounts import LOCAL_USER_ID, Session
from foodlog.worker import Worker, now

BODY_SECONDS = 300.0
"""How long a request's body may take to arrive."""
QUICK_SECONDS = 12.0
"""How long storage may take to answer; clients give up after 15."""


def routes(config: Config, worker: Worker) -> list[tuple[str, Any]]:
    """Every route and its resource; those of the API a second time under the legacy prefix."""
    limits = config.limits
    log, url, signer, accounts = worker.log, worker.photo_url, worker.signer, worker.accounts
    single = _single_user() if config.auth.mode == "single_user" else None
    desk = _desk(config, worker, single)
    workers, deadline = desk.workers, worker.pipeline.deadline
    lists = Lists(log, desk.users, signer, default=limits.history_default, most=limits.history_max)
    sign_up = SignUp(accounts, desk)
    log_in = LogIn(accounts.log_in if single is None else _as(single, worker), desk)
    me = Me(desk)
    table: list[tuple[str, Any]] = [
        ("/auth/signup", sign_up),
        ("/auth/login", log_in),
        ("/auth/me", me),
        ("/predict", Predict(log, desk, url, limits.photo(), deadline)),
        ("/history", History(lists, workers, worker.photo_urls)),
        ("/meals", LegacyMeals(lists, workers)),
        ("/save_meal", SaveMeal(log, desk, url)),
        ("/upload", Upload(log, desk, url, limits.photo())),
        ("/uploads/{key:path}", Photos(log, desk, signer, now)),
        ("/health", Health()),
        ("/health/ready", Ready(worker.readiness, workers)),
    ]
    prefix = config.api.legacy_prefix
    if prefix:
        legacy = [*table, ("/signup", sign_up), ("/login", log_in), ("/profile", me)]
        table += [(prefix + path, resource) for path, resource in legacy]
    table += [
        ("/openapi.yaml", ApiDocument()),
        ("/docs", DocsPage()),
        ("/docs/{name}", DocsAsset(workers)),
    ]
    return table


def _desk(config: Config, worker: Worker, single: User | None) -> Desk:
    return Desk(
        reader=Reader(config.limits, BODY_SECONDS),
        users=Users(
            worker.accounts.authenticate,
            single=single,
            anonymous=config.auth.anonymous_predict == "analyze",
        ),
        workers=Workers(
            quick=worker.pools.requests,
            analyses=worker.pools.analyses,
            passwords=worker.pools.passwords,
            seconds=QUICK_SECONDS,
        ),
    )


def _as(user: User, worker: Worker) -> Callable[[str, str], Session]:
    """Logging in to single-user mode: whatever the credentials, there is but one user."""
    lifetime = int(worker.tokens.lifetime.total_seconds())
    return lambda email, password: Session(
        token=worker.tokens.issue(user), expires_in=lifetime, user=user
    )


def _single_user() -> User:
    return User(id=LOCAL_USER_ID, email="local@localhost", created_at=now(), password_hash="")

"""Accounts: sign up, log in, and whose token this is."""

import logging
import re
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from foodlog.errors import Conflict, Unauthorized, Unprocessable, Violation
from foodlog.models import User
from foodlog.passwords import Passwords
from foodlog.providers import UserStore
from foodlog.tokens import Claims, Tokens, invalid_token

MAX_EMAIL = 254
"""Octets of UTF-8; RFC 5321, section 4.5.3.1.3, without the angle brackets."""

LOCAL_USER_ID = "local"
"""Whose everything is in single-user mode."""

REMEMBERED_SECONDS = 30.0
"""How long an account is taken to be as it was read: a revoked token may go on working so long."""
REMEMBERED = 10_000
"""How many accounts at most."""

_PLAUSIBLE = re.compile(r"[^@ ]+@[^@ ]+")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """Bounds of what accounts are made of."""

    min_password: int = 8
    """Characters."""
    max_password: int = 1024
    """Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What signing up and logging in answer."""

    token: str
    expires_in: int
    """Seconds."""
    user: User


class Accounts:
    """Sign-up, log-in and authentication over a :class:`~foodlog.providers.UserStore`.

    ``clock``: the current time, UTC. ``ids``: a new user id. ``monotonic``: seconds.
    ``cache_seconds``: 0 asks the storage each time. What the storage raises
    (:class:`~foodlog.errors.ProviderError`) passes through everything here.
    """

    def __init__(
        self,
        users: UserStore,
        passwords: Passwords,
        tokens: Tokens,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        limits: AccountLimits = AccountLimits(),
        *,
        cache_seconds: float = REMEMBERED_SECONDS,
        cache_entries: int = REMEMBERED,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._recent = _Recent(cache_seconds, cache_entries, monotonic)

    def sign_up(self, email: str, password: str) -> Session:
        """Make an account and log in to it.

        Raises :class:`~foodlog.errors.Unprocessable` (violations at ``/email`` and
        ``/password``) or, where the e-mail is taken, :class:`~foodlog.errors.Conflict`.
        """
        email = normal_email(email)
        self._require_acceptable(email, password)
        user = User(
            id=self._ids(),
            email=email,
            created_at=self._clock(),
            password_hash=self._passwords.hash(password),
        )
        if not self._users.add(user):
            raise Conflict("There is an account with this e-mail already.", code="email_taken")
        return self._session(user)

    def log_in(self, email: str, password: str) -> Session:
        """Log in; a hash of an older scheme or cost is replaced on the way.

        Raises :class:`~foodlog.errors.Unauthorized` with one message, whatever is wrong, and in
        the same time whether or not there is such an account: :meth:`Passwords.verify
        <foodlog.passwords.Passwords.verify>` says how closely.
        """
        email = normal_email(email)
        user = self._users.get(email) if _is_storable(email) else None
        if len(password) > self._limits.max_password:
            user = None
        matches = self._passwords.verify(password, user.password_hash if user else None)
        if user is None or not matches:
            raise Unauthorized("The e-mail or the password is wrong.", code="wrong_credentials")
        if self._passwords.needs_rehash(user.password_hash):
            user = self._rehashed(user, password)
        return self._session(user)

    def authenticate(self, token: str) -> User:
        """Whose token this is; as it was at most ``cache_seconds`` ago.

        Raises :class:`~foodlog.errors.Unauthorized` for a token that is invalid, expired or
        revoked, or whose user is gone.
        """
        claims = self._tokens.read(token)
        user = self._recent.get(claims.email)
        if user is None or not _vouches(user, claims):
            # What is remembered may vouch for a token, but only the storage refuses one:
            # the account may have changed on another worker since.
            user = self._recent.fetch(claims.email, self._users.get)
        if user is None or not _vouches(user, claims):
            raise invalid_token()
        return user

    def _session(self, user: User) -> Session:
        return Session(
            token=self._tokens.issue(user),
            expires_in=int(self._tokens.lifetime.total_seconds()),
            user=user,
        )

    def _require_acceptable(self, email: str, password: str) -> None:
        violations = []
        if not _is_plausible(email):
            detail = f"Give an e-mail address of at most {MAX_EMAIL} bytes, such as me@example.org."
            violations.append(Violation("/email", detail))
        shortest, longest = self._limits.min_password, self._limits.max_password
        if not shortest <= len(password) <= longest:
            detail = f"The password must have {shortest} to {longest:,} characters."
            violations.append(Violation("/password", detail))
        elif not _is_text(password):
            detail = "The password holds characters that cannot be typed."
            violations.append(Violation("/password", detail))
        if violations:
            raise Unprocessable(" ".join(v.detail for v in violations), violations=violations)

    def _rehashed(self, user: User, password: str) -> User:
        """The user with a hash made now; the user as is where that could not be stored."""
        try:
            renewed = replace(user, password_hash=self._passwords.hash(password))
            if self._users.get(user.email) != user:  # changed while we hashed: leave it alone
                return user
            self._users.replace(renewed)
        except Exception as error:
            logger.warning(
                "password hash not replaced",
                extra={"user_id": user.id, "error": type(error).__name__},
            )
            return user
        return renewed


class _Recent:
    """Accounts read from the storage a short while ago, by e-mail; bounded, for many threads."""

    def __init__(self, seconds: float, entries: int, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._entries = entries
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._read: dict[str, tuple[float, User]] = {}

    def get(self, email: str) -> User | None:
        with self._lock:
            read_at, user = self._read.get(email, (0.0, None))
        return user if user and self._monotonic() - read_at < self._seconds else None

    def fetch(self, email: str, read: Callable[[str], User | None]) -> User | None:
        """Read and remember, counting from before the reading; an absent one is forgotten."""
        read_at = self._monotonic()
        user = read(email)
        with self._lock:
            self._read.pop(email, None)
            if user is not None:
                self._read[email] = (read_at, user)
                if len(self._read) > self._entries:
                    del self._read[next(iter(self._read))]
        return user


def normal_email(email: str) -> str:
    """The form in which an e-mail is stored and looked up: trimmed, lower case, NFC."""
    return unicodedata.normalize("NFC", email.strip().lower())


def _is_storable(email: str) -> bool:
    return email.isprintable() and 0 < len(email.encode()) <= MAX_EMAIL


def _is_plausible(email: str) -> bool:
    return _is_storable(email) and _PLAUSIBLE.fullmatch(email) is not None


def _is_text(password: str) -> bool:
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in password)


def _vouches(user: User, claims: Claims) -> bool:
    return user.id == claims.user_id and user.epoch == claims.epoch

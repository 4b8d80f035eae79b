"""Access tokens: JWTs signed with HS256, read with the program's own clock.

Claims: ``iss`` foodlog, ``typ`` access, ``sub`` the user's id, ``email`` and ``epoch`` of the
user, ``iat``, ``exp`` (seconds since 1970) and ``jti``; all required.

A token of the Flask service carries only some of them and is refused as invalid, even where the
key is the same: its clients log in once more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import uuid4

from foodlog.errors import ConfigError, Unauthorized
from foodlog.keyfile import MIN_BYTES
from foodlog.models import User

ISSUER = "foodlog"
ALGORITHM = "HS256"
MAX_TOKEN = 4096
"""Characters; longer ones are refused unread."""

REMEMBERED = 1024
"""Tokens of ours whose signature is not checked again with every request; refused ones are."""

_TYPES = {"exp": int, "iat": int, "epoch": int, "sub": str, "jti": str, "typ": str, "email": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a valid token says."""

    user_id: str
    email: str
    epoch: int


class Tokens:
    """Issues and reads access tokens.

    ``secret``: at least 32 bytes. ``previous_secrets``: tokens signed with them are still read,
    so that a rotation of the key logs nobody out. ``clock``: the current time, UTC. Raises
    :class:`~foodlog.errors.ConfigError` for a secret that is too short.
    """

    def __init__(
        self,
        secret: bytes,
        lifetime: timedelta,
        clock: Callable[[], datetime],
        *,
        previous_secrets: Sequence[bytes] = (),
        ids: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._secrets = (secret, *previous_secrets)
        for each in self._secrets:
            _require_strength(each)
        self.lifetime = lifetime
        self._clock = clock
        self._ids = ids
        # Whether a token is ours never changes; whether it has expired is asked each time.
        self._verified = lru_cache(maxsize=REMEMBERED)(self._verify)

    def issue(self, user: User) -> str:
        """A token for ``user``, good for the lifetime from now."""
        import jwt

        issued = int(self._clock().timestamp())
        claims = {
            "iss": ISSUER,
            "typ": "access",
            "sub": user.id,
            "email": user.email,
            "epoch": user.epoch,
            "iat": issued,
            "exp": issued + int(self.lifetime.total_seconds()),
            "jti": self._ids(),
        }
        return jwt.encode(claims, self._secrets[0], algorithm=ALGORITHM)

    def read(self, token: str) -> Claims:
        """What ``token`` says.

        Raises :class:`~foodlog.errors.Unauthorized`, with one message for a token that has
        expired and one for whatever else is wrong with it, and nothing else.
        """
        if len(token) > MAX_TOKEN or not token.isascii():
            raise invalid_token()
        claims = self._verified(token)
        if claims["exp"] <= self._clock().timestamp():
            raise Unauthorized("The token has expired; log in again.", code="token_expired")
        return Claims(user_id=claims["sub"], email=claims["email"], epoch=claims["epoch"])

    def _verify(self, token: str) -> Mapping[str, Any]:
        """The claims; raises, rather than answers, for what is refused: only answers are kept."""
        for secret in self._secrets:
            claims = _decoded(token, secret)
            if claims is not None and _is_access(claims):
                return claims
        raise invalid_token()


def invalid_token() -> Unauthorized:
    """The one answer to a token that is forged, malformed, revoked, or of a deleted user."""
    return Unauthorized("The token is not valid; log in again.", code="token_invalid")


def _decoded(token: str, secret: bytes) -> dict[str, Any] | None:
    """The claims; None where the signature is not ours or a claim is missing."""
    import jwt

    try:
        return jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            options={
                "require": ["iss", *_TYPES],
                "verify_exp": False,  # times are compared with our own clock
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, RecursionError):  # the last: older PyJWT, nesting
        return None


def _is_access(claims: Mapping[str, Any]) -> bool:
    typed = all(type(claims[name]) is expected for name, expected in _TYPES.items())
    return typed and claims["typ"] == "access" and 0 <= claims["exp"] < 2**36


def _require_strength(secret: bytes) -> None:
    if len(secret) < MIN_BYTES:
        raise ConfigError(
            f"JWT_SECRET_KEY (auth.secret) is {len(secret)} bytes long; "
            f"a key needs at least {MIN_BYTES}. Make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(48))"'
        )

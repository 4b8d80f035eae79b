"""Signatures, and the digests that stand for requests.

A :class:`Signer` proves that a text came from this program: photo URLs that work without a
header, and cursors. Everything it signs is short-lived, so it may depend on a secret that is
rotated. :func:`derived_id` and :func:`fingerprint` are stored, and depend on nothing.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from math import ceil
from urllib.parse import quote

from foodlog.errors import Malformed, Violation
from foodlog.models import Position
from foodlog.records import parse_time, time_text

URL_STEP = 900
"""Seconds; photo URLs expire on a quarter hour, so that they stay the same for a while."""
REMEMBERED_URLS = 4096
"""Photo URLs each signer remembers; they are asked for again with every page of a history."""
MAX_CURSOR = 4096
"""Characters; what follows them is not read."""

_SIGNATURE_BYTES = 18


class Signer:
    """Signs texts, with a key of its own for each purpose.

    ``secret``: at least 32 bytes. ``previous_secrets``: their signatures are still accepted.
    """

    def __init__(self, secret: bytes, *, previous_secrets: Sequence[bytes] = ()) -> None:
        self._secrets = (secret, *previous_secrets)
        self._photo_url = lru_cache(maxsize=REMEMBERED_URLS)(self._sign_photo_url)

    def sign(self, purpose: str, text: str) -> str:
        """24 URL-safe characters (144 bits)."""
        return _signature(self._secrets[0], purpose, text)

    def verify(self, purpose: str, text: str, signature: str) -> bool:
        """Whether ``signature`` is that of ``text`` for ``purpose``; in constant time."""
        given = _utf8(signature)
        expected = [_signature(secret, purpose, text).encode() for secret in self._secrets]
        return any(hmac.compare_digest(each, given) for each in expected)

    def photo_url(self, key: str, expires_at: datetime) -> str:
        """A path under ``/uploads`` that shows the photo without a token.

        Good until the first quarter hour at or after ``expires_at``.
        """
        return self.photo_urls(expires_at)(key)

    def photo_urls(self, expires_at: datetime) -> Callable[[str], str]:
        """:meth:`photo_url` for many keys."""
        expires = ceil(expires_at.timestamp() / URL_STEP) * URL_STEP
        return lambda key: self._photo_url(key, expires)

    def _sign_photo_url(self, key: str, expires: int) -> str:
        signature = self.sign("photo", f"{expires}:{key}")
        return f"/uploads/{quote(key)}?expires={expires}&signature={signature}"

    def check_photo(self, key: str, expires: int, signature: str, now: datetime) -> bool:
        """Whether these parts of a photo URL, unquoted, are good at ``now``."""
        return self.verify("photo", f"{expires}:{key}", signature) and now.timestamp() < expires

    def cursor(self, user_id: str, position: Position, filters: Sequence[str | None]) -> str:
        """An opaque, URL-safe text for a place in the user's list with these filters.

        ``filters``: the value of each, in an order that is always the same; None where absent.
        """
        place = json.dumps([time_text(position.consumed_at), position.id])
        payload = urlsafe_b64encode(place.encode("ascii")).decode("ascii").rstrip("=")
        return f"{payload}.{self.sign('cursor', _cursor_scope(user_id, filters, payload))}"

    def read_cursor(self, text: str, user_id: str, filters: Sequence[str | None]) -> Position:
        """The place :meth:`cursor` was given.

        Raises :class:`~foodlog.errors.Malformed` for a text that is forged, or was made for
        another user or other filters.
        """
        payload, _, signature = text[:MAX_CURSOR].rpartition(".")
        scope = _cursor_scope(user_id, filters, payload)
        if not self.verify("cursor", scope, signature):
            message = "The cursor does not belong to this list; start again without it."
            raise Malformed(message, violations=[Violation("/cursor", message)])
        moment, meal_id = json.loads(urlsafe_b64decode(payload + "=="))
        consumed_at = parse_time(moment)
        assert consumed_at is not None  # we signed it
        return Position(consumed_at, meal_id)


def derived_id(user_id: str, idempotency_key: str) -> str:
    """The id of what the user's request with this key makes: 32 hex characters.

    Always the same, on every worker and after a rotation of the secret. Nothing rests on it
    being hard to guess: the user's own id is in it, so nobody can take another's.
    """
    return _digest("foodlog derived id v1", (user_id, idempotency_key))[:32]


def fingerprint(*parts: str) -> str:
    """A digest (64 hex characters) that differs where any of ``parts`` does, or their number."""
    return _digest("foodlog fingerprint v1", parts)


def _digest(domain: str, parts: Sequence[str]) -> str:
    digest = hashlib.sha256(domain.encode("ascii"))
    for part in parts:
        data = _utf8(part)
        digest.update(f":s{len(data)}:".encode("ascii") + data)
    return digest.hexdigest()


def _signature(secret: bytes, purpose: str, text: str) -> str:
    key = hmac.digest(secret, f"foodlog signer v1: {purpose}".encode(), "sha256")
    signature = hmac.digest(key, _utf8(text), "sha256")[:_SIGNATURE_BYTES]
    return urlsafe_b64encode(signature).decode("ascii")


def _cursor_scope(user_id: str, filters: Sequence[str | None], payload: str) -> str:
    return json.dumps([user_id, *filters, payload])


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

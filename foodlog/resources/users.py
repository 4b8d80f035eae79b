"""Whose request it is."""

from collections.abc import Callable

from foodlog.errors import Unauthorized
from foodlog.models import User


class Users:
    """Finds the user a request belongs to: by its token, or the one user of single-user mode."""

    def __init__(
        self,
        authenticate: Callable[[str], User],
        *,
        single: User | None = None,
        anonymous: bool = True,
    ) -> None:
        """``single``: the user everything belongs to in single-user mode. ``anonymous``:
        whether a photo is analysed without a token."""
        self._authenticate = authenticate
        self._single = single
        self._anonymous = anonymous

    @property
    def is_single(self) -> bool:
        """Whether everything belongs to one user and no token is asked for."""
        return self._single is not None

    def required(self, token: str | None) -> User:
        """The user; raises :class:`Unauthorized` without a valid token."""
        if self._single is not None:
            return self._single
        if token is None:
            raise Unauthorized("Authorization header missing or invalid.")
        return self._authenticate(token)

    def optional(self, token: str | None) -> User | None:
        """The user, or None without a token where that is allowed. A token must be valid."""
        if token is None and self._anonymous and self._single is None:
            return None
        return self.required(token)

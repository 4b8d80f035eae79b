"""Where requests come in."""

from dataclasses import dataclass

from falcon import asgi

from foodlog.models import User
from foodlog.resources.reading import Reader, bearer
from foodlog.resources.running import Workers
from foodlog.resources.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What reads a request, knows whose it is, and has the threads to serve it in."""

    reader: Reader
    users: Users
    workers: Workers

    async def user(self, req: asgi.Request) -> User:
        """Whose request it is. Raises :class:`foodlog.errors.Unauthorized`."""
        return await self.workers.quick(self.users.required, bearer(req))

    async def user_or_none(self, req: asgi.Request) -> User | None:
        """The same; None without a token where that is allowed."""
        return await self.workers.timely(self.users.optional, bearer(req))

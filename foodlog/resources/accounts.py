"""Signing up, logging in, and who one is."""

from collections.abc import Callable

import falcon
import orjson
from falcon import asgi

from foodlog import representations
from foodlog.resources.reading import Reader, bearer
from foodlog.resources.running import Workers
from foodlog.resources.users import Users
from foodlog.schemas import Credentials, NewAccount, load
from foodlog.services.accounts import Accounts, Session


class SignUp:
    """``POST /auth/signup``."""

    def __init__(self, accounts: Accounts, reader: Reader, workers: Workers) -> None:
        self._accounts = accounts
        self._reader = reader
        self._workers = workers

    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Create an account and answer with a token."""
        given = load(NewAccount(), await self._reader.json(req))
        session = await self._workers.passwords(
            self._accounts.sign_up, given["email"], given["password"]
        )
        resp.status = falcon.HTTP_201
        resp.data = orjson.dumps(representations.session(session))


class LogIn:
    """``POST /auth/login``."""

    def __init__(
        self, log_in: Callable[[str, str], Session], reader: Reader, workers: Workers
    ) -> None:
        self._log_in = log_in
        self._reader = reader
        self._workers = workers

    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with a token."""
        given = load(Credentials(), await self._reader.json(req))
        session = await self._workers.passwords(self._log_in, given["email"], given["password"])
        resp.data = orjson.dumps(representations.session(session))


class Me:
    """``GET /auth/me``."""

    def __init__(self, users: Users, workers: Workers) -> None:
        self._users = users
        self._workers = workers

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with the account the token is of."""
        user = await self._workers.quick(self._users.required, bearer(req))
        resp.data = orjson.dumps({"user": representations.user(user)})

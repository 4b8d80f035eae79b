"""Signing up, logging in, and who one is."""

from collections.abc import Callable

import falcon
import orjson
from falcon import asgi

from foodlog import representations
from foodlog.resources.desk import Desk
from foodlog.schemas import Credentials, NewAccount, load
from foodlog.services.accounts import Accounts, Session


class SignUp:
    """``POST /auth/signup``."""

    def __init__(self, accounts: Accounts, desk: Desk) -> None:
        self._accounts = accounts
        self._desk = desk

    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Create an account and answer with a token."""
        given = load(NewAccount(), await self._desk.reader.json(req))
        session = await self._desk.workers.passwords(
            self._accounts.sign_up, given["email"], given["password"]
        )
        resp.status = falcon.HTTP_201
        resp.data = orjson.dumps(representations.session(session))


class LogIn:
    """``POST /auth/login``."""

    def __init__(self, log_in: Callable[[str, str], Session], desk: Desk) -> None:
        self._log_in = log_in
        self._desk = desk

    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with a token."""
        given = load(Credentials(), await self._desk.reader.json(req))
        session = await self._desk.workers.passwords(
            self._log_in, given["email"], given["password"]
        )
        resp.data = orjson.dumps(representations.session(session))


class Me:
    """``GET /auth/me``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with the account the token is of."""
        user = await self._desk.user(req)
        resp.data = orjson.dumps({"user": representations.user(user)})

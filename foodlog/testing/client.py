"""The application without a server: requests go in, answers come out, in the test's own thread.

The lifespan runs for as long as the client is open, as under a server.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, ClassVar, Self
from uuid import uuid4

from falcon import testing

from foodlog.app import create_app
from foodlog.config import parse_config
from foodlog.models import User

SECRET = "only for tests: 32 bytes or more of it"

CONFIG = """
storage:
  use: sqlite_storage
  options: {database: %(folder)s/foodlog.db, photos: %(folder)s/uploads}
nutrition: [{use: food_table}]
fallback: {use: synthetic}
auth: {secret: "%(secret)s"}
logging: {level: INFO}
"""
"""The embedded default, below one folder."""


def embedded(folder: object, more: str = "") -> str:
    """The YAML of the embedded default with everything below ``folder``; ``more``: sections that
    take the place of those with the same name."""
    base = CONFIG % {"folder": folder, "secret": SECRET}
    replaced = {line.split(":")[0] for line in more.splitlines() if line and line[0].isalpha()}
    kept: list[str] = []
    dropping = False
    for line in base.splitlines():
        if line and line[0].isalpha():
            dropping = line.split(":")[0] in replaced
        if not dropping:
            kept.append(line)
    return "\n".join([*kept, more])


def multipart(
    parts: Iterable[tuple[str, str | None, bytes]], boundary: str = "boundary"
) -> tuple[bytes, str]:
    """A multipart body and its content type; a part is a name, a file name or None, and bytes."""
    body = b""
    for name, filename, data in parts:
        file = f'; filename="{filename}"' if filename else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class Client:
    """Sends requests to an application made from YAML and, beside the installed ones, ``plugins``.

    A context manager. ``token``: sent with every request once :meth:`new_user` was called.
    """

    watch: ClassVar[Callable[["Client", str, str, testing.Result], None]] = lambda *_: None
    """Called with the client, the method, the path and each answer; may raise."""

    def __init__(
        self, config: str, plugins: Iterable[object] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        self.app = create_app(parse_config(config, "test.yaml", environ or {}), plugins)
        self.token: str | None = None
        self._runner = asyncio.Runner()
        self._conductor = testing.ASGIConductor(self.app)

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(self._runner)
            self._runner.run(self._conductor.__aenter__())
            opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._conductor.__aexit__(kind, error, trace))
        self._runner.__exit__(kind, error, trace)

    def request(self, method: str, path: str, **kwargs: Any) -> testing.Result:
        """Any request; ``kwargs`` as of :func:`falcon.testing.simulate_request`."""
        headers = dict(kwargs.pop("headers", None) or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        path, _, query = path.partition("?")
        if query:
            kwargs["query_string"] = query
        return self._runner.run(self._send(method=method, path=path, headers=headers, **kwargs))

    async def _send(self, *, method: str, path: str, **kwargs: Any) -> testing.Result:
        answer: testing.Result = await self._conductor.simulate_request(method, path, **kwargs)
        self.watch(method, path, answer)
        return answer

    def beside(
        self,
        slow: Iterable[Mapping[str, Any]],
        quick: Iterable[Mapping[str, Any]],
        release: Callable[[list[testing.Result]], object],
        hanging: int | None = None,
    ) -> tuple[list[testing.Result], list[testing.Result]]:
        """Send ``slow`` requests all at once and, while they hang, ``quick`` ones; hand the
        answers of those to ``release``, which lets the slow ones go; all answers.

        Where only ``hanging`` of the slow ones hang, the quick ones come once the others are
        answered. Each request is the keyword arguments of :func:`falcon.testing.simulate_request`.
        """

        async def run() -> tuple[list[testing.Result], list[testing.Result]]:
            sent = [asyncio.ensure_future(self._send(**request)) for request in slow]
            left = set(sent)
            while hanging is not None and len(left) > hanging:
                _, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            answers = [await self._send(**request) for request in quick]
            release(answers)
            return list(await asyncio.gather(*sent)), answers

        return self._runner.run(run())

    def get(self, path: str, **kwargs: Any) -> testing.Result:
        """GET."""
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> testing.Result:
        """POST."""
        return self.request("POST", path, **kwargs)

    def post_form(
        self, path: str, *parts: tuple[str, str | None, bytes], **kwargs: Any
    ) -> testing.Result:
        """POST a multipart form."""
        body, content_type = multipart(parts)
        headers = {**(kwargs.pop("headers", None) or {}), "Content-Type": content_type}
        return self.post(path, body=body, headers=headers, **kwargs)

    def predict(self, photo: bytes, **kwargs: Any) -> testing.Result:
        """POST a photo to ``/predict``."""
        return self.post_form("/predict", ("photo", "meal.jpg", photo), **kwargs)

    def new_user(self, email: str | None = None) -> User:
        """Add an account without the quarter second its password would cost, and use its token
        from now on."""
        worker = self.app.worker
        user = User(
            id=uuid4().hex,
            email=email or f"{uuid4().hex}@example.org",
            created_at=datetime.now(UTC),
            password_hash="",
        )
        assert worker.storage.users.add(user)
        self.token = worker.tokens.issue(user)
        return user

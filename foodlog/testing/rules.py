"""How the suites ask: a rule that is broken is told in words, and what hangs ends one test."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import wraps
from inspect import getdoc
from typing import NoReturn, ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


def rules(suite: type[S]) -> type[S]:
    """The suite; where what it tests raises something, its tests say which rule that breaks."""
    for name, test in list(vars(suite).items()):
        if name.startswith("test_"):
            setattr(suite, name, _told(test))
    return suite


def _told(test: Callable[P, None]) -> Callable[P, None]:
    rule = test.__name__.removeprefix("test_").replace("_", " ")
    purpose = " ".join((getdoc(test) or "").split())

    @wraps(test)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        __tracebackhide__ = True
        try:
            test(*args, **kwargs)
        except AssertionError:
            raise
        except Exception as error:
            kind = type(error).__name__
            raise AssertionError(f"it raised {kind}: {error}; but {rule}: {purpose}") from error

    return told


def in_time(call: Callable[[], T], seconds: float, otherwise: str) -> T:
    """What ``call`` gives or raises; the test fails, saying ``otherwise``, where that takes longer
    than ``seconds``. It is called in a thread of its own: one that hangs does not hold up the rest.
    """
    __tracebackhide__ = True
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    if not wait([answer], seconds).done:
        pytest.fail(otherwise)
    return answer.result()


@contextmanager
def refused(*errors: type[Exception], otherwise: str) -> Iterator[None]:
    """What is in the block raises one of ``errors``; else the test fails, saying ``otherwise``."""
    __tracebackhide__ = True
    try:
        yield
    except errors:
        return
    pytest.fail(otherwise)


def forbid_network(monkeypatch: pytest.MonkeyPatch, otherwise: str) -> None:
    """From here on the test fails, saying ``otherwise``, where the network is used."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail(otherwise)

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)

"""The part of every suite that is about all providers alike."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar

import pytest
from marshmallow import Schema, ValidationError

from foodlog.characters import controls
from foodlog.errors import ProviderError
from foodlog.models import Nutrients
from foodlog.options import SecretField
from foodlog.photos import Photo, verify
from foodlog.providers import Provider
from foodlog.services.checking import LARGEST, TEXT_LENGTH
from foodlog.testing import photos
from foodlog.testing.fakes import context
from foodlog.testing.rules import forbid_network, in_time, rules

P = TypeVar("P", bound=Provider)
T = TypeVar("T")

Failing = Callable[[], AbstractContextManager[None]]
"""Gives a context in which what the provider depends on fails."""

WORD = re.compile(r"[a-z][a-z0-9_]*")
SECRETIVE = re.compile(
    r"(^|_)(token|secret|password|passphrase|bearer|credentials?|(api|access|private|secret)_?key)$"
)
"""Names of options that look as if they held a secret."""
CHECK_SECONDS = 5.0
CLOSE_SECONDS = 10.0
BUILD_SECONDS = 60.0
"""A model may be large; what takes longer does not load, it hangs."""
TIMEOUT = 10.0
"""Seconds that a provider is given, where a rule is not about time."""
LITTLE = 0.3
"""Seconds that it is given when the request has few of them left."""
PATIENCE = 1.0
"""Seconds that an answer may come after its time-out: a busy machine, not another attempt."""

PHOTOS: dict[str, Callable[[], bytes]] = {
    "a JPEG": lambda: photos.sample(320, 240),
    "a JPEG lying on its side": lambda: photos.jpeg(orientation=6, gps=photos.BERN),
    "a JPEG in CMYK": lambda: photos.jpeg(mode="CMYK"),
    "a grey JPEG": lambda: photos.jpeg(mode="L"),
    "a PNG with transparency": lambda: photos.png(mode="RGBA"),
    "a PNG with a palette": lambda: photos.png(mode="P"),
    "a WebP": photos.webp,
    "a GIF": photos.gif,
    "a photo of one pixel": lambda: photos.png(1, 1),
    "a photo 1 pixel high and 2,000 wide": lambda: photos.png(2000, 1),
}
"""Photos that FoodLog takes, by what they are."""

HOSTILE = (
    *("", " ", "\t\n", "0", "null", "🍕", "Crème brûlée", "卵", "a:b AND (c)", "x" * 5000),
    *("'; DROP TABLE foods; --", "../../etc/passwd", "\u202eevil", "nul\0byte", "\ud800", "%s%n"),
)
"""Names that somebody will send."""


def build(provider: type[P], **options: Any) -> P:
    """An instance as FoodLog builds it: ``options`` through its schema, the shipped dish table,
    the time of day, and 4 threads.

    Raises :class:`marshmallow.ValidationError` where an option is refused.
    """
    now = replace(context(), clock=lambda: datetime.now(UTC))
    loaded = provider.Options().load(options)
    return in_time(
        lambda: provider(loaded, now),
        BUILD_SECONDS,
        f"the constructor had not come back after {BUILD_SECONDS:g} s: a worker waits for it "
        "before it answers anybody",
    )


def again(provider: P) -> P:
    """Another instance over the same options, as each further worker builds one."""
    return type(provider)(provider.options, provider.context)


@rules
class ProviderTests:
    """Every rule that all providers share. Inherited by the suite of each port."""

    @pytest.fixture
    def provider(self) -> Provider:
        """A new provider for each test; override this. The suite closes it."""
        raise NotImplementedError("give a `provider` fixture that returns a new provider")

    @pytest.fixture(autouse=True)
    def close(self, provider: Provider) -> Iterator[Callable[[], None]]:
        """Closes the provider once, at the latest when the test ends."""
        closed: list[bool] = []

        def close_once() -> None:
            if not closed:
                closed.append(True)
                in_time(
                    provider.close,
                    CLOSE_SECONDS,
                    f"close() had not come back after {CLOSE_SECONDS:g} s: a worker that is told "
                    "to stop waits for it",
                )

        yield close_once
        close_once()

    def test_the_name_is_a_word(self, provider: Provider) -> None:
        """``use: NAME`` in the YAML picks the provider."""
        name = getattr(provider, "name", None)
        assert isinstance(name, str), f"`name` must be a text, it is {name!r}"
        assert WORD.fullmatch(name), (
            f"`name` is {name!r}, but must be lower case letters, digits and underscores: it is "
            "what an operator writes after `use:`"
        )

    def test_every_option_has_a_help_text(self, provider: Provider) -> None:
        """The configuration reference and error messages are made of them."""
        lacking = [name for name, field in _options(provider) if not field.metadata.get("help")]
        assert not lacking, (
            f"these options lack metadata={{'help': ...}}: {lacking}; without it the configuration "
            "reference cannot say what they are for"
        )

    def test_unknown_options_are_refused(self, provider: Provider) -> None:
        """A misspelt option must not be ignored."""
        try:
            provider.Options().load({"no_such_option": 1})
        except ValidationError as error:
            told = "no_such_option" in error.messages_dict
        else:
            told = False
        assert told, (
            "an option that does not exist must be refused (marshmallow's default): an operator "
            "who misspells one would otherwise run with another setting than he wrote"
        )

    def test_secrets_are_secret_fields(self, provider: Provider) -> None:
        """``foodlog config`` prints every option; only those of SecretField are masked."""
        shown = [
            name
            for name, field in _options(provider)
            if SECRETIVE.search(name) and not isinstance(field, SecretField)
        ]
        assert not shown, (
            f"{shown} look like secrets, but are no foodlog.options.SecretField: "
            "`foodlog config` and the log would print them"
        )

    def test_check_of_a_working_provider_passes(self, provider: Provider) -> None:
        """``foodlog check`` asks it of every provider, and readiness of the storage."""
        _check(provider)

    def test_the_constructor_waits_for_nothing(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A worker must start while a service is down, and at once where another has ended."""
        forbid_network(
            monkeypatch,
            "the constructor uses the network: a worker must start while a service is down, so "
            "connect when the first request asks",
        )
        # Thrice, since a busy machine makes everybody wait, but not each time.
        assert any(_waited(lambda: again(provider).close()) < PATIENCE for _ in range(3)), (
            f"the constructor waited for more than {PATIENCE:g} s without working: it may load "
            "what it needs, but a worker answers nobody while it waits"
        )

    def test_close_leaves_no_thread(self, provider: Provider, close: Callable[[], None]) -> None:
        """A thread that is left keeps the worker from ending."""
        before = set(threading.enumerate())
        self.use(provider)
        close()
        end = time.monotonic() + PATIENCE
        while (left := set(threading.enumerate()) - before) and time.monotonic() < end:
            time.sleep(0.01)
        assert not left, f"close() must end the provider's own threads; still alive: {left}"

    def use(self, provider: Any) -> None:
        """Call the provider once, as a request does."""


@rules
class AskedTests(ProviderTests):
    """The rules of providers that are asked within a time: classifiers and nutrition sources."""

    @pytest.fixture
    def down(self) -> Failing | None:
        """Override where the provider depends on something: in the context it gives, that fails
        at once."""
        return None

    @pytest.fixture
    def hanging(self) -> Failing | None:
        """Override where the provider depends on something: in the context it gives, that does
        not answer."""
        return None

    def test_a_failure_is_told_and_does_not_last(self, provider: Any, down: Failing | None) -> None:
        """What the provider depends on is down, and comes back."""
        if down is None:
            pytest.skip("no `down` fixture is given")
        with down():
            said = _failure(lambda: self.use(provider))
            assert said.strip(), "a ProviderError must say something: an operator has to act on it"
            assert _failure(lambda: _check(provider)), (
                "check() must tell when the provider does not work"
            )
        self.use(provider)

    def test_an_answer_that_does_not_come_ends_in_time(
        self, provider: Any, hanging: Failing | None
    ) -> None:
        """A client waits for as long as the provider does."""
        if hanging is None:
            pytest.skip("no `hanging` fixture is given")
        with hanging():
            _failure(lambda: self.use(provider, LITTLE))

    def test_little_time_is_kept(self, provider: Any) -> None:
        """What is left of a request's time may be short: an answer or an error comes within it."""
        with suppress(ProviderError):
            self.use(provider, LITTLE)

    def use(self, provider: Any, timeout: float | None = None) -> None:
        """Call the provider once, as a request does; without a ``timeout``, with time enough."""
        raise NotImplementedError


def asked(method: Callable[..., T], *args: Any, timeout: float | None = None) -> T:
    """What ``method(*args, timeout)`` gives or raises; the test fails where it takes longer.

    Without ``timeout`` it is given :data:`TIMEOUT`.
    """
    seconds = TIMEOUT if timeout is None else timeout
    return in_time(
        lambda: method(*args, seconds),
        seconds + PATIENCE,
        f"with a timeout of {seconds:g} s it had not come back after {seconds + PATIENCE:g} s; "
        "the time-out must bound the whole call, retries included, for a request has one deadline "
        "for all of it",
    )


def photo(kind: str = "a JPEG") -> Photo:
    """One of :data:`PHOTOS`, verified."""
    return verify(PHOTOS[kind]())


def together(calls: int, call: Callable[[int], T]) -> list[T]:
    """What ``calls`` calls give that are made from four threads at once."""
    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(call, range(calls)))


def assert_tuple(value: object, what: str) -> None:
    """``value`` is a tuple: what is in an answer can be counted, cut, and read more than once."""
    assert isinstance(value, tuple), (
        f"{what} must be a tuple, not {type(value).__name__}: FoodLog cuts it, stores it and "
        "reads it more than once, and letter by letter where it is a text"
    )


def assert_text(value: object, what: str) -> None:
    """``value`` is text that can be shown and stored."""
    assert isinstance(value, str), f"{what} must be a text, it is {type(value).__name__}"
    assert value == value.strip() != "", f"{what} is {value!r}: empty, or with spaces around it"
    assert not controls(value), f"{what} is {value!r}, which cannot be printed"
    assert len(value) <= TEXT_LENGTH, (
        f"{what} has {len(value)} characters; {TEXT_LENGTH} are kept: it is stored in every meal"
    )


def assert_amounts(nutrients: object, what: str) -> None:
    """``nutrients`` are amounts that can be added up."""
    assert isinstance(nutrients, Nutrients), f"{what} must be Nutrients, not {nutrients!r:.80}"
    for name, amount in nutrients.as_dict().items():
        assert amount is None or is_number(amount), (
            f"{name} of {what} is {amount!r}; it must be a number, or None where it is unknown"
        )
        assert amount is None or amount >= 0, f"{name} of {what} is {amount}, which is below 0"
        assert amount is None or amount <= LARGEST, (
            f"{name} of {what} is {amount:g}, more than any meal holds: it is taken to be unknown"
        )


def assert_taken(check: Callable[..., object], *args: object) -> None:
    """``check(*args)``, by which FoodLog looks at every answer, lets this one pass."""
    try:
        check(*args)
    except ProviderError as error:
        pytest.fail(f"FoodLog takes this answer for a failure: {error}")


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite int or float of Python's own, which JSON can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _failure(call: Callable[[], object]) -> str:
    """The message of the ProviderError that ``call`` raises."""
    try:
        call()
    except ProviderError as error:
        return str(error)
    except Exception as error:
        pytest.fail(
            f"raised {type(error).__name__}: {error}; a failure must be a ProviderError with a "
            "sentence an operator can act on: anything else is logged as a defect of the plugin"
        )
    pytest.fail("no ProviderError came: an answer that was made up looks like a real one")


def _check(provider: Provider) -> None:
    in_time(
        provider.check,
        CHECK_SECONDS,
        f"check() had not come back after {CHECK_SECONDS:g} s; it must be cheap, a second or two: "
        "`foodlog check` asks it of every provider, and readiness of the storage",
    )


def _waited(call: Callable[[], object]) -> float:
    """Seconds that ``call`` took without work of this process."""
    started, worked = time.monotonic(), time.process_time()
    call()
    return time.monotonic() - started - (time.process_time() - worked)


def _options(provider: Provider) -> list[tuple[str, Any]]:
    schema: Schema = provider.Options()
    return list(schema.fields.items())

"""Classifies with a model at Hugging Face: behind its router, or in a Gradio Space.

The router takes the photo's bytes and answers ``[{"label", "score"}, …]``; a Space takes a data
URL in JSON and answers ``{"data": […], "duration", "average_duration"}``.
"""

import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from marshmallow import Schema, pre_load

import foodlog
from foodlog.errors import ProviderError
from foodlog.models import Classification, Label
from foodlog.options import Seconds, SecretField, Url, Whole
from foodlog.photos import Photo
from foodlog.providers import Classifier, Context
from foodlog.upstream import Answer, Upstream
from foodlog_plugins.remote import CHECK_TIMEOUT, amount, confidences, text, tiny_picture

ROUTER = "router.huggingface.co"
LEGACY = "api-inference.huggingface.co"
MODELS = "/hf-inference/models/"
DEFAULT_URL = f"https://{ROUTER}{MODELS}nateraw/food"

SPREAD = 0.5
"""Seconds; the pause before a second try is random, from 0 to this."""
LEAST = 0.25
"""Seconds that must be left for the second try to be worth making."""
RETRIES = 3.0
"""Second tries that are saved up at most, and there are to begin with."""
RETRY_RATIO = 0.1
"""Second tries that each photo adds."""
LONGEST = 3600.0
"""Seconds; a time or duration above is not believed."""

MAX_DEPTH = 3
"""Lists and objects around a label and its confidence."""

_OUTAGES = frozenset({500, 502, 503, 504})
_PERMANENT: Mapping[int, str] = {
    400: "refused our request",
    401: "does not accept the token: the option 'token' needs a valid one",
    402: "asks for payment: the account's credits are used up",
    403: "does not permit this: the token lacks the permission to call inference providers",
    404: "has nothing at this address: the model is not served there; look at the option 'url'",
    410: "no longer serves this address; look at the option 'url'",
    422: "could not read our request; look at the option 'url'",
}


class HuggingFace(Classifier):
    """Image classification at Hugging Face."""

    name = "huggingface"
    inference_source = "huggingface_space"
    metadata_key = "hf_space"

    class Options(Schema):
        """Where the model is, and how it is asked. A Gradio Space needs no token."""

        url = Url(
            load_default=DEFAULT_URL,
            metadata={"help": "Where the model is asked: at the router, or a Gradio Space."},
        )
        token = SecretField(
            required=True,
            metadata={
                "help": "Access token with the permission to call inference providers. "
                "Not required for a Gradio Space; sent to it where given."
            },
        )
        timeout = Seconds(
            load_default=6.0, metadata={"help": "Seconds for an answer, a second try included."}
        )
        longest_side = Whole(
            64,
            8192,
            load_default=1024,
            metadata={"help": "Photos are reduced to so many pixels before they are sent."},
        )
        top_k = Whole(
            1, 100, load_default=5, metadata={"help": "How many labels are kept, best first."}
        )

        @pre_load
        def _space_needs_no_token(self, given: dict[str, Any], **_: Any) -> dict[str, Any]:
            with suppress(ValueError, AttributeError):  # no URL: told by the field itself
                self.fields["token"].required = is_router(given.get("url", DEFAULT_URL))
            return given

    def __init__(
        self,
        options: Mapping[str, Any],
        context: Context,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` in seconds, ``sleep`` for seconds, ``jitter`` from 0 to 1."""
        super().__init__(options, context)
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._lock = Lock()
        self._retries = RETRIES
        url = normalised(options["url"])
        self._router = is_router(url)
        self._shown_url = urlunsplit(urlsplit(url)._replace(query="", fragment=""))
        self._upstream = Upstream(
            self.name, url, threads=context.threads, bearer=options.get("token")
        )

    def classify(self, photo: Photo, timeout: float) -> Classification:
        """The model's labels, best first.

        An outage or a cold model is asked again once, where that fits into ``timeout`` and into
        a budget: who is in trouble must not be asked twice as much.
        """
        ends = self._clock() + timeout
        image = photo.reduced(self.options["longest_side"])
        with self._lock:
            self._retries = min(RETRIES, self._retries + RETRY_RATIO)
        try:
            return self._ask(image, ends - self._clock())
        except _Passing as failure:
            pause = self._jitter() * SPREAD if failure.pause is None else failure.pause
            if self._clock() + pause + LEAST > ends or not self._may_retry():
                raise
            self._sleep(pause)
            return self._ask(image, ends - self._clock())

    def check(self) -> None:
        """Has a tiny picture classified: nothing cheaper is known to tell whether the host is
        there, the token valid and the model served."""
        self._ask(tiny_picture(), min(self.options["timeout"], CHECK_TIMEOUT))

    def close(self) -> None:
        """Let go of the connections."""
        self._upstream.close()

    def _may_retry(self) -> bool:
        with self._lock:
            if self._retries < 1:
                return False
            self._retries -= 1
            return True

    def _ask(self, image: bytes, timeout: float) -> Classification:
        if self._router:
            headers = {"Content-Type": "image/jpeg"}
            answer = self._upstream.request("POST", content=image, headers=headers, timeout=timeout)
        else:
            data = f"data:image/jpeg;base64,{b64encode(image).decode()}"
            answer = self._upstream.request("POST", json={"data": [data]}, timeout=timeout)
        body = _body(answer, self._upstream.host)
        found = body if self._router else _mapping(body).get("data")
        return Classification(
            labels=_labels(found)[: self.options["top_k"]],
            diagnostics={"url": self._shown_url, **_durations(_mapping(body))},
        )


class _Passing(ProviderError):
    """A failure that may be over after ``pause`` seconds (None: nobody knows)."""

    def __init__(self, message: str, pause: float | None, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.pause = pause


def normalised(url: str) -> str:
    """``url``, or where the models of the host that was switched off are served today."""
    parts = urlsplit(url)
    if parts.hostname != LEGACY:
        return url
    model = parts.path.removeprefix("/models/").strip("/")
    if not parts.path.startswith("/models/") or not model:
        return DEFAULT_URL
    return f"https://{ROUTER}{MODELS}{model}"


def is_router(url: str) -> bool:
    """Whether ``url`` is the router's, or of a stand-in with the router's path."""
    parts = urlsplit(normalised(url))
    return parts.hostname == ROUTER or parts.path.startswith(MODELS)


def _body(answer: Answer, host: str) -> Any:
    """The JSON of an answer that is one; raises ProviderError for all others."""
    status, said = answer.status, _failure(answer)
    if status in (200, 503) and _is_loading(said):
        pause = amount(said.get("estimated_time"), LONGEST)
        wait = "" if pause is None else f", for about {pause:.0f} s more"
        raise _Passing(f"{host} is still loading the model{wait}", pause)
    if status in _OUTAGES:
        after = answer.retry_after()
        raise _Passing(f"{host} is out of order (HTTP {status})", after, after)
    if status == 429:
        raise ProviderError(
            f"{host} takes no more requests from us for now (HTTP 429)",
            retry_after=answer.retry_after(),
        )
    if status == 400 and "not supported" in str(said.get("error")):
        status = 404
    if status in _PERMANENT:
        raise ProviderError(f"{host} {_PERMANENT[status]} (HTTP {answer.status})", permanent=True)
    if status != 200:
        raise ProviderError(f"{host} answered HTTP {status}, which was not expected")
    return answer.json()


def _failure(answer: Answer) -> Mapping[str, Any]:
    """The body where it is a JSON object, as failures have one; else nothing."""
    try:
        return _mapping(answer.json())
    except ProviderError:
        return {}


def _is_loading(said: Mapping[str, Any]) -> bool:
    return "estimated_time" in said or "loading" in str(said.get("error")).lower()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _durations(body: Mapping[str, Any]) -> dict[str, float]:
    told = {name: amount(body.get(name), LONGEST) for name in ("duration", "average_duration")}
    return {name: seconds for name, seconds in told.items() if seconds is not None}


def _labels(found: object) -> tuple[Label, ...]:
    """Every label with its confidence, best first.

    Raises ProviderError where there is none, or one is no text or its confidence no number.
    """
    pairs = list(_pairs(found))
    names = [text(name) for name, _ in pairs]
    if not pairs or None in names:
        raise ProviderError("the answer names no label, or one that is no text")
    shares = confidences([confidence for _, confidence in pairs])
    labels = [Label(str(name), share) for name, share in zip(names, shares, strict=True)]
    return tuple(sorted(labels, key=lambda label: label.confidence or 0.0, reverse=True))


def _pairs(found: object, depth: int = 0) -> Iterator[tuple[object, object]]:
    """Label and confidence, in any of the shapes that are sent; (None, None) for anything else."""
    match found:
        case {"label": label, "score": confidence} | {"label": label, "confidence": confidence}:
            yield label, confidence
        case [str(label), int() | float() as confidence]:
            yield label, confidence
        case {"confidences": [*several]} | [*several] if depth < MAX_DEPTH:
            for entry in several:
                yield from _pairs(entry, depth + 1)
        case _:
            yield None, None


@foodlog.hookimpl
def foodlog_classifiers() -> Iterable[type[Classifier]]:
    """The Hugging Face classifier."""
    return [HuggingFace]

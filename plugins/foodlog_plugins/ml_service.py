"""Classifies with the ML microservice, which may name ingredients and nutrition as well.

It is sent the photo and, of its EXIF facts, all but where it was taken.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from marshmallow import Schema, fields

import foodlog
from foodlog.errors import Declined, ProviderError
from foodlog.models import Classification, Label, Nutrients
from foodlog.options import Seconds, SecretField, Url, Whole
from foodlog.photos import Photo
from foodlog.providers import Classifier, Context
from foodlog.upstream import Answer, Upstream
from foodlog_plugins.remote import CHECK_TIMEOUT, amount, confidences, text, tiny_picture

STUBS = ("stub", "mock")
MAX_CALORIES = 20_000.0
"""kcal of a serving; more is not believed."""
MAX_GRAMS = 5_000.0
"""Grams of a macronutrient in a serving; more is not believed."""
MAX_INGREDIENTS = 50

log = logging.getLogger(__name__)


class MLService(Classifier):
    """A microservice that sees a photo and answers a whole meal."""

    name = "ml_service"

    class Options(Schema):
        """Where the service is, and how it is asked."""

        url = Url(
            schemes=("http", "https", "stub"),
            words=STUBS,
            required=True,
            metadata={
                "help": "Where the service is; 'stub', 'mock' or 'stub://…': there is none, the "
                "fallback answers in its place."
            },
        )
        api_key = SecretField(metadata={"help": "Sent as bearer token, where given."})
        mode = fields.String(
            load_default="",
            metadata={"help": "'stub' or 'mock': as if the URL were; anything else: no effect."},
        )
        timeout = Seconds(load_default=6.0, metadata={"help": "Seconds for an answer."})
        longest_side = Whole(
            64,
            8192,
            load_default=1024,
            metadata={"help": "Photos are reduced to so many pixels before they are sent."},
        )

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        super().__init__(options, context)
        self._upstream: Upstream | None = None
        if is_stub(options["url"], options["mode"]):
            log.info("the ML service is in stub mode: the fallback answers in its place")
            return
        self._upstream = Upstream(
            self.name, options["url"], threads=context.threads, bearer=options["api_key"]
        )

    def classify(self, photo: Photo, timeout: float) -> Classification:
        """What the service sees, with the ingredients and nutrition it names."""
        image = photo.reduced(self.options["longest_side"])
        facts = {name: fact for name, fact in photo.metadata.items() if name != "gps"}
        return _classification(self._ask(image, facts, timeout))

    def check(self) -> None:
        """Has a tiny picture classified; in stub mode there is nothing to check."""
        if self._upstream is None:
            return
        timeout = min(self.options["timeout"], CHECK_TIMEOUT)
        _classification(self._ask(tiny_picture(), {}, timeout))

    def close(self) -> None:
        """Let go of the connections."""
        if self._upstream is not None:
            self._upstream.close()

    def _ask(self, image: bytes, facts: Mapping[str, Any], timeout: float) -> Any:
        if self._upstream is None:
            raise Declined(
                "the ML service is in stub mode; the fallback answers in its place", permanent=True
            )
        answer = self._upstream.request(
            "POST",
            form={"metadata": orjson.dumps(facts).decode()},
            files={"image": ("upload.jpg", image, "image/jpeg")},
            timeout=timeout,
        )
        return _body(answer, self._upstream.host)


def is_stub(url: str, mode: str) -> bool:
    """Whether the settings say that there is no service."""
    return url in STUBS or urlsplit(url).scheme == "stub" or mode.strip().lower() in STUBS


def _body(answer: Answer, host: str) -> Any:
    status = answer.status
    if status == 200:
        return answer.json()
    if status in (401, 403):
        raise ProviderError(
            f"{host} does not accept the option 'api_key' (HTTP {status})", permanent=True
        )
    if status in (404, 405, 410):
        raise ProviderError(
            f"{host} has no such service (HTTP {status}); look at the option 'url'", permanent=True
        )
    raise ProviderError(f"{host} answered HTTP {status}", retry_after=answer.retry_after())


def _classification(body: Any) -> Classification:
    """Raises ProviderError where no food is named or the confidence is none."""
    answer = body if isinstance(body, dict) else {}
    food = text(answer.get("food"))
    if food is None:
        raise ProviderError("the answer names no food")
    confidence = answer.get("confidence")
    share = None if confidence is None else confidences([confidence])[0]
    return Classification(
        labels=(Label(food, share),),
        ingredients=_ingredients(answer.get("ingredients")),
        nutrients=_nutrients(answer),
    )


def _ingredients(named: object) -> tuple[str, ...]:
    entries = named[:MAX_INGREDIENTS] if isinstance(named, list) else []
    return tuple(name for entry in entries if (name := text(entry)))


def _nutrients(answer: Mapping[str, Any]) -> Nutrients | None:
    """What the service says of the serving; an amount that cannot be is unknown."""
    told = answer.get("nutrition_facts")
    facts = told if isinstance(told, dict) else {}
    calories = amount(facts.get("calories"), MAX_CALORIES)
    nutrients = Nutrients(
        calories=amount(answer.get("calories"), MAX_CALORIES) if calories is None else calories,
        proteins=amount(facts.get("proteins"), MAX_GRAMS),
        fats=amount(facts.get("fats"), MAX_GRAMS),
        carbohydrates=amount(facts.get("carbohydrates"), MAX_GRAMS),
    )
    return None if nutrients == Nutrients() else nutrients


@foodlog.hookimpl
def foodlog_classifiers() -> Iterable[type[Classifier]]:
    """The ML service."""
    return [MLService]

"""One exception family, and its one mapping to RFC 9457 problem details.

Everything the program raises on purpose is a :class:`FoodLogError`. Its message is written for
the person who can act on it: of a client error the client, of :class:`ConfigError` and
:class:`ProviderError` the operator. Only client errors are answered with their message; whatever
else a request ends with is answered with the title of its status.

Clients read some of a provider's sentences all the same: why a classifier or a nutrition source
failed stands in a meal's ``metadata``, in ``ml_service_error`` and in ``/health/ready``. So such a
sentence may name hosts and options, and never holds a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from foodlog.models import Label, Nutrition


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with an input: a JSON pointer (RFC 6901) and a sentence."""

    pointer: str
    detail: str


class FoodLogError(Exception):
    """The root of the family; by itself an internal error (500)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal server error"

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message or self.title)
        self.retry_after = retry_after


class ConfigError(FoodLogError):
    """The configuration cannot be used; says which setting, which value, which choices exist."""

    code = "configuration_error"


class ProviderError(FoodLogError):
    """A provider could not answer; the message is a sentence an operator can act on, without
    secrets.

    ``retry_after``: seconds for which asking again is pointless, where the provider knows.
    ``permanent``: asking again will not help until an operator changes something.
    """

    status = 503
    code = "provider_unavailable"
    title = "A service we depend on is not available"

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        permanent: bool = False,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.permanent = permanent


class ProviderTimeout(ProviderError):
    """A provider did not answer within the time it was given."""

    status = 504
    code = "provider_timeout"
    title = "A service we depend on did not answer in time"


class Declined(ProviderError):
    """A provider stands aside by its own choice, which is no failure; the next one is asked."""


class PartialAnswer(ProviderError):
    """A nutrition source looked up some foods and failed with others.

    ``answers``: what :meth:`foodlog.providers.NutritionSource.lookup` would return, None for the
    foods it failed with. They are used; the message is told like that of any failure.
    """

    def __init__(self, message: str, answers: Sequence[Nutrition | None]) -> None:
        super().__init__(message)
        self.answers = answers


class StorageFull(ProviderError):
    """The storage has no room left."""

    status = 507
    code = "storage_full"
    title = "There is no room left to store this"


class Overloaded(FoodLogError):
    """All workers of this kind are busy and the queue is full."""

    status = 503
    code = "overloaded"
    title = "The server is busy; try again shortly"


class ClientError(FoodLogError):
    """The request cannot be served as it is; the message is sent to the client."""

    status = 400
    code = "bad_request"
    title = "Bad request"

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.violations = tuple(violations)
        if code:
            self.code = code  # type: ignore[misc]


class Malformed(ClientError):
    """The request cannot be read."""

    code = "malformed"
    title = "The request cannot be read"


class Unauthorized(ClientError):
    """No valid token or credentials."""

    status = 401
    code = "unauthorized"
    title = "Authentication required"


class Forbidden(ClientError):
    """Known, but not allowed."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(ClientError):
    """There is nothing here, or it belongs to somebody else."""

    status = 404
    code = "not_found"
    title = "Not found"


class RequestTimeout(ClientError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"
    title = "The request took too long to arrive"


class Conflict(ClientError):
    """The request clashes with what is stored."""

    status = 409
    code = "conflict"
    title = "Conflict"


class TooLarge(ClientError):
    """The body or the photo is over its limit."""

    status = 413
    code = "too_large"
    title = "Too large"


class UnsupportedMedia(ClientError):
    """The bytes are of no supported type."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class Unprocessable(ClientError):
    """Understood, and refused; ``violations`` says where."""

    status = 422
    code = "invalid"
    title = "The request was understood and refused"


class Rejected(FoodLogError):
    """The best label is under the threshold: an answer of its own, and nothing is stored."""

    code = "rejected"
    title = "Sorry! Unfortunately, we cannot analyze your picture!"

    def __init__(self, candidates: Sequence[Label], threshold: float) -> None:
        super().__init__()
        self.candidates = tuple(candidates)
        self.threshold = threshold


def problem(error: FoodLogError, *, instance: str, request_id: str) -> dict[str, Any]:
    """The problem+json body of ``error``, with the ``error`` member existing clients read.

    ``instance`` is the request's path, ``request_id`` the id that also stands in the log.
    Only a :class:`ClientError` speaks for itself; all others say no more than their title.
    """
    shown = str(error) if isinstance(error, ClientError) else error.title
    body: dict[str, Any] = {
        "type": f"urn:foodlog:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": shown,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "error": shown,
    }
    if isinstance(error, ClientError) and error.violations:
        body["errors"] = [{"pointer": v.pointer, "detail": v.detail} for v in error.violations]
    return body

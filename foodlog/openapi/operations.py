"""What each route takes and answers: the table the OpenAPI document is generated from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from marshmallow import Schema

from foodlog import schemas
from foodlog.openapi import answers
from foodlog.resources.accounts import LogIn, Me, SignUp
from foodlog.resources.documents import ApiDocument, DocsAsset, DocsPage
from foodlog.resources.health import Health, Ready
from foodlog.resources.meals import History, LegacyMeals, Predict, SaveMeal
from foodlog.resources.photos import Photos, Upload

JSON = "application/json"

WAITING = (503, 504)
"""Whatever waits for a thread or the storage."""
BODY = (400, 408, 413, 415, 422)
"""Whatever reads a body."""
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    path: str
    responder: Callable[..., Any]
    """The method that answers; the first line of its docstring is the summary."""
    id: str
    tag: str
    answer: Any = None
    """The schema of success: a marshmallow class, or JSON Schema around one."""
    status: int = 200
    media: tuple[str, ...] = (JSON,)
    others: tuple[tuple[int, type[Schema]], ...] = ()
    """Further answers that are JSON, beside a problem with the same status if there is one."""
    problems: tuple[int, ...] = ()
    access: Literal["anybody", "optional", "required"] = "anybody"
    """Whether a token is asked for."""
    query: type[Schema] | None = None
    json: type[Schema] | None = None
    form: type[Schema] | None = None
    """The text parts beside the photo."""
    repeatable: bool = False
    """Whether it takes an Idempotency-Key."""
    cached: bool = False
    """Whether it has an ETag, and a 304."""
    linked: bool = False
    """Whether a Link header leads to the next page."""
    server: Literal["both", "root", "legacy"] = "both"
    """Where it is: at the root, under the legacy prefix, or both."""

    @property
    def method(self) -> str:
        """In lower case."""
        return self.responder.__name__.removeprefix("on_")


class NoTexts(Schema):
    """The parts of a form that is only a photo."""


_SIGN_UP = Operation(
    path="/auth/signup",
    responder=SignUp.on_post,
    id="signUp",
    tag="accounts",
    status=201,
    answer=answers.Session,
    problems=(*BODY, 409, *WAITING, 507),
    json=schemas.NewAccount,
)
_LOG_IN = Operation(
    path="/auth/login",
    responder=LogIn.on_post,
    id="logIn",
    tag="accounts",
    answer=answers.Session,
    problems=(*BODY, 401, *WAITING),
    json=schemas.Credentials,
)
_ME = Operation(
    path="/auth/me",
    responder=Me.on_get,
    id="whoAmI",
    tag="accounts",
    answer=answers.Account,
    problems=(401, *WAITING),
    access="required",
)
_PREDICT = Operation(
    path="/predict",
    responder=Predict.on_post,
    id="predict",
    tag="meals",
    answer=answers.Meal,
    others=((422, answers.Rejection),),
    problems=(*BODY, 401, *WAITING, 507),
    access="optional",
    form=schemas.PredictFields,
    repeatable=True,
)
_HISTORY = Operation(
    path="/history",
    responder=History.on_get,
    id="history",
    tag="meals",
    answer=answers.History,
    problems=(400, 401, 422, *WAITING),
    access="required",
    query=schemas.HistoryQuery,
)
_MEALS = Operation(
    path="/meals",
    responder=LegacyMeals.on_get,
    id="meals",
    tag="meals",
    answer={"type": "array", "items": answers.LegacyMeal},
    problems=(400, 401, 422, *WAITING),
    access="required",
    query=schemas.PageQuery,
    linked=True,
)
_SAVE_MEAL = Operation(
    path="/save_meal",
    responder=SaveMeal.on_post,
    id="saveMeal",
    tag="meals",
    status=201,
    answer=answers.SavedMeal,
    problems=(*BODY, 401, *WAITING, 507),
    access="required",
    json=schemas.SaveMeal,
    repeatable=True,
)
_UPLOAD = Operation(
    path="/upload",
    responder=Upload.on_post,
    id="upload",
    tag="photos",
    answer=answers.StoredPhoto,
    problems=(*BODY, 401, *WAITING, 507),
    access="required",
    form=NoTexts,
    repeatable=True,
)
_PHOTO = Operation(
    path="/uploads/{key}",
    responder=Photos.on_get,
    id="photo",
    tag="photos",
    answer={"type": "string", "format": "binary"},
    media=PHOTO_TYPES,
    problems=(403, 404, 422, *WAITING),
    query=schemas.PhotoQuery,
    cached=True,
)
_HEALTH = Operation(
    path="/health", responder=Health.on_get, id="health", tag="service", answer=answers.Alive
)
_READY = Operation(
    path="/health/ready",
    responder=Ready.on_get,
    id="ready",
    tag="service",
    answer=answers.Readiness,
    others=((503, answers.Readiness),),
    problems=WAITING,
)
_DOCUMENT = Operation(
    path="/openapi.yaml",
    responder=ApiDocument.on_get,
    id="apiDocument",
    tag="service",
    answer={"type": "string"},
    media=("application/yaml",),
    cached=True,
    server="root",
)
_DOCS = Operation(
    path="/docs",
    responder=DocsPage.on_get,
    id="docs",
    tag="service",
    answer={"type": "string"},
    media=("text/html",),
    cached=True,
    server="root",
)
_DOCS_ASSET = Operation(
    path="/docs/{name}",
    responder=DocsAsset.on_get,
    id="docsAsset",
    tag="service",
    answer={"type": "string"},
    media=("text/css", "text/javascript", "image/png"),
    problems=(404, *WAITING),
    cached=True,
    server="root",
)


def _legacy(operation: Operation, path: str, name: str) -> Operation:
    return replace(operation, path=path, id=name, tag="legacy", server="legacy")


OPERATIONS: tuple[Operation, ...] = (
    _SIGN_UP,
    _LOG_IN,
    _ME,
    _PREDICT,
    _HISTORY,
    _MEALS,
    _SAVE_MEAL,
    _UPLOAD,
    _PHOTO,
    _HEALTH,
    _READY,
    _DOCUMENT,
    _DOCS,
    _DOCS_ASSET,
    _legacy(_SIGN_UP, "/signup", "legacySignUp"),
    _legacy(_LOG_IN, "/login", "legacyLogIn"),
    _legacy(_ME, "/profile", "legacyProfile"),
)
"""In the order of the document."""

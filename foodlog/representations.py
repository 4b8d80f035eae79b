"""What goes out: meals, users and rejections as plain dicts, which orjson writes.

Fields of the Flask service keep their names and types; new ones stand beside them. Unknown is
null. Energy is whole kilocalories; grams and milligrams have two decimals at most.
"""

from collections.abc import Callable, Mapping
from typing import Any

from foodlog.errors import Rejected
from foodlog.models import Component, Label, Meal, Nutrients, User
from foodlog.records import time_text
from foodlog.services.accounts import Session

PhotoUrl = Callable[[str], str]
"""Makes the URL of a stored photo from its key."""


def image_url(meal: Meal, photo_url: PhotoUrl) -> str | None:
    """Where the meal's photo is."""
    return photo_url(meal.photo_key) if meal.photo_key else meal.image_url


def meal(meal: Meal, image_url: str | None, *, stored: bool = True) -> dict[str, Any]:
    """The meal as ``/predict`` and ``/history`` answer it."""
    body: dict[str, Any] = {
        "id": meal.id if stored else None,
        "user_id": meal.user_id,
        "image_url": image_url,
        "food": meal.food,
        "calories": _whole(meal.nutrients.calories),
        "ingredients": list(meal.ingredients),
        "nutrition_facts": nutrition_facts(meal.nutrients),
        "metadata": dict(meal.metadata),
        "inference_source": meal.inference_source,
        "timestamp": time_text(meal.created_at),
        "created_at": time_text(meal.created_at),
        "consumed_at": time_text(meal.consumed_at),
        "confidence": meal.confidence,
        "candidates": [candidate(label) for label in meal.candidates],
        "components": [component(part) for part in meal.components],
        "coverage": None if meal.coverage is None else round(meal.coverage, 4),
        "nutrition_source": meal.nutrition_source,
        "estimated": meal.estimated,
        "meal_type": meal.meal_type,
        "note": meal.note,
        "stored": stored,
    }
    if meal.ml_service_error:
        body["ml_service_error"] = meal.ml_service_error
    if meal.corrected_at:
        body["corrected_at"] = time_text(meal.corrected_at)
    if meal.prediction is not None:
        body["prediction"] = dict(meal.prediction)
    return body


def legacy_meal(meal: Meal) -> dict[str, Any]:
    """The meal in the five fields the legacy app reads; ``date`` is the day in UTC."""
    return {
        "id": meal.id,
        "name": meal.food,
        "calories": _whole(meal.nutrients.calories),
        "date": meal.consumed_at.date().isoformat(),
        "created_at": time_text(meal.created_at),
    }


def nutrition_facts(nutrients: Nutrients) -> dict[str, float | int | None]:
    """All nutrients by name; ``calories`` whole, the others with two decimals."""
    facts: dict[str, float | int | None] = {
        name: _rounded(amount) for name, amount in nutrients.as_dict().items()
    }
    return facts | {"calories": _whole(nutrients.calories)}


def component(part: Component) -> dict[str, Any]:
    """Part of a meal, with where its nutrition came from."""
    return {
        "name": part.name,
        "grams": _rounded(part.grams),
        **nutrition_facts(part.nutrients),
        "source": part.source,
        "source_id": part.source_id,
        "description": part.description,
        "data_type": part.data_type,
    }


def candidate(label: Label) -> dict[str, Any]:
    """A label the classifier thought of."""
    return {"label": label.name, "confidence": label.confidence}


def user(user: User) -> dict[str, Any]:
    """An account, without what must stay inside."""
    return {"id": user.id, "email": user.email, "created_at": time_text(user.created_at)}


def session(session: Session) -> dict[str, Any]:
    """The answer to signing up and logging in."""
    return {
        "token": session.token,
        "expires_in": session.expires_in,
        "user": user(session.user),
    }


def rejection(error: Rejected, status: int, request_id: str) -> dict[str, Any]:
    """The answer to a photo nobody can name; nothing of it was stored."""
    best = error.candidates[0]
    confidence = best.confidence or 0.0
    return {
        "error": error.title,
        "details": f"The best guess, {best.name}, is only {confidence:.0%} certain; "
        f"{error.threshold:.0%} is needed.",
        "label": best.name,
        "confidence": best.confidence,
        "threshold": error.threshold,
        "candidates": [candidate(label) for label in error.candidates],
        "status": "hf_rejected",
        "accepted": False,
        "http_status": status,
        "request_id": request_id,
    }


def readiness(rows: list[Mapping[str, Any]], ready: bool) -> dict[str, Any]:
    """A row for each provider; ``status`` is the storage's alone."""
    return {"status": "ok" if ready else "unavailable", "providers": [dict(row) for row in rows]}


def _whole(amount: float | None) -> int | None:
    return None if amount is None else round(amount)


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 2)

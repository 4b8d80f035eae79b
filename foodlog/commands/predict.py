"""``foodlog predict``: the whole pipeline on one photo, without a server; nothing is stored."""

import argparse
from pathlib import Path
from typing import Any

import orjson

from foodlog import logs, representations
from foodlog.commands.tables import table
from foodlog.config import load_config
from foodlog.discovery import discover
from foodlog.errors import ConfigError, Rejected
from foodlog.models import Meal
from foodlog.photos import PhotoLimits, verify
from foodlog.plugins import select
from foodlog.services.meals import Details, compose
from foodlog.worker import Pipeline, new_id, now


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("predict", help="analyse a photo; nothing is stored")
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("--json", action="store_true", help="print it as the API answers it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the meal; 1 where the photo is rejected."""
    config = load_config(arguments.config)
    logs.configure("WARNING", "text")
    try:
        with arguments.photo.open("rb") as file:
            data = file.read(config.limits.photo_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{arguments.photo} cannot be read: {error.strerror}.") from None
    pipeline = Pipeline(config, select(discover(), config).without("storage"))
    try:
        meal = _analyse(pipeline, data, config.limits.photo())
    except Rejected as error:
        status, request = config.prediction.rejection_status, logs.request_id.get()
        body, text, code = representations.rejection(error, status, request), _refused(error), 1
    else:
        body, text, code = representations.meal(meal, None, stored=False), _shown(meal), 0
    finally:
        pipeline.close()
    print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode() if arguments.json else text)
    return code


def _analyse(pipeline: Pipeline, data: bytes, limits: PhotoLimits) -> Meal:
    photo = verify(data, limits)
    deadline = pipeline.deadline()
    finding = pipeline.analyst.classify(photo, deadline)
    analysis = pipeline.analyst.nutrition(finding, photo, deadline)
    return compose(new_id(), None, photo, Details(), finding, analysis, now())


def _refused(error: Rejected) -> str:
    guesses = ", ".join(
        f"{label.name} {'?' if label.confidence is None else f'{label.confidence:.0%}'}"
        for label in error.candidates
    )
    return f"rejected: under the threshold of {error.threshold:.0%} ({guesses})"


def _shown(meal: Meal) -> str:
    certainty = f", {meal.confidence:.0%} certain" if meal.confidence is not None else ""
    estimate = " - an estimate, nobody looked at the photo" if meal.estimated else ""
    head = f"{meal.food} ({meal.inference_source}{certainty}){estimate}"
    return "\n".join([head, "", nutrition_table(meal.components, meal.nutrients)])


def nutrition_table(components: Any, total: Any) -> str:
    """A line for each component and one for the whole: grams, energy, macronutrients, record."""
    rows: list[tuple[str, ...]] = [
        ("", "g", "kcal", "protein", "fat", "carbs", "record"),
        *(
            (part.name, _amount(part.grams), *_amounts(part.nutrients), _record(part))
            for part in components
        ),
        ("total", _amount(sum(c.grams or 0 for c in components) or None), *_amounts(total), ""),
    ]
    return table(rows)


def _amounts(nutrients: Any) -> tuple[str, str, str, str]:
    return (
        _amount(nutrients.calories),
        _amount(nutrients.proteins),
        _amount(nutrients.fats),
        _amount(nutrients.carbohydrates),
    )


def _amount(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"


def _record(part: Any) -> str:
    return f"{part.source} {part.source_id}: {part.description}" if part.source else ""

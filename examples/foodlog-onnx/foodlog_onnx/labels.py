"""What the outputs of a model mean."""

import json
from pathlib import Path
from typing import Any

from foodlog.errors import ProviderError

MOST_BYTES = 4 * 1024 * 1024
LONGEST = 200
"""Characters of a label that FoodLog keeps."""


def load_labels(path: Path) -> tuple[str, ...]:
    """The labels in the order of the outputs.

    From text with a label a line, a JSON list, a JSON object from index to label, or the
    ``config.json`` of a Hugging Face model (its ``id2label``). Raises ProviderError.
    """
    text = _read(path)
    named = _from_json(path, text) if path.suffix == ".json" else text.splitlines()
    labels = tuple(label.strip() if isinstance(label, str) else "" for label in named)
    while labels and not labels[-1] and path.suffix != ".json":
        labels = labels[:-1]
    if len(labels) < 2:
        raise _refused(path, f"there are {len(labels)} labels in it; a model tells at least two")
    for number, label in enumerate(labels):
        if not label or not label.isprintable() or len(label) > LONGEST:
            raise _refused(path, f"label {number} is {label!r:.40}, not text of 1 to {LONGEST}")
    return labels


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise _refused(path, f"it has more than {MOST_BYTES} bytes")
        return data.decode()
    except OSError as error:
        raise _refused(path, error.strerror or "it cannot be read") from error
    except UnicodeDecodeError as error:
        raise _refused(path, "it is no text in UTF-8") from error


def _from_json(path: Path, text: str) -> list[Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, "it is no JSON") from error
    if isinstance(data, dict):
        data = data.get("id2label", data)
    if isinstance(data, dict) and data.keys() == {str(n) for n in range(len(data))}:
        data = [data[str(n)] for n in range(len(data))]
    if not isinstance(data, list):
        raise _refused(path, "expected a list, or an object with 'id2label' from 0 upwards")
    return data


def _refused(path: Path, why: str) -> ProviderError:
    return ProviderError(f"the option 'labels': {path} cannot be used: {why}.", permanent=True)

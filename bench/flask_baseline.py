"""A plain Flask application that does what ``/predict`` does, one thing after another.

Label, then the nutrition of one ingredient after another, then the photo, then the row. Sessions
are kept alive. ``CLASSIFIER_URL``, ``NUTRITION_URL``, ``FOLDER``: what it talks to and writes to.
"""

import os
import sqlite3
import threading
import uuid
from pathlib import Path
from typing import Any

import requests
from flask import Flask, request

from bench.stubs import KEY, food_ids

CLASSIFIER_URL, NUTRITION_URL = os.environ["CLASSIFIER_URL"], os.environ["NUTRITION_URL"]
FOLDER = Path(os.environ["FOLDER"])

app = Flask(__name__)
own = threading.local()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
def predict() -> dict[str, Any]:
    photo = request.files["photo"].read()
    label = classify(photo)
    foods = [nutrition(fdc_id) for fdc_id in food_ids()]
    meal_id = uuid.uuid4().hex
    (FOLDER / f"{meal_id}.jpg").write_bytes(photo)
    store(meal_id, label)
    return {"id": meal_id, "food": label, "ingredients": [food["description"] for food in foods]}


def classify(photo: bytes) -> str:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "image/jpeg"}
    answer = session().post(CLASSIFIER_URL, data=photo, headers=headers, timeout=10)
    answer.raise_for_status()
    return str(answer.json()[0]["label"])


def nutrition(fdc_id: int) -> dict[str, Any]:
    url = f"{NUTRITION_URL}/food/{fdc_id}?format=abridged"
    answer = session().get(url, headers={"X-Api-Key": KEY}, timeout=10)
    answer.raise_for_status()
    food: dict[str, Any] = answer.json()
    return food


def store(meal_id: str, label: str) -> None:
    with sqlite3.connect(FOLDER / "flask.db") as database:
        database.execute("CREATE TABLE IF NOT EXISTS meals (id TEXT PRIMARY KEY, food TEXT)")
        database.execute("INSERT INTO meals VALUES (?, ?)", (meal_id, label))


def session() -> requests.Session:
    if not hasattr(own, "session"):
        own.session = requests.Session()
    kept: requests.Session = own.session
    return kept

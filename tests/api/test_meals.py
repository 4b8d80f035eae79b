"""Logging meals and reading them back."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import foodlog
from foodlog.testing import photos
from foodlog.testing.client import SECRET, Client, embedded


def save(client, name="Apple", calories=52, **more):
    answer = client.post("/save_meal", json={"name": name, "calories": calories, **more})
    assert answer.status_code == 201, answer.text
    return answer.json["meal"]


def names(answer):
    return [item["food"] for item in answer.json["items"]]


def test_a_photo_without_a_token_is_analysed_and_not_kept(tmp_path, photo, stored_files):
    with Client(embedded(tmp_path)) as client:
        answer = client.predict(photo)
        assert answer.status_code == 200
        assert answer.json["stored"] is False
        assert answer.json["id"] is answer.json["image_url"] is answer.json["user_id"] is None
        assert stored_files() == []
        assert list(client.app.worker.storage.meals.scan()) == []


def test_a_photo_without_a_token_is_refused_where_the_operator_says_so(tmp_path, photo):
    config = embedded(tmp_path, f'auth: {{secret: "{SECRET}", anonymous_predict: deny}}')
    with Client(config) as client:
        assert client.predict(photo).status_code == 401


def test_the_same_photo_gives_the_same_estimate_and_says_that_it_is_one(client, photo):
    first, second = client.predict(photo).json, client.predict(photo).json
    assert first["food"] == second["food"]
    assert first["estimated"] is second["estimated"] is True
    assert first["inference_source"] == "local_fallback"
    assert first["nutrition_source"] == "food_table"
    assert first["id"] != second["id"]


def test_the_parts_of_a_meal_add_up_to_the_whole(client, photo):
    meal = client.predict(photo).json
    assert meal["coverage"] == 1
    for nutrient in ("calories", "proteins", "fats", "carbohydrates"):
        parts = sum(part[nutrient] for part in meal["components"])
        assert meal["nutrition_facts"][nutrient] == pytest.approx(
            parts, abs=len(meal["components"])
        )
    assert [part["name"] for part in meal["components"]] == meal["ingredients"]
    assert all(part["source_id"] for part in meal["components"])


def test_where_a_photo_was_taken_is_told_to_its_owner_and_not_stored_in_it(client, stored_files):
    original = photos.sample()
    meal = client.predict(original).json
    assert meal["metadata"]["gps"]["latitude"] == pytest.approx(46.948, abs=0.001)
    assert meal["metadata"]["make"]
    (stored,) = stored_files()
    assert b"Exif" in original
    assert b"Exif" not in stored.read_bytes()


def test_history_is_paged_newest_consumed_first(client):
    for day in (3, 1, 5, 2, 4):
        save(client, f"day {day}", date=f"2026-03-0{day}")
    seen, query = [], "limit=2"
    while query:
        page = client.get(f"/history?{query}")
        seen += names(page)
        cursor = page.json["next_cursor"]
        query = cursor and f"limit=2&cursor={cursor}"
    assert seen == [f"day {day}" for day in (5, 4, 3, 2, 1)]


def test_a_page_stays_right_while_meals_come_and_go(client):
    for day in range(1, 7):
        save(client, f"day {day}", date=f"2026-03-0{day}")
    first = client.get("/history?limit=3")
    save(client, "newer", date="2026-03-09")
    save(client, "older", date="2026-02-01")
    client.app.worker.storage.meals.delete(first.json["items"][-1]["id"])
    second = client.get(f"/history?limit=3&cursor={first.json['next_cursor']}")
    third = client.get(f"/history?limit=3&cursor={second.json['next_cursor']}")
    assert names(second) + names(third) == ["day 3", "day 2", "day 1", "older"]
    assert third.json["next_cursor"] is None
    assert "message" not in third.json


def test_a_page_asked_for_again_shows_what_has_changed_since(client, photo, monkeypatch):
    meal = client.predict(photo).json
    assert names(client.get("/history")) == names(client.get("/history"))
    meals = client.app.worker.storage.meals
    meals.replace(replace(meals.get(meal["id"]), note="too salty"))
    assert client.get("/history").json["items"][0]["note"] == "too salty"
    later = datetime.now(UTC) + timedelta(minutes=20)
    monkeypatch.setattr("foodlog.worker.now", lambda: later)
    assert client.get("/history").json["items"][0]["image_url"] != meal["image_url"]
    meals.delete(meal["id"])
    assert names(client.get("/history")) == []


def test_two_users_with_the_same_question_see_their_own_pages(client):
    for number in range(2):
        client.new_user(f"user{number}@example.org")
        save(client, f"meal of {number}")
        assert names(client.get("/history?limit=5")) == [f"meal of {number}"]
        assert names(client.get("/history?limit=5")) == [f"meal of {number}"]


def test_history_is_filtered_by_time_and_kind(client):
    save(client, "early", consumed_at="2026-03-01T08:00:00Z", meal_type="breakfast")
    save(client, "late", consumed_at="2026-03-01T19:00:00+01:00", meal_type="dinner")
    assert names(client.get("/history?meal_type=dinner")) == ["late"]
    assert names(client.get("/history?from=2026-03-01T12:00:00Z")) == ["late"]
    assert names(client.get("/history?to=2026-03-01T18:00:00Z")) == ["early"]
    assert names(client.get("/history?from=2026-03-01T18:00:00Z&to=2026-03-02")) == ["late"]
    assert client.get("/history?from=2027-01-01").json["message"] == "history empty"


def test_the_size_of_a_page_is_bounded(tmp_path):
    with Client(embedded(tmp_path, "limits: {history_default: 2, history_max: 3}")) as client:
        client.new_user()
        for day in range(1, 6):
            save(client, f"day {day}", date=f"2026-03-0{day}")
        assert len(client.get("/history").json["items"]) == 2
        assert len(client.get("/history?limit=1000").json["items"]) == 3
        bare = client.get("/meals")
        assert len(bare.json) == 3
        link = bare.headers["Link"]
        assert "rel=next" in link.replace('"', "")
        older = client.get(link[link.index("<") + 1 : link.index(">")])
        assert [meal["name"] for meal in older.json] == ["day 2", "day 1"]


def test_the_link_to_older_meals_keeps_the_size_of_the_page(client):
    for day in range(1, 6):
        save(client, f"day {day}", date=f"2026-03-0{day}")
    path, seen = "/api/meals?limit=2", []
    while path:
        answer = client.get(path)
        seen.append([meal["name"] for meal in answer.json])
        link = answer.headers.get("Link", "<>")
        path = link[link.index("<") + 1 : link.index(">")]
    assert seen == [["day 5", "day 4"], ["day 3", "day 2"], ["day 1"]]


def test_what_a_client_says_of_a_meal_is_kept(client, photo):
    answer = client.post_form(
        "/predict",
        ("photo", "a.jpg", photo),
        ("meal_type", None, b"lunch"),
        ("note", None, "with Zoë 🍎".encode()),
        ("consumed_at", None, b"2026-03-01"),
    )
    assert answer.status_code == 200, answer.text
    assert answer.json["meal_type"] == "lunch"
    assert answer.json["note"] == "with Zoë 🍎"
    assert answer.json["consumed_at"] == "2026-03-01T00:00:00+00:00"
    entered = save(
        client,
        "Müesli",
        310.4,
        note="two\nlines",
        ingredients=["Oats"],
        nutrition_facts={"proteins": 9.5},
    )
    assert entered["calories"] == 310
    assert entered["nutrition_facts"]["proteins"] == 9.5
    assert entered["nutrition_facts"]["fats"] is None, "unknown, not 0"
    assert names(client.get("/history"))[0] == "Müesli"


def test_meals_of_others_are_never_seen(client, photo):
    mine = client.predict(photo).json
    client.new_user()
    assert client.get("/history").json["items"] == []
    assert client.get("/meals").json == []
    save(client)
    assert mine["id"] not in client.get("/history").text


def test_a_repeat_with_the_same_idempotency_key_changes_nothing(
    client, photo, other_photo, stored_files
):
    key = {"Idempotency-Key": "a key of mine"}
    first = client.predict(photo, headers=key)
    again = client.predict(photo, headers=key)
    assert again.json["id"] == first.json["id"]
    assert len(stored_files()) == 1
    assert len(client.get("/history").json["items"]) == 1
    for reused in (
        client.predict(other_photo, headers=key),
        client.post("/save_meal", json={"name": "Apple", "calories": 52}, headers=key),
    ):
        assert reused.status_code == 422
        assert reused.json["code"] == "idempotency_key_reused"
    assert len(stored_files()) == 1


def test_a_meal_and_an_upload_are_stored_once_for_their_key(client, photo, other_photo):
    entry = {"name": "Apple", "calories": 52}
    key = {"Idempotency-Key": "1"}
    first = client.post("/save_meal", json=entry, headers=key).json["meal"]
    assert client.post("/save_meal", json=entry, headers=key).json["meal"] == first
    changed = client.post("/save_meal", json=entry | {"calories": 53}, headers=key)
    assert changed.status_code == 422
    file = ("photo", "a.jpg", photo)
    stored = client.post_form("/upload", file, headers={"Idempotency-Key": "2"}).json
    again = client.post_form("/upload", file, headers={"Idempotency-Key": "2"}).json
    assert again["filename"] == stored["filename"]
    other = client.post_form(
        "/upload", ("photo", "a.jpg", other_photo), headers={"Idempotency-Key": "2"}
    )
    assert other.status_code == 422


def test_photos_are_fetched_again_only_when_they_changed(client, photo):
    url = client.predict(photo).json["image_url"]
    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert first.headers["Cache-Control"].startswith("private")
    assert first.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("kind", ["photo", "document", "page", "asset"])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("*", 304),
        ("{etag}", 304),
        ("W/{etag}", 304),
        ('"other", W/"one" ,{etag}', 304),
        ('"other", "one"', 200),
        ('"x{etag}x"', 200),
        (",", 200),
        ("", 200),
    ],
)
def test_an_etag_is_compared_whole_weak_or_not_and_in_a_list(client, photo, kind, given, status):
    paths = {"document": "/openapi.yaml", "page": "/docs", "asset": "/docs/docs.js"}
    path = paths.get(kind) or client.predict(photo).json["image_url"]
    first = client.get(path)
    header = given.format(etag=first.headers["ETag"])
    again = client.get(path, headers={"If-None-Match": header})
    assert (again.status_code, again.headers["ETag"]) == (status, first.headers["ETag"])
    assert again.content == (first.content if status == 200 else b"")


@pytest.mark.parametrize(
    "path", ["photo", "/health", "/api/history", "/docs", "/uploads/a", "/nothing"]
)
def test_head_is_answered_like_get_without_the_body(client, photo, path):
    path = client.predict(photo).json["image_url"] if path == "photo" else path
    got, asked = client.get(path), client.request("HEAD", path)
    assert asked.status_code == got.status_code
    assert asked.content == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control"):
        assert asked.headers.get(name) == got.headers.get(name)


def test_head_is_no_way_around_a_method_that_is_not_there(client):
    refused = client.request("HEAD", "/predict")
    assert (refused.status_code, refused.content) == (405, b"")
    assert "HEAD" not in refused.headers["Allow"]


def test_every_answer_carries_the_request_id_and_safe_headers(client):
    answer = client.get("/health", headers={"X-Request-ID": "from-the-phone"})
    assert answer.headers["X-Request-ID"] == "from-the-phone"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    hostile = client.get("/health", headers={"X-Request-ID": "a" * 100})
    assert len(hostile.headers["X-Request-ID"]) == 32
    assert answer.headers["Cache-Control"] == "no-store"


def test_only_the_origins_the_operator_names_may_read_answers(tmp_path):
    config = embedded(tmp_path, "cors: {origins: ['https://app.example.org']}")
    with Client(config) as client:
        named = client.get("/health", headers={"Origin": "https://app.example.org"})
        assert named.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
        assert "Origin" in named.headers["Vary"]
        other = client.get("/health", headers={"Origin": "https://evil.example.org"})
        assert "Access-Control-Allow-Origin" not in other.headers


def test_what_a_browser_keeps_for_an_img_is_not_taken_for_a_script(client, photo):
    """The one is asked for without an origin, so it lacks the headers the other needs."""
    url = client.predict(photo).json["image_url"]
    assert "Access-Control-Allow-Origin" not in client.get(url).headers
    assert client.get(url).headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "name",
    [
        "カレー\u3000ライス",
        "Œuf\xa0: à la coque",
        "خوشمزه\u200cترین",
        "\U0001f9d1\u200d\U0001f373",
        "\U0001fae9",
    ],
    ids=["ideographic-space", "no-break-space", "non-joiner", "joined-emoji", "new-emoji"],
)
def test_a_meal_may_be_called_whatever_a_keyboard_writes(client, name):
    meal = save(client, name, note=f"{name}\n\u2028{name}", ingredients=[name])
    assert (meal["food"], meal["ingredients"]) == (name, [name])
    assert client.get("/history").json["items"] == [
        {key: value for key, value in meal.items() if key not in ("name", "date")}
    ]


def test_listeners_are_told_of_each_stored_meal_and_cannot_spoil_it(tmp_path, photo):
    told, done = [], threading.Event()

    class Listener:
        @foodlog.hookimpl
        def foodlog_meal_logged(self, meal):
            told.append(meal)
            done.set()
            raise RuntimeError("a bad listener")

    with Client(embedded(tmp_path), [Listener()]) as client:
        client.predict(photo)
        client.new_user()
        meal = client.predict(photo)
        assert meal.status_code == 200
        assert done.wait(10)
    assert [each.id for each in told] == [meal.json["id"]]


def test_listeners_are_told_before_a_worker_ends(tmp_path):
    gate, told = threading.Event(), []

    class Listener:
        @foodlog.hookimpl
        def foodlog_meal_logged(self, meal):
            gate.wait(10)
            told.append(meal.food)

    with Client(embedded(tmp_path), [Listener()]) as client:
        client.new_user()
        for name in ("Apple", "Bread"):
            save(client, name)
        threading.Timer(0.1, gate.set).start()
    assert sorted(told) == ["Apple", "Bread"]


def test_probes_are_logged_only_when_they_fail_or_the_operator_wants_it(tmp_path, capfd):
    with Client(embedded(tmp_path)) as client:
        client.get("/health")
        client.get("/health/ready")
        client.get("/history")
    routes = [line for line in capfd.readouterr().err.splitlines() if '"event":"request"' in line]
    assert len(routes) == 1
    assert '"route":"/history"' in routes[0]
    with Client(embedded(tmp_path, "logging: {level: DEBUG}")) as client:
        client.get("/health")
    assert '"route":"/health"' in capfd.readouterr().err

"""The two clients of the Flask service, walked through request by request."""

import pytest

from foodlog.testing.client import Client, embedded

ORIGIN = {"Origin": "https://app.example.org"}


def test_current_app_signs_up_posts_a_photo_and_reads_its_history(tmp_path, photo):
    with Client(embedded(tmp_path)) as client:
        health = client.get("/health", headers=ORIGIN)
        assert health.json["status"] == "ok"
        assert health.headers["Access-Control-Allow-Origin"] == "*"

        credentials = {"email": "Ann@Example.org", "password": "correct horse"}
        signup = client.post("/auth/signup", json=credentials, headers=ORIGIN)
        assert signup.status_code == 201
        assert signup.json["user"]["email"] == "ann@example.org"
        again = client.post("/auth/signup", json=credentials)
        assert again.status_code == 409
        assert again.json["error"]

        login = client.post("/auth/login", json=credentials)
        assert login.status_code == 200
        assert login.json["expires_in"] == 3600
        client.token = login.json["token"]
        assert client.get("/auth/me").json == {"user": signup.json["user"]}

        empty = client.get("/history")
        assert empty.json == {"items": [], "next_cursor": None, "message": "history empty"}

        # The app sends the same file twice, and the day the meal was eaten.
        meal = client.post_form(
            "/predict",
            ("photo", "meal.jpg", photo),
            ("image", "meal.jpg", photo),
            ("meal_date", None, b"2026-03-01T12:30:00+01:00"),
            headers=ORIGIN,
        )
        assert meal.status_code == 200, meal.text
        seen = meal.json
        assert isinstance(seen["food"], str)
        assert isinstance(seen["calories"], int)
        assert all(isinstance(name, str) for name in seen["ingredients"])
        assert seen["ingredients"]
        facts = seen["nutrition_facts"]
        assert {"calories", "carbohydrates", "proteins", "fats"} <= facts.keys()
        assert facts["calories"] == seen["calories"]
        assert seen["inference_source"] == "local_fallback"
        assert seen["estimated"] is True
        assert seen["consumed_at"] == "2026-03-01T11:30:00+00:00"
        assert seen["timestamp"] == seen["created_at"]
        assert seen["metadata"]["uploaded_by"] == "ann@example.org"
        assert seen["metadata"]["meal_date"] == seen["consumed_at"]

        shown = client.request("GET", seen["image_url"], headers={"Authorization": "none"})
        assert shown.status_code == 200, "an <img> sends no token"
        assert shown.headers["Content-Type"] == "image/jpeg"

        history = client.get("/history")
        assert [item["id"] for item in history.json["items"]] == [seen["id"]]
        assert "message" not in history.json
        assert history.json["items"][0] == seen


def test_a_browser_s_form_may_leave_one_of_the_two_files_empty(client, photo):
    filled, empty = ("photo", "meal.jpg", photo), ("image", None, b"")
    assert client.post_form("/predict", filled, empty).status_code == 200
    assert client.post_form("/upload", empty, filled).status_code == 200


def test_a_browser_s_form_may_leave_fields_empty(client, photo):
    fields = ("meal_date", "consumed_at", "meal_type", "note")
    parts = [("photo", "meal.jpg", photo), *((name, None, b"") for name in fields)]
    meal = client.post_form("/predict", *parts)
    assert meal.status_code == 200, meal.text
    assert meal.json["meal_type"] is meal.json["note"] is None
    assert meal.json["consumed_at"] == meal.json["created_at"]
    assert client.post_form("/predict", *parts, ("note", None, b"")).status_code == 400
    dated = client.post_form("/predict", *parts[:2], ("consumed_at", None, b"2026-03-01"))
    assert dated.json["consumed_at"] == "2026-03-01T00:00:00+00:00"


def test_current_app_may_ask_from_another_origin_before_it_sends_a_token(client):
    preflight = client.request(
        "OPTIONS",
        "/predict",
        headers={
            **ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,idempotency-key",
        },
    )
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    assert preflight.headers["Access-Control-Max-Age"] == "3600"


def test_current_app_reads_the_message_of_an_error(client):
    error = client.post("/auth/login", json={"email": "a@b.cd", "password": "wrong horse"})
    assert error.status_code == 401
    assert error.json["error"] == error.json["detail"] != ""


SINGLE_USER = f"auth: {{mode: single_user, secret: '{'s' * 40}'}}\n"


@pytest.fixture
def legacy(tmp_path):
    """The legacy app knows no tokens: it needs single-user mode."""
    with Client(embedded(tmp_path, SINGLE_USER)) as client:
        yield client


def test_legacy_app_uploads_predicts_saves_and_lists_without_a_token(legacy, photo):
    upload = legacy.post_form("/api/upload", ("image", "meal.jpg", photo))
    assert upload.json["success"] is True
    shown = legacy.get("/uploads/" + upload.json["filename"])
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert legacy.get(upload.json["path"]).content == shown.content

    predicted = legacy.post_form("/api/predict", ("image", "meal.jpg", photo))
    assert predicted.status_code == 200
    assert predicted.json["stored"] is True

    entry = {"name": "Porridge", "calories": 310, "date": "2026-03-01"}
    saved = legacy.post("/api/save_meal", json=entry)
    assert saved.status_code == 201
    assert saved.json["message"]
    assert entry.items() <= saved.json["meal"].items()

    meals = legacy.get("/api/meals").json
    assert isinstance(meals, list)
    assert [meal["name"] for meal in meals] == [predicted.json["food"], "Porridge"]
    assert meals[1].keys() == {"id", "name", "calories", "date", "created_at"}
    assert meals[1]["date"] == "2026-03-01"
    assert meals[1]["calories"] == 310

    login = legacy.post("/api/login", json={"email": "me@example.org", "password": "anything"})
    assert login.status_code == 200
    assert login.json["token"]
    assert legacy.get("/api/profile").json["user"]["id"] == "local"


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        (SINGLE_USER, True),
        (SINGLE_USER + "cors: {origins: ['https://app.example.org']}\n", False),
        (SINGLE_USER + "cors: {origins: []}\n", False),
        ("", False),
    ],
)
def test_the_operator_is_told_where_any_web_page_may_read_the_one_user_s_meals(
    tmp_path, capfd, more, warned
):
    with Client(embedded(tmp_path, more)):
        logged = capfd.readouterr().err
    assert ("any web page" in logged) == warned
    assert ("auth.mode" in logged and "cors.origins" in logged) == warned


def test_legacy_app_is_asked_for_a_token_where_accounts_are_on(tmp_path, photo):
    with Client(embedded(tmp_path)) as client:
        assert client.get("/api/meals").status_code == 401
        assert client.post_form("/api/upload", ("image", "a.jpg", photo)).status_code == 401
        saved = client.post("/api/save_meal", json={"name": "Porridge", "calories": 310})
        assert saved.status_code == 401
        assert saved.headers["WWW-Authenticate"].startswith("Bearer")


def test_legacy_routes_can_be_turned_off(tmp_path):
    with Client(embedded(tmp_path, "api: {legacy_prefix: ''}\n")) as client:
        assert client.get("/api/meals").status_code == 404
        assert client.get("/health").status_code == 200

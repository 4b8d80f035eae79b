"""Whatever a client sends that it should not: a clear 4xx, and nothing is left behind."""

from datetime import timedelta

import jwt
import pytest

from foodlog.testing import photos
from foodlog.testing.client import SECRET, Client, embedded, multipart

MIB = 1024 * 1024


def problem(answer, status, code=None):
    """The problem of an answer; checks that it is one and gives nothing away."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json
    assert body["status"] == status
    assert body["error"] == body["detail"] != ""
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert "Traceback" not in answer.text
    if code:
        assert body["code"] == code
    return body


@pytest.fixture
def untouched(client, stored_files):
    """Checks at the end that no photo and no row was stored."""
    yield client
    assert stored_files() == []
    assert client.get("/history").json["items"] == []


def test_form_without_a_file(untouched):
    answer = untouched.post_form("/predict", ("note", None, b"lunch"))
    problem(answer, 400, "no_photo")


def test_two_different_files(untouched, photo, other_photo):
    answer = untouched.post_form(
        "/predict", ("photo", "a.jpg", photo), ("image", "a.jpg", other_photo)
    )
    problem(answer, 400, "two_photos")


def test_empty_file(untouched):
    problem(untouched.predict(b""), 400, "empty_photo")


def test_text_named_jpg(untouched):
    problem(untouched.predict(b"this is a text, whatever its name says"), 415)


def test_truncated_jpeg(untouched, photo):
    problem(untouched.predict(photo[: len(photo) // 2]), 400)


def test_bodies_for_which_there_is_no_room_are_told_to_wait_and_hurt_nobody_else(untouched, photo):
    budget, taken = untouched.app._budget, 512 * MIB - 10
    budget.take(taken)
    answer = untouched.predict(photo)
    problem(answer, 503, "overloaded")
    assert int(answer.headers["Retry-After"]) >= 1
    assert untouched.get("/health").status_code == 200
    budget.give_back(taken)
    budget.take(512 * MIB)  # what was refused is not counted
    budget.give_back(512 * MIB)


def test_decompression_bomb(untouched):
    problem(untouched.predict(photos.bomb()), 413)


def test_photo_over_its_limit(untouched):
    problem(untouched.predict(b"\xff\xd8" + bytes(10 * MIB)), 413, "photo_too_large")


def test_body_of_20_mib(untouched):
    body, content_type = multipart([("photo", "a.jpg", bytes(20 * MIB))])
    answer = untouched.post("/predict", body=body, headers={"Content-Type": content_type})
    problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    "header",
    [
        b'Content-Disposition: form-data; name="ph\xff\xfeoto"; filename="\xe9.jpg"',
        b'Content-Disposition: form-data; name="photo"; filename="\xe9.jpg"',
        b'Content-Disposition: form-data; name="photo"\r\nContent-Type: \xff\xfe',
        b'Content-Disposition: form-data; name="photo"\r\nContent-Length: \xff',
        b'X-\xff: 1\r\nContent-Disposition: form-data; name="photo"',
        b'X-Name: \xff\r\nContent-Disposition: form-data; name="photo"',
        b'\xff\r\nContent-Disposition: form-data; name="photo"',
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/upload"])
def test_parts_with_header_bytes_that_are_not_utf8(untouched, photo, path, header):
    body = b"--b\r\n" + header + b"\r\n\r\n" + photo + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = untouched.post(path, body=body, headers=headers)
    assert "not UTF-8" in problem(answer, 400)["detail"]


def test_a_hundred_parts(untouched, photo):
    parts = [(f"field{n}", None, b"x") for n in range(99)]
    problem(untouched.post_form("/predict", *parts, ("photo", "a.jpg", photo)), 400)


def test_form_that_ends_in_the_middle(untouched, photo):
    body, content_type = multipart([("photo", "a.jpg", photo)])
    answer = untouched.post("/predict", body=body[:-20], headers={"Content-Type": content_type})
    problem(answer, 400)


@pytest.mark.parametrize("parameter", ["", ";", "; boundary=", "; boundary=" + "b" * 71])
@pytest.mark.parametrize("path", ["/predict", "/upload"])
def test_form_without_a_boundary_or_with_one_that_is_too_long(untouched, photo, path, parameter):
    headers = {"Content-Type": "multipart/form-data" + parameter}
    body = problem(untouched.post(path, body=photo, headers=headers), 400, "malformed")
    assert "boundary of 1 to 70 characters" in body["detail"]


def test_photo_that_is_no_form(untouched, photo):
    problem(untouched.post("/predict", body=photo, headers={"Content-Type": "image/jpeg"}), 415)


def test_form_field_twice_or_too_long_or_not_text(untouched, photo):
    file = ("photo", "a.jpg", photo)
    twice = untouched.post_form("/predict", file, ("note", None, b"a"), ("note", None, b"b"))
    problem(twice, 400)
    problem(untouched.post_form("/predict", file, ("note", None, b"x" * 9000)), 413)
    problem(untouched.post_form("/predict", file, ("note", None, b"\xff")), 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("meal_date", b"yesterday"),
        ("meal_date", b"2026-02-30"),
        ("meal_date", b"0001-01-01"),
        ("meal_date", b"9999-12-31T23:59:59-23:59"),
        ("meal_date", b"2026-W19-1"),
        ("consumed_at", b"2026-W19"),
        ("consumed_at", b"2026W191T12:30"),
        ("consumed_at", b"2026-123"),
        ("consumed_at", b"12:30"),
        ("meal_type", b"brunch"),
        ("note", b"a\0b"),
        ("note", b"x" * 2001),
        ("colour", b"red"),
    ],
)
def test_form_fields_that_make_no_sense_are_named(untouched, photo, field, value):
    answer = untouched.post_form("/predict", ("photo", "a.jpg", photo), (field, None, value))
    body = problem(answer, 422)
    assert [error["pointer"] for error in body["errors"]] == [f"/{field}"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"name": "x", "calories": NaN}',
        b'{"name": "x", "calories": Infinity}',
        b'{"name": "x", "calories": 1e999}',
        b'{"name": "\\ud800", "calories": 1}',
        b'{"name":' * 5000 + b"1" + b"}" * 5000,
        b'{"name":' * 33 + b"1" + b"}" * 33,
    ],
    ids=["empty", "cut", "bytes", "nan", "infinity", "1e999", "surrogate", "deep", "too-deep"],
)
def test_json_that_is_none(untouched, body):
    answer = untouched.post("/save_meal", body=body, headers={"Content-Type": "application/json"})
    problem(answer, 400, "malformed")


def test_json_over_its_limit(untouched):
    answer = untouched.post("/save_meal", json={"name": "x" * 70_000, "calories": 1})
    problem(answer, 413)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain; a=json",
        "text/plain;+json",
        "application/x-www-form-urlencoded; json",
        "multipart/form-data; boundary=application/json",
        "application/jsonp",
        "json",
    ],
)
def test_json_of_another_type(untouched, content_type):
    body = b'{"name": "Apple", "calories": 52}'
    answer = untouched.post("/save_meal", body=body, headers={"Content-Type": content_type})
    problem(answer, 415)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "Application/JSON ; charset=UTF-8"},
        {"Content-Type": "application/vnd.example+json"},
    ],
)
def test_json_is_taken_by_its_type_however_it_is_written_and_without_one(client, headers):
    body = b'{"name": "Apple", "calories": 52}'
    assert client.post("/save_meal", body=body, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": ["x"]}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"name": "a\x85b"}, "/name"),
        ({"name": "a\u2028b"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"calories": "52"}, "/calories"),
        ({"calories": True}, "/calories"),
        ({"calories": -1}, "/calories"),
        ({"calories": 1e9}, "/calories"),
        ({"calories": 123456789012345678901234567890}, "/calories"),
        ({"date": "2026-13-01"}, "/date"),
        ({"date": 20260301}, "/date"),
        ({"date": "2026-W19-1"}, "/date"),
        ({"date": "2026050400"}, "/date"),
        ({"date": "\u0662\u0660\u0662\u0666-05-04"}, "/date"),
        ({"consumed_at": "soon"}, "/consumed_at"),
        ({"consumed_at": "2026-W19-1T12:30:00Z"}, "/consumed_at"),
        ({"ingredients": "x"}, "/ingredients"),
        ({"ingredients": [1]}, "/ingredients/0"),
        ({"ingredients": ["x"] * 51}, "/ingredients"),
        ({"nutrition_facts": {"proteins": -1}}, "/nutrition_facts/proteins"),
        ({"nutrition_facts": []}, "/nutrition_facts"),
        ({"colour": "red"}, "/colour"),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
)
def test_json_fields_that_make_no_sense_are_named(untouched, change, pointer):
    entry = {"name": "Apple", "calories": 52} | change
    body = problem(untouched.post("/save_meal", json=entry), 422)
    assert pointer in [error["pointer"] for error in body["errors"]]


def test_a_query_is_ignored_where_none_is_taken(client, photo):
    """Probes and caches add parameters of their own."""
    assert client.get("/health?probe=1").status_code == 200
    assert client.get("/auth/me?_=1795821540").status_code == 200
    answer = client.post_form("/predict?meal_type=lunch", ("photo", "a.jpg", photo))
    assert (answer.status_code, answer.json["meal_type"]) == (200, None)


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null", b"true"])
def test_json_that_is_no_object(untouched, body):
    headers = {"Content-Type": "application/json"}
    problem(untouched.post("/save_meal", body=body, headers=headers), 422)


@pytest.mark.parametrize(
    "query",
    [
        "limit=many",
        "limit=-1",
        "limit=1&limit=2",
        "from=yesterday",
        "to=2026-99-01",
        "from=2026-W19-1",
        "to=2026W19",
        "meal_type=brunch",
        "colour=red",
        "cursor=forged",
        "cursor=eyJhIjoxfQ.AAAAAAAAAAAAAAAAAAAAAAAA",
        "cursor=" + "x" * 5000,
        "cursor=%00",
        "cursor=%ff",
    ],
)
def test_history_queries_that_make_no_sense(client, query):
    answer = client.get(f"/history?{query}")
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code)


def test_cursor_of_another_user_or_another_list(client):
    for day in (1, 2):
        meal = {"name": "Apple", "calories": 52, "date": f"2026-03-0{day}"}
        assert client.post("/save_meal", json=meal).status_code == 201
    cursor = client.get("/history?limit=1").json["next_cursor"]
    assert client.get(f"/history?limit=1&cursor={cursor}").status_code == 200
    problem(client.get(f"/history?cursor={cursor}&meal_type=lunch"), 400)
    client.new_user()
    problem(client.get(f"/history?cursor={cursor}"), 400)


def claims(client):
    return jwt.decode(
        client.token, SECRET, algorithms=["HS256"], options={"verify_signature": False}
    )


def test_tokens_that_are_not_ours(client):
    good = claims(client)
    forged = {
        "expired": jwt.encode(good | {"exp": good["iat"] - 1}, SECRET, "HS256"),
        "another key": jwt.encode(good, "x" * 40, "HS256"),
        "another algorithm": jwt.encode(good, SECRET.ljust(64, "x"), "HS512"),
        "no algorithm": jwt.encode(good, "", "none"),
        "no subject": jwt.encode({k: v for k, v in good.items() if k != "sub"}, SECRET, "HS256"),
        "of the Flask service": jwt.encode(
            {k: good[k] for k in ("sub", "email", "exp", "iat")}, SECRET, "HS256"
        ),
        "tampered": client.token[:-3] + ("AAA" if client.token[-3:] != "AAA" else "BBB"),
        "nonsense": "a.b.c",
        "long": "x" * 10_000,
    }
    for token in forged.values():
        for call in (client.get, client.post):
            path = "/history" if call == client.get else "/predict"
            answer = call(path, headers={"Authorization": f"Bearer {token}"})
            problem(answer, 401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_token_of_a_deleted_user(tmp_path):
    with Client(embedded(tmp_path)) as client:
        user = client.new_user()
        client.app.worker.storage.users.delete(user.email)
        problem(client.get("/history"), 401)


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "token"])
def test_authorization_that_is_no_bearer_token(client, header):
    problem(client.get("/history", headers={"Authorization": header}), 401)


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\tb"])
def test_idempotency_keys_that_are_none(untouched, key):
    answer = untouched.post(
        "/save_meal", json={"name": "Apple", "calories": 52}, headers={"Idempotency-Key": key}
    )
    problem(answer, 400)


def test_photo_urls_that_are_forged_expired_or_bare(client, photo):
    url = client.predict(photo).json["image_url"]
    path, query = url.split("?")
    assert client.get(url).status_code == 200
    problem(client.get(path), 403)
    forged = query[:-1] + ("x" if query[-1] != "x" else "y")
    problem(client.get(f"{path}?{forged}"), 403)
    problem(client.get(f"{path}x?{query}"), 403)
    later = client.app.worker.signer.photo_url(
        path.removeprefix("/uploads/"),
        client.app.worker.log._clock() - timedelta(hours=2),
    )
    problem(client.get(later), 403)
    problem(client.get(f"{path}?expires=soon&signature=x"), 422)


def test_photos_outside_the_folder_cannot_be_named(client, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    for key in ("../secret.txt", "..%2Fsecret.txt", "/etc/passwd", "a/../../secret.txt"):
        signed = client.app.worker.photo_url(key)
        assert client.get(signed).status_code == 404


def test_unknown_paths_and_methods(client):
    problem(client.get("/nothing"), 404, "not_found")
    answer = client.request("DELETE", "/history")
    problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        ({"email": "a@b.cd"}, 422),
        ({"email": 1, "password": "correct horse"}, 422),
        ({"email": "nobody", "password": "correct horse"}, 422),
        ({"email": "a@b.cd", "password": "short"}, 422),
        ({"email": "a@b.cd", "password": "x" * 1025}, 422),
        ({"email": "a@b.cd", "password": "correct horse\0"}, 422),
        ({"email": "a" * 300 + "@b.cd", "password": "correct horse"}, 422),
        ({"email": "a@b.cd", "password": "correct horse", "admin": True}, 422),
    ],
)
def test_sign_ups_that_are_none(client, credentials, status):
    problem(client.post("/auth/signup", json=credentials), status)


def test_failed_log_ins_are_all_told_the_same(tmp_path):
    with Client(embedded(tmp_path)) as client:
        assert (
            client.post(
                "/auth/signup", json={"email": "a@b.cd", "password": "correct horse"}
            ).status_code
            == 201
        )
        answers = [
            client.post("/auth/login", json={"email": email, "password": password})
            for email, password in [
                ("a@b.cd", "wrong horse"),
                ("x@b.cd", "correct horse"),
                ("nobody", "x"),
                ("a@b.cd", "x" * 5000),
                ("a@b.cd\0", "correct horse"),
            ]
        ]
        bodies = [problem(answer, 401) for answer in answers]
        assert len({body["detail"] for body in bodies}) == 1

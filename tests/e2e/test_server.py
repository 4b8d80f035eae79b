"""FoodLog through real gunicorn: what is acknowledged survives, what is hostile is cut off."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
import requests

from foodlog.testing.client import multipart


def history(session, url):
    items, cursor = [], None
    while True:
        query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = session.get(f"{url}/history", params=query, timeout=30).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return items


def test_it_says_where_it_listens_what_is_active_and_what_to_try(server):
    assert f"FoodLog listens at {server.url}" in server.log
    assert "sqlite_storage, food_table, synthetic" in server.log
    assert f"curl -F photo=@docs/sample-meal.jpg {server.url}/predict" in server.log


def test_every_acknowledged_meal_survives_kill_9(new_server, photo):
    server = new_server(workers=2).start()
    credentials = {"email": "ann@example.org", "password": "correct horse"}
    token = requests.post(f"{server.url}/auth/signup", json=credentials, timeout=30).json()["token"]
    acknowledged = []
    enough = threading.Event()

    def post_meals():
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {token}"
        while True:
            try:
                files = {"photo": ("meal.jpg", photo, "image/jpeg")}
                answer = session.post(f"{server.url}/predict", files=files, timeout=30)
            except requests.RequestException:
                return
            if answer.status_code == 200:
                acknowledged.append(answer.json())
            if len(acknowledged) >= 20:
                enough.set()

    threads = [threading.Thread(target=post_meals) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert enough.wait(60), server.log
    server.kill()
    for thread in threads:
        thread.join(30)

    again = new_server().start()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    kept = {item["id"]: item for item in history(session, again.url)}
    assert {meal["id"] for meal in acknowledged} <= kept.keys()
    for meal in kept.values():
        shown = session.get(again.url + meal["image_url"], timeout=30)
        assert shown.status_code == 200, "no row without its photo"
    assert again.stop() == 0


def read_all(connection):
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data


def test_a_chunked_body_that_never_ends_is_cut_off_with_413(server):
    head = (
        "POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    part = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(part), part))
        chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
        try:
            while sent < 64 * 1024 * 1024:
                connection.sendall(chunk)
                sent += 65536
        except OSError:
            pass
        try:
            answer = connection.recv(65536)
        except OSError:
            answer = b""
    assert sent < 60 * 1024 * 1024, "the server went on reading"
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert "status=413" in server.log or '"status":413' in server.log
    assert requests.get(f"{server.url}/health", timeout=30).ok


def test_a_body_that_says_it_is_20_mib_is_refused_before_it_is_read(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 20971520\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_client_that_sends_20_mib_reads_why_they_are_refused(server):
    answer = requests.post(f"{server.url}/predict", files={"photo": bytes(20 << 20)}, timeout=30)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


def test_clients_that_drip_their_bodies_do_not_hold_up_others(server, photo):
    body, content_type = multipart([("photo", "a.jpg", photo)])
    head = (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: {content_type}\r\n\r\n"
    )
    connections = []
    for _ in range(100):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connection.sendall(head.encode() + body[:100])
        connections.append(connection)
    # Less than the half minute for which the next bytes of a body are waited for.
    answer = requests.post(f"{server.url}/predict", files={"photo": ("a.jpg", photo)}, timeout=20)
    assert answer.status_code == 200
    connections[0].sendall(body[100:])
    assert connections[0].recv(12) == b"HTTP/1.1 200"
    for connection in connections:
        connection.close()


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(server, signed_up, photo):
    body, content_type = multipart([("photo", "a.jpg", photo)])
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: {signed_up.headers['Authorization']}\r\n"
            f"Content-Type: {content_type}\r\n\r\n".encode()
            + body[:-50]
        )
    assert signed_up.get(f"{server.url}/history", timeout=30).json()["items"] == []
    assert "Traceback" not in server.log


def test_the_log_has_a_line_for_each_request_and_no_secret(server, signed_up, photo):
    answer = signed_up.post(
        f"{server.url}/predict", files={"photo": ("meal.jpg", photo)}, timeout=30
    )
    token = signed_up.headers["Authorization"].split()[1]
    request_id = answer.headers["X-Request-ID"]
    lines = [line for line in server.log.splitlines() if request_id in line]
    assert any('"route":"/predict"' in line and '"status":200' in line for line in lines)
    for secret in (token, "correct horse", answer.json()["image_url"].split("signature=")[1]):
        assert secret not in server.log


def test_every_line_of_the_log_is_json_whoever_wrote_it(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert server.stop() == 0
    greeting, lines = server.log.splitlines()[:3], server.log.splitlines()[3:]
    assert greeting[0].startswith("FoodLog listens at ")
    assert "Invalid HTTP request received." in [json.loads(line)["event"] for line in lines]


def refused(*arguments, cwd, environ=None):
    """Run ``foodlog serve`` where it cannot start; its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "foodlog", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=os.environ | (environ or {}),
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def test_a_port_that_is_taken_is_named_with_the_way_out(server, config, tmp_path):
    code, said = refused("--config", str(config), "--port", str(server.port), cwd=tmp_path)
    assert code == 2
    assert f"cannot listen at 127.0.0.1 port {server.port}: Address already in use" in said
    assert "--port" in said


def test_a_wrong_ingredient_weight_is_named_with_dish_and_ingredient(config, tmp_path):
    weights = '{"greek salad": {"feta cheese": -5}}'
    code, said = refused(
        "--port", "0", cwd=tmp_path, environ={"HF_INGREDIENT_WEIGHT_OVERRIDES": weights}
    )
    assert code == 2
    assert "greek salad" in said
    assert "feta cheese" in said


def test_a_folder_that_cannot_be_used_is_told_once_with_its_setting_before_the_greeting(
    config, tmp_path
):
    (tmp_path / "uploads").write_text("a file where the folder should be")
    code, said = refused("--config", str(config), "--port", "0", "--workers", "6", cwd=tmp_path)
    assert code == 2
    assert said.startswith("foodlog: storage: 'sqlite_storage' of foodlog ")
    assert f"storage.options.photos: {tmp_path / 'uploads'} cannot be used: " in said
    assert said.count("\n") == 1


TRIPS = """
import sys
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.errors import HaltServer
from foodlog import cli

def run(self):
    raise HaltServer("Worker failed to boot.", 3)

WSGIApplication.run = run
cli.main(sys.argv[1:])
"""


def test_workers_that_cannot_start_all_the_same_end_it_without_a_traceback(config):
    done = subprocess.run(
        [sys.executable, "-c", TRIPS, "serve", "--config", str(config), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (3, "")


def test_a_worker_that_cannot_take_anothers_place_ends_no_server(server, tmp_path):
    photos, away = tmp_path / "uploads", tmp_path / "away"
    photos.rename(away)
    photos.write_text("the disk is away")
    (worker,) = server.workers
    os.kill(int(worker), signal.SIGKILL)
    server.until(lambda: "cannot start" in server.log)
    photos.unlink()
    away.rename(photos)
    server.until(server.answers)
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        ([], {"WEB_CONCURRENCY": "x"}, "WEB_CONCURRENCY is 'x'; allowed: 1 to 64"),
        ([], {"WEB_CONCURRENCY": "-1"}, "WEB_CONCURRENCY is '-1'; allowed: 1 to 64"),
        ([], {"GRACEFUL_TIMEOUT": "x"}, "GRACEFUL_TIMEOUT is 'x'; allowed: 5 to 300"),
        ([], {"MAX_REQUESTS": "-1"}, "MAX_REQUESTS is '-1'; allowed: 0 to 10000000"),
        (["--workers", "-1"], {}, "--workers is '-1'; allowed: 1 to 64"),
        (["--workers", "0"], {}, "--workers is '0'; allowed: 1 to 64"),
        (["--port", "65536"], {}, "'65536' (--port or PORT) is no port: 0 to 65535"),
    ],
)
def test_a_wrong_number_is_named_with_its_setting_and_range(
    config, tmp_path, arguments, environ, said
):
    code, told = refused("--config", str(config), *arguments, cwd=tmp_path, environ=environ)
    assert code == 2
    assert said in told


def test_an_empty_number_of_processes_counts_as_unset(new_server):
    assert new_server(environ={"WEB_CONCURRENCY": ""}).start().stop() == 0


def test_what_only_serving_needs_keeps_no_other_command_from_running(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "foodlog", "plugins"],
        env=os.environ | {"WEB_CONCURRENCY": "x", "FOODLOG_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_sigterm_ends_it_cleanly(server):
    assert server.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGTERM)

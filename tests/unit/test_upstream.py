import gzip
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic, sleep

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from foodlog import transport
from foodlog.errors import ProviderError, ProviderTimeout
from foodlog.logs import request_id
from foodlog.options import Secret
from foodlog.testing.upstreams import REMEMBERED, Asked, Reply, StubUpstream
from foodlog.upstream import MAX_RETRY_AFTER, Answer, Upstream

LOOPBACK = IPv4Address("127.0.0.1")
SECRET = "s3cr3t-t0k3n"


class Echo(StubUpstream):
    """Answers what it was asked."""

    def answer(self, request: Asked) -> Reply:
        return Reply(200, request.body, {"X-Request-ID": "abc"})


@pytest.fixture
def stub() -> Iterator[Echo]:
    with Echo() as running:
        yield running


@pytest.fixture
def upstream(stub: Echo) -> Iterator[Upstream]:
    made = Upstream("echo", stub.url, threads=4, bearer=Secret(SECRET), max_bytes=1000)
    yield made
    made.close()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def fields(lines: pytest.LogCaptureFixture) -> dict[str, object]:
    return vars([r for r in lines.records if r.name == "foodlog.upstream"][-1])


def test_an_answer_has_status_headers_and_body(stub: Echo, upstream: Upstream) -> None:
    answer = upstream.request("POST", "/a", json={"q": 1}, params={"n": "2"}, timeout=5)
    assert (answer.status, answer.json()) == (200, {"q": 1})
    assert answer.headers["x-request-id"] == "abc"
    [asked] = stub.requests
    assert (asked.method, asked.path) == ("POST", "/a?n=2")
    assert asked.headers["Authorization"] == f"Bearer {SECRET}"
    assert asked.headers["Content-Type"] == "application/json"


def test_an_error_status_is_an_answer_too(stub: Echo, upstream: Upstream) -> None:
    stub.script(Reply(503, b"<html>"))
    assert upstream.request("GET", timeout=5).status == 503


def test_multipart_holds_files_and_form(stub: Echo, upstream: Upstream) -> None:
    files = {"image": ("upload.jpg", b"\xff\xd8", "image/jpeg")}
    upstream.request("POST", form={"metadata": "{}"}, files=files, timeout=5)
    parts = stub.requests[0].parts()
    assert parts["metadata"].get_payload(decode=True) == b"{}"
    assert parts["image"].get_payload(decode=True) == b"\xff\xd8"
    assert parts["image"].get_filename() == "upload.jpg"


def test_connections_are_kept_alive(stub: Echo, upstream: Upstream) -> None:
    for _ in range(20):
        upstream.request("GET", timeout=5)
    assert stub.connections == 1


def test_as_many_connections_as_threads_are_kept(stub: Echo, upstream: Upstream) -> None:
    stub.always(Reply(delay=0.05))
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):  # all four at once, then none
            list(pool.map(lambda _: upstream.request("GET", timeout=5), range(4)))
    assert stub.connections <= 4


SLOW = {
    "silent": Reply(delay=60),
    "dripping body": Reply(body=b"x" * 900, drip=100),
    "dripping headers": Reply(headers={"X": "y" * 900}, drip=100, drip_head=True),
    "dripping compressed body": Reply(
        body=gzip.compress(b"x" * 900, compresslevel=0),
        drip=100,
        headers={"Content-Encoding": "gzip"},
    ),
}
"""All take seconds, and end with an answer."""


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW.keys())
def test_the_timeout_is_for_the_whole_answer(stub: Echo, upstream: Upstream, reply: Reply) -> None:
    stub.script(reply)
    started = monotonic()
    with pytest.raises(ProviderTimeout, match=r"did not answer within 0\.3 s"):
        upstream.request("GET", timeout=0.3)
    assert monotonic() - started > 0.25


def test_a_slow_answer_within_the_time_arrives(stub: Echo, upstream: Upstream) -> None:
    stub.script(Reply(body=b"x" * 20, drip=100))
    assert upstream.request("GET", timeout=10).content == b"x" * 20


def test_no_time_left_is_a_timeout_without_a_request(stub: Echo, upstream: Upstream) -> None:
    with pytest.raises(ProviderTimeout):
        upstream.request("GET", timeout=0)
    assert stub.requests == []


BROKEN = {
    "no answer": Reply(raw=b""),
    "not HTTP": Reply(raw=b"\x00\x01\x02 garbage\r\n\r\n"),
    "cut off": Reply(body=b"x" * 100, truncate=10),
    "not gzip": Reply(body=b"plain", headers={"Content-Encoding": "gzip"}),
    "endless header": Reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_a_provider_error(stub: Echo, upstream: Upstream, reply: Reply) -> None:
    stub.script(reply)
    with pytest.raises(ProviderError, match="broke before the whole answer had come"):
        upstream.request("GET", timeout=5)
    assert len(stub.requests) == 1


OVERSIZED = {
    "announced": Reply(body=b"x" * 1001),
    "not announced": Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001),
    "chunked": Reply(
        raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"64\r\n%b\r\n" % (b"x" * 100) * 11
    ),
    "compressed": Reply(
        body=gzip.compress(bytes(2_000_000)), headers={"Content-Encoding": "gzip", "X": "1"}
    ),
}


@pytest.mark.parametrize("reply", OVERSIZED.values(), ids=OVERSIZED.keys())
def test_an_answer_over_the_limit_is_refused(stub: Echo, reply: Reply) -> None:
    limit = 4000 if reply.headers else 1000  # so that only the decoded bytes are over it
    upstream = Upstream("echo", stub.url, max_bytes=limit)
    stub.script(reply)
    with pytest.raises(ProviderError, match=f"more than {limit} bytes"):
        upstream.request("GET", timeout=5)
    upstream.close()


def test_an_answer_at_the_limit_arrives(stub: Echo, upstream: Upstream) -> None:
    stub.script(Reply(body=b"x" * 1000))
    assert len(upstream.request("GET", timeout=5).content) == 1000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(stub: Echo, upstream: Upstream, status: int) -> None:
    stub.script(Reply.redirect("http://u:pw@evil.example/x?key=k", status))
    with pytest.raises(ProviderError) as caught:
        upstream.request("POST", timeout=5)
    assert caught.value.permanent
    assert "'evil.example'" in str(caught.value)
    assert "pw" not in str(caught.value)
    assert "key" not in str(caught.value)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(("location", "word"), [("/x", "127.0.0.1"), ("http://[", "be read")])
def test_an_odd_redirect_is_refused_as_well(
    stub: Echo, upstream: Upstream, location: str, word: str
) -> None:
    stub.script(Reply.redirect(location))
    with pytest.raises(ProviderError, match=word):
        upstream.request("GET", timeout=5)


def test_the_body_of_a_redirect_is_not_waited_for(stub: Echo, upstream: Upstream) -> None:
    stub.script(Reply(302, b"x" * 900, {"Location": "/"}, drip=10))
    with pytest.raises(ProviderError, match="redirects are not followed"):
        upstream.request("GET", timeout=5)


class CloseAfterAnswer(Echo):
    """Closes an idle connection at the moment the next request arrives on it."""

    def answer(self, request: Asked) -> Reply:
        first = all(r is request or r.connection != request.connection for r in self.requests)
        return super().answer(request) if first else Reply(raw=b"")


def test_a_connection_the_server_let_go_of_is_tried_once_more() -> None:
    with CloseAfterAnswer() as stub:
        upstream = Upstream("echo", stub.url)
        assert upstream.request("GET", timeout=5).status == 200
        assert upstream.request("POST", content=b"again", timeout=5).content == b"again"
        assert [r.connection for r in stub.requests] == [1, 1, 2]
        upstream.close()


def test_a_new_connection_that_breaks_is_not_tried_again(stub: Echo, upstream: Upstream) -> None:
    stub.always(Reply(raw=b""))
    for _ in range(3):
        with pytest.raises(ProviderError):
            upstream.request("GET", timeout=5)
    assert len(stub.requests) == 3


def test_cookies_are_not_kept(stub: Echo, upstream: Upstream) -> None:
    stub.script(Reply(headers={"Set-Cookie": "a=b"}))
    upstream.request("GET", timeout=5)
    upstream.request("GET", timeout=5)
    assert stub.requests[1].headers["Cookie"] is None


def test_the_environment_is_not_asked_for_a_proxy(
    stub: Echo, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert upstream.request("GET", timeout=5).status == 200


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), False)
    (tmp_path / "pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    return context


def failure_of(url: str) -> ProviderError:
    upstream = Upstream("echo", url, bearer=Secret(SECRET))
    with pytest.raises(ProviderError) as caught:
        upstream.request("GET", timeout=5)
    upstream.close()
    return caught.value


def test_nothing_listening_is_told_apart() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses, and nobody else gets it
        error = failure_of(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert "refused the connection" in str(error)
    assert not isinstance(error, ProviderTimeout)


def test_an_unknown_host_is_told_apart() -> None:
    assert "could not be looked up" in str(failure_of("http://nowhere.invalid"))


def test_an_unreachable_network_is_told_apart() -> None:
    error = failure_of("http://255.255.255.255:9")  # TCP has no broadcast
    assert "could not be reached over the network" in str(error)
    assert not isinstance(error, ProviderTimeout)


def test_a_server_that_speaks_no_tls_is_told_apart(stub: Echo) -> None:
    error = failure_of(stub.url.replace("http://", "https://"))
    assert "TLS connection failed" in str(error)


def test_a_certificate_nobody_vouches_for_is_refused(self_signed: ssl.SSLContext) -> None:
    with Echo() as stub:
        stub._server.socket = self_signed.wrap_socket(stub._server.socket, server_side=True)
        error = failure_of(stub.url.replace("http://", "https://"))
        assert "TLS connection failed" in str(error)
        assert stub.requests == []


def test_a_request_that_cannot_be_sent_is_told_apart() -> None:
    assert "could not be asked (InvalidSchema)" in str(failure_of("ftp://127.0.0.1"))


def test_a_stream_that_never_pauses_ends_with_the_time() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"x")
        near.settimeout(0.001)
        reader = transport._DeadlineReader(socket.SocketIO(near, "r"), near)
        sleep(0.005)
        with pytest.raises(TimeoutError):
            reader.read(1)
        reader.close()


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: y", "tökén", "\x00"])
def test_a_secret_that_cannot_be_sent_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ProviderError, match="the header X-Api-Key") as caught:
        Upstream("usda", "http://127.0.0.1", headers={"X-Api-Key": Secret(value)})
    assert value not in str(caught.value)


def test_one_line_is_logged_for_a_call(
    stub: Echo, upstream: Upstream, lines: pytest.LogCaptureFixture
) -> None:
    token = request_id.set("our-id")
    upstream.request("POST", "/path?q=1", content=b"12345", timeout=5)
    request_id.reset(token)
    line = fields(lines)
    expected = {"provider": "echo", "method": "POST", "host": upstream.host, "status": 200}
    expected |= {"upstream_request_id": "abc", "bytes": 5, "request_id": "our-id"}
    assert {name: line[name] for name in expected} == expected
    assert isinstance(line["ms"], float)
    assert len([r for r in lines.records if r.name == "foodlog.upstream"]) == 1


def test_a_failed_call_is_logged_with_its_reason(
    stub: Echo, upstream: Upstream, lines: pytest.LogCaptureFixture
) -> None:
    stub.script(Reply(500, body=b"x" * 2000, headers={"X-Request-ID": "y" * 999}))
    with pytest.raises(ProviderError) as caught:
        upstream.request("GET", timeout=5)
    line = fields(lines)
    assert (line["status"], line["error"]) == (500, str(caught.value))
    assert line["upstream_request_id"] == "y" * 128


@pytest.mark.parametrize("reply", [*BROKEN.values(), Reply(), Reply.redirect("/")])
def test_the_secret_is_never_shown(
    stub: Echo, upstream: Upstream, lines: pytest.LogCaptureFixture, reply: Reply
) -> None:
    stub.script(reply)
    try:
        shown = repr(upstream.request("GET", "/x?key=hidden", timeout=5))
    except ProviderError as error:
        shown = repr(error) + repr(error.__cause__)
    shown += repr(upstream) + repr([vars(r) for r in lines.records if r.name.startswith("foodlog")])
    shown += lines.text
    assert SECRET not in shown
    assert stub.requests[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[NaN]", b"[1e999]", b"\xff", b"[" * 5000])
def test_what_is_not_json_is_a_provider_error(body: bytes) -> None:
    with pytest.raises(ProviderError, match="is not JSON"):
        Answer(200, {}, body).json()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"api";r=0;t=55'}, 55),
        ({"RateLimit": '"api"; t=55; r=0', "Retry-After": "3"}, 55),
        ({"RateLimit": '"api";r=9;t=55', "Retry-After": "3"}, 3),
        ({"RateLimit": '"api";r=9;t=55'}, None),
        ({"RateLimit": '"burst";r=9;t=1, "api";r=0;t=55'}, 55),
        ({"RateLimit": '"burst";r=0;t=1,"api";r=0;t=55'}, 55),
        ({"Retry-After": "2.5"}, 2.5),
        ({"Retry-After": "-1"}, 0),
        ({"Retry-After": "99999999"}, MAX_RETRY_AFTER),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"RateLimit": '"api";r=0;t=999999999'}, MAX_RETRY_AFTER),
        (
            {
                "Date": "Sun, 06 Nov 1994 08:49:30 GMT",
                "Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT",
            },
            7,
        ),
        ({"Date": "rubbish", "Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, None),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 -0000"}, None),
        ({}, None),
    ],
)
def test_how_long_to_leave_a_service_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert Answer(429, headers, b"").retry_after() == seconds


def test_a_date_to_wait_for_counts_from_now_without_the_servers() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    seconds = Answer(429, {"Retry-After": until}, b"").retry_after()
    assert seconds is not None
    assert 25 < seconds <= 30


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40))
def test_no_header_can_break_the_parser(limit: str, after: str, date: str) -> None:
    headers = {"RateLimit": limit, "Retry-After": after, "Date": date}
    seconds = Answer(429, headers, b"").retry_after()
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER


def test_requests_is_imported_only_for_a_remote_provider() -> None:
    code = "import sys, foodlog.upstream; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_closing_a_stub_ends_a_delay_at_once() -> None:
    with StubUpstream() as stub:
        stub.script(Reply(delay=60))
        asking = Upstream("slow", stub.url)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(asking.request, "GET", timeout=60)
            stub.wait_for(1)
            stub.close()
            assert not stub._open, "the thread that waited has ended"
            assert type(asked.exception()) is ProviderError
        asking.close()


def test_a_stub_holds_its_answers_and_knows_how_many_came(stub: Echo, upstream: Upstream) -> None:
    with ThreadPoolExecutor(2) as pool:
        with stub.held():
            asked = [pool.submit(upstream.request, "GET", timeout=60) for _ in range(2)]
            stub.wait_for(2)
            assert not any(each.done() for each in asked)
        assert [each.result().status for each in asked] == [200, 200]
    with pytest.raises(TimeoutError, match="2 requests came in 0 s, not 3"):
        stub.wait_for(3, timeout=0)


def test_a_stub_without_a_script_answers_404() -> None:
    with StubUpstream() as stub:
        upstream = Upstream("none", stub.url)
        assert upstream.request("GET", timeout=5).status == 404
        upstream.close()


def test_a_stub_forgets_the_oldest_requests(stub: Echo, upstream: Upstream) -> None:
    for number in range(REMEMBERED + 5):
        upstream.request("GET", f"/{number}", timeout=5)
    assert (stub.asked, len(stub.requests)) == (REMEMBERED + 5, REMEMBERED)
    assert stub.requests[0].path == "/5"

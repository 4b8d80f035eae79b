"""Stub upstream services: real HTTP servers on 127.0.0.1 that answer as the services do.

A stub answers what its script says, then what its class says, and remembers what it was asked.
For tests, demonstrations and benchmarks of whatever calls an upstream::

    with HuggingFaceStub() as stub:
        stub.script(Reply(503), Reply(body=b"<html>"), Reply(delay=5))  # the next three answers
        ...                                                             # ask stub.url
        assert stub.requests[0].headers["Authorization"] == "Bearer t"

No clock is needed to see requests overlap::

    with stub.held():      # nothing is answered in here
        ...                # let several threads ask
        stub.wait_for(3)   # all three are under way at once

Closing a stub ends every delay at once.
"""

import email
import email.policy
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Lock, Thread, current_thread
from typing import Any, Self, cast
from urllib.parse import urlsplit

import orjson

MAX_BODY = 64 << 20
"""Bytes of the largest request body a stub reads."""
REMEMBERED = 500
"""Requests a stub keeps, so that a benchmark does not fill the memory with photos."""
DRIP_STEP = 0.02
"""Seconds between two pieces of a dripping answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a stub."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before the first byte."""
    drip: float | None = None
    """Bytes of the body sent a second; None: all at once."""
    drip_head: bool = False
    """Drip the status line and the headers too."""
    truncate: int | None = None
    """Send only so many bytes of the body that was announced, then close the connection."""
    hang_up: bool = False
    """Close the connection after this answer; the headers do not say so."""
    raw: bytes | None = None
    """Send these bytes in place of an HTTP answer (b"": nothing at all), then close."""

    @classmethod
    def json(cls, data: object, status: int = 200, **rest: Any) -> Self:
        """``data`` as application/json."""
        headers = {"Content-Type": "application/json", **rest.pop("headers", {})}
        return cls(status, orjson.dumps(data), headers, **rest)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Self:
        """To another place."""
        return cls(status, headers={"Location": location})

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        return self.hang_up or self.raw is not None or self.truncate is not None

    def head(self) -> bytes:
        """Status line and headers, up to and with the empty line."""
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Unknown"
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{n}: {v}" for n, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request a stub received."""

    method: str
    path: str
    """As sent, with the query."""
    headers: Message
    """Names compare without regard to case."""
    body: bytes = field(repr=False)
    connection: int
    """Which of the stub's connections it came on, counted from 1."""

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)

    def parts(self) -> dict[str, EmailMessage]:
        """The parts of a multipart body by field name; empty where it is none."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        whole = email.message_from_bytes(head + self.body, policy=email.policy.HTTP)
        parts = cast(list[EmailMessage], whole.get_payload() if whole.is_multipart() else [])
        return {str(part.get_param("name", header="Content-Disposition")): part for part in parts}


class StubUpstream:
    """A server on a free port of 127.0.0.1 that runs until the context is left.

    A subclass says in :meth:`answer` what the service answers when the script has nothing.
    """

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        """What was asked, oldest first; the last :data:`REMEMBERED`."""
        self.asked = 0
        """How many requests there were in all."""
        self.connections = 0
        """How many connections were opened."""
        self._lock = Lock()
        self._came = Condition(self._lock)
        self._free = Event()
        self._free.set()
        self._script: deque[Reply] = deque()
        self._always: Reply | None = None
        self._closed = Event()
        self._open: dict[socket.socket, Thread] = {}
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: Asked) -> Reply:
        """What the service answers; 404 unless a subclass knows better."""
        return Reply(404, b"Not Found", {"Content-Type": "text/plain; charset=utf-8"})

    def script(self, *replies: Reply) -> None:
        """Answer the next requests with these, in order."""
        with self._lock:
            self._script.extend(replies)

    def always(self, reply: Reply | None) -> None:
        """Answer every request the script leaves over with this; None: as the class says."""
        with self._lock:
            self._always = reply

    def wait_for(self, count: int, timeout: float = 30.0) -> None:
        """Until it was asked ``count`` times in all; TimeoutError after ``timeout`` seconds."""
        with self._came:
            if not self._came.wait_for(lambda: self.asked >= count, timeout):
                raise TimeoutError(f"{self.asked} requests came in {timeout:g} s, not {count}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Whatever is asked inside is answered when the block is left."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    @contextmanager
    def answering(self, reply: Reply) -> Iterator[None]:
        """In the block every request the script leaves over is answered with this."""
        self.always(reply)
        try:
            yield
        finally:
            self.always(None)

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop, and end every answer that is still under way."""
        self._closed.set()
        self._free.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        with self._lock:
            pending = dict(self._open)
        for connection, thread in pending.items():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, connection: socket.socket) -> int:
        with self._lock:
            self.connections += 1
            self._open[connection] = current_thread()
            return self.connections

    def _ended(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)

    def _reply(self, request: Asked) -> Reply:
        with self._lock:
            self.asked += 1
            self.requests.append(request)
            del self.requests[:-REMEMBERED]
            self._came.notify_all()
            scripted = self._script.popleft() if self._script else self._always
        self._free.wait()
        return scripted or self.answer(request)

    def _pause(self, seconds: float) -> bool:
        """Whether the stub is still there after so many seconds."""
        return not (seconds > 0 and self._closed.wait(seconds)) and not self._closed.is_set()


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, address: tuple[str, int], stub: StubUpstream) -> None:
        self.stub = stub
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._number = self.server.stub._opened(self.connection)

    def finish(self) -> None:
        self.server.stub._ended(self.connection)
        with suppress(OSError):
            super().finish()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= MAX_BODY:
            raise ValueError("more than a stub reads")
        body = self.rfile.read(length)
        self._send(
            self.server.stub._reply(
                Asked(self.command, self.path, self.headers, body, self._number)
            )
        )

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST  # noqa: N815 - the library's names

    def _send(self, reply: Reply) -> None:
        self.close_connection = self.close_connection or reply.closes
        stub = self.server.stub
        if not stub._pause(reply.delay):
            self.close_connection = True
        elif reply.raw is not None:
            self.wfile.write(reply.raw)
        else:
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        head, body = reply.head(), reply.body[: reply.truncate]
        if reply.drip is None:
            self.wfile.write(head + body)
            return
        if not reply.drip_head:
            self.wfile.write(head)
        dripping = head + body if reply.drip_head else body
        step = max(1, int(reply.drip * DRIP_STEP))
        for start in range(0, len(dripping), step):
            self.wfile.write(dripping[start : start + step])
            if not self.server.stub._pause(step / reply.drip):
                self.close_connection = True
                return

    def log_message(self, *_: Any) -> None:
        """Quiet: :attr:`StubUpstream.requests` is the log."""


LABELS = (("pizza", 0.93), ("bruschetta", 0.03), ("garlic_bread", 0.02), ("nachos", 0.01))
"""What the stubs see on every photo, unless told otherwise: label and score, best first."""
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


class HuggingFaceStub(StubUpstream):
    """The Hugging Face router, and a Gradio Space at every path the router does not have.

    The router is at ``/hf-inference/models/<model>`` and serves the models in ``models``. Where
    ``token`` is set it is asked for. ``delay``: seconds of every answer that is not scripted.
    """

    FAILURES: Mapping[str, Reply] = {
        "loading": Reply.json(
            {"error": "Model nateraw/food is currently loading", "estimated_time": 20.0}, 503
        ),
        "outage": Reply(503, b"<html><h1>503 Service Unavailable</h1></html>"),
        "quota": Reply.json(
            {"error": "Too many requests"}, 429, headers={"RateLimit": '"api";r=0;t=55'}
        ),
        "token": Reply.json({"error": "Invalid credentials in Authorization header"}, 401),
        "credits": Reply.json({"error": "You have exceeded your monthly included credits."}, 402),
        "permission": Reply.json(
            {"error": {"message": "This token does not have sufficient permissions"}}, 403
        ),
        "unsupported": Reply.json({"error": "Model not supported by provider hf-inference"}, 400),
        "missing": Reply(404, b"Not Found", _TEXT),
        "gone": Reply.json({"error": "no longer supported"}, 410),
        "unprocessable": Reply(422, b"Failed to deserialize the JSON body", _TEXT),
    }
    """The failures of the service by what they mean, in the shapes it sends them."""

    def __init__(
        self,
        labels: tuple[tuple[str, float], ...] = LABELS,
        *,
        models: tuple[str, ...] = ("nateraw/food",),
        token: str | None = None,
        delay: float = 0.0,
    ) -> None:
        super().__init__()
        self.labels = labels
        self.models = models
        self.token = token
        self.delay = delay

    @property
    def router_url(self) -> str:
        """Where the first of its models is asked."""
        return f"{self.url}/hf-inference/models/{self.models[0]}"

    def answer(self, request: Asked) -> Reply:
        """The router's answer, or the Space's."""
        if self.token is not None and request.headers["Authorization"] != f"Bearer {self.token}":
            return self.FAILURES["token"]
        path = urlsplit(request.path).path
        if path.startswith("/hf-inference/models/"):
            return self._router(path.removeprefix("/hf-inference/models/"), request)
        return self._space(request)

    def _router(self, model: str, request: Asked) -> Reply:
        if model not in self.models:
            return self.FAILURES["unsupported"]
        if not str(request.headers["Content-Type"]).startswith("image/") or not request.body:
            return self.FAILURES["unprocessable"]
        seen = [{"label": label, "score": score} for label, score in self.labels]
        headers = {"x-request-id": f"stub-{self.asked}", "x-compute-time": "0.253"}
        return Reply.json(seen, headers=headers, delay=self.delay)

    def _space(self, request: Asked) -> Reply:
        try:
            asked = request.json()["data"][0].startswith("data:image/")
        except (ValueError, LookupError, TypeError, AttributeError):
            asked = False
        if not asked:
            return self.FAILURES["unprocessable"]
        seen = [{"label": label, "confidence": score} for label, score in self.labels]
        data = [{"label": self.labels[0][0], "confidences": seen}]
        answer = {"data": data, "duration": 0.7, "average_duration": 0.8}
        return Reply.json(answer, delay=self.delay)


class MLServiceStub(StubUpstream):
    """The ML microservice: an image and its metadata in, a whole meal out.

    ``prediction`` is what it answers. Where ``api_key`` is set it is asked for.
    """

    PREDICTION: Mapping[str, Any] = {
        "food": "Veggie power bowl",
        "calories": 420,
        "ingredients": ["quinoa", "chickpeas", "spinach"],
        "nutrition_facts": {"calories": 420, "proteins": 18, "fats": 14, "carbohydrates": 52},
        "confidence": 0.88,
    }

    def __init__(
        self,
        prediction: Mapping[str, Any] = PREDICTION,
        *,
        api_key: str | None = None,
        delay: float = 0.0,
    ) -> None:
        super().__init__()
        self.prediction = prediction
        self.api_key = api_key
        self.delay = delay

    def answer(self, request: Asked) -> Reply:
        """The prediction, for a multipart request with an image."""
        key = request.headers["Authorization"]
        if self.api_key is not None and key != f"Bearer {self.api_key}":
            return Reply.json({"error": "invalid API key"}, 401)
        if request.method != "POST":
            return Reply.json({"error": "method not allowed"}, 405)
        if "image" not in request.parts():
            return Reply.json({"error": "no image"}, 400)
        return Reply.json(dict(self.prediction), delay=self.delay)

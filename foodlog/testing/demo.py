"""The whole chain on one machine, without an account anywhere: ``python -m foodlog.testing.demo``.

Starts stubs of Hugging Face, the ML service and USDA FoodData Central, FoodLog in front of them,
posts the sample photo, and shows what each of them was asked and what came out. The stubs answer
in the services' own shapes; what they "see" is made up.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from time import sleep
from typing import Any

import orjson
import requests

from foodlog.dishes import load
from foodlog.testing import photos
from foodlog.testing.upstreams import HuggingFaceStub, MLServiceStub, StubUpstream
from foodlog.testing.usda import FDCStub, StubFood

LABEL = "greek_salad"
"""What the stub of Hugging Face sees on every photo."""


def main() -> int:
    """Run the demonstration; 0 where it worked."""
    with ExitStack() as stack:
        stubs: dict[str, StubUpstream] = {
            "Hugging Face": stack.enter_context(
                HuggingFaceStub(((LABEL, 0.93), ("caprese_salad", 0.04)), token="demo", delay=0.3)
            ),
            "ML service": stack.enter_context(MLServiceStub(api_key="demo")),
            "USDA": stack.enter_context(FDCStub(_foods(), api_key="demo", delay=0.15)),
        }
        url = stack.enter_context(_foodlog(stubs))
        _say(f"FoodLog listens at {url}; POST /predict with the sample photo:")
        answer = _post(url, photos.sample())
        _say(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
        for name, stub in stubs.items():
            asked = "; ".join(f"{r.method} {r.path}" for r in stub.requests) or "nothing"
            _say(f"{name} was asked: {asked}")
    return 0


def _foods() -> list[StubFood]:
    """Every pinned ingredient of the dish, with amounts made up from its number."""
    dish = load().match(LABEL)
    assert dish is not None
    return [
        StubFood(i.fdc_id, i.name, {"208": 96.0, "203": 4.0, "204": 4.0, "205": 11.0})
        for i in dish.ingredients
        if i.fdc_id is not None
    ]


@contextmanager
def _foodlog(stubs: Mapping[str, Any]) -> Iterator[str]:
    """FoodLog over these stubs in a folder of its own; its URL."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environ = os.environ | {
            "FOODLOG_CONFIG": "",
            "STORAGE_BACKEND": "local",
            "FOODLOG_DATA": folder,
            "HF_SPACE_URL": stubs["Hugging Face"].router_url,
            "HF_API_TOKEN": "demo",
            "ML_SERVICE_URL": stubs["ML service"].url,
            "ML_SERVICE_API_KEY": "demo",
            "FDC_URL": stubs["USDA"].url,
            "FDC_API_KEY": "demo",
        }
        command = [sys.executable, "-m", "foodlog", "serve", "--port", str(port), "--workers", "1"]
        server = subprocess.Popen(command, env=environ)
        try:
            url = f"http://127.0.0.1:{port}"
            _until_ready(server, url)
            yield url
        finally:
            server.terminate()
            server.wait(30)


def _until_ready(server: "subprocess.Popen[bytes]", url: str) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit("FoodLog did not start; see above")
        try:
            if requests.get(f"{url}/health", timeout=60).ok:
                return
        except requests.ConnectionError:
            sleep(0.1)
    raise SystemExit("FoodLog did not answer within a minute")


def _post(url: str, photo: bytes) -> Any:
    account = {"email": "demo@example.org", "password": "only a demonstration"}
    token = requests.post(f"{url}/auth/signup", json=account, timeout=30).json()["token"]
    answer = requests.post(
        f"{url}/predict",
        files={"photo": ("sample-meal.jpg", photo, "image/jpeg")},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""``foodlog check`` tells what is wrong from what is merely away."""

import os
import socket
import subprocess
import sys

import pytest

from foodlog.testing.upstreams import HuggingFaceStub
from foodlog.testing.usda import FDCStub


@pytest.fixture(scope="module")
def hugging_face():
    with HuggingFaceStub(token="good") as stub:
        yield stub


@pytest.fixture(scope="module")
def fdc():
    with FDCStub([], api_key="good") as stub:
        yield stub


@pytest.fixture
def closed_port():
    """A port nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def check(tmp_path):
    """Runs ``foodlog check`` on the embedded default; its exit code and its lines by provider."""

    def run(**environ):
        done = subprocess.run(
            [sys.executable, "-m", "foodlog", "check"],
            env=os.environ | {"FOODLOG_DATA": str(tmp_path / "data")} | environ,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
        )
        assert "Traceback" not in done.stderr
        rows = [line.split(None, 3) for line in done.stdout.splitlines()]
        return done.returncode, {name: (state, said) for state, _, name, said in rows}

    return run


def test_all_is_well(check, hugging_face, fdc):
    code, rows = check(
        HF_SPACE_URL=hugging_face.router_url,
        HF_API_TOKEN="good",
        FDC_URL=fdc.url,
        FDC_API_KEY="good",
    )
    assert code == 0
    states = {name: state for name, (state, _) in rows.items()}
    assert states == {
        "sqlite_storage": "ok",
        "huggingface": "ok",
        "ml_service": "skipped",
        "usda": "ok",
        "food_table": "ok",
        "synthetic": "ok",
    }
    assert "set ML_SERVICE_URL" in rows["ml_service"][1]


def test_a_wrong_token_and_a_wrong_key(check, hugging_face, fdc):
    code, rows = check(
        HF_SPACE_URL=hugging_face.router_url, HF_API_TOKEN="bad", FDC_URL=fdc.url, FDC_API_KEY="bad"
    )
    assert code == 1
    assert rows["huggingface"][0] == rows["usda"][0] == "failed"
    assert (
        "does not accept the token: the option 'token' needs a valid one" in rows["huggingface"][1]
    )
    assert "does not know the API key; look at the option 'api_key'" in rows["usda"][1]
    assert "bad" not in rows["huggingface"][1] + rows["usda"][1]


def test_a_model_that_is_not_served(check, hugging_face):
    url = hugging_face.router_url.replace("nateraw/food", "nobody/nothing")
    code, rows = check(HF_SPACE_URL=url, HF_API_TOKEN="good")
    assert code == 1
    assert "the model is not served there; look at the option 'url'" in rows["huggingface"][1]


def test_a_host_that_is_not_there(check, closed_port):
    url = f"http://127.0.0.1:{closed_port}"
    code, rows = check(
        HF_SPACE_URL=f"{url}/hf-inference/models/x", HF_API_TOKEN="x", FDC_URL=url, FDC_API_KEY="x"
    )
    assert code == 1
    for name in ("huggingface", "usda"):
        assert (
            rows[name][1]
            == f"127.0.0.1:{closed_port} refused the connection: nothing listens there"
        )
    assert rows["sqlite_storage"][0] == "ok"

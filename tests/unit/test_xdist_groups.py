"""Tests of one group share servers and built wheels, which only one worker is to make."""

import os
import subprocess
import sys
from pathlib import Path

GROUP = """
import pytest

pytestmark = pytest.mark.xdist_group("one")


@pytest.mark.parametrize("number", range(8))
def test_some(number, worker_id):
    with open("workers", "a") as seen:
        print(worker_id, file=seen)
"""


def test_the_tests_of_a_group_run_on_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_group.py").write_text(GROUP)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [*command, "-n", "2", "--dist", "loadgroup"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "8 passed" in done.stdout, done.stdout + done.stderr
    seen = (tmp_path / "workers").read_text().split()
    assert len(set(seen)) == 1, "pytest-xdist does not know this pytest: see setup.cfg"

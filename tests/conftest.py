"""What holds for all tests."""

import os

import pytest
from hypothesis import settings

# By its own clock Hypothesis fails an example that a busy machine kept waiting for 0.2 s.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def _inner_runs_keep_to_themselves(tmp_path_factory):
    """A pytest that a test starts would clear away what earlier runs left on this machine, for
    longer than the test waits."""
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path_factory.mktemp("inner"))

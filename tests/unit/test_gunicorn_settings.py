"""How many workers there are, how long things take, and when workers are replaced."""

import os
import runpy
import sys

import pytest

from foodlog import gunicorn_settings
from foodlog.errors import ConfigError
from foodlog.gunicorn_settings import usable_cpus


@pytest.fixture
def settings(monkeypatch):
    """The settings as gunicorn reads them in an environment."""
    for name in ("HOST", "PORT", "WEB_CONCURRENCY", "GRACEFUL_TIMEOUT", "MAX_REQUESTS"):
        monkeypatch.delenv(name, raising=False)

    def read(**environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(gunicorn_settings.__file__)

    return read


@pytest.mark.parametrize(
    ("written", "cpus"),
    [
        ("max 100000\n", 64),
        ("50000 100000\n", 1),
        ("100000 100000\n", 1),
        ("150000 100000\n", 2),
        ("400000 100000\n", 4),
        ("what is this\n", 64),
        ("1 0\n", 64),
    ],
)
def test_a_containers_quota_bounds_the_cpus(tmp_path, monkeypatch, written, cpus):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    quota = tmp_path / "cpu.max"
    quota.write_text(written)
    assert usable_cpus(quota) == cpus


def test_only_cpus_the_process_may_run_on_count(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    assert usable_cpus(tmp_path / "no such file") == 3


def test_elsewhere_than_on_linux_all_cpus_count(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert usable_cpus(tmp_path / "no such file") == 10


@pytest.mark.parametrize(("cpus", "workers"), [(1, 2), (2, 2), (6, 6), (64, 8)])
def test_there_is_a_worker_for_each_cpu_but_two_at_least(settings, monkeypatch, cpus, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)))
    assert settings()["workers"] == workers


def test_the_environment_overrides(settings):
    read = settings(
        HOST="0.0.0.0", PORT="8080", WEB_CONCURRENCY="3", GRACEFUL_TIMEOUT="110", MAX_REQUESTS="100"
    )
    assert read["bind"] == "0.0.0.0:8080"
    assert read["workers"] == 3
    assert read["graceful_timeout"] == 110
    assert (read["max_requests"], read["max_requests_jitter"]) == (100, 10)


@pytest.mark.parametrize(
    ("host", "bind"),
    [("::1", "[::1]:5000"), ("[::]", "[::]:5000"), ("localhost", "localhost:5000")],
)
def test_an_address_of_ipv6_is_told_from_its_port(settings, host, bind):
    assert settings(HOST=host)["bind"] == bind


@pytest.mark.parametrize("value", ["0", "65", "-1", "two", "1.5"])
def test_a_number_that_is_none_names_what_is_allowed(settings, value):
    with pytest.raises(ConfigError, match=f"WEB_CONCURRENCY is '{value}'; allowed: 1 to 64"):
        settings(WEB_CONCURRENCY=value)


def test_time_outs_fit_together(settings):
    read = settings()
    assert read["graceful_timeout"] < 30, "what ECS and Render wait before they kill"
    assert read["timeout"] > 30 + read["graceful_timeout"], "notified each half of it; then silent"
    assert read["keepalive"] > 60, "longer than load balancers keep idle connections"
    assert read["max_requests_jitter"] > 0


def test_workers_show_that_they_live_in_memory_where_there_is_such_a_folder(settings, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path == "/dev/shm")
    assert settings()["worker_tmp_dir"] == "/dev/shm"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert settings()["worker_tmp_dir"] is None

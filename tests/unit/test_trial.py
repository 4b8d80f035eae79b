"""The first start in a process of its own: what it says, and that nothing of it stays."""

import subprocess
import sys

import pytest

TRY = """
import os, signal, threading
from types import SimpleNamespace
from foodlog.errors import ProviderError
from foodlog.trial import Trial

def start():
    {start}

trial = Trial(SimpleNamespace(start=start, stop=lambda: None))
try:
    trial.end()
    print("it starts")
except ProviderError as error:
    print(error)
print(threading.active_count(), "thread")
"""


def tried(start):
    """What a trial of an application whose start does this says, in a process of its own."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", TRY.format(start=start)],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        process.wait(60)
        *said, threads = process.stdout.read().splitlines()
        assert threads == "1 thread"
        return "\n".join(said), process.stderr.read()


def test_nothing_of_a_start_that_succeeds_stays():
    endless = "threading.Thread(target=threading.Event().wait).start()"
    assert tried(endless) == ("it starts", "")


def test_it_fails_with_the_sentence_the_start_failed_with():
    assert tried("raise ProviderError('the \N{PILE OF POO} is full.')") == (
        "the \N{PILE OF POO} is full.",
        "",
    )


def test_a_sentence_is_cut_before_it_blocks():
    said, _ = tried("raise ProviderError('x' * 1_000_000)")
    assert set(said) == {"x"}


def test_a_process_that_outlives_a_failed_start_is_not_waited_for():
    start = (
        "os.fork() or (os.close(1), os.close(2), os.read(0, 1), os._exit(0));"
        "raise ProviderError('left behind')"
    )
    assert tried(start) == ("left behind", "")


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("raise ZeroDivisionError('oh')", "ended with exit code 1. Leave out one after the other"),
        ("os._exit(7)", "ended with exit code 7."),
        ("raise SystemExit", "ended with exit code 1."),
        ("os.abort()", "ended with SIGABRT."),
        ("os.kill(os.getpid(), signal.SIGALRM)", "took more than 60 s to start"),
    ],
)
def test_a_process_that_ends_in_the_middle_is_told(start, reason):
    said, error = tried(start)
    assert reason in said
    assert ("ZeroDivisionError: oh" in error) == ("ZeroDivisionError" in start)

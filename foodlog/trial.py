"""A first start in a process of its own, to learn whether one succeeds.

The process ends with it, and with it the threads, connections and modules of large SDKs that a
start leaves behind, none of which would go well with the forks that follow.
"""

import os
import signal
import traceback
from typing import NoReturn

from foodlog.app import Application
from foodlog.errors import FoodLogError, ProviderError

SECONDS = 60
"""How long the start may take: as long as gunicorn lets a worker be silent."""
_TOLD = 3
"""The exit code of a trial that has said why it failed."""
_LONGEST = 32 * 1024
"""Bytes of what it says, which a pipe holds at once."""


class Trial:
    """Starts the application and stops it again; meanwhile this process may do other things."""

    def __init__(self, application: Application) -> None:
        self._heard, self._telling = os.pipe()
        self._process = os.fork()
        if not self._process:
            _try(application, self._telling)

    def end(self) -> None:
        """Wait until it is over.

        Raises :class:`foodlog.errors.ProviderError` with the sentence the start failed with.
        """
        _, status = os.waitpid(self._process, 0)
        code = os.waitstatus_to_exitcode(status)
        # Only where something is there: a process that outlives the trial may hold the other end.
        said = os.read(self._heard, _LONGEST) if code == _TOLD else b""
        os.close(self._heard)
        os.close(self._telling)
        if code:
            raise ProviderError(_reason(code, said), permanent=True)


def _reason(code: int, said: bytes) -> str:
    if said:
        return said.decode(errors="replace")
    if code == -signal.SIGALRM:
        return f"the providers took more than {SECONDS} s to start, and a worker gets no more."
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return (
        f"the process in which the providers were started ended with {how}. Leave out one after "
        "the other in the configuration to find the one it is."
    )


def _try(application: Application, telling: int) -> NoReturn:
    code = 1
    try:
        signal.alarm(SECONDS)
        application.start()
        application.stop()
        code = 0
    except FoodLogError as error:
        os.write(telling, str(error).encode()[:_LONGEST])
        code = _TOLD
    except Exception:
        traceback.print_exc()
    finally:
        # Nothing more: what is registered for the end of the process belongs to the first one.
        os._exit(code)

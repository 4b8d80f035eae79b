"""An ONNX model that takes a picture and answers a number for each label."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from threading import BoundedSemaphore, Timer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foodlog.errors import ProviderError, ProviderTimeout

# Read when it is imported: otherwise it tells Microsoft that it is used.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime  # type: ignore[import-untyped]

Array = NDArray[Any]
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
"""What an input may hold."""
ERRORS_ONLY = 3


class Model:
    """One session, shared by all threads; at most ``parallel`` of them run it at once.

    ``shape``: of the picture it is given. ``answers``: how many numbers it has to answer.
    ``threads``: of one run. Raises ProviderError where the file is no such model.
    """

    def __init__(
        self, path: Path, *, shape: Sequence[int], answers: int, threads: int, parallel: int
    ) -> None:
        self._path = path
        self._shape = tuple(shape)
        self._answers = answers
        self._session = self._load(threads)
        self._slots = BoundedSemaphore(parallel)
        self._type = self._check_input()
        self._check_output()

    def run(self, picture: Array, timeout: float) -> Array:
        """The numbers for ``picture``, within ``timeout`` seconds, as 64-bit floats.

        Raises ProviderTimeout when all slots stay taken or the run takes too long; it is ended
        then. Raises ProviderError where the model fails or answers something else.
        """
        ends = time.monotonic() + timeout
        if not self._slots.acquire(timeout=max(0.0, timeout)):
            raise ProviderTimeout(
                f"other photos took all of {timeout:.1f} s; "
                "raise the option 'parallel' or 'threads'"
            )
        try:
            answer = self._run(picture.astype(self._type, copy=False), ends - time.monotonic())
        finally:
            self._slots.release()
        return self._checked(answer)

    def try_out(self, timeout: float) -> Array:
        """What it answers for an empty picture; raises as :meth:`run`."""
        return self.run(np.zeros(self._shape, np.float32), timeout)

    def close(self) -> None:
        """Let go of the session and its memory."""
        del self._session

    def _load(self, threads: int) -> Any:
        if not self._path.is_file():
            raise self._refused("there is no such file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        # What a run needs goes back when it ends: the most it ever took is not kept for good.
        options.enable_cpu_mem_arena = False
        # Threads that wait for work sleep: the other workers of the server need the processor.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(
                str(self._path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's own have no common class
            raise self._refused(f"onnxruntime cannot load it ({_first_line(error)})") from error

    def _check_input(self) -> Any:
        inputs = self._session.get_inputs()
        found = ", ".join(f"{i.name}: {i.type} {_shown(i.shape)}" for i in inputs) or "nothing"
        fits = (
            len(inputs) == 1 and inputs[0].type in TYPES and _can_be(inputs[0].shape, self._shape)
        )
        if not fits:
            raise self._refused(
                f"it takes {found}; expected one input of {' or '.join(TYPES)} "
                f"{_shown(self._shape)}, which the options 'size' and 'layout' make"
            )
        return TYPES[inputs[0].type]

    def _check_output(self) -> None:
        output = self._session.get_outputs()[0]
        if not _can_be(output.shape, (1, self._answers)):
            raise self._refused(
                f"it answers {output.name}: {output.type} {_shown(output.shape)}; expected "
                f"{_shown((1, self._answers))}, a number for each of the {self._answers} labels "
                "of the option 'labels'"
            )

    def _run(self, picture: Array, timeout: float) -> Any:
        options = onnxruntime.RunOptions()
        overdue = Timer(max(0.0, timeout), lambda: setattr(options, "terminate", True))
        overdue.daemon = True
        overdue.start()
        names = [self._session.get_outputs()[0].name], self._session.get_inputs()[0].name
        try:
            return self._session.run(names[0], {names[1]: picture}, options)[0]
        except Exception as error:  # the runtime's own have no common class
            if options.terminate:
                raise ProviderTimeout("the model took too long and was stopped") from error
            raise ProviderError(f"the model failed ({_first_line(error)})") from error
        finally:
            overdue.cancel()

    def _checked(self, answer: Any) -> Array:
        shape = getattr(answer, "shape", None)
        if shape != (1, self._answers):
            raise self._refused(
                f"it answered {_shown(shape or ())}; expected {_shown((1, self._answers))}"
            )
        numbers: Array = answer[0].astype(np.float64)
        if not np.isfinite(numbers).all():
            raise ProviderError("the model answered numbers that are none (NaN or infinite)")
        return numbers

    def _refused(self, why: str) -> ProviderError:
        return ProviderError(
            f"the option 'model': {self._path} cannot be used: {why}.", permanent=True
        )


def _can_be(found: Sequence[object], wanted: Sequence[int]) -> bool:
    """Whether a shape with open sides (names or None) can be the one wanted."""
    return len(found) == len(wanted) and all(
        not isinstance(side, int) or side == size for side, size in zip(found, wanted, strict=True)
    )


def _shown(shape: Sequence[object]) -> str:
    return f"[{', '.join(str(side) for side in shape)}]"


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:200]

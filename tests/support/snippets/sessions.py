"""Interpreters that live as long as a page: what one block sets, the next one sees."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

PATIENCE = 90.0
"""Seconds a block may take."""
_END = "--- end of block ---"

_BASH = f"""
while read -r __file; do
  __failed=0
  trap '__failed=$?' ERR
  source "$__file" < /dev/null
  trap - ERR
  printf '\\n{_END}%d\\n' "$__failed"
done
"""
# Falling off the end of the file must flush; a block that calls sys.exit ends like a script.
_PYTHON = f"""
import pathlib, sys, traceback
space = {{"__name__": "__main__"}}
while file := sys.stdin.readline().strip():
    code = 0
    try:
        exec(compile(pathlib.Path(file).read_text("utf-8"), file, "exec"), space)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    print("\\n{_END}%d" % code, flush=True)
"""
# Evaluated as at Node's prompt: top-level await, and names that outlive their block.
_NODE = f"""
const {{createInterface}} = require('node:readline');
const {{readFileSync}} = require('node:fs');
const session = new (require('node:inspector').Session)();
session.connect();
globalThis.load = (name) => import(name);
const run = (file) => new Promise((done) => {{
  const code = readFileSync(file, 'utf8').replaceAll('await import(', 'await load(');
  const how = {{expression: code, replMode: true, awaitPromise: true}};
  session.post('Runtime.evaluate', how, (error, answer) => {{
    const thrown = error || answer.exceptionDetails;
    if (thrown) console.log(thrown.exception?.description ?? thrown);
    done(thrown ? 1 : 0);
  }});
}});
(async () => {{
  for await (const file of createInterface({{input: process.stdin}})) {{
    const code = await run(file);
    process.stdout.write('\\n{_END}' + code + '\\n');
  }}
  process.exit(0);
}})();
"""

INTERPRETERS: Mapping[str, Sequence[str]] = {
    "bash": ("bash", "--noprofile", "--norc", "-c", _BASH),
    "python": (sys.executable, "-u", "-c", _PYTHON),
    "javascript": ("node", "-e", _NODE),
}


class Session:
    """An interpreter that runs files one after the other; a context manager."""

    def __init__(self, language: str, folder: Path, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            INTERPRETERS[language],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._kill()
        self._process.communicate()

    def run(self, file: Path, patience: float = PATIENCE) -> tuple[int, str]:
        """Exit code and output of the code in ``file``; a block that ends the interpreter or
        takes too long has the code -1."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(patience, self._kill)
        watch.start()
        printed = ""
        try:
            self._process.stdin.write(f"{file}\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                if line.startswith(_END):
                    return int(line.removeprefix(_END)), printed.removesuffix("\n")
                printed += line
        except BrokenPipeError:
            pass
        finally:
            watch.cancel()
        return -1, printed + f"(ended its interpreter, or took longer than {patience:g} s)\n"

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

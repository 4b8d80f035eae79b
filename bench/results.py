"""What was measured, against its target; and the report of a run."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

REPORT = Path(__file__).with_name("results.md")
PACKAGES = ("falcon", "flask", "gunicorn", "orjson", "pillow", "requests", "uvicorn", "uvloop")

_HEAD = """# Results

Written by `make bench`; what each line means: docs/performance.md. A ratio is the median over
pairs measured one after the other, so it holds on a machine that does other things as well.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measurement. Without a target it is for information."""

    name: str
    value: float
    unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    @property
    def target(self) -> str:
        """The target in words."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "-" if self.at_most is None else f"≤ {self.at_most:g}"

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        return {True: "met", False: "MISSED", None: "-"}[self.met]

    def row(self) -> str:
        """A row of the report's tables."""
        amount = f"{self.value:.2f} {self.unit}" if self.unit == "x" else f"{self.value:g}"
        amount = amount if self.unit == "x" else f"{amount} {self.unit}"
        return f"| {self.name} | {amount} | {self.target} | {self.verdict} | {self.detail} |"


def write(sections: Mapping[str, Sequence[Result]]) -> None:
    """Write the report: all measurements of a run."""
    lines = [_HEAD, *_machine(), ""]
    for title, results in sections.items():
        lines += [f"## {title}", "", "| what | measured | target | verdict | detail |"]
        lines += ["|---|---|---|---|---|", *(result.row() for result in results), ""]
    REPORT.write_text("\n".join(lines).rstrip() + "\n")


def _machine() -> list[str]:
    load = ", ".join(f"{minutes:.1f}" for minutes in os.getloadavg())
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return [
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {_memory()}, "
        f"{platform.system()} {platform.release()}; load at the end of the run: {load}",
        f"- Python {sys.version.split()[0]}, {packages}",
    ]


def _processor() -> str:
    return _field("/proc/cpuinfo", "model name") or platform.machine()


def _memory() -> str:
    total = _field("/proc/meminfo", "MemTotal").split()
    return f"{int(total[0]) / 2**20:.0f} GiB" if total else "memory unknown"


def _field(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")

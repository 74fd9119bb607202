"""Common parts of the benchmarks of speed: timing in turn, one table of ratios, and what they ran on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: is measured.
        ours: the figure, with its unit.
        alternative: the one beside it, and what it is of.
        ratio: of the two, from the same run; above 1 ours is the better one, unless ``what`` says otherwise.
    """

    what: str
    ours: str
    alternative: str
    ratio: float

    def __str__(self) -> str:
        return f"| {self.what} | {self.ours} | {self.alternative} | {self.ratio:.3g} |"


def print_table(rows: Iterable[Row]) -> None:
    """Print the rows as they come, as a table in Markdown."""
    print(f"{machine()}\n\n| what | measured | beside it | ratio |\n|---|---|---|---|", flush=True)
    for row in rows:
        print(row, flush=True)


def fastest_seconds(ways: list[Callable[[], object]], repeats: int = 3) -> list[float]:
    """The fastest time of each way, which are called in turn: whatever else the machine does hits all of them."""
    seconds = [float("inf")] * len(ways)
    for way in ways:
        way()
    for _ in range(repeats):
        for index, way in enumerate(ways):
            started = time.perf_counter()
            way()
            seconds[index] = min(seconds[index], time.perf_counter() - started)
    return seconds


def machine() -> str:
    """Processor, threads, device, versions and load, in a line."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    processor = names[0] if names else platform.processor()
    return (
        f"{processor}, {torch.get_num_threads()} of {os.cpu_count()} cores, {device}; "
        f"Python {platform.python_version()}, torch {torch.__version__}; load {os.getloadavg()[0]:.1f}"
    )

"""Helpers of tests that kill commands: start one in a session of its own, and list its leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.children import start_child


def start(*arguments: str | Path, **options: object) -> subprocess.Popen[str]:
    """``python ARGUMENTS`` in a session of its own."""
    return start_child(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def processes_of(session: int) -> list[int]:
    """The processes of a session that run."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_bytes()
            except OSError:
                continue
            fields = stat.rpartition(b")")[2].split()
            if int(fields[3]) == session and fields[0] != b"Z":
                found.append(int(entry))
    return found


def end(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> tuple[str, str]:
    """Send a signal to the process alone; what it printed. Fails if a process of its session outlives it."""
    process.send_signal(number)
    printed = process.communicate(timeout=120)
    until = time.monotonic() + 30
    while processes_of(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert processes_of(process.pid) == []
    return printed


def hidden(folder: Path) -> list[str]:
    """The names of what is unfinished or locked in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))

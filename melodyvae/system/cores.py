"""Number of CPU cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")  # of the cgroup (version 2): microseconds of CPU per period, and the period


def available_cores() -> int:
    """Cores this process may use: its affinity mask, lowered by a cgroup CPU quota where there is one; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if QUOTA_FILE.is_file():
        quota, period = QUOTA_FILE.read_text(encoding="ascii").split()
        if quota != "max":
            allowed = min(allowed, int(quota) // int(period))
    return max(allowed, 1)

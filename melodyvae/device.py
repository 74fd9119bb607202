"""Device, threads and precision of the arithmetic."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from melodyvae.config import PRECISIONS
from melodyvae.system.cores import available_cores
from melodyvae.system.errors import UserError

MIN_BF16_CAPABILITY = (8, 0)  # Ampere; older NVIDIA GPUs emulate bf16, slower than float32


class DeviceError(UserError, RuntimeError):
    """Device or precision that this machine does not have."""


def choose_device(name: str = "auto", local_rank: int | None = None) -> torch.device:
    """The device of that name; ``auto`` takes the first there is of cuda, mps, cpu.

    Each of several processes on a machine takes the GPU of its number, ``local_rank``.

    Raises:
        DeviceError: if the machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if local_rank is not None and available["cuda"] and name in ("auto", "cuda"):
        name = f"cuda:{local_rank}"
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
    if local_rank is not None and name == "auto":
        return torch.device("cpu")
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    kind, _, index = name.partition(":")
    counts = {"cuda": torch.cuda.device_count(), "mps": 1, "cpu": 1}
    if not available.get(kind, False) or (index and not (index.isdecimal() and int(index) < counts[kind])):
        there = ", ".join(kind for kind, is_there in available.items() if is_there)
        raise DeviceError(f"device {name!r} is not available here; this machine has: {there}")
    return torch.device(name)


def use_threads(count: int | None = None, processes: int = 1) -> None:
    """Let torch compute with ``count`` threads.

    By default as many as torch would take (``OMP_NUM_THREADS``, or the physical cores), but no more than
    :func:`available_cores`, shared by as many ``processes`` as this machine runs: more threads than free cores make a
    recurrent network many times slower.
    """
    torch.set_num_threads(count or max(min(torch.get_num_threads(), available_cores() // processes), 1))


def autocast(device: torch.device, precision: str = "auto") -> AbstractContextManager[object]:
    """The context in which the networks run: bf16 where the hardware multiplies it natively, otherwise float32.

    Raises:
        DeviceError: if ``precision`` is not one of :data:`PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise DeviceError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    enabled = precision == "bf16" or (precision == "auto" and _has_native_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16) if enabled else nullcontext()


def _has_native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        is_nvidia = torch.version.hip is None
        return not is_nvidia or torch.cuda.get_device_capability(device) >= MIN_BF16_CAPABILITY
    if device.type == "cpu":
        cpuinfo = Path("/proc/cpuinfo")
        flags = cpuinfo.read_text(errors="replace") if cpuinfo.is_file() else ""
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False

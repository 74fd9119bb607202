"""Ends of a command that somebody asks for: Ctrl-C, SIGTERM and SIGHUP are one thing; the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def ending_in_good_order(stop: Callable[[], None] | None = None) -> Iterator[None]:
    """Within the block, the first signal calls ``stop``, or raises KeyboardInterrupt; the second ends the process.

    What a process that ends at once leaves behind is taken away by the next one that writes to the same place. A signal
    that is ignored, as under ``nohup``, stays so; outside the main thread nothing changes.
    """

    def first(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_DFL)
        if stop is None:
            raise KeyboardInterrupt
        stop()

    before: dict[int, Any] = {}
    try:
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, first)
    except ValueError:  # not the main thread
        before.clear()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_endings() -> None:
    """For a process whose fellow decides."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)

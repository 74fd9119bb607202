"""Ends of a command that somebody asks for.

Ctrl-C, SIGTERM and SIGHUP are one thing; the second ends it at once. The exit status is what a shell shows of a program
that the signal ended: 130 after Ctrl-C. A reader that closes the pipe, as ``head`` does,
has enough: the command ends without a word, with the status that a shell shows of a program that SIGPIPE ended.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

ENDED_BY_SIGNAL = 128  # and its number
ENDED_BY_SIGPIPE = ENDED_BY_SIGNAL + 13


def status_of(interrupt: KeyboardInterrupt) -> int:
    """The exit status after a signal, whose number :func:`ending_in_good_order` gives the interrupt."""
    return ENDED_BY_SIGNAL + int(interrupt.args[0] if interrupt.args else signal.SIGINT)


def has_no_reader() -> bool:
    """Whether the pipe that is printed to is closed at its other end; what waits to be printed is dropped then."""
    with suppress(OSError, ValueError, AttributeError):  # of a stream without a file, or a system without poll
        printed_to = sys.stdout.fileno()
        asked = select.poll()
        asked.register(printed_to, 0)
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in asked.poll(0)):
            os.dup2(os.open(os.devnull, os.O_WRONLY), printed_to)
            return True
    return False


@contextmanager
def ending_in_good_order(stop: Callable[[], None] | None = None) -> Iterator[list[int]]:
    """Within the block, the first signal calls ``stop``, or raises KeyboardInterrupt; the second ends the process.

    What is yielded holds the number of the signal once it has come.

    What a process that ends at once leaves behind is taken away by the next one that writes to the same place. A signal
    that is ignored, as under ``nohup``, stays so; outside the main thread nothing changes.
    """

    def first(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_DFL)
        came.append(number)
        if stop is None:
            raise KeyboardInterrupt(number)
        stop()

    before: dict[int, Any] = {}
    came: list[int] = []
    try:
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, first)
    except ValueError:  # not the main thread
        before.clear()
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_endings() -> None:
    """For a process whose fellow decides."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)

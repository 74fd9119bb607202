"""Child processes of tests, started with the default signal handlers.

Under ``nohup``, and in the background of a shell without job control, SIGHUP and SIGINT are ignored, and an ignored
signal stays so in every child: a test that sends it would wait in vain.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from melodyvae.cli.signals import ENDING


def start_child(command: Sequence[object], **options: Any) -> subprocess.Popen[Any]:
    """``subprocess.Popen`` of a command in which no signal is ignored that ends it."""
    with default_handlers():
        return subprocess.Popen(list(map(str, command)), **options)


@contextmanager
def default_handlers() -> Iterator[None]:
    """Within the block, signals that are ignored have their default handlers, which children inherit.

    Not by ``preexec_fn``, of which Python warns in a process with threads.
    """
    ignored = [number for number in ENDING if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

"""Children of tests end by the signals that end them elsewhere, whatever the tests' own parents ignore."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from melodyvae.cli.signals import ENDING
from tests.children import start_child

HANDLERS = "import signal, sys; print(*(signal.getsignal(int(number)) == signal.SIG_IGN for number in sys.argv[1:]))"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are inherited on POSIX")
def test_children_ignore_no_signal_that_their_parent_ignores():
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        with start_child(
            [sys.executable, "-c", HANDLERS, *map(int, ENDING)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.communicate()[0].split() == ["False"] * len(ENDING)
        assert {signal.getsignal(number) for number in ENDING} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""A program that is killed when it is about to make its n-th change to the files, as if the power failed there.

    python -m tests.dying prep MIDI_FOLDER FOLDER 15
    python -m tests.dying train DATASET FOLDER 3
    python -m tests.dying finish DATASET FOLDER 40    # train, and fit what is fitted to a trained model

A first process makes all changes, into ``FOLDER/0``. Then of as many equal parts of them as told one is drawn in each,
by seed, and a process is forked that works into ``FOLDER/NUMBER`` and sends itself SIGKILL before that change. A change
is a file opened for writing, a rename, or a file or folder made or removed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from data_prep.prepare import prepare

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Count:
    """Counts changes, and ends the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.changes = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook."""
        if event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            self.changes += 1
            if self.changes == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def work(what: str, source: Path, folder: Path) -> None:
    """``prep``, ``train`` or ``finish``."""
    if what == "prep":
        prepare([source], folder / "out", workers=0, resume=True)
    else:
        from tests.training.one_run import train

        train(source, folder / "run", what == "finish")


def main() -> None:
    """One process for each moment."""
    what, source, folder, moments = sys.argv[1:]
    sys.dont_write_bytecode = True  # the first process would make changes that the others need not make
    if what != "prep":
        import tests.training.one_run  # noqa: F401 - imported once, not in each process
    changes = forked(what, Path(source), Path(folder), 0)
    draw = random.Random(changes)
    parts = range(min(int(moments), changes))
    for number in [1 + int(changes * (part + draw.random()) / len(parts)) for part in parts]:
        if not (Path(folder) / str(number)).exists():
            forked(what, Path(source), Path(folder), number)


def forked(what: str, source: Path, folder: Path, fatal: int) -> int:
    """The changes that a process made which was not to be killed; 0 of one that was."""
    into = folder / str(fatal)
    into.mkdir(parents=True)
    child = os.fork()
    if not child:
        count = Count(fatal)
        sys.addaudithook(count)
        work(what, source, into)
        (folder / "changes").write_text(str(count.changes), encoding="ascii")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == bool(fatal), (fatal, status)
    return 0 if fatal else int((folder / "changes").read_text(encoding="ascii"))


if __name__ == "__main__":
    main()

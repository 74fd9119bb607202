"""Locks of folders: one process at a time may write to each.

The lock is the operating system's (by filelock), on a file beside the results, so it ends with its process, even in a
crash. The file names the holder, for the error message of the next process; the file alone, without a lock on it, means
nothing.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from melodyvae.system.errors import UserError

MAX_COMMAND = 200  # characters of it that are stored
CANNOT_LOCK = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class InUseError(UserError):
    """Another process writes to the same place; the message names it."""


class UnwritableError(UserError, OSError):
    """Nothing can be written to a place."""


@contextmanager
def sole_use(lock_file: Path, what: str) -> Iterator[None]:
    """Hold the lock on ``lock_file`` during the block, in a folder that is made; ``what`` is to be written.

    Without support of the file system for locks, nothing is locked.

    Raises:
        InUseError: if another process holds it.
        UnwritableError: if the folder or the file cannot be made.
    """
    from filelock import FileLock, Timeout  # only now: help and what writes nothing need not wait for it

    lock = FileLock(lock_file, timeout=0, fallback_to_soft=False)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock_file.touch()  # where that fails, filelock would not say why
        lock.acquire()
    except Timeout:
        raise InUseError(
            f"{what} is in use by {_holder(lock_file)}. Wait until it ends, or choose another folder."
        ) from None
    except OSError as error:
        if error.errno not in CANNOT_LOCK:
            reason = f"{error.filename} is a file" if isinstance(error, FileExistsError) else error.strerror
            raise UnwritableError(f"cannot write to {what} ({reason}); choose another folder") from error
    with suppress(OSError):  # Windows lets nobody write to it, and nobody read it
        lock_file.write_text(_this_process(), encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            lock_file.unlink()  # before it is unlocked, so that the next one makes its own
        lock.release()


def _this_process() -> str:
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])[:MAX_COMMAND]
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps({"process": os.getpid(), "machine": socket.gethostname(), "since": since, "command": command})


def _holder(lock_file: Path) -> str:
    try:
        held = json.loads(lock_file.read_text(encoding="utf-8"))
        return f"process {held['process']} on {held['machine']} since {held['since']} ({held['command']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has not written it yet
        return "another process"

"""Locks of folders: one process at a time may write to each.

The lock is the operating system's, on a file beside the results, so it ends with its process, even in a crash. The file
names the holder, for the error message of the next process; the file alone, without a lock on it, means nothing.
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
from typing import Any

from melodyvae.system.errors import UserError

__all__ = ["InUseError", "sole_use"]

MAX_COMMAND = 200  # characters of it that are stored
CANNOT_LOCK = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class InUseError(UserError):
    """Another process writes to the same place; the message names it."""


@contextmanager
def sole_use(lock_file: Path, what: str) -> Iterator[None]:
    """Hold the lock on ``lock_file`` during the block; ``what`` names the locked thing in errors.

    Without support of the system or the file system for locks, nothing is locked.

    Raises:
        InUseError: if another process holds it.
        OSError: if the file cannot be made.
    """
    descriptor = _locked(lock_file, what)
    try:
        yield
    finally:
        with suppress(OSError):
            lock_file.unlink()  # before it is unlocked, so that the next one makes its own
        os.close(descriptor)


def _locked(lock_file: Path, what: str) -> int:
    while True:
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not _take(descriptor):
                raise InUseError(
                    f"{what} is in use by {_holder(descriptor)}. Wait until it ends, or choose another folder."
                )
            if _is_at(descriptor, lock_file):  # and not removed by its last holder meanwhile
                os.ftruncate(descriptor, 0)
                os.write(descriptor, json.dumps(_this_process()).encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in CANNOT_LOCK:
            raise
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _this_process() -> dict[str, Any]:
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])[:MAX_COMMAND]
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"process": os.getpid(), "machine": socket.gethostname(), "since": since, "command": command}


def _holder(descriptor: int) -> str:
    try:
        held = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {held['process']} on {held['machine']} since {held['since']} ({held['command']})"
    except (ValueError, KeyError, TypeError):  # it has not written it yet
        return "another process"

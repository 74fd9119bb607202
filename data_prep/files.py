"""Files and folders that are written whole or not at all, with the rights that the user's umask gives."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_ATTEMPTS = 100


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place if the block ends without an error.

    Raises:
        OSError: if the place cannot be written to.
    """
    path = Path(path)
    temporary = _new_beside(path, folder=False)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def new_folder_beside(path: Path) -> Path:
    """A new, empty folder beside ``path``, on the same disk, with a hidden name."""
    return _new_beside(path, folder=True)


def _new_beside(path: Path, folder: bool) -> Path:
    """A new file or folder with a hidden name beside ``path``; unlike those of tempfile, others may read it."""
    for _ in range(MAX_ATTEMPTS):
        found = path.parent / f".{path.name}.{secrets.token_hex(4)}"
        with suppress(FileExistsError):
            if folder:
                found.mkdir()
            else:
                os.close(os.open(found, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return found
    raise FileExistsError(f"no free name for a temporary file beside {path}")

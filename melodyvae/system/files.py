"""Files and folders that are written whole or not at all, with the rights that the user's umask gives."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_ATTEMPTS = 100
UNFINISHED = ".part"  # ends the names of files and folders that are being written
MAX_NAME_BYTES = 200  # file systems take 255, and some names are made longer


def short_name(name: str) -> str:
    """Truncate a name to 200 bytes, with a hash suffix."""
    data = os.fsencode(name)
    if len(data) <= MAX_NAME_BYTES:
        return name
    suffix = f"-{hashlib.sha256(data).hexdigest()[:8]}"
    return data[: MAX_NAME_BYTES - len(suffix)].decode(errors="ignore") + suffix


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: if it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hidden_prefix(name: str) -> str:
    """Prefix of the temporary names beside ``name`` while it is written: ``.NAME.``."""
    return f".{short_name(name)}."


def remove_unfinished(folder: Path, name: str = "") -> None:
    """Remove what writers of ``name`` (or of anything) in ``folder`` left behind when they were killed.

    To be called only when nobody else writes there.
    """
    prefix = hidden_prefix(name) if name else "."
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(prefix) and path.name.endswith(UNFINISHED):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Raise OSError, before other work, if nothing can be written to ``folder`` or made where it will be."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK):
        is_read_only = hasattr(os, "statvfs") and os.statvfs(place).f_flag & os.ST_RDONLY
        number = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(number, os.strerror(number), str(place))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give errors of the system that name no file, such as that of a full disk, the name ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None or isinstance(error, BrokenPipeError):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place if the block ends without an error.

    Raises:
        OSError: if the place cannot be written to.
    """
    path = Path(path)
    temporary = _new_beside(path, folder=False)
    try:
        with named(path):
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
        path_beside = path.parent / f"{hidden_prefix(path.name)}{secrets.token_hex(4)}{UNFINISHED}"
        with suppress(FileExistsError):
            if folder:
                path_beside.mkdir()
            else:
                os.close(os.open(path_beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return path_beside
    raise FileExistsError(f"no free name for a temporary file beside {path}")

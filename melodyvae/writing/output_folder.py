"""Folders of results, written whole or not at all, and never over somebody's files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from melodyvae.system.errors import UserError
from melodyvae.system.files import UNFINISHED, check_writable, hidden_prefix, named, remove_unfinished
from melodyvae.system.locks import sole_use

MAX_SHOWN = 3  # names of files that are in the way


class OutputExistsError(UserError, FileExistsError):
    """A file of that name is already there, and may not be replaced."""


@contextmanager
def output_folder(
    folder: Path, names: Sequence[str], replace: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """A temporary folder whose ``names`` are moved into ``folder`` if the block ends without an error.

    With ``replace``, files of an earlier run may be replaced: those in a folder that holds the pictures among
    ``names``. A file among the ``inputs`` never is.

    Raises:
        OutputExistsError: before the block, if one of ``names`` is there already and may not be replaced.
        InUseError: likewise, if another process writes to the folder.
        OSError: if the place cannot be written to.
    """
    check_replaceable(folder, names, replace, inputs)
    # Within the folder if it is there: it may lie on a disk of its own, and files are moved within one disk only.
    place = folder if folder.is_dir() else folder.parent
    prefix = hidden_prefix(folder.name)
    with sole_use(place / f"{prefix}lock", str(folder)):
        check_replaceable(folder, names, replace, inputs)
        remove_unfinished(place, folder.name)
        staging = Path(tempfile.mkdtemp(dir=place, prefix=prefix, suffix=UNFINISHED))
        try:
            with named(folder):
                yield staging
                folder.mkdir(exist_ok=True)
                for name in names:
                    os.replace(staging / name, folder / name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def check_replaceable(folder: Path, names: Sequence[str], replace: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise :class:`OutputExistsError` if one of ``names`` is in ``folder`` and may not be replaced.

    Raises:
        OSError: if nothing can be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; choose a folder for the results", options=("output",))
    check_writable(folder)
    existing = [name for name in names if (folder / name).exists()]
    if not existing:
        return
    if not replace:
        shown = existing if len(existing) <= MAX_SHOWN else [*existing[: MAX_SHOWN - 1], f"{len(existing) - 2} more"]
        listed = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
        raise OutputExistsError(
            f"{folder} already holds {listed}; choose another folder, or allow replacing",
            options=("output", "force"),
        )
    kept = {path.resolve() for path in inputs}
    for name in existing:
        if (folder / name).resolve() in kept:
            raise OutputExistsError(f"{folder} holds {name}, an input, which is not replaced; choose another folder")
    for picture in (name for name in names if name.endswith(".png") and name not in existing):
        raise OutputExistsError(
            f"{folder} holds {existing[0]}, but no {picture} beside it, so it is not a folder of results and nothing "
            "in it is replaced; choose another folder"
        )

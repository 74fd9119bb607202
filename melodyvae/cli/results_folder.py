"""Folders of results, written whole or not at all, and never over somebody's files.

Contents: :func:`output_folder`, :class:`OutputExistsError`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OutputExistsError(FileExistsError):
    """A file of that name is already there."""


@contextmanager
def output_folder(folder: Path, names: list[str], replace: bool = False) -> Iterator[Path]:
    """A temporary folder whose ``names`` are moved into ``folder`` if the block ends without an error.

    Raises:
        OutputExistsError: before the block, if one of ``names`` is there already and ``replace`` is False.
        OSError: if the place cannot be written to.
    """
    taken = [name for name in names if (folder / name).exists()]
    if taken and not replace:
        raise OutputExistsError(
            f"{folder} already holds {taken[0]}{f' and {len(taken) - 1} more' if len(taken) > 1 else ''}; "
            "choose another folder with -o, or allow replacing with --force"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Within the folder if it is there: it may lie on a disk of its own, and files are moved within one disk only.
    place = folder if folder.is_dir() else folder.parent
    staging = Path(tempfile.mkdtemp(dir=place, prefix=f".{folder.name}."))
    try:
        yield staging
        folder.mkdir(exist_ok=True)
        for name in names:
            os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)

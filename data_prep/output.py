"""Replace a dataset folder without any loss of the user's files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from data_prep.windows import PrepError
from melodyvae.reading.collection import collection_of
from melodyvae.system.files import UNFINISHED, hidden_prefix, new_folder_beside, remove_unfinished

FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
DATASET_FILES = frozenset({*(f"{name}.npy" for name in SPLITS), "windows.npy", "meta.json", "ledger.jsonl"})
META_KEYS = frozenset({"format_version", "vocabulary", "tokens_sha256", "sources"})  # those only our meta.json has


def check_output(output: Path, inputs: Sequence[str | Path], force: bool) -> None:
    """Raise :class:`PrepError` unless a dataset can be written to ``output`` without any loss.

    With ``force`` a dataset that is there may be replaced, if it is neither an input nor holds one nor lies in one.
    """
    if not os.path.lexists(output):
        return
    if not force:
        raise PrepError(f"{output} exists; choose another output folder, or replace it with --force")
    if output.is_symlink():
        raise PrepError(f"{output} is a link, so it is not replaced; give the folder that it leads to")
    if not is_dataset(output) and not _is_empty_folder(output):
        raise PrepError(f"{output} is not a dataset of melodyvae, so it is not replaced; choose another output folder")
    foreign = sorted(path.name for path in output.iterdir() if not _belongs(path))
    for entry in inputs:
        if collection_of(entry) is None:
            _check_apart(output, Path(entry))
    if foreign:
        raise PrepError(
            f"{output} also holds {foreign[0]}, which is not part of the dataset; move it away, or choose another "
            "folder"
        )


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds a dataset that ``melodyvae prep`` wrote, of any format version."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and meta.keys() >= META_KEYS


def recover_output(output: Path) -> None:
    """Remove what a killed run left beside ``output``, and put back a dataset that it had moved aside.

    To be called only when nobody else writes there.
    """
    for path in output.parent.iterdir():
        if path.name.startswith(hidden_prefix(output.name)) and path.name.endswith(UNFINISHED):
            moved_aside = path / output.name
            if is_dataset(moved_aside) and not os.path.lexists(output):
                os.replace(moved_aside, output)
    remove_unfinished(output.parent, output.name)


def put_in_place(staging: Path, output: Path) -> None:
    """Rename ``staging`` to ``output``; what was there is moved aside first, and removed last.

    Raises:
        OSError: if it cannot be done; ``output`` is then as it was.
    """
    if not output.exists():
        os.replace(staging, output)
        return
    aside = new_folder_beside(output) / output.name
    os.replace(output, aside)
    try:
        os.replace(staging, output)
    except BaseException:
        os.replace(aside, output)
        aside.parent.rmdir()
        raise
    shutil.rmtree(aside.parent)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _belongs(path: Path) -> bool:
    """Whether a file may go with its dataset: it is of the dataset, or a hidden one, such as a lock or .DS_Store."""
    return path.is_file() and (path.name in DATASET_FILES or path.name.startswith("."))


def _check_apart(output: Path, entry: Path) -> None:
    ours, theirs = output.resolve(), entry.resolve()
    if ours == theirs:
        relation = "is an input"
    elif ours.is_relative_to(theirs):
        relation = f"lies in the input {entry}"
    elif theirs.is_relative_to(ours):
        relation = f"holds the input {entry}"
    else:
        return
    raise PrepError(f"{output} {relation}, so it is not replaced; choose another output folder")

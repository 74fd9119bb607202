"""Windows that a model was not trained on, by the provenance in its checkpoint.

A checkpoint keeps a mark of each file in its training split, and in those of the models it was fine-tuned from: the
first 8 bytes of the SHA-256 of the file's content. Two files have the same mark with probability 2^-64. Older
checkpoints have marks of 4 bytes (2^-32), which collide among 100,000 files or more.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from melodyvae.datasets.windows import DatasetError, WindowDataset
from melodyvae.system.errors import UserError

MARK_BYTES = 8
OLD_MARK_BYTES = 4
ALL_SPLITS = "all"


class TrainedOnError(UserError, ValueError):
    """The requested held-out windows include some that the model was trained on."""


def source_marks(dataset: WindowDataset) -> dict[str, Any]:
    """The marks of the files in the training split of ``dataset``: their length, and all of them sorted, as base64."""
    train = (source for source in dataset.meta["sources"] if source["split"] == "train")
    marks = sorted(_mark(source, MARK_BYTES) for source in train)
    return {"bytes": MARK_BYTES, "marks": base64.b64encode(b"".join(marks)).decode()}


def held_out_windows(provenance: Mapping[str, Any], dataset: WindowDataset, split: str = "test") -> np.ndarray:
    """The windows ``(N, T)`` of a split, or of ``all``, of which the model with this provenance has seen none.

    Raises:
        TrainedOnError: if files of them were in its training split.
        DatasetError: if there is no window.
    """
    splits = splits_of(dataset, split)
    trained = _trained(provenance, dataset)
    asked = [source for source in dataset.meta["sources"] if source["split"] in splits]
    seen = [source["name"] for source in asked if any(_mark(source, size) in marks for size, marks in trained.items())]
    was_trained_on_it = "train" in splits and any(map(dataset.is_that_of, _generations(provenance)))
    if seen or was_trained_on_it:
        which = (
            f"{len(seen)} of its {len(asked)} files, such as {seen[0]}"
            if seen
            else "the training split of this dataset"
        )
        raise TrainedOnError(
            f"the model was trained on {which}; measure on its test split (files always fall into the same one), or on "
            "other files"
        )
    windows = np.concatenate([dataset.splits[name] for name in splits])
    if not len(windows):
        raise DatasetError(f"{dataset.folder} has no windows in its {split} split; prepare more files, or try another")
    return windows


def splits_of(dataset: WindowDataset, split: str) -> tuple[str, ...]:
    """The splits named by ``split``, or all of them for ``all``."""
    return tuple(dataset.splits) if split == ALL_SPLITS else (split,)


def _trained(provenance: Mapping[str, Any], dataset: WindowDataset) -> dict[int, set[bytes]]:
    """The marks of all training files, by their length in bytes.

    Those of ``dataset`` itself are left out: its splits say what was held out, and marks may collide.
    """
    marks_by_size: dict[int, set[bytes]] = {}
    for made_by in _generations(provenance):
        if dataset.is_that_of(made_by):
            continue
        kept = made_by.get("trained_on", "")
        size, text = (OLD_MARK_BYTES, kept) if isinstance(kept, str) else (kept["bytes"], kept["marks"])
        marks = base64.b64decode(text)
        marks_by_size.setdefault(size, set()).update(
            marks[start : start + size] for start in range(0, len(marks), size)
        )
    return marks_by_size


def _generations(provenance: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The provenance of a model, of the one it was fine-tuned from, and so on."""
    yield provenance
    if "fine_tuned_from" in provenance:
        yield from _generations(provenance["fine_tuned_from"])


def _mark(source: Mapping[str, str], size: int) -> bytes:
    return bytes.fromhex(source["sha256"])[:size]

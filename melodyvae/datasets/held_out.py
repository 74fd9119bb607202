"""Which windows a model was not trained on, by what its checkpoint says of its training.

A checkpoint keeps the first bytes of the content hash of each file that was in the training split, its own and those of
the models that it was fine-tuned from.

Contents: :func:`held_out_windows`, :func:`source_marks`, :class:`TrainedOnError`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from melodyvae.datasets.windows import DatasetError, WindowDataset

MARK_BYTES = 4  # of two files one in four milliards is taken for the other
ALL_SPLITS = "all"


class TrainedOnError(ValueError):
    """Windows that the model was trained on were to be called held-out."""


def source_marks(dataset: WindowDataset) -> str:
    """The marks of the files in the training split of ``dataset``, sorted, as base64."""
    marks = sorted(_mark(source) for source in dataset.meta["sources"] if source["split"] == "train")
    return base64.b64encode(b"".join(marks)).decode()


def held_out_windows(provenance: Mapping[str, Any], dataset: WindowDataset, split: str = "test") -> np.ndarray:
    """The windows ``(N, T)`` of a split, or of ``all``, of which the model with this provenance has seen none.

    Raises:
        TrainedOnError: if files of them were in its training split.
        DatasetError: if there is no window.
    """
    splits = tuple(dataset.splits) if split == ALL_SPLITS else (split,)
    trained = set(_trained(provenance))
    asked = [source for source in dataset.meta["sources"] if source["split"] in splits]
    seen = [source["name"] for source in asked if _mark(source) in trained]
    was_trained_on_it = provenance.get("dataset_sha256") == dataset.fingerprint and "train" in splits
    if seen or was_trained_on_it:
        which = f"{len(seen)} of its {len(asked)} files, such as {seen[0]}" if seen else "its training split"
        raise TrainedOnError(
            f"the model was trained on {which}; measure on --split test (files always fall into the same split), or on "
            "other files"
        )
    windows = np.concatenate([dataset.splits[name] for name in splits])
    if not len(windows):
        raise DatasetError(f"{dataset.folder} has no windows in its {split} split; prepare more files, or try another")
    return windows


def _trained(provenance: Mapping[str, Any]) -> Iterator[bytes]:
    marks = base64.b64decode(provenance.get("trained_on", ""))
    yield from (marks[start : start + MARK_BYTES] for start in range(0, len(marks), MARK_BYTES))
    if "fine_tuned_from" in provenance:
        yield from _trained(provenance["fine_tuned_from"])


def _mark(source: Mapping[str, str]) -> bytes:
    return bytes.fromhex(source["sha256"])[:MARK_BYTES]

"""Dataset folder -> batches of token windows, transposed at random.

Conventions: windows are uint8 ``(N, T)``, opened as memory maps; batches are int64 ``(B, T)``. A batch is a function of
the seed and of the update's number alone, so a training that is stopped goes on with the batches it would have had.

Contents: :class:`WindowDataset`, :func:`open_dataset`, :class:`Shuffle`, :class:`TrainingBatches`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data_prep.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.config import MelodyConfig
from melodyvae.ranks import ALONE, Ranks

SPLITS = ("train", "valid", "test")


class DatasetError(ValueError):
    """A dataset folder is missing, incomplete, or does not fit the model."""


@dataclass(frozen=True)
class WindowDataset:
    """What ``melodyvae prep`` wrote.

    Attributes:
        folder: where it lies.
        meta: the content of ``meta.json``.
        splits: ``train``, ``valid`` and ``test`` to windows, uint8 ``(N, T)``.
    """

    folder: Path
    meta: dict[str, Any]
    splits: dict[str, np.ndarray]

    @property
    def fingerprint(self) -> dict[str, str]:
        """The SHA-256 of each split's file, by split: what a training on this dataset depends on."""
        return dict(self.meta["tokens_sha256"])

    def check_fits(self, config: MelodyConfig) -> None:
        """Raise :class:`DatasetError` unless windows, meter and vocabulary are those of the model."""
        for name, ours, theirs in (
            ("bars", self.meta["bars"], config.bars),
            ("meter", tuple(self.meta["meter"]), config.meter),
            ("steps a quarter", self.meta["steps_per_quarter"], config.steps_per_quarter),
            ("vocabulary", self.meta["vocabulary"], vocabulary_of(config).to_dict()),
        ):
            if ours != theirs:
                raise DatasetError(
                    f"{self.folder} does not fit the model: its {name} is {ours}, the model's is {theirs}. "
                    "Run `melodyvae prep` again with the model's settings, or choose or train another model."
                )


def vocabulary_of(config: MelodyConfig) -> Vocabulary:
    """The token table of a model."""
    return Vocabulary(config.lowest_pitch, config.highest_pitch)


def open_dataset(folder: str | Path) -> WindowDataset:
    """The dataset in ``folder``; its windows stay on disk until they are used.

    Raises:
        DatasetError: if the folder is not a whole dataset.
    """
    folder = Path(folder)
    meta_file = folder / "meta.json"
    if not meta_file.is_file():
        raise DatasetError(f"{folder} is no dataset (it has no meta.json); make one with `melodyvae prep FOLDER`")
    try:
        meta = json.loads(meta_file.read_text(encoding="utf-8"))
        splits = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in SPLITS}
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder} is not a whole dataset ({error}); run `melodyvae prep` again") from error
    for name, windows in splits.items():
        if windows.dtype != np.uint8 or windows.ndim != 2 or len(windows) != meta["counts"][name]:
            raise DatasetError(
                f"{folder / name}.npy holds {windows.dtype} {windows.shape}, which is not what meta.json says"
            )
    return WindowDataset(folder, meta, splits)


class Shuffle:
    """A pseudo-random order of the numbers from 0 to ``count`` - 1, which takes no memory, however many they are.

    Each place is computed when it is asked for: a Feistel network permutes the numbers below a power of 4, and is
    applied again to whatever falls outside, which "Ciphers with Arbitrary Finite Domains" (Black, Rogaway, 2002,
    https://ia.cr/2001/012) calls cycle walking. The rounds mix as SplitMix64 does ("Fast Splittable Pseudorandom
    Number Generators", Steele, Lea, Flood, 2014, https://doi.org/10.1145/2660193.2660195).
    """

    ROUNDS = 4

    def __init__(self, count: int, *seeds: int) -> None:
        self.count = count
        self.half_bits = np.uint64(max(math.ceil((count - 1).bit_length() / 2), 1))
        self.keys = np.random.default_rng(seeds).integers(2**64, size=self.ROUNDS, dtype=np.uint64)

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """The numbers at ``places``, int64 as they are."""
        numbers = self._permute(places.astype(np.uint64))
        while (outside := numbers >= self.count).any():
            numbers[outside] = self._permute(numbers[outside])
        return numbers.astype(np.int64)

    def _permute(self, numbers: np.ndarray) -> np.ndarray:
        low_half = (np.uint64(1) << self.half_bits) - np.uint64(1)
        left, right = numbers >> self.half_bits, numbers & low_half
        for key in self.keys:
            left, right = right, left ^ (_mix(right ^ key) & low_half)
        permuted: np.ndarray = left << self.half_bits | right
        return permuted


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ bits >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ bits >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = bits ^ bits >> np.uint64(31)
    return mixed


class TrainingBatches:
    """Batches without end: each epoch is a new shuffle of all windows, each window newly transposed.

    A batch may span two epochs, so a dataset smaller than a batch works too: its windows then come more than once in
    a batch, each time in another key.

    Of several ranks, each takes (and reads from the disk) every ``ranks.count``-th window of the same batches.
    """

    def __init__(
        self,
        windows: np.ndarray,
        batch_size: int,
        seed: int = 0,
        transpose_down: int = 0,
        transpose_up: int = 0,
        vocabulary: Vocabulary | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        if len(windows) == 0:
            raise DatasetError("there are no windows to train on; look at the dataset's ledger.jsonl for the reasons")
        if batch_size % ranks.count:
            raise DatasetError(f"{ranks.count} ranks cannot share batches of {batch_size} windows evenly")
        self.part = slice(ranks.rank, None, ranks.count)
        self.windows = windows
        self.batch_size = batch_size
        self.seed = seed
        self.transpose_down = transpose_down
        self.transpose_up = transpose_up
        self.highest_token = (vocabulary or Vocabulary()).size - 1

    def __call__(self, update: int) -> Tensor:
        """The batch of an update, int64 ``(B, T)``; this rank's part of it if there are several."""
        positions = np.arange(update * self.batch_size, (update + 1) * self.batch_size)
        epochs, places = np.divmod(positions, len(self.windows))
        rows = np.empty(self.batch_size, dtype=np.int64)
        for epoch in np.unique(epochs):
            rows[epochs == epoch] = Shuffle(len(self.windows), self.seed, 0, int(epoch))[places[epochs == epoch]]
        tokens = torch.from_numpy(self.windows[rows[self.part]].astype(np.int64))
        return self._transpose(tokens, np.random.default_rng((self.seed, 1, update)))

    def _transpose(self, tokens: Tensor, generator: np.random.Generator) -> Tensor:
        """Each window shifted by as many semitones as drawn, or as many as the vocabulary's range allows."""
        is_note = tokens >= FIRST_NOTE_ON
        lowest = torch.where(is_note, tokens, self.highest_token).amin(dim=1)
        highest = torch.where(is_note, tokens, FIRST_NOTE_ON).amax(dim=1)
        drawn = generator.integers(-self.transpose_down, self.transpose_up, self.batch_size, endpoint=True)[self.part]
        shift = torch.from_numpy(drawn).clamp(FIRST_NOTE_ON - lowest, self.highest_token - highest)
        return torch.where(is_note, tokens + shift.unsqueeze(1), tokens)

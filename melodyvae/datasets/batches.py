"""Token windows -> batches, shuffled each epoch and transposed at every visit.

Conventions: batches are int64 ``(B, T)``. A batch is a function of the seed and of the update's number alone, so a
resumed training continues with the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from melodyvae.datasets.augmentation import Augmentation
from melodyvae.datasets.shuffle import Shuffle
from melodyvae.datasets.windows import DatasetError
from melodyvae.music.tokens import FIRST_NOTE_ON, VOCABULARY_SIZE
from melodyvae.ranks import ALONE, Ranks


def token_batches(windows: np.ndarray, size: int, device: torch.device | None = None) -> Iterator[Tensor]:
    """The windows ``(N, T)`` in their order, ``size`` at a time: int64 ``(B, T)`` on ``device``."""
    for start in range(0, len(windows), size):
        yield torch.from_numpy(windows[start : start + size].astype(np.int64)).to(device or torch.device("cpu"))


def shuffled(update: int, count: int, size: int, seed: int, number: int = 0) -> np.ndarray:
    """The ``size`` rows of an update, of ``count``: each epoch is a new shuffle, which ``number`` makes another."""
    epochs, places = np.divmod(np.arange(update * size, (update + 1) * size), count)
    rows = np.empty(size, dtype=np.int64)
    for epoch in np.unique(epochs):
        rows[epochs == epoch] = Shuffle(count, seed, number, int(epoch))[places[epochs == epoch]]
    return rows


class TrainingBatches:
    """Endless batches: each epoch is a new shuffle of all windows, each window newly transposed.

    A batch may span two epochs, so a dataset smaller than a batch works too: its windows then occur more than once in
    a batch, each time in another key.

    Each of several ranks takes (and reads from the disk) every ``ranks.count``-th window of the same batches.
    """

    def __init__(
        self,
        windows: np.ndarray,
        batch_size: int,
        seed: int = 0,
        transpose_down: int = 0,
        transpose_up: int = 0,
        ranks: Ranks = ALONE,
        augmentation: Augmentation | None = None,
    ) -> None:
        if len(windows) == 0:
            raise DatasetError("there are no windows to train on; look at the dataset's ledger.jsonl for the reasons")
        if batch_size % ranks.count:
            raise DatasetError(f"{ranks.count} ranks cannot share batches of {batch_size} windows evenly")
        self.ranks = ranks
        self.augmentation = augmentation or Augmentation()
        self.part = slice(ranks.rank, None, ranks.count)
        self.windows = windows
        self.batch_size = batch_size
        self.seed = seed
        self.transpose_down = transpose_down
        self.transpose_up = transpose_up

    def __call__(self, update: int) -> Tensor:
        """The batch of an update, int64 ``(B, T)``; this rank's part of it if there are several."""
        rows = shuffled(update, len(self.windows), self.batch_size, self.seed)
        windows = self.windows[rows[self.part]].astype(np.int64)
        changed = self.augmentation(windows, np.random.default_rng((self.seed, 2, update)), self.ranks)
        tokens = torch.from_numpy(changed)
        return self.transposed(tokens, update)

    def transposed(self, tokens: Tensor, update: int) -> Tensor:
        """Each window shifted by a random number of semitones, as far as the vocabulary's range allows."""
        generator = np.random.default_rng((self.seed, 1, update))
        is_note = tokens >= FIRST_NOTE_ON
        lowest = torch.where(is_note, tokens, VOCABULARY_SIZE - 1).amin(dim=1)
        highest = torch.where(is_note, tokens, FIRST_NOTE_ON).amax(dim=1)
        drawn = generator.integers(-self.transpose_down, self.transpose_up, self.batch_size, endpoint=True)[self.part]
        shift = torch.from_numpy(drawn).clamp(FIRST_NOTE_ON - lowest, VOCABULARY_SIZE - 1 - highest)
        return torch.where(is_note, tokens + shift.unsqueeze(1), tokens)

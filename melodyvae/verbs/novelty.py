"""Similarity of a melody to the nearest training window, in any key.

The index keeps 16 bits for each beat of each training window: a hash of its rhythm and of the intervals by which its
notes follow each other, which no transposition changes. Two windows are compared beat by beat; beats of equal content
at the same place are alike (unequal ones in one of 65,536 cases). A changed note changes the intervals before and after
it, so at most two beats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from melodyvae.music.bars import Room
from melodyvae.music.melody import Melody
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.network.checkpoint import beside
from melodyvae.network.network import MelodyNetwork
from melodyvae.system.arrays import array_on_disk
from melodyvae.system.errors import UserError
from melodyvae.system.files import whole_file
from melodyvae.system.mixing import absorb

FIRST_NOTE = 1000  # stands for the interval of a window's first note, which has none
MAX_DRAWS = 20
NOVELTY_FILE = "novelty.npy"  # beside a checkpoint
BATCH = 10_000


class NoveltyError(UserError, ValueError):
    """There is no usable index, or nothing but near-copies was drawn."""


@dataclass(frozen=True)
class NoveltyIndex:
    """The beats of training windows.

    Attributes:
        hashes: of each beat of each different window, uint16 ``(N, beats)``; may be a memory map.
        steps_per_beat: how many steps one beat has.
        place: of the bars of the windows that are asked about, in those of the training windows; None if they are the
            same.
    """

    hashes: np.ndarray
    steps_per_beat: int
    place: Room | None = None

    @property
    def beats(self) -> int:
        """Number of beats of a window."""
        return int(self.hashes.shape[1])

    @classmethod
    def of(cls, windows: np.ndarray, steps_per_beat: int) -> Self:
        """The index of token windows ``(N, T)``."""
        parts = [
            beat_hashes(windows[start : start + 10_000], steps_per_beat) for start in range(0, len(windows), 10_000)
        ]
        return cls(np.unique(np.concatenate(parts), axis=0), steps_per_beat)

    @classmethod
    def open(cls, path: Path, steps_per_beat: int) -> Self:
        """The index in a file; it stays on disk.

        Raises:
            NoveltyError: if it is no such file.
        """
        try:
            hashes = array_on_disk(path)
        except (OSError, ValueError) as error:
            raise NoveltyError(f"{path} is no index of training windows ({error}); train or copy it again") from error
        if hashes.dtype != np.uint16 or hashes.ndim != 2:
            raise NoveltyError(f"{path} holds {hashes.dtype} {hashes.shape}; it is no index of training windows")
        return cls(hashes, steps_per_beat)

    def save(self, path: Path) -> None:
        """Write the index, whole or not at all."""
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.save(file, self.hashes)

    def beats_alike(self, windows: np.ndarray) -> np.ndarray:
        """Number of beats of each window ``(M, T)`` shared with the most similar training window, ``(M,)``.

        A shorter window than those of training is laid on each beat of theirs at which it fits; for a longer one, the
        part that shares most counts.
        """
        steps = self.beats * self.steps_per_beat
        if self.place is not None:
            steps = steps * self.place.steps // (self.place.bars * self.place.room)
        if windows.shape[1] > steps:
            starts = {*range(0, windows.shape[1] - steps, steps), windows.shape[1] - steps}
            parts = [self.beats_alike(windows[:, start : start + steps]) for start in starts]
            return np.asarray(np.max(parts, axis=0))
        laid, is_used = windows if self.place is None else self.place.lay(windows), self._used_beats(windows.shape[1])
        asked, hashes = beat_hashes(laid, self.steps_per_beat), np.asarray(self.hashes)
        places = [hashes[:, place : place + asked.shape[1]] for place in range(self.beats - asked.shape[1] + 1)]
        if not is_used.all():
            asked, places = asked[:, is_used], [part[:, is_used] for part in places]
        alike = [
            max(int((hashes == row).sum(axis=1, dtype=np.uint16).max(initial=0)) for hashes in places) for row in asked
        ]
        return np.array(alike, np.int64)

    def _used_beats(self, steps: int) -> np.ndarray:
        """In which beats of a window of so many steps, once it is laid, there may be an event: booleans."""
        is_open = np.ones(steps, bool)
        laid = is_open if self.place is None else self.place.lay(is_open)
        return np.asarray(np.pad(laid, (0, -len(laid) % self.steps_per_beat)).reshape(-1, self.steps_per_beat).any(1))

    def comparable_beats(self, steps: int) -> int:
        """Number of beats compared at a time in a window of ``steps`` steps."""
        return int(self._used_beats(steps)[: self.beats].sum())

    def copied_beats(self, steps: int) -> int:
        """With how many beats alike a window of so many steps is a near-copy: all but one.

        All but two of a shorter window than those of training: inside of one, its first note is known by the interval
        from the note before.
        """
        is_shorter = len(self._used_beats(steps)) < self.beats
        return self.comparable_beats(steps) - 1 - is_shorter

    def is_near_copy(self, windows: np.ndarray) -> np.ndarray:
        """Whether as many beats as :meth:`copied_beats` are as in one training window: booleans ``(M,)``."""
        alike: np.ndarray = self.beats_alike(windows) >= self.copied_beats(windows.shape[1])
        return alike


def find_index(model: MelodyNetwork) -> NoveltyIndex | None:
    """The index that came with a model; None if it came without.

    Raises:
        NoveltyError: if it is no index, or one of other windows.
    """
    file = beside(model.path, NOVELTY_FILE) if model.path else None
    if file is None or not file.is_file():
        return None
    index = NoveltyIndex.open(file, model.config.steps_per_quarter)
    beats = -(-model.room.steps // model.room.steps_per_quarter)
    if index.beats != beats:
        raise NoveltyError(
            f"{file} is of windows of {index.beats} beats, the model's have {beats}; train or copy it again"
        )
    return replace(index, place=model.place)


def index_of(model: MelodyNetwork) -> NoveltyIndex:
    """The index that came with a model.

    Raises:
        NoveltyError: if it came without.
    """
    index = find_index(model)
    if index is None:
        raise NoveltyError(f"the model came without {NOVELTY_FILE}, the index of its training melodies")
    return index


def beat_hashes(windows: np.ndarray, steps_per_beat: int) -> np.ndarray:
    """A hash of each beat of ``(N, T)`` that is the same in every key, uint16 ``(N, beats)``.

    A last beat that is not full is hashed with what it has.
    """
    is_note = windows >= FIRST_NOTE_ON
    pitches = windows.astype(np.int64)
    steps = np.arange(windows.shape[1])
    last_note = np.maximum.accumulate(np.where(is_note, steps, -1), axis=1)
    before = np.concatenate([np.full((len(windows), 1), -1), last_note[:, :-1]], axis=1)
    interval = pitches - np.take_along_axis(pitches, np.maximum(before, 0), axis=1)
    content = np.where(is_note, np.where(before >= 0, interval + 2 * FIRST_NOTE, FIRST_NOTE), pitches)
    beats = -(-windows.shape[1] // steps_per_beat)
    padded = np.zeros((len(windows), beats * steps_per_beat), np.uint64)
    padded[:, : windows.shape[1]] = content
    mixed = np.zeros((len(windows), beats), np.uint64)
    for step in padded.reshape(len(windows), beats, steps_per_beat).transpose(2, 0, 1):
        mixed = absorb(mixed, step)
    return (mixed >> np.uint64(48)).astype(np.uint16)


def redraw_near_copies(draw: Callable[[int], Sequence[Melody]], count: int, index: NoveltyIndex) -> list[Melody]:
    """``count`` melodies from ``draw(how many)`` of which none is a near-copy, and no two are alike.

    Raises:
        NoveltyError: if near-copies come again and again.
    """
    kept: list[Melody] = []
    refused: set[bytes] = set()
    for _ in range(MAX_DRAWS):
        drawn = list(draw(count - len(kept)))
        tokens = np.stack([Vocabulary().encode(melody) for melody in drawn])
        for melody, row, is_copy in zip(drawn, tokens, index.is_near_copy(tokens), strict=True):
            if not is_copy and row.tobytes() not in refused:
                kept.append(melody)
            refused.add(row.tobytes())
        if len(kept) >= count:
            return kept
    raise NoveltyError(f"in {MAX_DRAWS} draws only {len(kept)} of {count} melodies were new and no near-copies")

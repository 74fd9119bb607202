"""Random changes of rhythm, drawn at every visit of a training window.

Conventions: tokens are int64 ``(B, T)``; legal sequences go in and come out. Draws are made for a whole batch, so that
ranks that share it draw the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.ranks import ALONE, Ranks

MAX_ANTICIPATION_STEPS = 2


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training windows.

    Attributes:
        changed_windows: the share of windows that are changed at a visit; the others stay as they are.
        anticipation: the highest share of a window's onsets that move one or two steps earlier.
        rests: the highest share of a window's notes that end early.

    Both shares of a changed window are drawn uniformly from 0 to the highest.
    """

    changed_windows: float = 0.0
    anticipation: float = 0.0
    rests: float = 0.0

    def __call__(self, tokens: np.ndarray, generator: np.random.Generator, ranks: Ranks = ALONE) -> np.ndarray:
        """The windows ``(B, T)``, some of them changed; of several ranks this one's part of a batch."""
        if self.changed_windows == 0:
            return tokens
        batch, steps = len(tokens) * ranks.count, tokens.shape[1]
        part = slice(ranks.rank, None, ranks.count)
        is_changed = generator.random((batch, 1)) < self.changed_windows
        rates = generator.random((2, batch, 1)) * is_changed
        moves, cuts = generator.random((2, batch, steps)) < rates * [[[self.anticipation]], [[self.rests]]]
        distances = generator.integers(1, MAX_ANTICIPATION_STEPS, (batch, steps), endpoint=True)
        shares = generator.random((batch, steps))
        return shorten(anticipate(tokens, moves[part], distances[part]), cuts[part], shares[part])


def anticipate(tokens: np.ndarray, moves: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The windows ``(B, T)`` with some onsets moved earlier.

    An onset moves only over steps without an event, so that no note is lost and their order stays.

    Args:
        tokens: ``(B, T)``.
        moves: which onsets are to move, booleans ``(B, T)``.
        steps: by how many steps each does, ``(B, T)``.
    """
    moved = tokens.copy()
    is_free = tokens == NO_EVENT
    is_moving = moves & (tokens >= FIRST_NOTE_ON)
    free_before = np.ones(tokens.shape, dtype=bool)
    for distance in range(1, MAX_ANTICIPATION_STEPS + 1):
        free_before[:, :distance] = False
        free_before[:, distance:] &= is_free[:, :-distance]
        rows, places = np.nonzero(is_moving & free_before & (steps == distance))
        moved[rows, places - distance] = tokens[rows, places]
        moved[rows, places] = NO_EVENT
    return moved


def shorten(tokens: np.ndarray, cuts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The windows ``(B, T)`` with some notes ended early by a note off.

    A note of one step stays as it is; one that a note off ended has that moved.

    Args:
        tokens: ``(B, T)``.
        cuts: which notes are to be cut, by their onset, booleans ``(B, T)``.
        shares: where between its second step and its end each is cut, from 0 to just below 1, ``(B, T)``.
    """
    length = tokens.shape[1]
    cut = tokens.copy()
    is_event = tokens != NO_EVENT
    places = np.where(is_event, np.arange(length), length)
    next_event = np.full(tokens.shape, length)  # after each step
    next_event[:, :-1] = np.minimum.accumulate(places[:, :0:-1], axis=1)[:, ::-1]
    lengths = next_event - np.arange(length)
    rows, starts = np.nonzero(cuts & (tokens >= FIRST_NOTE_ON) & (lengths > 1))
    ends = next_event[rows, starts]
    new_ends = starts + 1 + np.floor(shares[rows, starts] * (ends - starts - 1)).astype(np.int64)
    inside = ends < length
    ended_by_off = np.zeros(len(rows), dtype=bool)
    ended_by_off[inside] = tokens[rows[inside], ends[inside]] == NOTE_OFF
    cut[rows[ended_by_off], ends[ended_by_off]] = NO_EVENT
    cut[rows, new_ends] = NOTE_OFF
    return cut

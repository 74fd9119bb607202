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

        alike_bars: the steps of a bar, if bars that begin notes at the same steps are to be changed alike; None if not.

    Both shares of a changed window are drawn uniformly from 0 to the highest.
    """

    changed_windows: float = 0.0
    anticipation: float = 0.0
    rests: float = 0.0
    alike_bars: int | None = None

    def __call__(
        self,
        tokens: np.ndarray,
        generator: np.random.Generator,
        ranks: Ranks = ALONE,
        unused: np.ndarray | None = None,
    ) -> np.ndarray:
        """The windows ``(B, T)``, some of them changed; of several ranks this one's part of a batch.

        No event is moved to an ``unused`` step, booleans ``(B, T)``.
        """
        if self.changed_windows == 0:
            return tokens
        batch, steps = len(tokens) * ranks.count, tokens.shape[1]
        part = slice(ranks.rank, None, ranks.count)
        is_changed = generator.random((batch, 1)) < self.changed_windows
        rates = generator.random((2, batch, 1)) * is_changed
        chances = generator.random((2, batch, steps))[:, part]
        distances = generator.integers(1, MAX_ANTICIPATION_STEPS, (batch, steps), endpoint=True)[part]
        shares = generator.random((batch, steps))[part]
        if self.alike_bars is not None:
            first = _first_alike(tokens, self.alike_bars)
            chances = np.stack([_as_in(first, each) for each in chances])
            distances, shares = _as_in(first, distances), _as_in(first, shares)
        moves, cuts = chances < rates[:, part] * [[[self.anticipation]], [[self.rests]]]
        moved = anticipate(tokens, moves, distances, unused)
        return shorten(moved, cuts, shares, unused)


def _first_alike(tokens: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The first bar of each window that begins notes at the same steps as each bar: ``(B, bars)``."""
    onsets = (tokens >= FIRST_NOTE_ON).reshape(len(tokens), -1, steps_per_bar)
    is_alike = (onsets[:, :, None] == onsets[:, None]).all(axis=-1)
    return np.asarray(is_alike.argmax(axis=-1))


def _as_in(first: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values ``(B, T)`` with each bar's as in the bar ``first`` ``(B, bars)`` says."""
    bars = values.reshape(*first.shape, -1)
    return np.take_along_axis(bars, first[..., None], axis=1).reshape(values.shape)


def anticipate(
    tokens: np.ndarray, moves: np.ndarray, steps: np.ndarray, unused: np.ndarray | None = None
) -> np.ndarray:
    """The windows ``(B, T)`` with some onsets moved earlier.

    An onset moves only over steps without an event, so that no note is lost and their order stays.

    Args:
        tokens: ``(B, T)``.
        moves: which onsets are to move, booleans ``(B, T)``.
        steps: by how many steps each does, ``(B, T)``.
        unused: steps to which nothing moves, booleans ``(B, T)``.
    """
    moved = tokens.copy()
    is_free = tokens == NO_EVENT if unused is None else (tokens == NO_EVENT) & ~unused
    is_moving = moves & (tokens >= FIRST_NOTE_ON)
    free_before = np.ones(tokens.shape, dtype=bool)
    for distance in range(1, MAX_ANTICIPATION_STEPS + 1):
        free_before[:, :distance] = False
        free_before[:, distance:] &= is_free[:, :-distance]
        rows, places = np.nonzero(is_moving & free_before & (steps == distance))
        moved[rows, places - distance] = tokens[rows, places]
        moved[rows, places] = NO_EVENT
    return moved


def shorten(tokens: np.ndarray, cuts: np.ndarray, shares: np.ndarray, unused: np.ndarray | None = None) -> np.ndarray:
    """The windows ``(B, T)`` with some notes ended early by a note off.

    A note of one step stays as it is; one that a note off ended has that moved.

    Args:
        tokens: ``(B, T)``.
        cuts: which notes are to be cut, by their onset, booleans ``(B, T)``.
        shares: where between its second step and its end each is cut, from 0 to just below 1, ``(B, T)``.
        unused: steps at which no note ends early, booleans ``(B, T)``.
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
    if unused is not None:
        is_kept = ~unused[rows, new_ends]
        rows, ends, new_ends = rows[is_kept], ends[is_kept], new_ends[is_kept]
    inside = ends < length
    ended_by_off = np.zeros(len(rows), dtype=bool)
    ended_by_off[inside] = tokens[rows[inside], ends[inside]] == NOTE_OFF
    cut[rows[ended_by_off], ends[ended_by_off]] = NO_EVENT
    cut[rows, new_ends] = NOTE_OFF
    return cut

"""Bars of a walk that come back where those of its ends do.

Two-bar windows are walked one by one, and their z need not know that two bars are alike: on the way the repeats of both
ends are lost. So bars are tied: a bar that repeats an earlier one in A is a copy of that one in the walk, too, until a
place of its own; from there on the bar does as it does in B. These places are spread evenly over the walk, so that it
begins with the repeats of A, ends with those of B, and has half of each in the middle.

Conventions: rows are tokens ``(N, W * T)`` of windows of T steps, each beginning in silence; places are 0 (A) to 1 (B).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF


@dataclass(frozen=True)
class Ties:
    """The ties of a walk's bars.

    Attributes:
        of_start: the earlier bar that each bar is a copy of near A, ``(bars,)``; -1 of none.
        of_end: the same near B.
        until: the place at which each bar goes from the one to the other, ``(bars,)``.
        steps_per_bar: how many steps a bar has.
        window_steps: how many steps a window has (T).
    """

    of_start: np.ndarray
    of_end: np.ndarray
    until: np.ndarray
    steps_per_bar: int
    window_steps: int

    @classmethod
    def of(cls, start: np.ndarray, end: np.ndarray, steps_per_bar: int, window_steps: int) -> Self:
        """The ties of walks from ``start`` ``(W * T,)`` to ``end`` ``(W * T,)``."""
        of_start, of_end = (first_like(row, steps_per_bar) for row in (start, end))
        changing = np.flatnonzero(of_start != of_end)
        until = np.ones(len(of_start))
        until[changing] = np.arange(1, len(changing) + 1) / (len(changing) + 1)
        return cls(of_start, of_end, until, steps_per_bar, window_steps)

    def tied(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The melodies ``(N, W * T)`` at ``places`` ``(N,)`` with their ties."""
        bars = rows.reshape(len(rows), -1, self.steps_per_bar).copy()
        changed = np.zeros(len(rows), bool)
        for bar in range(bars.shape[1]):
            sources = np.where(places < self.until[bar], self.of_start[bar], self.of_end[bar])
            is_tied = np.flatnonzero(sources >= 0)
            bars[is_tied, bar] = bars[is_tied, sources[is_tied]]
            changed[is_tied] = True
        found = bars.reshape(rows.shape)
        for row in np.flatnonzero(changed):
            for window in found[row].reshape(-1, self.window_steps):
                _drop_silent_note_offs(window)
        return found


def first_like(row: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The first bar that each bar of ``(T,)`` is exactly like, ``(bars,)``; -1 of none, and without an onset."""
    bars = row.reshape(-1, steps_per_bar)
    alike = (bars[:, None] == bars).all(axis=2) & (bars >= FIRST_NOTE_ON).any(axis=1)
    first = np.argmax(alike, axis=1)
    found: np.ndarray = np.where(alike.any(axis=1) & (first < np.arange(len(bars))), first, -1)
    return found


def _drop_silent_note_offs(window: np.ndarray) -> None:
    """Change, in place, the note offs of a window ``(T,)`` that come while nothing sounds into no events."""
    sounding = False
    for step in np.flatnonzero(window != NO_EVENT):
        if window[step] == NOTE_OFF and not sounding:
            window[step] = NO_EVENT
        else:
            sounding = bool(window[step] >= FIRST_NOTE_ON)

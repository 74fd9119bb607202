"""Conditions: what a composing model is told of a tune beside its notes.

Conventions: conditions are integers ``(B, 5)``, a column for each field of :class:`Condition`. Code 0 leaves a
condition open; the model has learned with each of them open at times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from melodyvae.music.styles import OPEN, STYLES

METERS = ((4, 4), (2, 4), (3, 4), (6, 8), (9, 8))  # with codes of their own, from 1; new ones are added at the end
STYLE_CODES = len(STYLES) + 1
METER_CODES = len(METERS) + 1
BORDER_CODES = 2


class Condition(NamedTuple):
    """The condition of one window.

    Attributes:
        places: how many of the steps of each bar are used, the first ones; 0: all.
        style: a code of :mod:`melodyvae.music.styles`.
        meter: the meter's place in :data:`METERS`, plus 1.
        begins: 1 if the window begins where a tune begins, or eight bars or a multiple later.
        closes: 1 if the window ends where the tune ends.
    """

    places: int = 0
    style: int = OPEN
    meter: int = 0
    begins: int = 0
    closes: int = 0


def meter_code(meter: tuple[int, int]) -> int:
    """The code of a meter; 0 if it has none."""
    return METERS.index(meter) + 1 if meter in METERS else 0


def conditions_of(places: np.ndarray, steps_per_quarter: int, room: int) -> np.ndarray:
    """The conditions ``(N, 5)`` of the windows of a dataset, from the columns of its ``windows.npy``.

    Args:
        places: with the fields source, track, speed, first_bar, phase, meter and style.
        steps_per_quarter: the grid.
        room: steps of a window's bar.
    """
    found = np.zeros((len(places), len(Condition._fields)), np.int64)
    numerator, denominator = places["meter"].astype(np.int64).T
    steps = 4 * numerator * steps_per_quarter // np.maximum(denominator, 1)
    found[:, 0] = np.where(steps > room, steps // 2, steps)  # longer ones lie on half the grid
    found[:, 1] = places["style"]
    for code, meter in enumerate(METERS, 1):
        found[(places["meter"] == meter).all(axis=1), 2] = code
    tune = places[["source", "track", "speed"]]
    _, tune_of_row = np.unique(tune, return_inverse=True)
    first_bars = places["first_bar"].astype(np.int64)
    first = np.full(tune_of_row.max(initial=-1) + 1, np.iinfo(np.int64).max)
    last = np.full(len(first), -1)
    np.minimum.at(first, tune_of_row, first_bars)
    np.maximum.at(last, tune_of_row, first_bars)
    on_line = places["phase"] == 0
    found[:, 3] = ((first_bars - first[tune_of_row]) % 8 == 0) & on_line
    found[:, 4] = (first_bars == last[tune_of_row]) & on_line & (last > first)[tune_of_row]
    return found


def unused_steps(conditions: np.ndarray, steps: int, room: int) -> np.ndarray:
    """Whether each step of windows of so many steps lies beyond the places that its bar uses: ``(B, steps)``."""
    places = conditions[:, :1]
    unused: np.ndarray = (np.arange(steps) % room >= places) & (places > 0)
    return unused

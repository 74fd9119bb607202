"""The bars of a piece -> bars of one meter, all of the same number of steps, with nothing left out.

Most pieces have bars that are not like the others: a pickup, a bar of 2/4 among 4/4, a part in another meter. A bar of
the meter that is wanted becomes one bar. An opening pickup becomes one bar too, with silence before it. Other bars that
follow each other are laid end to end, new bars are ruled over them, and silence makes the last one whole.

Contents: :func:`lay_out`, :class:`Layout`, :class:`Stretch`, :func:`alike`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from data_prep.reading.notes import TIME_RESOLUTION, Bar


@dataclass(frozen=True)
class Stretch:
    """Bars that follow each other, and where they begin on the grid.

    Attributes:
        start_quarters, end_quarters: in the piece.
        first_step: the step of ``start_quarters``.
        bars: how many bars of the grid it takes.
        first_grid_bar: the number, from 0, of the first of them.
        is_own: whether its bars are of the grid's meter already.
    """

    start_quarters: float
    end_quarters: float
    first_step: int
    bars: int
    first_grid_bar: int
    is_own: bool


@dataclass(frozen=True)
class Layout:
    """Where each time of a piece lies on a grid of equal bars.

    Attributes:
        stretches: in order, without a gap.
        bar_starts: where each bar of the piece begins, in quarters.
        steps_per_quarter, steps_per_bar: the grid.
    """

    stretches: tuple[Stretch, ...]
    bar_starts: tuple[float, ...]
    steps_per_quarter: int
    steps_per_bar: int

    @property
    def bars(self) -> int:
        """How many bars the grid has."""
        last = self.stretches[-1]
        return last.first_grid_bar + last.bars

    def onsets(self, quarters: np.ndarray) -> np.ndarray:
        """The step nearest to each time of ``(N,)``; what rounds to the end of a stretch begins the next."""
        chosen = np.searchsorted([part.start_quarters for part in self.stretches], quarters + TIME_RESOLUTION, "right")
        steps, past_end = self._steps(quarters, np.maximum(chosen - 1, 0))
        following = np.minimum(np.maximum(chosen, 1), len(self.stretches) - 1)
        next_first = np.array([part.first_step for part in self.stretches])[following]
        return np.where(past_end & (chosen < len(self.stretches)), next_first, steps)

    def ends(self, quarters: np.ndarray) -> np.ndarray:
        """The step nearest to each time of ``(N,)``; a note that lasts to the end of a stretch ends with it."""
        chosen = np.searchsorted([part.start_quarters for part in self.stretches], quarters - TIME_RESOLUTION, "left")
        return self._steps(quarters, np.maximum(chosen - 1, 0))[0]

    def place(self, quarters: np.ndarray, *, is_end: bool = False) -> np.ndarray:
        """Where each time of ``(N,)`` lies on the grid, in quarters from its first step, not rounded."""
        starts = [part.start_quarters for part in self.stretches]
        side, shift = ("left", -TIME_RESOLUTION) if is_end else ("right", TIME_RESOLUTION)
        chosen = np.maximum(np.searchsorted(starts, quarters + shift, side) - 1, 0)  # type: ignore[call-overload]
        firsts = np.array([part.first_step for part in self.stretches])
        placed: np.ndarray = (firsts[chosen] + self._exact(quarters, chosen)) / self.steps_per_quarter
        return placed

    def distances(self, quarters: np.ndarray) -> np.ndarray:
        """How far each time of ``(N,)`` is from its step, in steps."""
        chosen = np.searchsorted([part.start_quarters for part in self.stretches], quarters + TIME_RESOLUTION, "right")
        exact = self._exact(quarters, np.maximum(chosen - 1, 0))
        distances: np.ndarray = np.abs(exact - np.floor(exact + 0.5))
        return distances

    def quarters_of_bar(self, bar: int) -> float:
        """Where a bar of the grid (from 0) begins in the piece; a bar that begins with silence, where that ends."""
        part = self._stretch_of(bar)
        into = max(bar * self.steps_per_bar - part.first_step, 0) / self.steps_per_quarter
        return part.start_quarters + into

    def piece_bar(self, bar: int) -> int:
        """The bar of the piece, from 1, in which a bar of the grid (from 0) begins."""
        return int(np.searchsorted(self.bar_starts, self.quarters_of_bar(bar) + TIME_RESOLUTION, "right"))

    def grid_bar(self, piece_bar: int) -> int:
        """The bar of the grid (from 0) in which a bar of the piece (from 1) begins.

        Raises:
            IndexError: if the piece has no such bar.
        """
        if not 1 <= piece_bar <= len(self.bar_starts):
            raise IndexError(f"there is no bar {piece_bar}")
        steps = self.onsets(np.array([self.bar_starts[piece_bar - 1]]))
        return min(int(steps[0]) // self.steps_per_bar, self.bars - 1)

    def _stretch_of(self, bar: int) -> Stretch:
        return max((part for part in self.stretches if part.first_grid_bar <= bar), key=lambda p: p.first_grid_bar)

    def _exact(self, quarters: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        starts = np.array([part.start_quarters for part in self.stretches])
        exact: np.ndarray = (quarters - starts[chosen]) * self.steps_per_quarter
        return exact

    def _steps(self, quarters: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The step of each time within its stretch ``chosen``, ``(N,)``, and whether that is the stretch's end."""
        firsts = np.array([part.first_step for part in self.stretches])
        lengths = np.array([_steps_in(part.end_quarters - part.start_quarters, self) for part in self.stretches])
        local = np.floor(self._exact(quarters, chosen) + 0.5).astype(np.int64)
        return firsts[chosen] + np.clip(local, 0, lengths[chosen]), local >= lengths[chosen]


def lay_out(bars: Sequence[Bar], meter: tuple[int, int], steps_per_quarter: int) -> Layout:
    """The bars of a piece on a grid of bars of ``meter``; see the head of this file for the rules.

    Raises:
        ValueError: if there is no bar, or a bar of ``meter`` is no whole number of steps.
    """
    if not bars:
        raise ValueError("there is no bar to lay out")
    if 4 * meter[0] * steps_per_quarter % meter[1]:
        raise ValueError(f"a bar of {meter[0]}/{meter[1]} is no whole number of steps at {steps_per_quarter} a quarter")
    bar_starts = tuple(bar.start_quarters for bar in bars)
    empty = Layout((), bar_starts, steps_per_quarter, 4 * meter[0] * steps_per_quarter // meter[1])
    has_pickup = len(bars) > 1 and bars[0].length_quarters < bars[1].length_quarters - TIME_RESOLUTION
    groups = [(False, list(bars[:1]))] if has_pickup else []
    rest = bars[1:] if has_pickup else bars
    groups += [(is_own, list(group)) for is_own, group in groupby(rest, lambda bar: _is_of(bar, meter))]
    stretches: list[Stretch] = []
    grid_bar = 0
    for index, (is_own, group) in enumerate(groups):
        start, end = group[0].start_quarters, group[-1].start_quarters + group[-1].length_quarters
        steps = _steps_in(end - start, empty)
        count = -(-steps // empty.steps_per_bar)
        silence = count * empty.steps_per_bar - steps if has_pickup and index == 0 else 0
        stretches.append(Stretch(start, end, grid_bar * empty.steps_per_bar + silence, count, grid_bar, is_own))
        grid_bar += count
    return Layout(tuple(stretches), bar_starts, steps_per_quarter, empty.steps_per_bar)


def alike(meter: tuple[int, int]) -> tuple[int, int]:
    """``meter``, but 4/4 for 2/2."""
    return (4, 4) if meter == (2, 2) else meter


def _is_of(bar: Bar, meter: tuple[int, int]) -> bool:
    return bar.is_whole and alike((bar.numerator, bar.denominator)) == alike(meter)


def _steps_in(quarters: float, layout: Layout) -> int:
    return int(np.ceil(quarters * layout.steps_per_quarter - TIME_RESOLUTION))

"""The bars of a piece -> bars of one meter, all of the same number of steps, with nothing left out.

Most pieces have bars that are not like the others: a pickup, a bar of 2/4 among 4/4, a part in another meter. A bar of
the meter that is wanted becomes one bar. An opening pickup becomes one bar too, with silence before it. Other bars that
follow each other are laid end to end, new bars are ruled over them, and silence makes the last one whole.

All notes come to the grid here, for training and for generation: :meth:`Layout.place_notes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np

from data_prep.melodies.feel import NO_SWING, straightened
from data_prep.melodies.voice import one_voice_line
from data_prep.reading.notes import TIME_RESOLUTION, Part, Section

OFF_GRID_STEPS = 0.25  # an onset further than this from the nearest step is off the grid


@dataclass(frozen=True)
class Stretch:
    """Bars that follow each other, and where they begin on the grid.

    Attributes:
        start_quarters, end_quarters: in the piece.
        first_step: the step of ``start_quarters``.
        bars: how many bars of the grid it takes.
        first_grid_bar: the number, from 0, of the first of them.
        first_piece_bar: the number, from 0, of the bar of the piece that it begins with.
        piece_bars: how many bars of the piece it is.
        is_own: whether its bars are of the grid's meter already.
    """

    start_quarters: float
    end_quarters: float
    first_step: int
    bars: int
    first_grid_bar: int
    first_piece_bar: int
    piece_bars: int
    is_own: bool


@dataclass(frozen=True, eq=False)
class PlacedNotes:
    """The notes of a part on a grid, as they overlap.

    Attributes:
        line: an array as :attr:`data_prep.melody.Melody.line`, ``(N, 4)``; every note lasts at least one step.
        offsets: how much later than its step each note begins, in steps, ``(N,)``.
        end_offsets: how much later than its step each note ends, in steps, ``(N,)``.
    """

    line: np.ndarray
    offsets: np.ndarray
    end_offsets: np.ndarray

    @property
    def is_off_grid(self) -> np.ndarray:
        """Whether each note begins further from its step than a quarter of one, ``(N,)``."""
        return np.asarray(np.abs(self.offsets) > OFF_GRID_STEPS + TIME_RESOLUTION)

    def voice(self, first_step: int, end_step: int) -> np.ndarray:
        """The one voice in a range of steps, counted from ``first_step``, ``(notes, 4)``.

        A note that sounds across the range's start is cut there and starts anew; across its end it is cut.
        """
        line = self.line[(self.line[:, 1] > first_step) & (self.line[:, 0] < end_step)]
        line[:, :2] = np.clip(line[:, :2] - first_step, 0, end_step - first_step)
        return one_voice_line(line) if len(line) else line


@dataclass(frozen=True)
class Layout:
    """Where each time of a piece lies on a grid of equal bars.

    Attributes:
        stretches: in order, without a gap.
        sections: the bars of the piece.
        steps_per_quarter, steps_per_bar: the grid.
        swing: where in a quarter the second eighths begin that are laid on the middle of it; see
            :mod:`data_prep.melodies.feel`.
    """

    stretches: tuple[Stretch, ...]
    sections: tuple[Section, ...]
    steps_per_quarter: int
    steps_per_bar: int
    swing: float = NO_SWING

    @property
    def bars(self) -> int:
        """How many bars the grid has."""
        last = self.stretches[-1]
        return last.first_grid_bar + last.bars

    @cached_property
    def bar_starts(self) -> tuple[float, ...]:
        """Where each bar of the piece begins, in quarters."""
        return tuple(bar.start_quarters for section in self.sections for bar in section.each_bar())

    def place_notes(self, part: Part) -> PlacedNotes:
        """The notes of a part on the grid: onsets and ends on the nearest step, every note at least one step long."""
        steps, offsets = self._nearest(part.starts)
        line = np.empty((len(part), 4), np.int64)
        line[:, 0] = steps
        ends, end_offsets = self._nearest_ends(part.ends)
        line[:, 1] = np.maximum(ends, steps + 1)
        line[:, 2] = part.pitches
        line[:, 3] = np.maximum(part.velocities, 1)
        return PlacedNotes(line, offsets, end_offsets + ends - line[:, 1])

    def onsets(self, quarters: np.ndarray) -> np.ndarray:
        """The step nearest to each time of ``(N,)``; what rounds to the end of a stretch begins the next."""
        return self._nearest(quarters)[0]

    def ends(self, quarters: np.ndarray) -> np.ndarray:
        """The step nearest to each time of ``(N,)``; a note that lasts to the end of a stretch ends with it."""
        return self._nearest_ends(quarters)[0]

    def place(self, quarters: np.ndarray, *, is_end: bool = False) -> np.ndarray:
        """Where each time of ``(N,)`` lies on the grid, in quarters from its first step, not rounded."""
        chosen = self._stretches_at(quarters, is_end=is_end)
        placed: np.ndarray = (self._first_steps[chosen] + self._exact(quarters, chosen)) / self.steps_per_quarter
        return placed

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

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.array([part.start_quarters for part in self.stretches])

    @cached_property
    def _first_steps(self) -> np.ndarray:
        return np.array([part.first_step for part in self.stretches])

    @cached_property
    def _lengths(self) -> np.ndarray:
        """The steps of each stretch, without silence before or after."""
        spans = [part.end_quarters - part.start_quarters for part in self.stretches]
        return np.array([_steps_in(span, self.steps_per_quarter) for span in spans])

    def _stretches_at(self, quarters: np.ndarray, *, is_end: bool = False) -> np.ndarray:
        """The stretch in which each time of ``(N,)`` lies; an end on a border lies in the stretch before."""
        moved, side = (quarters - TIME_RESOLUTION, "left") if is_end else (quarters + TIME_RESOLUTION, "right")
        return np.maximum(np.searchsorted(self._starts, moved, side) - 1, 0)  # type: ignore[call-overload, no-any-return]

    def _exact(self, quarters: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        exact: np.ndarray = (quarters - self._starts[chosen]) * self.steps_per_quarter
        return exact

    def _nearest(self, quarters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The step nearest to each onset of ``(N,)``, and how much later than it the onset is, in steps.

        The last half step of a stretch is nearest to the first step of the next.
        """
        half_step = 0.5 / self.steps_per_quarter
        chosen = np.maximum(np.searchsorted(self._starts, quarters + half_step, "right") - 1, 0)
        return self._steps(quarters, chosen)

    def _nearest_ends(self, quarters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The step nearest to each end of ``(N,)``, and how much later than it the end is, in steps."""
        return self._steps(quarters, self._stretches_at(quarters, is_end=True))

    def _steps(self, quarters: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The step of each time within its stretch ``chosen``, ``(N,)``, and how much later it is than that."""
        exact = self._exact(quarters, chosen)
        if self.swing != NO_SWING:
            exact = straightened(exact / self.steps_per_quarter, self.swing) * self.steps_per_quarter
        local = np.clip(np.floor(exact + 0.5).astype(np.int64), 0, self._lengths[chosen])
        return self._first_steps[chosen] + local, exact - local


class _Run(NamedTuple):
    """Bars of one length that follow each other."""

    start_quarters: float
    bar_quarters: float
    bars: int
    first_bar: int
    is_own: bool

    @property
    def end_quarters(self) -> float:
        return self.start_quarters + self.bars * self.bar_quarters


def lay_out(sections: Sequence[Section], meter: tuple[int, int], steps_per_quarter: int) -> Layout:
    """The bars of a piece on a grid of bars of ``meter``; see the head of this file for the rules.

    Raises:
        ValueError: if there is no bar, or a bar of ``meter`` is no whole number of steps.
    """
    if 4 * meter[0] * steps_per_quarter % meter[1]:
        raise ValueError(
            f"a bar of {meter[0]}/{meter[1]} is no whole number of steps at {steps_per_quarter} per quarter"
        )
    runs = list(_runs(sections, meter))
    if not runs:
        raise ValueError("there is no bar to lay out")
    steps_per_bar = 4 * meter[0] * steps_per_quarter // meter[1]
    has_pickup = len(runs) > 1 and runs[0].bars == 1 and runs[0].bar_quarters < runs[1].bar_quarters - TIME_RESOLUTION
    groups = [(runs[0].is_own, runs[:1])] if has_pickup else []
    groups += [(is_own, list(group)) for is_own, group in groupby(runs[has_pickup:], lambda run: run.is_own)]
    stretches: list[Stretch] = []
    grid_bar = 0
    for index, (is_own, group) in enumerate(groups):
        start, end = group[0].start_quarters, group[-1].end_quarters
        steps = _steps_in(end - start, steps_per_quarter)
        count = -(-steps // steps_per_bar)
        silence = count * steps_per_bar - steps if has_pickup and index == 0 else 0
        stretches.append(
            Stretch(
                start_quarters=start,
                end_quarters=end,
                first_step=grid_bar * steps_per_bar + silence,
                bars=count,
                first_grid_bar=grid_bar,
                first_piece_bar=group[0].first_bar,
                piece_bars=sum(run.bars for run in group),
                is_own=is_own,
            )
        )
        grid_bar += count
    return Layout(tuple(stretches), tuple(sections), steps_per_quarter, steps_per_bar)


def alike(meter: tuple[int, int]) -> tuple[int, int]:
    """``meter``, but 4/4 for 2/2."""
    return (4, 4) if meter == (2, 2) else meter


def _runs(sections: Sequence[Section], meter: tuple[int, int]) -> Iterator[_Run]:
    first_bar = 0
    for section in sections:
        own = section.meter
        if section.whole_bars:
            is_own = alike((own.numerator, own.denominator)) == alike(meter)
            yield _Run(own.start_quarters, own.bar_quarters, section.whole_bars, first_bar, is_own)
        if section.left_over_quarters:
            start = own.start_quarters + section.whole_bars * own.bar_quarters
            yield _Run(start, section.left_over_quarters, 1, first_bar + section.whole_bars, False)
        first_bar += section.bars


def _steps_in(quarters: float, steps_per_quarter: int) -> int:
    return int(np.ceil(quarters * steps_per_quarter - TIME_RESOLUTION))

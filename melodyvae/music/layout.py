"""The bars of a piece -> bars of one meter, all of the same number of steps, with nothing left out.

Most pieces have irregular bars: a pickup, a bar of 2/4 among 4/4, a part in another meter. A bar of the target meter
becomes one bar. An opening pickup becomes one bar too, with silence before it. Consecutive other bars are joined, cut
into new bars, and the last one is padded with silence. A short bar and its complement, such as the end of a strain and
the pickup of its repeat, are one bar.

All notes are quantised here, for training and for generation: :meth:`Layout.place_notes`. If two consecutive notes are
nearest to the same step, one goes to the next step if nothing begins there; otherwise one is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np

from melodyvae.music.feel import NO_SWING, straightened
from melodyvae.music.notes import TIME_RESOLUTION, Part, Section
from melodyvae.music.voice import one_voice_line

OFF_GRID_STEPS = 0.25  # an onset further than this from the nearest step is off the grid
MAX_MOVED_STEPS = 0.75  # to a free step beside the nearest one
TOGETHER_QUARTERS = 0.05  # between the first and the next note of a chord, as it is played
TICKS_PER_QUARTER = 480  # resolution of the times at which a part's voice is chosen, before quantising
WIDEST_LINE_SEMITONES = 12  # between two notes in a row; further apart are melody and bass


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
        line: an array as :attr:`melodyvae.music.melody.Melody.line`, ``(N, 4)``; every note lasts at least one step.
        offsets: how much later than its step each note begins, in steps, ``(N,)``.
        end_offsets: how much later than its step each note ends, in steps, ``(N,)``.
        played: when each note begins and ends, in ticks, 480 per quarter, ``(N, 2)``; notes of a chord begin together.
        is_crowded_out: whether another note has the step of each, ``(N,)``.
    """

    line: np.ndarray
    offsets: np.ndarray
    end_offsets: np.ndarray
    played: np.ndarray
    is_crowded_out: np.ndarray

    @property
    def is_off_grid(self) -> np.ndarray:
        """Whether each note begins further from its step than a quarter of one, ``(N,)``."""
        return np.asarray(np.abs(self.offsets) > OFF_GRID_STEPS + TIME_RESOLUTION)

    def voice(self, first_step: int, end_step: int) -> np.ndarray:
        """The one voice in a range of steps, counted from ``first_step``, ``(notes, 4)``.

        A note that sounds across the range's start is cut there and starts anew; across its end it is cut.
        """
        is_inside = (self.line[:, 1] > first_step) & (self.line[:, 0] < end_step)
        line = self.line[is_inside & ~self.is_crowded_out]
        line[:, :2] = np.clip(line[:, :2] - first_step, 0, end_step - first_step)
        return one_voice_line(line) if len(line) else line

    def lost_steps(self, voice: np.ndarray) -> np.ndarray:
        """The nearest step of each note that the part's one voice has as it is played, and not on the grid: ``(L,)``.

        ``voice`` is :meth:`voice` of all steps.
        """
        if not len(self.line):
            return np.empty(0, np.int64)
        step_of = dict(
            zip(
                zip(self.played[:, 0].tolist(), self.line[:, 2].tolist(), strict=True),
                self.line[:, 0].tolist(),
                strict=True,
            )
        )
        line = self.line.copy()
        line[:, :2] = self.played
        waiting = {(start, pitch) for start, _, pitch, _ in voice.tolist()}
        lost = []
        for start, _, pitch, _ in one_voice_line(line).tolist():
            step = step_of[start, pitch]
            if (step, pitch) in waiting:
                waiting.remove((step, pitch))
            else:
                lost.append(step)
        return np.array(lost, np.int64)


@dataclass(frozen=True)
class Layout:
    """Map from times of a piece to a grid of equal bars.

    Attributes:
        stretches: in order, without a gap.
        sections: the bars of the piece.
        steps_per_quarter, steps_per_bar: the grid.
        swing: position within a quarter of the second eighths, which the grid moves to its middle; see
            :mod:`melodyvae.music.feel`.
        delay_quarters: delay of all notes, which the grid removes.
    """

    stretches: tuple[Stretch, ...]
    sections: tuple[Section, ...]
    steps_per_quarter: int
    steps_per_bar: int
    swing: float = NO_SWING
    delay_quarters: float = 0.0

    @property
    def bars(self) -> int:
        """Number of bars of the grid."""
        last = self.stretches[-1]
        return last.first_grid_bar + last.bars

    @cached_property
    def bar_starts(self) -> tuple[float, ...]:
        """Start of each bar of the piece, in quarters."""
        return tuple(bar.start_quarters for section in self.sections for bar in section.each_bar())

    def place_notes(self, part: Part) -> PlacedNotes:
        """The notes of a part on the grid: onsets and ends on the nearest step, every note at least one step long."""
        starts, part_ends = part.starts - self.delay_quarters, part.ends - self.delay_quarters
        nearest, offsets = self._nearest(starts)
        ends, end_offsets = self._nearest_ends(part_ends)
        end_offsets = end_offsets + ends
        onset = _onsets_of(starts)
        is_crowded_out = np.zeros(len(part), bool)
        steps = nearest
        if (np.diff(nearest[_firsts_of(onset)]) <= 0).any():
            steps, ends, is_crowded_out = _apart(part, onset, nearest, ends, offsets)
            offsets = offsets + nearest - steps
        line = np.empty((len(part), 4), np.int64)
        line[:, 0] = steps
        line[:, 1] = np.maximum(ends, steps + 1)
        line[:, 2] = part.pitches
        line[:, 3] = np.maximum(part.velocities, 1)
        firsts = np.searchsorted(onset, onset)  # the first note that begins together with each
        played = np.round(np.stack([starts[firsts], part_ends], axis=1) * TICKS_PER_QUARTER).astype(np.int64)
        played[:, 1] = np.maximum(played[:, 1], played[:, 0] + 1)
        return PlacedNotes(line, offsets, end_offsets - line[:, 1], played, is_crowded_out)

    def onsets(self, quarters: np.ndarray) -> np.ndarray:
        """The step nearest to each time of ``(N,)``; what rounds to the end of a stretch begins the next."""
        return self._nearest(quarters)[0]

    def ends(self, quarters: np.ndarray) -> np.ndarray:
        """The step nearest to each time of ``(N,)``; a note that lasts to the end of a stretch ends with it."""
        return self._nearest_ends(quarters)[0]

    def place(self, quarters: np.ndarray, *, is_end: bool = False) -> np.ndarray:
        """Positions of times ``(N,)`` on the grid, in quarters from its first step, not rounded."""
        chosen = self._stretches_at(quarters, is_end=is_end)
        placed: np.ndarray = (self._first_steps[chosen] + self._exact(quarters, chosen)) / self.steps_per_quarter
        return placed

    def quarters_of_bar(self, bar: int) -> float:
        """Start in the piece of a bar of the grid (from 0), in quarters; after the silence if it begins with one."""
        return self._quarters_of_step(bar * self.steps_per_bar)

    def piece_bar(self, bar: int) -> int:
        """The bar of the piece, from 1, in which a bar of the grid (from 0) begins."""
        return self.piece_bar_of_step(bar * self.steps_per_bar)

    def piece_bar_of_step(self, step: int) -> int:
        """The bar of the piece, from 1, in which a step of the grid lies."""
        return int(np.searchsorted(self.bar_starts, self._quarters_of_step(step) + TIME_RESOLUTION, "right"))

    def grid_bar(self, piece_bar: int) -> int:
        """The bar of the grid (from 0) in which a bar of the piece (from 1) begins.

        Raises:
            IndexError: if the piece has no such bar.
        """
        if not 1 <= piece_bar <= len(self.bar_starts):
            raise IndexError(f"there is no bar {piece_bar}")
        steps = self.onsets(np.array([self.bar_starts[piece_bar - 1]]))
        return min(int(steps[0]) // self.steps_per_bar, self.bars - 1)

    def _quarters_of_step(self, step: int) -> float:
        part = self._stretch_of(step // self.steps_per_bar)
        return part.start_quarters + max(step - part.first_step, 0) / self.steps_per_quarter

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


def _onsets_of(starts: np.ndarray) -> np.ndarray:
    """The number of the onset of each note of ``(N,)``, sorted; those of a chord begin together: ``(N,)``."""
    if not len(starts):
        return np.empty(0, np.int64)
    return np.asarray(np.append(0, np.diff(starts) > TOGETHER_QUARTERS).cumsum())


def _firsts_of(onset: np.ndarray) -> np.ndarray:
    """The first note of each onset."""
    return np.flatnonzero(np.diff(onset, prepend=-1))


def _apart(
    part: Part, onset: np.ndarray, steps: np.ndarray, ends: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move onsets that share their nearest step apart if the step beside it is free.

    If it is not, the one of two consecutive notes that is nearer to the step stays.

    Returns:
        Steps and ends, ``(N,)``, and whether each note is crowded out.
    """
    steps, ends, is_crowded_out = steps.copy(), ends.copy(), np.zeros(len(part), bool)
    firsts = _firsts_of(onset)
    bounds = np.append(firsts, len(part))
    at, late = steps[firsts].tolist(), offsets[firsts].tolist()
    crowded = np.flatnonzero(np.diff(steps[firsts]) <= 0).tolist()

    def notes(index: int) -> np.ndarray:
        """The notes of an onset that are nearest to its step."""
        own = np.arange(bounds[index], bounds[index + 1])
        return np.asarray(own[steps[own] == at[index]])

    for index in crowded:
        step = at[index + 1]
        if at[index] != step:
            continue  # the first of the two has been moved already, or they lie on both sides of a short bar's end
        is_free_before = step > 0 and (index == 0 or at[index - 1] < step - 1)
        is_free_after = index + 2 == len(at) or at[index + 2] > step + 1
        earlier = late[index] + 1 if is_free_before else np.inf
        later = 1 - late[index + 1] if is_free_after else np.inf
        if min(earlier, later) <= MAX_MOVED_STEPS + TIME_RESOLUTION:
            moved = index if earlier < later else index + 1
            to = step - 1 if moved == index else step + 1
            chosen = notes(moved)
            before = np.arange(bounds[moved])
            has_ended = part.ends[before] <= part.starts[chosen[0]] + TOGETHER_QUARTERS
            is_across = (steps[before] < to) & (ends[before] > to)
            ends[before[has_ended & is_across]] = to
            steps[chosen], at[moved] = to, to
            continue
        first, second = notes(index), notes(index + 1)
        is_in_a_row = part.ends[first].max() <= part.starts[second[0]] + TOGETHER_QUARTERS
        if (
            is_in_a_row
            and abs(int(part.pitches[first].max()) - int(part.pitches[second].max())) <= WIDEST_LINE_SEMITONES
        ):
            is_crowded_out[first if abs(late[index]) >= abs(late[index + 1]) else second] = True
    return steps, ends, is_crowded_out


class _Run(NamedTuple):
    """Bars of one length that follow each other."""

    start_quarters: float
    bar_quarters: float
    bars: int
    first_bar: int
    piece_bars: int
    is_own: bool

    @property
    def end_quarters(self) -> float:
        return self.start_quarters + self.bars * self.bar_quarters


def lay_out(sections: Sequence[Section], meter: tuple[int, int], steps_per_quarter: int) -> Layout:
    """The bars of a piece on a grid of bars of ``meter``; see the head of this file for the rules.

    Raises:
        ValueError: if there is no bar, or a bar of ``meter`` is not a whole number of steps.
    """
    if 4 * meter[0] * steps_per_quarter % meter[1]:
        raise ValueError(
            f"a bar of {meter[0]}/{meter[1]} is not a whole number of steps at {steps_per_quarter} per quarter"
        )
    runs = _with_whole_bars(list(_runs(sections, meter)), 4 * meter[0] / meter[1])
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
                piece_bars=sum(run.piece_bars for run in group),
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
            yield _Run(own.start_quarters, own.bar_quarters, section.whole_bars, first_bar, section.whole_bars, is_own)
        if section.left_over_quarters:
            start = own.start_quarters + section.whole_bars * own.bar_quarters
            yield _Run(start, section.left_over_quarters, 1, first_bar + section.whole_bars, 1, False)
        first_bar += section.bars


def _with_whole_bars(runs: list[_Run], bar_quarters: float) -> list[_Run]:
    """The runs with every short bar and its complement as one bar; an opening pickup has none."""
    merged: list[_Run] = []
    for index, run in enumerate(_of_equal_bars(runs)):
        if index and run.bars == 2 and _is_near(2 * run.bar_quarters, bar_quarters):
            run = run._replace(bars=1, bar_quarters=bar_quarters, is_own=True)
        before = merged[-1] if merged else None
        if before is not None and before.bars == run.bars == 1:
            is_pickup = index == 1 and before.bar_quarters < run.bar_quarters
            if not is_pickup and _is_near(before.bar_quarters + run.bar_quarters, bar_quarters):
                merged[-1] = before._replace(bar_quarters=bar_quarters, piece_bars=2, is_own=True)
                continue
        merged.append(run)
    return merged


def _of_equal_bars(runs: list[_Run]) -> list[_Run]:
    """The runs, those as one that have bars of one length and follow each other."""
    merged = runs[:1]
    for run in runs[1:]:
        before = merged[-1]
        if before.is_own == run.is_own and _is_near(before.bar_quarters, run.bar_quarters):
            merged[-1] = before._replace(bars=before.bars + run.bars, piece_bars=before.piece_bars + run.piece_bars)
        else:
            merged.append(run)
    return merged


def _is_near(quarters: float, others: float) -> bool:
    return abs(quarters - others) < TIME_RESOLUTION


def _steps_in(quarters: float, steps_per_quarter: int) -> int:
    return int(np.ceil(quarters * steps_per_quarter - TIME_RESOLUTION))

"""Bars of a piece on a grid of equal bars: nothing is lost, nothing changes places, bar lines stay bar lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.melodies.layout import Layout, lay_out
from data_prep.reading.notes import Bar, Meter, Section
from tests.data_prep.smf import part

METERS = [(4, 4), (3, 4), (2, 4), (1, 4), (6, 8), (2, 2), (5, 8)]


def bars_of(*lengths: tuple[int, int] | float) -> list[Bar]:
    """Bars one after the other: whole ones by meter, short ones of 4/4 by length in quarters."""
    bars: list[Bar] = []
    start = 0.0
    for length in lengths:
        meter, quarters = (length, 4 * length[0] / length[1]) if isinstance(length, tuple) else ((4, 4), length)
        bars.append(Bar(start, quarters, *meter, isinstance(length, tuple)))
        start += quarters
    return bars


def sections_of(bars: list[Bar]) -> list[Section]:
    """A section for each bar."""
    return [
        Section(Meter(bar.start_quarters, bar.numerator, bar.denominator), 1, 0.0)
        if bar.is_whole
        else Section(Meter(bar.start_quarters, bar.numerator, bar.denominator), 0, bar.length_quarters)
        for bar in bars
    ]


def layout_of(bars: list[Bar], meter: tuple[int, int], steps_per_quarter: int = 4) -> Layout:
    """The layout of bars."""
    return lay_out(sections_of(bars), meter, steps_per_quarter)


def onsets(layout: Layout, *quarters: float) -> list[int]:
    return [int(step) for step in layout.onsets(np.array(quarters))]


pieces = st.lists(st.one_of(st.sampled_from(METERS), st.sampled_from([0.5, 1.0, 1.25, 3.0])), min_size=1, max_size=12)


@given(pieces, st.sampled_from([(4, 4), (3, 4), (6, 8)]))
def test_times_keep_their_order_and_sixteenths_stay_apart(lengths: list[tuple[int, int] | float], meter) -> None:
    bars = bars_of(*lengths)
    layout = layout_of(bars, meter, 4)
    end = bars[-1].start_quarters + bars[-1].length_quarters
    steps = layout.onsets(np.arange(0, end, 0.25))
    assert (np.diff(steps) >= 1).all()
    assert steps[0] >= 0
    assert steps[-1] < layout.bars * layout.steps_per_bar


@given(pieces, st.sampled_from([(4, 4), (3, 4)]))
def test_every_bar_of_the_meter_is_a_bar_of_the_grid(lengths: list[tuple[int, int] | float], meter) -> None:
    bars = bars_of(*lengths)
    layout = layout_of(bars, meter, 4)
    for number, bar in enumerate(bars, start=1):
        is_pickup = number == 1 and len(bars) > 1 and bar.length_quarters < bars[1].length_quarters
        if bar.is_whole and (bar.numerator, bar.denominator) == meter and not is_pickup:
            (step,) = onsets(layout, bar.start_quarters)
            assert step % layout.steps_per_bar == 0
            assert layout.piece_bar(layout.grid_bar(number)) == number


@given(pieces)
def test_a_note_never_ends_before_it_begins(lengths: list[tuple[int, int] | float]) -> None:
    bars = bars_of(*lengths)
    layout = layout_of(bars, (4, 4), 4)
    times = np.arange(0, bars[-1].start_quarters + bars[-1].length_quarters, 0.25)
    assert (layout.ends(times + 0.25) == layout.onsets(times) + 1).all()


def test_a_pickup_comes_after_silence_and_its_bar_is_the_first() -> None:
    layout = layout_of(bars_of((1, 4), (4, 4), (4, 4)), (4, 4), 4)
    assert onsets(layout, 0, 1, 5) == [12, 16, 32]
    assert [layout.piece_bar(bar) for bar in range(3)] == [1, 2, 3]
    assert layout.quarters_of_bar(0) == 0


def test_a_bar_cut_in_two_is_one_bar_again() -> None:
    """The end of a section and the pickup of the next, written as bars of 3/4 and 1/4, make one bar of 4/4."""
    layout = layout_of(bars_of((4, 4), (3, 4), (1, 4), (4, 4)), (4, 4), 4)
    assert onsets(layout, 4, 7, 8) == [16, 28, 32]
    assert layout.bars == 3


def test_a_note_held_over_a_short_bar_is_held_over_the_silence_after_it() -> None:
    layout = layout_of(bars_of((4, 4), (2, 4), (4, 4)), (4, 4), 4)
    assert onsets(layout, 3.9, 5.9, 6) == [16, 32, 32]
    assert layout.ends(np.array([6.0, 7.0])).tolist() == [24, 36]


def test_bars_of_another_meter_are_ruled_anew() -> None:
    layout = layout_of(bars_of((3, 4), (3, 4), (3, 4), (4, 4)), (4, 4), 4)
    assert onsets(layout, 3, 6, 9) == [12, 24, 48]
    assert [layout.piece_bar(bar) for bar in range(4)] == [1, 2, 3, 4]


def test_bars_off_the_grid_and_no_bars_are_refused() -> None:
    with pytest.raises(ValueError, match="no whole number of steps"):
        layout_of(bars_of((4, 4)), (5, 32), 4)
    with pytest.raises(ValueError, match="no bar"):
        layout_of([], (4, 4), 4)


def test_notes_come_to_the_nearest_step_and_keep_how_far_off_they_were() -> None:
    """The last half step before a stretch belongs to its first step, though it lies in another stretch."""
    layout = layout_of(bars_of((4, 4), 2.9, (4, 4)), (4, 4))
    placed = layout.place_notes(part([(1.05, 1.1, 60), (6.8, 7.4, 62)]))
    assert placed.line[:, :2].tolist() == [[4, 5], [32, 34]]
    assert placed.offsets.round(6).tolist() == [0.2, -0.4]
    assert placed.is_off_grid.tolist() == [False, True]
    assert placed.voice(32, 48)[:, :3].tolist() == [[0, 2, 62]]

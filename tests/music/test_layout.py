"""Bars of a piece on a grid of equal bars: nothing is lost, nothing changes places, bar lines stay bar lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodyvae.music.layout import Layout, lay_out
from melodyvae.music.notes import Bar, Meter, Section
from tests.reading.smf import part

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
    with pytest.raises(ValueError, match="not a whole number of steps"):
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


def test_a_short_bar_and_its_complement_are_a_bar_of_the_meter() -> None:
    """A waltz whose strain ends with 2/4 and repeats from a pickup of 1/4 has no break there."""
    layout = layout_of(bars_of((3, 4), (2, 4), (1, 4), (3, 4)), (3, 4))
    (stretch,) = layout.stretches
    assert (stretch.is_own, stretch.bars, stretch.piece_bars) == (True, 3, 4)
    assert onsets(layout, 3, 5, 6) == [12, 20, 24]


def test_an_opening_pickup_has_no_complement() -> None:
    layout = layout_of(bars_of((1, 4), (3, 4), (4, 4)), (4, 4))
    assert onsets(layout, 0, 1) == [12, 16]


def test_halves_of_a_bar_are_one_but_bars_of_half_the_meter_are_not() -> None:
    assert [s.is_own for s in layout_of(bars_of((4, 4), (2, 4), (2, 4), (4, 4)), (4, 4)).stretches] == [True]
    assert not any(s.is_own for s in layout_of(bars_of(*[(2, 4)] * 3), (4, 4)).stretches)


def voice_of(notes: list[tuple[float, float, int]]) -> tuple[list[list[int]], list[int]]:
    """The voice of notes in a bar of 4/4 (start, end, pitch), and the steps of those that are lost."""
    placed = layout_of(bars_of((4, 4)), (4, 4)).place_notes(part(notes))
    voice = placed.voice(0, 16)
    return voice[:, :3].tolist(), placed.lost_steps(voice).tolist()


def test_a_short_note_goes_to_the_free_step_beside_the_one_that_is_taken() -> None:
    """A grace note lower than the note before it, which sounds until then, and one into a rest after it."""
    assert voice_of([(0, 0.875, 67), (0.875, 1, 60), (1, 2, 62)]) == ([[0, 3, 67], [3, 4, 60], [4, 8, 62]], [])
    sextuplet = [(0, 1 / 6, 60), (1 / 6, 1 / 3, 62), (1 / 3, 0.5, 64)]
    assert voice_of([*sextuplet, (1, 2, 65)]) == ([[0, 1, 60], [1, 2, 62], [2, 3, 64], [4, 8, 65]], [])


def test_thirty_seconds_in_a_row_are_lost_and_the_notes_on_the_grid_stay() -> None:
    """The case of a fast run: it falls, so the notes between the places are the higher ones."""
    run = [(i / 8, (i + 1) / 8, 72 - i) for i in range(8)]
    assert voice_of(run) == ([[0, 1, 72], [1, 2, 70], [2, 3, 68], [3, 4, 66], [4, 5, 65]], [1, 2, 3])


def test_the_lower_notes_of_a_chord_are_not_lost_however_it_is_rolled() -> None:
    chord = [(0, 1, 60), (0.02, 1, 64), (0.04, 1, 67)]
    assert voice_of(chord) == ([[0, 4, 67]], [])


def test_a_delay_is_taken_out_before_notes_come_to_the_grid() -> None:
    layout = replace(layout_of(bars_of((4, 4), (4, 4)), (4, 4)), delay_quarters=0.125)
    placed = layout.place_notes(part([(0.125, 0.625, 60), (3.875 + 0.125, 4.125, 62)]))
    assert placed.line[:, :2].tolist() == [[0, 2], [16, 17]]
    assert placed.offsets.tolist() == [0, -0.5]

"""The feel of a piece, with its swing, comes back in written melodies."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodyvae.music.feel import (
    Feel,
    FeelError,
    Timing,
    find_delay,
    find_swing,
    is_free,
    parse_feel,
    straightened,
    swung,
)
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.regions import melody_of
from melodyvae.reading.melodies import read_melody
from melodyvae.reading.midi import read_midi
from melodyvae.writing.row import write_in_a_row
from melodyvae.writing.sheet import Roll
from tests.music.strategies import melodies
from tests.reading.smf import part, song

EIGHTHS = np.arange(32) / 2
PITCHES = [60 + (5 * index) % 12 for index in range(32)]


def played(swing: float, late: float = 0.0) -> np.ndarray:
    """The onsets of four bars of eighths, in quarters."""
    return np.where(EIGHTHS % 1 == 0.5, np.floor(EIGHTHS) + swing, EIGHTHS) + late


@pytest.mark.parametrize("swing", [0.5, 0.55, 0.58, 0.62, 0.66, 0.7])
def test_a_shuffle_is_read_straight_and_comes_back_as_it_was(swing: float, tmp_path: Path) -> None:
    starts = played(swing)
    ends = np.append(starts[1:], 16.0)
    found = melody_of(song(part(list(zip(starts, ends, PITCHES, strict=True)))), 0)
    assert [note.start_step for note in found.melody.notes] == list(range(0, 64, 2))
    assert found.layout.swing == pytest.approx(swing, abs=0.002)
    window = found.window(1, 2)
    write_in_a_row([Roll(window, feel=Feel.of(found, 1, 2))], tmp_path / "back.mid")
    back = read_midi(tmp_path / "back.mid").parts[0]
    assert np.allclose(back.starts, starts[8:24] - 4, atol=2 / 480)
    assert np.allclose(back.ends, ends[8:24] - 4, atol=2 / 480)
    assert read_melody(tmp_path / "back.mid").melody.notes == window.notes  # two bars are enough to hear it


@pytest.mark.parametrize(
    "onsets",
    [
        np.arange(0, 16, 0.5),  # eighths
        np.arange(0, 16, 0.25),  # sixteenths
        np.arange(0, 16, 1 / 3),  # triplets
        np.arange(0, 16, 2 / 3),  # triplets of quarters
        np.concatenate([np.arange(8.0), np.arange(8) + 0.75]),  # dotted eighths
        np.arange(16.0),
        np.array([0.66, 1.66]),  # too few to tell
    ],
)
def test_what_does_not_swing_is_left_alone(onsets: np.ndarray) -> None:
    assert find_swing(onsets) == 0.5


@given(st.lists(st.floats(0, 100), min_size=1, max_size=9), st.floats(0.5, 0.8))
def test_straightened_is_the_inverse_of_swung_and_keeps_beats_and_order(times: list[float], swing: float) -> None:
    quarters = np.sort(times)
    there = swung(quarters, swing)
    assert np.allclose(straightened(there, swing), quarters, atol=1e-9)
    assert (np.diff(there) >= -1e-9).all()
    assert swung(np.arange(5.0), swing).tolist() == [0, 1, 2, 3, 4]


def test_small_timing_and_loudness_come_back_and_are_guessed_for_new_notes() -> None:
    """Beats come early, off-beats late and softly; a note on another step takes the mean of its place in the beat."""
    starts = EIGHTHS + np.where(EIGHTHS % 1 == 0, -0.02, 0.03)
    starts[0] = 0.0
    piece = part([(start, start + 0.4, pitch) for start, pitch in zip(starts, PITCHES, strict=True)])
    piece.velocities[:] = np.where(EIGHTHS % 1 == 0, 110, 60)
    found = melody_of(song(piece), 0)
    feel = Feel.of(found, 0, 4)
    back = feel.play(found.melody)
    assert np.allclose([note.start_quarters for note in back], starts)
    assert np.allclose([note.end_quarters for note in back], starts + 0.4)
    assert [note.velocity for note in back] == piece.velocities.tolist()
    template = Feel.of(found, 0, 1)
    template.velocities[2] = template.offsets[2] = np.nan
    (guessed,) = template.play(Melody((MelodyNote(2, 4, 60),), 16))
    assert guessed.start_quarters == pytest.approx(0.53)
    assert guessed.velocity == 60


@given(melodies(), melodies(), st.floats(0.5, 0.8))
def test_notes_stay_in_order_and_apart_with_the_feel_of_any_other_melody(
    melody: Melody, other: Melody, swing: float
) -> None:
    steps, generator = max(other.length_steps, 1), np.random.default_rng(0)
    offsets, ends = (generator.uniform(-0.5, 0.5, count) for count in (steps, steps + 1))
    notes = Feel(swing, 4, offsets, ends, generator.uniform(1, 127, steps)).play(melody)
    assert len(notes) == len(melody.notes)
    assert all(0 <= note.start_quarters < note.end_quarters for note in notes)
    assert all(a.start_quarters < b.start_quarters for a, b in itertools.pairwise(notes))
    assert all(1 <= note.velocity <= 127 for note in notes)


def test_on_the_grid_only_loudness_and_a_swing_that_is_asked_for_stay() -> None:
    feel = Feel(0.66, 4, np.array([0.1, np.nan]), np.array([np.nan, 0.1, 0.2]), np.array([100, np.nan]))
    assert feel.is_audible
    assert not feel.on_the_grid().is_audible
    (note,) = feel.on_the_grid(0.62).play(Melody((MelodyNote(2, 4, 60),), 16))
    assert note == (0.62, 1.0, 60, 100)


def test_a_mixed_feel_is_the_mean_of_what_is_known_and_the_only_one_is_itself() -> None:
    nan = np.nan
    first = Feel(0.5, 4, np.array([0.0, nan, nan]), np.array([0.0, 0.2, nan]), np.array([60.0, nan, nan]), 90)
    other = Feel(0.66, 4, np.array([0.4, 0.1, nan]), np.array([0.4, nan, nan]), np.array([100.0, 50.0, nan]), 20)
    half = Feel.mixed([first, other], np.array([0.75, 0.25]))
    assert half.swing == pytest.approx(0.54)
    assert np.allclose(half.offsets, [0.1, 0.1, nan], equal_nan=True)
    assert np.allclose(half.end_offsets, [0.1, 0.2, nan], equal_nan=True)
    assert np.allclose(half.velocities, [70, 50, nan], equal_nan=True)
    end = Feel.mixed([first, other], np.array([0.0, 1.0]))
    assert (end.swing, end.velocities is other.velocities, end.volume) == (0.66, True, 90)


def test_a_feel_of_words() -> None:
    assert [parse_feel(text) for text in ("keep", "straight", "swing=0.62")] == [None, 0.5, 0.62]
    for text in ("swing", "swing=2", "swing=0.3", "swing=nan", "loose"):
        with pytest.raises(FeelError, match=r"there is no feel .*such as swing=0\.62"):
            parse_feel(text)


def test_without_a_feel_the_file_is_what_it_was(tmp_path: Path) -> None:
    melody = Melody((MelodyNote(0, 4, 60, 90), MelodyNote(4, 16, 62, 40)), 16)
    write_in_a_row([Roll(melody)], tmp_path / "grid.mid")
    notes = pretty_midi.PrettyMIDI(str(tmp_path / "grid.mid")).instruments[0].notes
    assert [(note.start, note.end, note.velocity) for note in notes] == [(0, 0.5, 90), (0.5, 2.0, 40)]


@pytest.mark.parametrize("late", [0.125, 0.08, 0.025, -0.05])
@pytest.mark.parametrize("unit", [0.5, 0.25])
def test_a_constant_delay_is_no_swing_and_comes_back_on_what_is_written(late: float, unit: float) -> None:
    starts = np.arange(32) * unit + 4
    plain = part([(start, start + unit, pitch) for start, pitch in zip(starts, PITCHES, strict=True)])
    moved = part([(start + late, start + late + unit, pitch) for start, pitch in zip(starts, PITCHES, strict=True)])
    there, found = melody_of(song(plain), 0), melody_of(song(moved), 0)
    assert (found.layout.swing, found.layout.delay_quarters) == (0.5, pytest.approx(late, abs=1e-4))
    assert (found.melody.notes, found.melody.bars) == (there.melody.notes, there.melody.bars)
    assert (found.moved_steps, found.lost_steps) == ((), ())
    assert "moved" not in found.description
    feel = Feel.of(found, 1, 1)
    assert feel.is_audible
    assert not feel.on_the_grid().is_audible
    back = [note.start_quarters for note in feel.play(found.window(1, 1))]
    assert np.allclose(back, np.maximum(starts[starts < 8] - 4 + late, 0))


def test_a_take_with_latency_and_small_timing_is_late() -> None:
    """30 ms at 120 quarters per minute, give or take 5 ms."""
    late = 0.06 + np.random.default_rng(0).normal(0, 0.01, 32)
    assert find_delay(EIGHTHS + late) == pytest.approx(0.06, abs=0.005)


def test_a_late_shuffle_is_both() -> None:
    assert Timing.of(played(0.66, 0.08)) == (pytest.approx(0.66, abs=0.002), pytest.approx(0.08, abs=0.002))
    assert Timing.of(played(0.66)) == (0.66, 0)


@pytest.mark.parametrize(
    "onsets",
    [
        np.arange(0, 16, 1 / 3),  # triplets
        np.concatenate([np.arange(8.0), np.arange(8) + 1 / 3]),
        np.sort(np.concatenate([np.arange(0, 16, 0.5), np.arange(8) + 0.125])),  # thirty-seconds among eighths
        np.arange(5) + 0.125,  # too few to tell
    ],
)
def test_triplets_ornaments_and_few_notes_make_no_delay(onsets: np.ndarray) -> None:
    assert Timing.of(onsets) == (0.5, 0)


def test_free_playing_is_told_with_its_share_and_written_rhythms_are_not() -> None:
    starts = np.cumsum(np.random.default_rng(0).uniform(0.3, 0.9, 40))
    found = melody_of(song(part([(start, start + 0.2, 60 + i % 7) for i, start in enumerate(starts)])), 0)
    share = len(found.moved_steps) / len(found.melody.notes)
    assert (
        f"played freely, without a click: its onsets lie anywhere against the beat, and {share:.0%}"
        in found.description
    )
    assert is_free(starts)
    for unit in (1 / 3, 1 / 4, 1 / 6, 1 / 8, 3 / 8):
        assert not is_free(np.arange(64) * unit)


@pytest.mark.parametrize("swing", [0.56, 0.6, 0.63])
def test_sixteenths_swing_too(swing: float) -> None:
    straight = np.sort(np.concatenate([np.arange(0, 16, 0.5), np.arange(16) + 0.25, np.arange(8) + 0.75]))
    assert find_swing(swung(straight, swing)) == pytest.approx(swing, abs=0.002)
    assert find_swing(straight) == 0.5

"""Keys of known melodies, and the shifts between keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.melodies.keys import Key, find_key, parse_tonic
from data_prep.melody import Melody

MAJOR_SCALE = np.array([0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0])
MINOR_SCALE = np.array([0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0])


@pytest.mark.parametrize("tonic", range(12))
def test_scales_that_end_on_the_tonic_are_recognised_in_every_key(tonic: int) -> None:
    durations = np.ones(len(MAJOR_SCALE))
    assert find_key(60 + tonic + MAJOR_SCALE, durations) == Key(tonic, is_minor=False)
    assert find_key(60 + tonic + MINOR_SCALE, durations) == Key(tonic, is_minor=True)


def test_the_key_is_what_music21_says_of_the_whole_melody() -> None:
    from music21 import corpus

    soprano = corpus.parse("bach/bwv66.6").parts[0].flatten()
    found = find_key(
        np.array([note.pitch.midi for note in soprano.notes]),
        np.array([float(note.quarterLength) for note in soprano.notes]),
    )
    says = soprano.analyze("key.temperley")
    assert found == Key(says.tonic.pitchClass, says.mode == "minor")
    assert str(found) == "F# minor"


def music21_key(durations: list[int]) -> Key:
    """The key that music21 finds of so many beats of each pitch class from C."""
    from music21 import note, stream

    notes: Any = stream.Stream()
    for pitch_class, quarters in enumerate(durations):
        if quarters:
            notes.append(note.Note(60 + pitch_class, quarterLength=float(quarters)))
    says = notes.analyze("key.temperley")
    return Key(int(says.tonic.pitchClass), says.mode == "minor")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=12).filter(any))
def test_the_key_is_music21s_of_any_durations_equal_ones_included(durations: list[int]) -> None:
    assert find_key(np.arange(60, 72), np.array(durations)) == music21_key(durations)


@pytest.mark.parametrize("durations", [[1] * 12, [1, 0, 0, 0] * 3, [1, 0] * 6, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]])
def test_chords_that_divide_the_octave_have_music21s_key(durations: list[int]) -> None:
    """All their keys correlate equally but for rounding."""
    assert find_key(np.arange(60, 72), np.array(durations)) == music21_key(durations)


def test_the_example_tunes_have_music21s_keys() -> None:
    tunes = sorted((Path(__file__).parents[3] / "examples" / "tunes").glob("*.mid"))
    assert len(tunes) >= 2
    for tune in tunes:
        line = Melody.from_midi(tune).line
        sounding = np.bincount(line[:, 2] % 12, weights=line[:, 1] - line[:, 0], minlength=12)
        assert find_key(line[:, 2], line[:, 1] - line[:, 0]) == music21_key([int(steps) for steps in sounding])


def test_finding_a_key_does_not_import_music21() -> None:
    code = (
        "import sys, numpy as np; from data_prep.melodies.keys import find_key; "
        "find_key(np.array([60]), np.array([1])); assert 'music21' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_notes_have_no_key() -> None:
    assert find_key(np.array([], np.int64), np.array([])) is None


@given(st.integers(0, 11), st.booleans(), st.integers(0, 11))
def test_a_shift_is_the_smallest_that_reaches_the_key(tonic: int, is_minor: bool, target: int) -> None:
    key = Key(tonic, is_minor)
    shift = key.shift_to(target)
    assert -5 <= shift <= 6
    assert (tonic + shift) % 12 == ((target - 3) % 12 if is_minor else target)


@pytest.mark.parametrize(("name", "pitch_class"), [("C", 0), ("f#", 6), ("Bb", 10), ("E-", 3), ("Cb", 11)])
def test_names_of_keys(name: str, pitch_class: int) -> None:
    assert parse_tonic(name) == pitch_class


@pytest.mark.parametrize("name", ["", "H", "C##", "major"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no key; give one such as C"):
        parse_tonic(name)

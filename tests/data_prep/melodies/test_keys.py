"""Keys of known melodies, and the shifts between keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.melodies.keys import Key, find_key, parse_tonic

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
    says = soprano.analyze("key.krumhansl")
    assert found == Key(says.tonic.pitchClass, says.mode == "minor")
    assert str(found) == "F# minor"


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

"""Keys of known melodies, and the shifts between keys."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodyvae.music.keys import Key, find_key, key_of_piece, parse_tonic
from melodyvae.music.melody import Melody
from melodyvae.music.notes import KeySignature, Part
from tests.reading.smf import part, song

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
    tunes = sorted((Path(__file__).parents[2] / "examples" / "tunes").glob("*.mid"))
    assert len(tunes) >= 2
    for tune in tunes:
        line = Melody.from_midi(tune).line
        sounding = np.bincount(line[:, 2] % 12, weights=line[:, 1] - line[:, 0], minlength=12)
        assert find_key(line[:, 2], line[:, 1] - line[:, 0]) == music21_key([int(steps) for steps in sounding])


def test_finding_a_key_does_not_import_music21() -> None:
    code = (
        "import sys, numpy as np; from melodyvae.music.keys import find_key; "
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
    with pytest.raises(ValueError, match="is not a key; give one such as C"):
        parse_tonic(name)


C_MINOR_TUNE = part(
    [(beat, beat + 1.0, pitch) for beat, pitch in enumerate((60, 62, 63, 65, 67, 68, 71, 72, 67, 63, 60))]
)


def key_with(signatures: tuple[KeySignature, ...], *parts: Part) -> Key | None:
    return key_of_piece(replace(song(*parts), key_signatures=signatures), 0)


def test_a_signature_that_the_notes_do_not_contradict_is_the_key() -> None:
    tune = part([(beat, beat + 1.0, pitch) for beat, pitch in enumerate((69, 73, 76, 69, 71, 73, 74, 66, 64, 69))])
    assert key_with((), tune) == Key(9, is_minor=False)  # in D major, too, as there is no G
    assert key_with((KeySignature(0.0, 2),), tune) == Key(2, is_minor=False)
    assert key_with((KeySignature(0.0, 2, is_minor=True),), tune) == Key(11, is_minor=True)
    assert key_with((KeySignature(0.0, -4),), tune) == Key(9, is_minor=False)  # they do


def test_c_major_is_no_signature_but_the_default() -> None:
    assert key_with((KeySignature(0.0, 0),), C_MINOR_TUNE) == Key(0, is_minor=True)


def test_the_mode_of_a_signature_in_major_is_that_of_the_notes() -> None:
    assert key_with((KeySignature(0.0, -3),), C_MINOR_TUNE) == Key(0, is_minor=True)


def test_of_several_signatures_the_one_of_most_notes_counts() -> None:
    tune = part([(beat, beat + 1.0, 62 + (beat % 2) * 2) for beat in range(10)])
    assert key_with((KeySignature(0.0, 1), KeySignature(3.0, 2)), tune) in (Key(2, False), Key(11, True))
    assert key_with((KeySignature(0.0, 1), KeySignature(8.0, 2)), tune) in (Key(7, False), Key(4, True))


def test_all_pitched_parts_say_the_key_and_drums_none() -> None:
    lead = part([(0, 1, 67), (1, 2, 69)])
    chords = part([(0, 8, pitch) for pitch in (51, 55, 58, 56, 60, 63)])
    drums = part([(beat / 4, beat / 4 + 4.0, pitch) for beat in range(99) for pitch in (42, 45, 49)], is_drum=True)
    assert key_with((), lead, chords, drums) == key_with((), lead, chords) == Key(3, is_minor=False)
    assert key_with((), drums) is None

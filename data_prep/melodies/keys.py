"""The key of a melody, by music21's Krumhansl-Schmuckler analysis, and the shift that brings it to another.

"Cognitive Foundations of Musical Pitch" (Krumhansl, 1990), chapter 4: the key whose profile correlates best with how
long each pitch class sounds. music21 is imported only when a key is asked for.

Contents: :class:`Key`, :func:`find_key`, :func:`parse_tonic`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PITCH_CLASS_NAMES = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B")
TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"": 0, "#": 1, "b": -1, "-": -1}
MINOR_BELOW_MAJOR = 3  # semitones from a major tonic down to that of its relative minor


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class, C is 0) and a mode."""

    tonic: int
    is_minor: bool

    def __str__(self) -> str:
        return f"{PITCH_CLASS_NAMES[self.tonic].replace('-', 'b')} {'minor' if self.is_minor else 'major'}"

    @property
    def major_tonic(self) -> int:
        """The tonic of the major key with the same notes."""
        return (self.tonic + MINOR_BELOW_MAJOR * self.is_minor) % 12

    def shift_to(self, major_tonic: int) -> int:
        """The semitones, -5 to 6, that bring it to that major key or to the relative minor of it."""
        return (major_tonic - self.major_tonic + 5) % 12 - 5


def find_key(pitches: np.ndarray, durations: np.ndarray) -> Key | None:
    """The key of notes by MIDI pitch ``(N,)`` and duration ``(N,)``, in any unit; None of no notes."""
    from music21 import note, stream

    if not len(pitches):
        return None
    sounding = np.bincount(np.asarray(pitches) % 12, weights=durations, minlength=12)
    # The analysis looks at pitch classes only, so one note for each, as long as all of that class, says the same.
    gathered: Any = stream.Stream()
    for pitch_class in np.flatnonzero(sounding):
        gathered.append(note.Note(int(pitch_class) + 60, quarterLength=float(sounding[pitch_class])))
    found = gathered.analyze("key.krumhansl")
    return Key(int(found.tonic.pitchClass), found.mode == "minor")


def parse_tonic(name: str) -> int:
    """The pitch class of a name such as C, F# or Bb.

    Raises:
        ValueError: if it is none.
    """
    letter, accidental = name[:1].upper(), name[1:]
    if letter not in TONICS or accidental not in ACCIDENTALS:
        raise ValueError(f"{name!r} is no key; give one such as C, F# or Bb")
    return (TONICS[letter] + ACCIDENTALS[accidental]) % 12

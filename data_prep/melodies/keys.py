"""The key of a melody by the Krumhansl-Schmuckler analysis, and the shift that brings it to another.

"Cognitive Foundations of Musical Pitch" (Krumhansl, 1990), chapter 4: the key whose profile correlates best with how
long each pitch class sounds. The profiles, the order of summation and the choice among equals are those of music21
(https://www.music21.org, ``analysis.discrete.KrumhanslSchmuckler``), so that the keys are the same as music21's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from data_prep.melody import Melody

PITCH_CLASS_NAMES = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B")
TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"": 0, "#": 1, "b": -1, "-": -1}
MINOR_BELOW_MAJOR = 3  # semitones from a major tonic down to that of its relative minor
# How well each pitch class fits a key, from the tonic up; Krumhansl and Kessler's ratings by listeners.
MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class, C is 0) and a mode."""

    tonic: int
    is_minor: bool

    def __str__(self) -> str:
        return f"{PITCH_CLASS_NAMES[self.tonic].replace('-', 'b')} {'minor' if self.is_minor else 'major'}"

    @property
    def short(self) -> str:
        """As musicians write it in a file's name: ``C``, ``Am``, ``F#m``."""
        return f"{str(self).split()[0]}{'m' if self.is_minor else ''}"

    @property
    def major_tonic(self) -> int:
        """The tonic of the major key with the same notes."""
        return (self.tonic + MINOR_BELOW_MAJOR * self.is_minor) % 12

    @property
    def triad(self) -> tuple[int, int, int]:
        """The pitch classes of its tonic triad, from the tonic up."""
        return self.tonic, (self.tonic + 4 - self.is_minor) % 12, (self.tonic + 7) % 12

    def transposed(self, semitones: int) -> Key:
        """The same on another tonic."""
        return Key((self.tonic + semitones) % 12, self.is_minor)

    def shift_to(self, major_tonic: int) -> int:
        """The semitones, -5 to 6, that bring it to that major key or to the relative minor of it."""
        return (major_tonic - self.major_tonic + 5) % 12 - 5


def key_of(melody: Melody) -> Key | None:
    """The key of a melody; None of one without notes."""
    line = melody.line
    return find_key(line[:, 2], line[:, 1] - line[:, 0])


def find_key(pitches: np.ndarray, durations: np.ndarray) -> Key | None:
    """The key of notes by MIDI pitch ``(N,)`` and duration ``(N,)``, in any unit; None of no notes.

    Of keys that correlate equally the one with the higher tonic is taken, and of one tonic minor.
    """
    if not len(pitches):
        return None
    sounding = np.bincount(np.asarray(pitches) % 12, weights=durations, minlength=12)
    found = [
        (float(correlation), tonic, is_minor)
        for is_minor, profile in ((False, MAJOR_PROFILE), (True, MINOR_PROFILE))
        for tonic, correlation in enumerate(_correlations(sounding, np.array(profile)))
    ]
    _, tonic, is_minor = max(found)
    return Key(tonic, is_minor)


def _correlations(sounding: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """The correlation of durations by pitch class ``(12,)`` with a profile on each of the tonics, ``(12,)``; 0 of a
    uniform one.
    """
    of_notes = sounding - sum(sounding.tolist()) / 12
    of_profile = profile - sum(profile.tolist()) / 12
    tonics = np.arange(12)
    products, squares_of_profile, squares_of_notes = np.zeros(12), np.zeros(12), np.zeros(12)
    for pitch_class in range(12):  # one after the other, so that rounding, and with it the choice, is music21's
        expected = of_profile[(pitch_class - tonics) % 12]
        products += expected * of_notes[pitch_class]
        squares_of_profile += expected * expected
        squares_of_notes += of_notes[pitch_class] * of_notes[pitch_class]
    norms = np.sqrt(squares_of_profile * squares_of_notes)
    return np.divide(products, norms, out=np.zeros(12), where=norms > 0)


def parse_tonic(name: str) -> int:
    """The pitch class of a name such as C, F# or Bb.

    Raises:
        ValueError: if it is none.
    """
    letter, accidental = name[:1].upper(), name[1:]
    if letter not in TONICS or accidental not in ACCIDENTALS:
        raise ValueError(f"{name!r} is no key; give one such as C, F# or Bb")
    return (TONICS[letter] + ACCIDENTALS[accidental]) % 12

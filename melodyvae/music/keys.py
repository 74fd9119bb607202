"""The key of notes, of a melody and of a piece, and the shift that brings it to another.

Notes: the analysis of Krumhansl and Schmuckler ("Cognitive Foundations of Musical Pitch", Krumhansl, 1990, chapter 4):
the key whose profile correlates best with how long each pitch class sounds. The profiles are Temperley's from the
Kostka-Payne corpus ("Music and Probability", Temperley, 2007, chapter 6). They, the order of summation and the choice
among equals are those of music21 (https://www.music21.org, ``analysis.discrete.TemperleyKostkaPayne``), so that the
keys are the same as music21's. Table of agreement with key signatures: ``docs/songs.md``.

Pieces: the file's own signature unless its notes contradict it, else the notes of all pitched parts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from melodyvae.music.notes import SEMITONES, TIME_RESOLUTION, KeySignature, Song

if TYPE_CHECKING:
    from melodyvae.music.melody import Melody

PITCH_CLASS_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
ACCIDENTALS = {"": 0, "#": 1, "b": -1, "-": -1}
MINOR_BELOW_MAJOR = 3  # semitones from a major tonic down to that of its relative minor
# The share of segments of pieces in a key in which each pitch class is present, from the tonic up.
MAJOR_PROFILE = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
MINOR_PROFILE = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
NONE = np.zeros(12)
MAX_CONTRADICTION = 0.1  # of the sounding time, which the scale of a signature holds less than that of the notes' key


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class, C is 0) and a mode."""

    tonic: int
    is_minor: bool

    def __str__(self) -> str:
        return f"{PITCH_CLASS_NAMES[self.tonic]} {'minor' if self.is_minor else 'major'}"

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

    @property
    def fifths(self) -> int:
        """Its key signature: sharps (above 0) or flats (below 0), -5 to 6."""
        return (7 * self.major_tonic + 5) % 12 - 5

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


def key_of_piece(song: Song, part_index: int) -> Key | None:
    """The key of a piece: its signature's if its notes agree, else its notes'; None if it has none but drums.

    The mode of a signature in major, which is what programs write by default, is that of the notes.

    Args:
        song: the piece.
        part_index: the part, from 0, whose notes choose among several signatures.
    """
    sounding = sum((_sounding(part.pitches, part.ends - part.starts) for part in song.parts if not part.is_drum), NONE)
    key = _best_key(sounding, range(12))
    if key is None or not says_a_key(song.key_signatures):
        return key
    starts = [signature.start_quarters for signature in song.key_signatures]
    in_force = np.searchsorted(starts, song.parts[part_index].starts + TIME_RESOLUTION, "right") - 1
    signature = song.key_signatures[int(np.bincount(np.maximum(in_force, 0)).argmax())]
    major_tonic = 7 * signature.fifths % 12
    if _share_in_scale(sounding, key.major_tonic) - _share_in_scale(sounding, major_tonic) > MAX_CONTRADICTION:
        return key
    if signature.is_minor:
        return Key((major_tonic - MINOR_BELOW_MAJOR) % 12, is_minor=True)
    return _best_key(sounding, [major_tonic])


def says_a_key(signatures: Sequence[KeySignature]) -> bool:
    """Whether signatures say more than C major, which programs write where nobody chose a key."""
    return any(signature.fifths or signature.is_minor for signature in signatures)


def find_key(pitches: np.ndarray, durations: np.ndarray) -> Key | None:
    """The key of notes by MIDI pitch ``(N,)`` and duration ``(N,)``, in any unit; None without notes.

    Among keys that correlate equally the highest tonic wins, then minor.
    """
    return _best_key(_sounding(pitches, durations), range(12))


def _sounding(pitches: np.ndarray, durations: np.ndarray) -> np.ndarray:
    """Total duration of each pitch class, ``(12,)``."""
    return np.bincount(np.asarray(pitches) % 12, weights=durations, minlength=12)


def _best_key(sounding: np.ndarray, major_tonics: Collection[int]) -> Key | None:
    """The key that durations by pitch class ``(12,)`` correlate best with, of major keys and their relative minors."""
    if not sounding.any():
        return None
    correlated_keys = [
        (float(correlation), tonic, is_minor)
        for is_minor, profile in ((False, MAJOR_PROFILE), (True, MINOR_PROFILE))
        for tonic, correlation in enumerate(_correlations(sounding, np.array(profile)))
        if Key(tonic, is_minor).major_tonic in major_tonics
    ]
    _, tonic, is_minor = max(correlated_keys)
    return Key(tonic, is_minor)


def _share_in_scale(sounding: np.ndarray, major_tonic: int) -> float:
    """The share of durations by pitch class ``(12,)`` in a major scale, which is that of the relative minor, too."""
    return float(sounding[(np.array(MAJOR_SCALE) + major_tonic) % 12].sum() / sounding.sum())


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
    if letter not in SEMITONES or accidental not in ACCIDENTALS:
        raise ValueError(f"{name!r} is not a key; give one such as C, F# or Bb")
    return (SEMITONES[letter] + ACCIDENTALS[accidental]) % 12

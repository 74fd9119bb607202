"""Scales by name, such as ``G:major``, and the tokens that keep a melody in one.

Conventions: pitch classes are 0..11 with C 0; a scale's steps are semitones above its tonic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from data_prep.errors import UserError
from data_prep.melodies.keys import parse_tonic
from data_prep.tokens import FIRST_NOTE_ON, Vocabulary

SCALES: dict[str, frozenset[int]] = {
    "major": frozenset({0, 2, 4, 5, 7, 9, 11}),
    "minor": frozenset({0, 2, 3, 5, 7, 8, 10}),  # natural
    "harmonic-minor": frozenset({0, 2, 3, 5, 7, 8, 11}),
    "dorian": frozenset({0, 2, 3, 5, 7, 9, 10}),
    "phrygian": frozenset({0, 1, 3, 5, 7, 8, 10}),
    "lydian": frozenset({0, 2, 4, 6, 7, 9, 11}),
    "mixolydian": frozenset({0, 2, 4, 5, 7, 9, 10}),
    "pentatonic": frozenset({0, 2, 4, 7, 9}),
    "minor-pentatonic": frozenset({0, 3, 5, 7, 10}),
    "blues": frozenset({0, 3, 5, 6, 7, 10}),
    "whole-tone": frozenset({0, 2, 4, 6, 8, 10}),
}


class ScaleError(UserError, ValueError):
    """A name is not one of a scale."""


@dataclass(frozen=True)
class Scale:
    """A tonic (pitch class) and the name of a kind in :data:`SCALES`."""

    tonic: int
    kind: str = "major"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The scale of a name such as ``G:major`` or ``F#:dorian``; ``G`` alone is major.

        Raises:
            ScaleError: if the tonic or the kind is unknown.
        """
        tonic, _, kind = name.strip().partition(":")
        kind = kind.lower() or "major"
        if kind not in SCALES:
            raise ScaleError(f"there is no scale {kind!r}; choose one of {', '.join(SCALES)}, as in G:major")
        try:
            return cls(parse_tonic(tonic), kind)
        except ValueError as error:
            raise ScaleError(f"{name!r} is no scale: {error}; a scale is given as in G:major or F#:dorian") from error

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The notes in it."""
        return frozenset((self.tonic + step) % 12 for step in SCALES[self.kind])

    def __contains__(self, pitch: int) -> bool:
        """Whether a MIDI pitch lies in it, in whatever octave."""
        return pitch % 12 in self.pitch_classes

    def allowed_tokens(self, vocabulary: Vocabulary) -> np.ndarray:
        """Whether each token may come, booleans ``(V,)``: all but the note ons outside the scale."""
        pitches = np.arange(vocabulary.size) - FIRST_NOTE_ON + vocabulary.lowest_pitch
        return (np.arange(vocabulary.size) < FIRST_NOTE_ON) | np.isin(pitches % 12, list(self.pitch_classes))

"""What plays under a melody: the pitch classes that sound at each step, and the scale that they are in.

Conventions: T steps; pitch classes are 0..11 with C 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.reading.notes import Part
from data_prep.tokens import FIRST_NOTE_ON, Vocabulary
from melodyvae.generation.scales import Scale, best_scale

CHORD_NOTE_BONUS = 1.5  # nats by which a note of the chord is preferred on a beat
SOUNDING_SHARE = 0.5  # of a step that a pitch class must sound for


@dataclass(frozen=True)
class Harmony:
    """The pitch classes under a melody.

    Attributes:
        sounding: whether each pitch class sounds at each step, booleans ``(T, 12)``.
        weights: for how many steps each pitch class sounds in all, ``(12,)``, in each part anew.
        steps_per_quarter: the grid.
    """

    sounding: np.ndarray
    weights: np.ndarray
    steps_per_quarter: int

    @classmethod
    def of(cls, parts: Sequence[Part], steps: int, steps_per_quarter: int) -> Harmony | None:
        """The harmony of parts whose times are quarters from step 0; None if nothing but drums plays."""
        overlap = np.zeros((steps, 12))
        weights = np.zeros(12)
        grid = np.arange(steps)
        for part in parts:
            if part.is_drum:
                continue
            starts, ends = part.starts * steps_per_quarter, part.ends * steps_per_quarter
            for start, end, pitch in zip(starts, ends, part.pitches, strict=True):
                shared = np.clip(np.minimum(end, grid + 1) - np.maximum(start, grid), 0, 1)
                overlap[:, int(pitch) % 12] += shared
                weights[int(pitch) % 12] += shared.sum()
        if not weights.any():
            return None
        return cls(overlap >= SOUNDING_SHARE, weights, steps_per_quarter)

    @property
    def scale(self) -> Scale:
        """The major or harmonic minor scale that holds most of it."""
        return best_scale(self.weights)

    def bonus(self, vocabulary: Vocabulary) -> np.ndarray:
        """What is added to the logits of the notes of the chord on each beat, ``(T, V)``."""
        pitches = np.arange(vocabulary.size) - FIRST_NOTE_ON + vocabulary.lowest_pitch
        in_chord = self.sounding[:, pitches % 12] & (np.arange(vocabulary.size) >= FIRST_NOTE_ON)
        on_beat = np.arange(len(self.sounding)) % self.steps_per_quarter == 0
        return np.where(in_chord & on_beat[:, None], CHORD_NOTE_BONUS, 0.0)

"""The harmony under a melody: the pitch classes that sound at each step, and their scale.

The first tune of a walk is played over its own accompaniment and stays as it is. All other tunes keep to the scale of
the accompaniment. If no scale holds nine tenths of the accompaniment, because it modulates or is chromatic, a step may
also use the pitch classes that sound there.

Conventions: T steps; V tokens; pitch classes are 0..11 with C 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from melodyvae.music.arrangement import HIGHEST_MIDI_PITCH, transposed
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody
from melodyvae.music.notes import Part
from melodyvae.music.scales import (
    PIECE_WEIGHT,
    Scale,
    best_scale,
    nearest_degree,
    shift_to_scale,
    weights_of,
)
from melodyvae.music.tokens import FIRST_NOTE_ON, VOCABULARY_SIZE, pitches_of

CHORD_NOTE_BONUS = 1.5  # nats by which a note of the chord is preferred on a beat
SOUNDING_SHARE = 0.5  # of a step that a pitch class must sound for
SCALE_SHARE = 0.9  # of what sounds must lie in a scale that it is said to have
TUNE_WEIGHT = 0.03  # of the tune's notes against those of the accompaniment, where that leaves its scale open


@dataclass(frozen=True)
class Harmony:
    """The pitch classes under a melody.

    Attributes:
        sounding: whether each pitch class sounds at each step, booleans ``(T, 12)``.
        weights: for how many steps each pitch class sounds in all, ``(12,)``, in each part anew.
        steps_per_quarter: the grid.
        tune: how many notes of each pitch class the tune has that it belongs to, ``(12,)``; None if it is unknown.
    """

    sounding: np.ndarray
    weights: np.ndarray
    steps_per_quarter: int
    tune: np.ndarray | None = None

    @classmethod
    def of(
        cls, parts: Sequence[Part], steps: int, steps_per_quarter: int, tune: np.ndarray | None = None
    ) -> Harmony | None:
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
        return cls(overlap >= SOUNDING_SHARE, weights, steps_per_quarter, tune)

    @cached_property
    def scale(self) -> Scale:
        """The major or harmonic minor scale that holds most of it; a bare fifth leaves that to the tune."""
        weights = self.weights / self.weights.sum()
        if self.tune is not None:
            weights = weights + TUNE_WEIGHT * self.tune / max(self.tune.sum(), 1)
        return best_scale(weights)

    def padded(self, steps: int) -> Harmony:
        """The same with silence up to ``steps``."""
        silence = np.zeros((max(steps - len(self.sounding), 0), 12), bool)
        return replace(self, sounding=np.concatenate([self.sounding, silence]))

    @cached_property
    def allowed(self) -> np.ndarray:
        """The pitch classes that go with it at each step, booleans ``(T, 12)``."""
        in_scale = np.isin(np.arange(12), list(self.scale.pitch_classes))
        has_scale = self.weights[in_scale].sum() >= SCALE_SHARE * self.weights.sum()
        return np.broadcast_to(in_scale, self.sounding.shape) if has_scale else self.sounding | in_scale

    def allowed_tokens(self) -> np.ndarray:
        """The tokens that go with it at each step, booleans ``(T, V)``."""
        tokens = np.arange(VOCABULARY_SIZE)
        return np.asarray((tokens < FIRST_NOTE_ON) | self.allowed[:, pitches_of(tokens) % 12])

    def fitted(self, melody: Melody, key: Key | None = None) -> tuple[Melody, int]:
        """A melody of T steps whose other notes are on the nearest degrees of the scale, and how many these are.

        Args:
            melody: in the key in which it fits best.
            key: of the piece that it is from, in that key; by default that of the scale.
        """
        own = Scale(key.tonic, "minor" if key.is_minor else "major") if key else self.scale
        notes = [
            note
            if self.allowed[note.start_step, note.pitch % 12]
            else note._replace(pitch=nearest_degree(note.pitch, own, self.scale))
            for note in melody.notes
        ]
        moved = sum(note.pitch != before.pitch for note, before in zip(notes, melody.notes, strict=True))
        return replace(melody, notes=tuple(notes)), moved

    def bonus(self) -> np.ndarray:
        """Bonus on the logits of the chord's notes on each beat, ``(T, V)``."""
        tokens = np.arange(VOCABULARY_SIZE)
        in_chord = self.sounding[:, pitches_of(tokens) % 12] & (tokens >= FIRST_NOTE_ON)
        on_beat = np.arange(len(self.sounding)) % self.steps_per_quarter == 0
        return np.where(in_chord & on_beat[:, None], CHORD_NOTE_BONUS, 0.0)


def harmony_under(parts: Sequence[Part], tune: Melody, piece: np.ndarray) -> Harmony | None:
    """The harmony of what plays under a tune, from a piece with so many notes of each pitch class, ``(12,)``."""
    weights = weights_of(tune) / max(len(tune.notes), 1) + PIECE_WEIGHT * piece / max(piece.sum(), 1)
    return Harmony.of(parts, tune.length_steps, tune.steps_per_quarter, weights)


def parts_in_scale(parts: Sequence[Part], tune: Melody, scale: Scale, key: Key | None) -> tuple[Part, ...]:
    """The parts under a tune, transposed like the tune from ``key`` to ``scale``; drums stay."""
    shift = shift_to_scale(tune, scale, key)
    own = Scale(key.tonic, "minor" if key.is_minor else "major").transposed(shift) if key else scale
    nearest = np.array([nearest_degree(pitch, own, scale) for pitch in range(HIGHEST_MIDI_PITCH + 1)])
    moved = nearest.clip(0, HIGHEST_MIDI_PITCH)
    return tuple(
        part if part.is_drum else replace(part, pitches=moved[part.pitches]) for part in transposed(parts, shift)
    )

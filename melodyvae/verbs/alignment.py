"""Several tunes brought into one key and register, and what is made of them brought to the key and tempo asked for.

Conventions: shifts are in semitones, up is above 0; the first tune stays where it is, and the others move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from melodyvae.music.harmony import Harmony
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody
from melodyvae.music.notes import OCTAVE
from melodyvae.music.scales import (
    Scale,
    ScaleChoice,
    moved_to_scale,
    parse_key,
    parse_tempo,
    share_outside,
    weights_of,
)
from melodyvae.music.tokens import HIGHEST_PITCH, LOWEST_PITCH, folded
from melodyvae.verbs.facts import Fact, Moved, MovedToScale


@dataclass(frozen=True)
class KeyAndTempo:
    """The key and the tempo of what is made of some tunes, when they are in the key and register of the first.

    Attributes:
        key: that is asked for: ``a``, ``b``, ``glide``, ``none`` or a key.
        tempo: that is asked for: ``a``, ``b``, ``glide`` or a number.
        shifts: by how much each tune was moved.
        of_first: the key of the first tune; None if it is unknown.
        tempi: of each tune, in quarters per minute.
    """

    key: str
    tempo: str | float
    shifts: tuple[int, ...]
    of_first: Key | None
    tempi: tuple[float, ...]

    def shift(self, shares: np.ndarray) -> int:
        """By how much a melody with ``shares`` ``(tunes,)`` of the tunes, adding up to 1, is to be moved.

        A key that glides does so semitone by semitone and the register by whole octaves, so that tunes in one key stay
        in it.
        """
        plan = parse_key(self.key)
        if isinstance(plan, Key):
            return self.of_first.shift_to(plan.major_tonic) if self.of_first else 0
        if plan == "glide":
            octaves = np.round(np.array(self.shifts) / OCTAVE)
            in_key = np.array(self.shifts) - OCTAVE * octaves
            return round(-float(shares @ in_key)) - OCTAVE * round(float(shares @ octaves))
        return -within_octave(self.shifts[1]) if plan == "b" and len(self.shifts) > 1 else 0

    def pace(self, shares: np.ndarray) -> float:
        """The tempo of a melody with ``shares`` of the tunes, in quarters per minute."""
        plan = parse_tempo(self.tempo)
        if plan == "glide":
            return float(math.prod(tempo**share for tempo, share in zip(self.tempi, shares.tolist(), strict=True)))
        return plan if isinstance(plan, float) else self.tempi[min("ab".index(plan), len(self.tempi) - 1)]

    def placed(self, melody: Melody, shares: np.ndarray) -> Melody:
        """A melody with ``shares`` of the tunes in its key and tempo, by octaves in the vocabulary's range."""
        shift = self.shift(shares)
        pitches = [note.pitch for note in melody.notes] or [60]
        while max(pitches) + shift > HIGHEST_PITCH:
            shift -= OCTAVE
        while min(pitches) + shift < LOWEST_PITCH:
            shift += OCTAVE
        moved = folded(melody.transpose(shift))
        return replace(moved, quarters_per_minute=self.pace(shares))


@dataclass(frozen=True)
class AlignedTunes:
    """Tunes in the key and register of the first.

    Attributes:
        melodies: the tunes, moved.
        plan: the key and the tempo of what is made of them.
        decisions: how they were moved.
    """

    melodies: tuple[Melody, ...]
    plan: KeyAndTempo
    decisions: tuple[Fact, ...] = ()

    @classmethod
    def of(
        cls,
        tunes: Sequence[Melody],
        keys: Sequence[Key | None],
        key: str = "a",
        tempo: str | float = "a",
        scale: Scale | ScaleChoice = "auto",
    ) -> Self:
        """The tunes, whose pieces are in ``keys``; left where they are if the ``key`` asked for is ``none``.

        With a scale, all are moved to it first.
        """
        tunes, keys, decisions = tunes_in_scale(tunes, keys, scale)
        shifts = [0] * len(tunes)
        if parse_key(key) != "none":
            shifts[1:] = [
                shift_to(tunes[0], tune, keys[0], own) or 0 for tune, own in zip(tunes[1:], keys[1:], strict=True)
            ]
        labels = zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", shifts, strict=False)
        decisions += [Moved(label, shift) for label, shift in labels if shift]
        moved = tuple(tune.transpose(shift) for tune, shift in zip(tunes, shifts, strict=True))
        tempi = tuple(tune.quarters_per_minute for tune in tunes)
        return cls(moved, KeyAndTempo(key, tempo, tuple(shifts), keys[0], tempi), tuple(decisions))


def tunes_in_scale(
    tunes: Sequence[Melody], keys: Sequence[Key | None], scale: Scale | ScaleChoice, labels: tuple[str, ...] = ()
) -> tuple[Sequence[Melody], Sequence[Key | None], list[Fact]]:
    """The tunes, whose pieces are in ``keys``, moved to a scale; their keys then; and that they were moved.

    Without a scale they stay. ``labels`` are what the tunes are called; none stands for all.
    """
    if not isinstance(scale, Scale):
        return tunes, keys, []
    moved = [moved_to_scale(tune, scale, own) for tune, own in zip(tunes, keys, strict=True)]
    return moved, [scale.key] * len(moved), [MovedToScale(scale, labels)]


def shift_to(
    start: Melody,
    end: Melody,
    of_start: Key | None,
    of_end: Key | None,
    harmony: Harmony | None = None,
) -> int | None:
    """The shift that brings ``end`` into the key and near the register of ``start``; None if it would leave the range.

    With a harmony, into the key in which it fits that best.
    """
    if not start.notes or not end.notes:
        return 0
    in_key = of_end.shift_to(of_start.major_tonic) if of_start and of_end else 0
    if harmony is not None:
        between, weights = in_key, weights_of(end)
        in_key = min(
            range(-5, 7),
            key=lambda by: (round(share_outside(np.roll(weights, by), harmony.scale), 6), by != between, abs(by)),
        )
    octaves = round((_mean_pitch(start) - _mean_pitch(end) - in_key) / OCTAVE)
    lowest = min(note.pitch for note in end.notes) + in_key
    highest = max(note.pitch for note in end.notes) + in_key
    while lowest + OCTAVE * octaves < LOWEST_PITCH:
        octaves += 1
    while highest + OCTAVE * octaves > HIGHEST_PITCH:
        octaves -= 1
    if lowest + OCTAVE * octaves < LOWEST_PITCH:
        return None
    return in_key + OCTAVE * octaves


def within_octave(semitones: int) -> int:
    """The shift from -5 to 6 to the same pitch classes."""
    return (semitones + 5) % OCTAVE - 5


def _mean_pitch(melody: Melody) -> float:
    return float(np.mean([note.pitch for note in melody.notes]))

"""Several tunes brought into one key and register, and what is made of them brought to the key and tempo asked for.

Conventions: shifts are in semitones, up is above 0; the first tune stays where it is, and the others move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from melodyvae.music.harmony import Harmony
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody
from melodyvae.music.scales import (
    Scale,
    ScaleChoice,
    moved_to_scale,
    parse_key,
    parse_tempo,
    share_outside,
    weights_of,
)
from melodyvae.music.tokens import Vocabulary
from melodyvae.verbs.facts import Fact, Moved, MovedToScale

OCTAVE = 12


@dataclass(frozen=True)
class AlignedTunes:
    """Tunes in the key and register of the first.

    Attributes:
        melodies: the tunes, moved.
        shifts: by how much each was moved.
        key: of the first.
        tempi: of each, in quarters per minute.
        decisions: how.
    """

    melodies: tuple[Melody, ...]
    shifts: tuple[int, ...]
    key: Key | None
    tempi: tuple[float, ...]
    decisions: tuple[Fact, ...] = ()

    @classmethod
    def of(
        cls,
        vocabulary: Vocabulary,
        tunes: Sequence[Melody],
        keys: Sequence[Key | None],
        plan: str = "a",
        scale: Scale | ScaleChoice = "auto",
    ) -> Self:
        """The tunes, whose pieces are in ``keys``; left where they are if ``plan`` is ``none``.

        With a scale, all are moved to it first.
        """
        decisions: list[Fact] = []
        if isinstance(scale, Scale):
            tunes = [moved_to_scale(tune, scale, key) for tune, key in zip(tunes, keys, strict=True)]
            keys = [scale.key] * len(tunes)
            decisions.append(MovedToScale(scale))
        shifts = [0] * len(tunes)
        if parse_key(plan) != "none":
            shifts[1:] = [
                shift_to(vocabulary, tunes[0], tune, keys[0], key) or 0
                for tune, key in zip(tunes[1:], keys[1:], strict=True)
            ]
        for label, shift in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", shifts, strict=False):
            if shift:
                decisions.append(Moved(label, shift))
        moved = tuple(tune.transpose(shift) for tune, shift in zip(tunes, shifts, strict=True))
        tempi = tuple(tune.quarters_per_minute for tune in tunes)
        return cls(moved, tuple(shifts), keys[0], tempi, tuple(decisions))

    def placed(
        self, vocabulary: Vocabulary, melody: Melody, shares: np.ndarray, key: str, tempo: str | float
    ) -> Melody:
        """A melody with ``shares`` ``(tunes,)`` of the tunes in the key and tempo that are asked for."""
        plan, pace = parse_key(key), parse_tempo(tempo)
        if isinstance(plan, Key):
            back = self.key.shift_to(plan.major_tonic) if self.key else 0
        elif plan == "glide":
            back = glide_back(shares, self.shifts)
        else:
            back = -within_octave(self.shifts[1]) if plan == "b" and len(self.shifts) > 1 else 0
        if pace == "glide":
            pace = float(np.exp(shares @ np.log(self.tempi)))
        elif not isinstance(pace, float):
            pace = self.tempi[min("ab".index(pace), len(self.tempi) - 1)]
        return moved_in_range(vocabulary, replace(melody, quarters_per_minute=pace), back)


def shift_to(
    vocabulary: Vocabulary,
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
    while lowest + OCTAVE * octaves < vocabulary.lowest_pitch:
        octaves += 1
    while highest + OCTAVE * octaves > vocabulary.highest_pitch:
        octaves -= 1
    if lowest + OCTAVE * octaves < vocabulary.lowest_pitch:
        return None
    return in_key + OCTAVE * octaves


def moved_in_range(vocabulary: Vocabulary, melody: Melody, shift: int) -> Melody:
    """``melody`` moved by ``shift``, and by octaves so that it stays in the vocabulary's range."""
    pitches = [note.pitch for note in melody.notes] or [60]
    while max(pitches) + shift > vocabulary.highest_pitch:
        shift -= OCTAVE
    while min(pitches) + shift < vocabulary.lowest_pitch:
        shift += OCTAVE
    return melody.transpose(shift).fold_into(vocabulary.lowest_pitch, vocabulary.highest_pitch)


def glide_back(shares: np.ndarray, shifts: Sequence[int]) -> int:
    """The shift of a melody that has ``shares`` ``(tunes,)`` of tunes moved by ``shifts``, to where these came from.

    The key glides semitone by semitone and the register by whole octaves, so that tunes in one key stay in it.
    """
    octaves = np.round(np.array(shifts) / OCTAVE)
    in_key = np.array(shifts) - OCTAVE * octaves
    return round(-float(shares @ in_key)) - OCTAVE * round(float(shares @ octaves))


def within_octave(semitones: int) -> int:
    """The shift from -5 to 6 to the same pitch classes."""
    return (semitones + 5) % OCTAVE - 5


def _mean_pitch(melody: Melody) -> float:
    return float(np.mean([note.pitch for note in melody.notes]))

"""Hidden bars of a tune, and what is known around them.

Conventions: bars are counted from 0.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.scales import Scale, ScaleChoice, best_scale, pitch_class_weights
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.system.errors import UserError
from melodyvae.verbs.codec import tied_like
from melodyvae.verbs.in_scale import rules_within

NEAR_BARS = 8  # on either side, whose scale, range and density count


class InpaintingError(UserError, ValueError):
    """There is nothing to fill in, or nothing to go by."""


def without_bars(melody: Melody, hidden_bars: Collection[int], least_bars: int = 1) -> tuple[list[int], Melody, Melody]:
    """The bars to hide, in order, the melody as long as they reach, and the same without the notes of these bars.

    Raises:
        InpaintingError: if no bar is hidden, or none with a note is visible.
    """
    hidden = sorted(set(hidden_bars))
    if not hidden or hidden[0] < 0:
        raise InpaintingError("no bar is hidden, so there is nothing to fill in")
    bars = max(melody.bars, hidden[-1] + 1, least_bars)
    whole = melody.pad_to(bars)
    pieces = [silent(whole, bar) if bar in hidden else whole.window(bar, 1) for bar in range(bars)]
    if not any(piece.notes for piece in pieces):
        raise InpaintingError("no visible bar has a note, so there is nothing to go by")
    return hidden, whole, tied_like(Melody.join(pieces), whole, 1)


def near_bars(bar: int, known: list[bool]) -> list[int]:
    """The known bars at most :data:`NEAR_BARS` away, the nearest first, earlier ones before later ones."""
    distances = sorted(range(-NEAR_BARS, NEAR_BARS + 1), key=lambda distance: (abs(distance), distance > 0))
    return [bar + distance for distance in distances if 0 <= bar + distance < len(known) and known[bar + distance]]


def rules_around(model: MelodyNetwork, near: list[Melody], scale: Scale | ScaleChoice) -> TokenRules | None:
    """Rules that keep a bar in the scale and the range of those near by."""
    pitches = np.array([note.pitch for melody in near for note in melody.notes], np.int64)
    if scale == "none" or not len(pitches):
        return None
    chosen = scale if isinstance(scale, Scale) else best_scale(pitch_class_weights(pitches))
    return rules_within(chosen, int(pitches.min()), int(pitches.max()))


def silent(melody: Melody, bar: int) -> Melody:
    """A bar of silence, otherwise like that of a melody."""
    return replace(melody.window(bar, 1), notes=())

"""Share of notes outside the scale that fits a melody best, beside chance.

Conventions: scales are the 12 major and 12 harmonic minor ones; windows are tokens ``(N, T)``; a note counts once.
"""

from __future__ import annotations

import numpy as np

from melodyvae.music.notes import OCTAVE
from melodyvae.music.scales import IN_SCALE
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary

CHANCE_DRAWS = 2000


def shares_outside_scale(windows: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """The share of the notes of each window outside its own best scale, ``(N,)``; NaN without notes."""
    is_note = windows >= FIRST_NOTE_ON
    classes = (windows.astype(np.int64) - FIRST_NOTE_ON + vocabulary.lowest_pitch) % 12
    weights = np.stack([(is_note & (classes == pitch_class)).sum(axis=1) for pitch_class in range(12)], axis=1)
    return _shares_outside(weights)


def key_metrics(windows: np.ndarray, vocabulary: Vocabulary, seed: int = 0) -> dict[str, float]:
    """Means over the windows ``(N, T)`` that have notes; 0 if none has.

    - ``outside_scale``: the share of a window's notes outside its own best scale;
    - ``outside_scale_chance``: the same of as many notes drawn evenly from all twelve pitch classes;
    - ``wide_leaps``: the share of windows in which a note is more than an octave from the one before.
    """
    counts = (windows >= FIRST_NOTE_ON).sum(axis=1)
    counts = counts[counts > 0]
    if not len(counts):
        return {"outside_scale": 0.0, "outside_scale_chance": 0.0, "wide_leaps": 0.0}
    return {
        "outside_scale": float(np.nanmean(shares_outside_scale(windows, vocabulary))),
        "outside_scale_chance": chance_outside_scale(counts, seed),
        "wide_leaps": float(has_wide_leap(windows).mean()),
    }


def chance_outside_scale(counts: np.ndarray, seed: int = 0) -> float:
    """The expected share outside the best scale of random pitch classes, as many as ``counts`` ``(N,)`` say.

    It is 0.129 for 8 notes and 0.316 for 85: few notes fit some scale by chance.
    """
    drawn = np.random.default_rng(seed).choice(counts, CHANCE_DRAWS)
    weights = np.random.default_rng(seed + 1).multinomial(drawn, [1 / 12] * 12)
    return float(_shares_outside(weights).mean())


def has_wide_leap(windows: np.ndarray) -> np.ndarray:
    """Whether a note of each window ``(N, T)`` is more than an octave from the one before: booleans ``(N,)``."""
    rows, places = np.nonzero(windows >= FIRST_NOTE_ON)
    leaps = np.abs(np.diff(windows[rows, places].astype(np.int64))) > OCTAVE
    has_leap = np.zeros(len(windows), bool)
    has_leap[rows[1:][leaps & (rows[1:] == rows[:-1])]] = True
    return has_leap


def _shares_outside(weights: np.ndarray) -> np.ndarray:
    """Share outside the best scale ``(N,)`` of pitch class counts ``(N, 12)``; NaN without notes."""
    total = weights.sum(axis=1)
    best = (weights @ IN_SCALE.T).max(axis=1)
    return np.where(total > 0, 1 - best / np.maximum(total, 1), np.nan)

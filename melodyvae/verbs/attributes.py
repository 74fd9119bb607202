"""Attributes of a window: density, range, interval, syncopation, scale.

The attributes are those of "A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music" (Roberts,
Engel, Raffel, Hawthorne, Eck, 2018), https://arxiv.org/abs/1803.05428, where it treats of attribute vectors, and the
pitch range beside them. Two differ from the paper's: syncopation is a share of the onsets, not a count, so that it does
not rise with the density alone; and diatonic is membership of the major scale that fits the window best, not always of
C major, so that it does not depend on the key.

Conventions: windows are token ids ``(N, T)`` in whole bars of the model's meter and grid, a note counts once, at its
onset, and each attribute is ``(N,)`` float64. A window without notes has 0 in every attribute but ``diatonic``, where
it has 1: no note of it lies outside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from melodyvae.config import MelodyConfig
from melodyvae.music.scales import SCALES
from melodyvae.music.tokens import FIRST_NOTE_ON, pitches_of

MAJOR_SCALES = np.array([[(pitch - tonic) % 12 in SCALES["major"] for pitch in range(12)] for tonic in range(12)])


def density(windows: np.ndarray, config: MelodyConfig) -> np.ndarray:
    """Onsets a bar (the paper's note density)."""
    return np.asarray(_onsets(windows).sum(axis=1) / config.bars, dtype=np.float64)


def pitch_range(windows: np.ndarray, config: MelodyConfig) -> np.ndarray:
    """Semitones from the lowest note to the highest; 0 with one note or none."""
    onsets, notes = _onsets(windows), windows.astype(np.int64)
    lowest = np.where(onsets, notes, np.iinfo(np.int64).max).min(axis=1)
    highest = np.where(onsets, notes, np.iinfo(np.int64).min).max(axis=1)
    return np.where(onsets.any(axis=1), highest - lowest, 0).astype(np.float64)


def interval(windows: np.ndarray, config: MelodyConfig) -> np.ndarray:
    """Mean distance in semitones, up or down, from each note to the next (the paper's average interval).

    0 with one note or none.
    """
    onsets = _onsets(windows)
    notes = np.where(onsets, windows, 0).astype(np.int64)
    # The note that each step's onset comes after: the one at the latest onset before the step.
    latest = np.maximum.accumulate(np.where(onsets, np.arange(windows.shape[1]), -1), axis=1)
    before = np.pad(latest, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]
    follows = onsets & (before >= 0)
    distances = np.abs(notes - np.take_along_axis(notes, np.maximum(before, 0), axis=1))
    return _share(np.where(follows, distances, 0).sum(axis=1), follows.sum(axis=1))


def syncopation(windows: np.ndarray, config: MelodyConfig, note: int) -> np.ndarray:
    """The share of the onsets, 0 to 1, that are syncopated on the grid of eighths (``note`` 8) or sixteenths (16).

    Syncopated is an onset on a weak position with no onset on the strong one before it. Counting the eighths (or
    sixteenths) of a bar from 0, the odd ones are weak, and the one before each is strong. Onsets that are not on that
    grid are not syncopated on it: a sixteenth between two eighths counts on the grid of sixteenths only. On a grid of
    steps that has no such notes the share is 0.
    """
    onsets = _onsets(windows)
    unit, remainder = divmod(4 * config.steps_per_quarter, note)  # steps
    if remainder:
        return np.zeros(len(windows))
    place = np.arange(windows.shape[1]) % config.steps_per_bar
    weak = place % (2 * unit) == unit
    onset_before = np.pad(onsets, ((0, 0), (unit, 0)))[:, : windows.shape[1]]
    return _share((onsets & weak & ~onset_before).sum(axis=1), onsets.sum(axis=1))


def diatonic(windows: np.ndarray, config: MelodyConfig) -> np.ndarray:
    """The share of the notes, 0 to 1, in the major scale that fits best; the paper's is that of C major."""
    onsets = _onsets(windows)
    pitch_classes = pitches_of(windows) % 12
    counts = np.stack([(onsets & (pitch_classes == pitch)).sum(axis=1) for pitch in range(12)], axis=1)
    inside = (counts @ MAJOR_SCALES.T).max(axis=1)
    return np.where(onsets.any(axis=1), _share(inside, onsets.sum(axis=1)), 1.0)


ATTRIBUTES: dict[str, Callable[[np.ndarray, MelodyConfig], np.ndarray]] = {
    "density": density,
    "range": pitch_range,
    "interval": interval,
    "syncopation-8": lambda windows, config: syncopation(windows, config, 8),
    "syncopation-16": lambda windows, config: syncopation(windows, config, 16),
    "diatonic": diatonic,
}

UNITS: dict[str, str] = {
    "density": "onsets per bar",
    "range": "semitones",
    "interval": "semitones",
    "syncopation-8": "share of onsets",
    "syncopation-16": "share of onsets",
    "diatonic": "share of notes",
}


def measure(windows: np.ndarray, config: MelodyConfig) -> np.ndarray:
    """Every attribute of windows ``(N, T)``, in the order of :data:`ATTRIBUTES`: ``(N, A)``."""
    return np.stack([attribute(windows, config) for attribute in ATTRIBUTES.values()], axis=1)


def _onsets(windows: np.ndarray) -> np.ndarray:
    return windows >= FIRST_NOTE_ON


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, and 0 where ``whole`` is."""
    return np.asarray(part / np.maximum(whole, 1), dtype=np.float64)

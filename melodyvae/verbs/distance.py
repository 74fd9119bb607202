"""Perceptual distance of two windows: by their onsets and by their sounding pitches."""

from __future__ import annotations

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT


def musical_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances between token sequences, ``(N, T)`` and ``(M, T)`` -> ``(N, M)``, each between 0 and 1.

    The mean of two metrics, and so a metric itself:

    - onsets: the share of all steps with an onset in either sequence on which only one of them has one (Jaccard's
      distance; 0 where neither has any);
    - pitches: the share of steps on which not the same pitch sounds (silence counts as one).

    It is 0 only for sequences with the same notes.
    """
    onsets_1, onsets_2 = first >= FIRST_NOTE_ON, second >= FIRST_NOTE_ON
    common = onsets_1.astype(np.float32) @ onsets_2.astype(np.float32).T
    either = onsets_1.sum(axis=1)[:, None] + onsets_2.sum(axis=1)[None] - common
    onset_distance = np.where(either > 0, 1 - common / np.maximum(either, 1), 0.0)
    pitches_1, pitches_2 = sounding_pitches(first), sounding_pitches(second)
    differing = np.stack([(row != pitches_2).mean(axis=1) for row in pitches_1])
    distances: np.ndarray = (onset_distance + differing) / 2
    return distances


def sounding_pitches(tokens: np.ndarray) -> np.ndarray:
    """The token of the note that sounds during each step of ``(N, T)``, or 0 for silence: ``(N, T)``."""
    steps = np.arange(tokens.shape[1])
    last_event = np.maximum.accumulate(np.where(tokens != NO_EVENT, steps, 0), axis=1)
    last_token = np.take_along_axis(tokens, last_event, axis=1)
    return np.where(last_token >= FIRST_NOTE_ON, last_token, 0)

"""Repetition: the share of bars that repeat an earlier one, and how similar each two bars are.

Conventions: windows are tokens ``(N, T)`` of whole bars, N_bars of them each; bars without an onset are left out.
"""

from __future__ import annotations

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary, held


def repetition_metrics(windows: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int) -> dict[str, float]:
    """The share of bars, from the second of each window on, that repeat an earlier one of ``(N, T)``.

    - ``repeats_exact``: the same events at the same steps;
    - ``repeats_transposed``: the same in some key, the former included;
    - ``repeats_rhythm``: onsets and note offs at the same steps, with any pitches; the former included.
    """
    bars = windows.reshape(len(windows), -1, steps_per_bar)
    rhythm = np.where(bars >= FIRST_NOTE_ON, FIRST_NOTE_ON, bars)
    versions = {"exact": bars, "transposed": vocabulary.normalise(bars), "rhythm": rhythm}
    has_onset = np.asarray((bars >= FIRST_NOTE_ON).any(axis=2))
    earlier = np.tril(np.ones((bars.shape[1], bars.shape[1]), dtype=bool), -1)
    counted = has_onset[:, 1:].sum()
    metrics = {}
    for kind, version in versions.items():
        differs = version[:, :, None] != version[:, None]  # (N, bars, bars, steps)
        alike = ~differs.any(axis=3)
        repeats = (alike & earlier & has_onset[:, None]).any(axis=2) & has_onset
        metrics[f"repeats_{kind}"] = float(repeats[:, 1:].sum() / counted) if counted else 0.0
    return metrics


def self_similarity(windows: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The mean, over windows ``(N, T)``, of the share of steps at which two bars sound alike: ``(bars, bars)``.

    Alike is the same pitch, or silence in both. Bars without an onset are like none, and are not counted.
    """
    notes = held(windows).reshape(len(windows), -1, steps_per_bar)
    has_onset = (windows.reshape(notes.shape) != NO_EVENT).any(axis=2)
    both = has_onset[:, :, None] & has_onset[:, None]
    alike = (notes[:, :, None] == notes[:, None]).mean(axis=3) * both
    return np.asarray(alike.sum(axis=0) / np.maximum(both.sum(axis=0), 1))

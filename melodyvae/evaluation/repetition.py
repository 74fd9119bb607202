"""Self-similarity: how similar each two bars of windows are.

Conventions: windows are tokens ``(N, T)`` of whole bars; bars without an onset are left out.
"""

from __future__ import annotations

import numpy as np

from melodyvae.music.tokens import NO_EVENT, held


def self_similarity(windows: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The mean, over windows ``(N, T)``, of the share of steps at which two bars sound alike: ``(bars, bars)``.

    Alike is the same pitch, or silence in both. Bars without an onset are like none, and are not counted.
    """
    notes = held(windows).reshape(len(windows), -1, steps_per_bar)
    has_onset = (windows.reshape(notes.shape) != NO_EVENT).any(axis=2)
    both = has_onset[:, :, None] & has_onset[:, None]
    alike = (notes[:, :, None] == notes[:, None]).mean(axis=3) * both
    return np.asarray(alike.sum(axis=0) / np.maximum(both.sum(axis=0), 1))

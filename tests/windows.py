"""Token windows made in code, for tests: legal, varied, and the same for the same seed."""

from __future__ import annotations

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF


def random_windows(count: int, steps: int = 32, seed: int = 0, low: int = 55, high: int = 79) -> np.ndarray:
    """Legal windows, uint8 ``(count, steps)``: random walks in pitch, with rests."""
    generator = np.random.default_rng(seed)
    windows = np.zeros((count, steps), dtype=np.uint8)
    for row in windows:
        sounding, pitch = False, int(generator.integers(low, high))
        for step in range(steps):
            chance = generator.random()
            if chance < 0.35:
                pitch = int(np.clip(pitch + generator.integers(-4, 5), low, high))
                row[step], sounding = pitch - 21 + FIRST_NOTE_ON, True
            elif chance < 0.45 and sounding:
                row[step], sounding = NOTE_OFF, False
            else:
                row[step] = NO_EVENT
    return windows

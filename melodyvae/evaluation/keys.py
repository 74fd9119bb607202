"""Share of notes outside the scale that fits a melody best, by chance."""

from __future__ import annotations

import numpy as np

from melodyvae.music.scales import IN_SCALE

CHANCE_DRAWS = 2000


def chance_outside_scale(counts: np.ndarray, seed: int = 0) -> float:
    """The expected share outside the best scale of random pitch classes, as many as ``counts`` ``(N,)`` say.

    It is 0.129 for 8 notes and 0.316 for 85: few notes fit some scale by chance.
    """
    drawn = np.random.default_rng(seed).choice(counts, CHANCE_DRAWS)
    weights = np.random.default_rng(seed + 1).multinomial(drawn, [1 / 12] * 12)
    return float((1 - (weights @ IN_SCALE.T).max(axis=1) / weights.sum(axis=1)).mean())

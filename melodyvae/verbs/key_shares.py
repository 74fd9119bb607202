"""The keys that tunes come in: counted over training windows, and drawn for new tunes.

A model that saw every tune in all keys writes in all of them alike. People do not: most tunes are in G, D or C.

Conventions: a key signature is that of a major tonic (pitch class, C is 0) or of its relative minor.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from melodyvae.music.keys import key_of
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.checkpoint import check_extras
from melodyvae.network.draws import Draws

EXTRA = "key_shares"  # among a model's extras
SIGNATURES = 12
MAX_WINDOWS = 8000  # as many as the shares of a collection need


def count_key_shares(windows: np.ndarray) -> dict[str, np.ndarray]:
    """The share of each key signature ``(12,)`` among token windows ``(N, T)``, for a model's extras."""
    counts = np.zeros(SIGNATURES, np.float32)
    for row in windows:
        key = key_of(Vocabulary().decode(row))
        if key is not None:
            counts[key.major_tonic] += 1
    return {EXTRA: counts / max(counts.sum(), np.float32(1))}


def draw_signatures(count: int, extras: Mapping[str, np.ndarray], draws: Draws | None) -> list[int] | None:
    """``count`` key signatures, drawn by how common they are; None of a model without key shares.

    Raises:
        CheckpointError: if the shares among ``extras`` are damaged.
    """
    if EXTRA not in extras or not count:
        return None
    check_extras(extras, {EXTRA: (SIGNATURES,)})
    shares = np.maximum(extras[EXTRA].astype(np.float32), 0)
    if not shares.sum() > 0:
        return None
    drawn: list[int] = (draws or Draws()).choices(np.broadcast_to(shares, (count, SIGNATURES))).tolist()
    return drawn

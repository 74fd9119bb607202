"""The keys that tunes come in: counted over training windows, and drawn for new tunes.

A model that saw every tune in all keys writes in all of them alike. People do not: most tunes are in G, D or C.

Conventions: a key signature is that of a major tonic (pitch class, C is 0) or of its relative minor.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from data_prep.melodies.keys import key_of
from data_prep.melody import Melody
from data_prep.tokens import Vocabulary
from melodyvae.network.checkpoint import check_extras

EXTRA = "key_shares"  # among a model's extras
SIGNATURES = 12
MAX_WINDOWS = 8000  # as many as the shares of a collection need


def count_key_shares(windows: np.ndarray, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """The share of each key signature ``(12,)`` among token windows ``(N, T)``, for a model's extras."""
    counts = torch.zeros(SIGNATURES)
    for row in windows:
        key = key_of(vocabulary.decode(row))
        if key is not None:
            counts[key.major_tonic] += 1
    return {EXTRA: counts / counts.sum().clamp(min=1)}


def in_common_keys(
    melodies: Iterable[Melody], extras: dict[str, Tensor], generator: torch.Generator | None
) -> list[Melody]:
    """``melodies``, each moved by at most six semitones to a key signature that is drawn by how common it is.

    Those of a model without key shares stay, as do melodies without notes and notes that would leave the piano.

    Raises:
        CheckpointError: if the shares among ``extras`` are damaged.
    """
    kept = list(melodies)
    if EXTRA not in extras or not kept:
        return kept
    check_extras(extras, {EXTRA: (SIGNATURES,)})
    shares = extras[EXTRA].float().clamp(min=0)
    if not shares.sum() > 0:
        return kept
    device = None if generator is None else generator.device
    drawn = torch.multinomial(shares.to(device), len(kept), replacement=True, generator=generator).tolist()
    return [_moved(melody, signature) for melody, signature in zip(kept, drawn, strict=True)]


def _moved(melody: Melody, signature: int) -> Melody:
    key, table = key_of(melody), Vocabulary()
    if key is None:
        return melody
    shift = key.shift_to(signature)
    pitches = [note.pitch + shift for note in melody.notes]
    fits = min(pitches) >= table.lowest_pitch and max(pitches) <= table.highest_pitch
    return melody.transpose(shift) if fits else melody

"""Input features of a token: one-hot, and optionally the pitch class and the octave of a note on."""

from __future__ import annotations

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON

PITCH_CLASSES = 12


def token_inputs(vocabulary_size: int, pitch_inputs: bool) -> np.ndarray:
    """The numbers ``(V, I)`` that stand for each token, float32: I is V, or with ``pitch_inputs`` V and the below.

    These are twelve pitch classes and as many octaves as the pitches span, both counted from the lowest pitch; one of
    each is 1 for a note on, none for the other tokens. Notes that differ by an octave then have an input in common.
    """
    parts = [np.eye(vocabulary_size, dtype=np.float32)]
    if pitch_inputs:
        number = np.arange(vocabulary_size) - FIRST_NOTE_ON
        octaves = (vocabulary_size - FIRST_NOTE_ON - 1) // PITCH_CLASSES + 1
        is_note, number = (number >= 0)[:, None], number.clip(min=0)
        parts += [
            np.eye(count, dtype=np.float32)[chosen] * is_note
            for count, chosen in ((PITCH_CLASSES, number % PITCH_CLASSES), (octaves, number // PITCH_CLASSES))
        ]
    return np.concatenate(parts, axis=1)

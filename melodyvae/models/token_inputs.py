"""What an LSTM reads of a token: which one it is, and, if wanted, the pitch class and the octave of a note on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from data_prep.tokens import FIRST_NOTE_ON

PITCH_CLASSES = 12


def token_inputs(vocabulary_size: int, pitch_inputs: bool) -> Tensor:
    """The numbers ``(V, I)`` that stand for each token: I is V, or with ``pitch_inputs`` V and the below.

    These are twelve pitch classes and as many octaves as the pitches span, both counted from the lowest pitch; one of
    each is 1 for a note on, none for the other tokens. Notes that differ by an octave then have an input in common.
    """
    ids = torch.eye(vocabulary_size)
    if not pitch_inputs:
        return ids
    number = torch.arange(vocabulary_size) - FIRST_NOTE_ON
    is_note, number = (number >= 0).unsqueeze(-1), number.clamp(min=0)
    octaves = (vocabulary_size - FIRST_NOTE_ON - 1) // PITCH_CLASSES + 1
    parts = [F.one_hot(number % PITCH_CLASSES, PITCH_CLASSES), F.one_hot(number // PITCH_CLASSES, octaves)]
    return torch.cat([ids, *(part * is_note for part in parts)], dim=-1)

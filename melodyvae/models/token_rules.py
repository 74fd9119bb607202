"""Which tokens may come where, for windows that are decoded together.

Conventions: B windows, T steps, V tokens; either of the first two may be 1, which then holds for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from data_prep.tokens import FIRST_NOTE_ON, NO_EVENT

MAX_MOVE_SEMITONES = 2  # a forbidden note further from any allowed one is dropped, not moved


@dataclass(frozen=True)
class TokenRules:
    """Tokens that are forbidden, and tokens that are preferred.

    The probability of a forbidden note goes to the nearest allowed ones, half to each of two equally near: where the
    model wants a C sharp, it gets a C or a D at that step, and not whatever else was likely. Notes with no allowed one
    within :data:`MAX_MOVE_SEMITONES` are dropped, and the rest is renormalised.

    Attributes:
        allowed: booleans ``(B, T, V)``; "no event" must be among them everywhere, so that every step has a token.
        bonus: added to the logits, ``(B, T, V)``; None adds nothing.
        moves: whether forbidden notes are moved at all; otherwise all of them are dropped.
    """

    allowed: Tensor
    bonus: Tensor | None = None
    moves: bool = True

    def __post_init__(self) -> None:
        if self.allowed.ndim != 3:
            raise ValueError(f"allowed has shape {tuple(self.allowed.shape)}; it must be (B, T, V)")
        if not bool(self.allowed[..., NO_EVENT].all()):
            raise ValueError("allowed must allow token 0, no event, at every step")

    @classmethod
    def only(cls, tokens: Tensor) -> TokenRules:
        """The rules that allow some tokens, booleans ``(V,)``, at every step of every window."""
        return cls(tokens[None, None])

    def rows(self, start: int, stop: int) -> TokenRules:
        """The rules of windows ``start`` until just before ``stop``."""
        bonus = self.bonus
        return TokenRules(
            self.allowed if len(self.allowed) == 1 else self.allowed[start:stop],
            bonus if bonus is None or len(bonus) == 1 else bonus[start:stop],
            self.moves,
        )

    def log_probabilities(self, logits: Tensor, step: int, temperature: float = 1.0) -> Tensor:
        """Logarithms ``(B, V)``, up to a constant, of the probabilities at a step, from its logits ``(B, V)``.

        The logits are divided by the temperature before notes are moved; 0 counts as 1, as the most probable token is
        taken then.
        """
        logits = logits.float()
        if self.bonus is not None:
            logits = logits + _at(self.bonus, step)
        allowed = _at(self.allowed, step).expand(len(logits), -1)
        tiny = torch.finfo(logits.dtype).tiny
        scaled = (logits - logits.amax(dim=-1, keepdim=True)) / (max(temperature, tiny) if temperature > 0 else 1.0)
        if not self.moves:
            return scaled.masked_fill(~allowed, -torch.inf)
        probabilities = torch.softmax(scaled, dim=-1)
        events = probabilities[:, :FIRST_NOTE_ON] * allowed[:, :FIRST_NOTE_ON]
        notes = _moved(probabilities[:, FIRST_NOTE_ON:], allowed[:, FIRST_NOTE_ON:])
        ruled = torch.cat([events, notes], dim=1).log()
        ruled[:, NO_EVENT].clamp_(min=math.log(tiny))  # so that something can be drawn whatever was dropped
        return ruled


def _moved(probabilities: Tensor, allowed: Tensor) -> Tensor:
    """Probabilities ``(B, P)`` of pitches in a row, those of forbidden ones given to the nearest allowed ones."""
    size = allowed.shape[1]
    places = torch.arange(size, device=allowed.device).expand_as(allowed)
    far = size + MAX_MOVE_SEMITONES
    below = torch.where(allowed, places, -far).cummax(dim=1).values
    above = torch.where(allowed, places, far + size).flip(1).cummin(dim=1).values.flip(1)
    down, up = places - below, above - places
    reached = torch.minimum(down, up) <= MAX_MOVE_SEMITONES
    # An allowed pitch is the nearest one to itself on both sides, and gets both halves.
    to_below = probabilities * (0.5 * (down == up) + 1.0 * (down < up)) * reached
    to_above = probabilities * (0.5 * (down == up) + 1.0 * (down > up)) * reached
    padded = probabilities.new_zeros(probabilities.shape[0], size)
    return padded.scatter_add(1, below.clamp(0, size - 1), to_below).scatter_add(1, above.clamp(0, size - 1), to_above)


def _at(table: Tensor, step: int) -> Tensor:
    """The rows ``(B, V)`` of a step of ``(B, T, V)``."""
    return table[:, step if table.shape[1] > 1 else 0]

"""Rules: the tokens allowed at each step of windows that are decoded together.

Conventions: B windows, T steps, V tokens; either of the first two may be 1, which then holds for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT

MAX_MOVE_SEMITONES = 2  # of a scale's notes: a forbidden note further from any allowed one is dropped, not moved
OCTAVE = 12


@dataclass(frozen=True)
class TokenRules:
    """Tokens that are forbidden, and tokens that are preferred.

    The probability of a forbidden note goes to the nearest allowed ones, half to each of two equally near: if the
    model prefers a C sharp, it gets a C or a D at that step, and not some other likely token. Notes with no allowed one
    within ``reach`` are dropped, and the rest is renormalised.

    With ``no_wide_leaps``, a note more than an octave from the one before goes to the same pitch class within an octave
    of it first, unless one of some tunes goes from the one note to the other at that very step.

    Attributes:
        allowed: booleans ``(B, T, V)``; "no event" must be among them everywhere, so that every step has a token.
        bonus: added to the logits, ``(B, T, V)``; None adds nothing.
        moves: whether forbidden notes are moved at all; otherwise all of them are dropped.
        no_wide_leaps: in which windows leaps of more than an octave are kept out, booleans ``(B,)``; None in none.
        leaps: the tokens of the last note before each step, and of the step, in some tunes: ``(tunes, T, 2)``.
        before: the token of the last note before each window, ``(B,)``, 0 where there is none.
        reach: how many semitones a forbidden note may move.
    """

    allowed: Tensor
    bonus: Tensor | None = None
    moves: bool = True
    no_wide_leaps: Tensor | None = None
    leaps: Tensor | None = None
    before: Tensor | None = None
    reach: int = MAX_MOVE_SEMITONES

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

        def part(table: Tensor | None) -> Tensor | None:
            return table if table is None or len(table) == 1 else table[start:stop]

        allowed = self.allowed if len(self.allowed) == 1 else self.allowed[start:stop]
        return replace(
            self,
            allowed=allowed,
            bonus=part(self.bonus),
            no_wide_leaps=part(self.no_wide_leaps),
            before=part(self.before),
        )

    def log_probabilities(
        self, logits: Tensor, step: int, temperature: float = 1.0, last_note: Tensor | None = None
    ) -> Tensor:
        """Logarithms ``(B, V)``, up to a constant, of the probabilities at a step, from its logits ``(B, V)``.

        The logits are divided by the temperature before notes are moved; 0 counts as 1, as the most probable token is
        taken then. ``last_note`` is the token of the last note on in each window, ``(B,)``, 0 before the first.
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
        if self.no_wide_leaps is not None and last_note is not None:
            probabilities, allowed = self._without_wide_leaps(probabilities, allowed, step, last_note)
        events = probabilities[:, :FIRST_NOTE_ON] * allowed[:, :FIRST_NOTE_ON]
        notes = _moved(probabilities[:, FIRST_NOTE_ON:], allowed[:, FIRST_NOTE_ON:], self.reach)
        ruled = torch.cat([events, notes], dim=1).log()
        ruled[:, NO_EVENT].clamp_(min=math.log(tiny))  # so that something can be drawn whatever was dropped
        return ruled

    def _without_wide_leaps(
        self, probabilities: Tensor, allowed: Tensor, step: int, last_note: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The probabilities and what is allowed, ``(B, V)``, with wide leaps folded into an octave of the last note."""
        assert self.no_wide_leaps is not None
        last = last_note if self.before is None else torch.where(last_note > 0, last_note, self.before)
        tokens = torch.arange(allowed.shape[1], device=allowed.device)
        apart = tokens - last[:, None]
        is_far = (apart.abs() > OCTAVE) & (tokens >= FIRST_NOTE_ON) & (last > 0)[:, None] & self.no_wide_leaps[:, None]
        for previous, token in [] if self.leaps is None else self.leaps[:, step].tolist():
            is_far[:, token] &= last != previous
        octaves = torch.where(is_far, (apart.abs() - 1).div(OCTAVE, rounding_mode="floor") * apart.sign(), 0)
        target = (tokens - OCTAVE * octaves).clamp(0, allowed.shape[1] - 1)
        return torch.zeros_like(probabilities).scatter_add(1, target, probabilities), allowed & ~is_far


def _moved(probabilities: Tensor, allowed: Tensor, reach: int) -> Tensor:
    """Probabilities ``(B, P)`` of pitches in a row, those of forbidden ones given to the nearest allowed ones."""
    size = allowed.shape[1]
    places = torch.arange(size, device=allowed.device).expand_as(allowed)
    far = size + reach
    below = torch.where(allowed, places, -far).cummax(dim=1).values
    above = torch.where(allowed, places, far + size).flip(1).cummin(dim=1).values.flip(1)
    down, up = places - below, above - places
    reached = torch.minimum(down, up) <= reach
    # An allowed pitch is the nearest one to itself on both sides, and gets both halves.
    to_below = probabilities * (0.5 * (down == up) + 1.0 * (down < up)) * reached
    to_above = probabilities * (0.5 * (down == up) + 1.0 * (down > up)) * reached
    padded = probabilities.new_zeros(probabilities.shape[0], size)
    return padded.scatter_add(1, below.clamp(0, size - 1), to_below).scatter_add(1, above.clamp(0, size - 1), to_above)


def _at(table: Tensor, step: int) -> Tensor:
    """The rows ``(B, V)`` of a step of ``(B, T, V)``."""
    return table[:, step if table.shape[1] > 1 else 0]

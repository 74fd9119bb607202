"""Rules: the tokens allowed at each step of windows that are decoded together.

Conventions: B windows, T steps, V tokens; either of the first two may be 1, which then holds for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from melodyvae.music.notes import OCTAVE
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT

MAX_MOVE_SEMITONES = 2  # of a scale's notes: a forbidden note further from any allowed one is dropped, not moved


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
        no_wide_leaps: in which windows leaps of more than an octave are kept out, booleans ``(B,)``; None in none.
        leaps: the tokens of the last note before each step, and of the step, in some tunes: ``(tunes, T, 2)``.
        before: the token of the last note before each window, ``(B,)``, 0 where there is none.
        reach: how many semitones a forbidden note may move; 0 drops all of them.
    """

    allowed: np.ndarray
    bonus: np.ndarray | None = None
    no_wide_leaps: np.ndarray | None = None
    leaps: np.ndarray | None = None
    before: np.ndarray | None = None
    reach: int = MAX_MOVE_SEMITONES

    def __post_init__(self) -> None:
        if self.allowed.ndim != 3:
            raise ValueError(f"allowed has shape {tuple(self.allowed.shape)}; it must be (B, T, V)")
        if not self.allowed[..., NO_EVENT].all():
            raise ValueError("allowed must allow token 0, no event, at every step")

    @classmethod
    def only(cls, tokens: np.ndarray) -> TokenRules:
        """The rules that allow some tokens, booleans ``(V,)``, at every step of every window."""
        return cls(tokens[None, None])

    def rows(self, start: int, stop: int) -> TokenRules:
        """The rules of windows ``start`` until just before ``stop``."""

        def part(table: np.ndarray | None) -> np.ndarray | None:
            return table if table is None or len(table) == 1 else table[start:stop]

        allowed = self.allowed if len(self.allowed) == 1 else self.allowed[start:stop]
        return replace(
            self,
            allowed=allowed,
            bonus=part(self.bonus),
            no_wide_leaps=part(self.no_wide_leaps),
            before=part(self.before),
        )

    def at(self, placed: Callable[[np.ndarray], np.ndarray]) -> TokenRules:
        """The rules at other steps; ``placed`` turns the numbers of the steps into those that come instead."""

        def part(table: np.ndarray | None) -> np.ndarray | None:
            return table if table is None or table.shape[1] == 1 else table[:, placed(np.arange(table.shape[1]))]

        allowed = part(self.allowed)
        assert allowed is not None
        return replace(self, allowed=allowed, bonus=part(self.bonus), leaps=part(self.leaps))

    def log_probabilities(
        self, logits: np.ndarray, step: int, temperature: float = 1.0, last_note: np.ndarray | None = None
    ) -> np.ndarray:
        """Logarithms ``(B, V)``, up to a constant, of the probabilities at a step, from its logits ``(B, V)``.

        The logits are divided by the temperature before notes are moved; 0 counts as 1, as the most probable token is
        taken then. ``last_note`` is the token of the last note on in each window, ``(B,)``, 0 before the first.
        """
        if self.bonus is not None:
            logits = logits + _at(self.bonus, step)
        allowed = np.broadcast_to(_at(self.allowed, step), logits.shape)
        tiny = float(np.finfo(logits.dtype).tiny)
        scaled = logits - logits.max(axis=1, keepdims=True)
        if temperature not in (0, 1):
            with np.errstate(over="ignore"):
                scaled = (scaled / np.float64(max(temperature, tiny))).astype(logits.dtype)
        probabilities = np.exp(scaled)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        if self.no_wide_leaps is not None and last_note is not None:
            probabilities, allowed = self._without_wide_leaps(probabilities, allowed, step, last_note)
        ruled = probabilities * allowed
        ruled[:, FIRST_NOTE_ON:] = _moved(probabilities[:, FIRST_NOTE_ON:], allowed[:, FIRST_NOTE_ON:], self.reach)
        with np.errstate(divide="ignore"):
            np.log(ruled, out=ruled)
        np.maximum(ruled[:, NO_EVENT], math.log(tiny), out=ruled[:, NO_EVENT])  # so that something can be drawn
        return np.asarray(ruled)

    def _without_wide_leaps(
        self, probabilities: np.ndarray, allowed: np.ndarray, step: int, last_note: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The probabilities and what is allowed, ``(B, V)``, with wide leaps folded into an octave of the last note."""
        assert self.no_wide_leaps is not None
        last = last_note if self.before is None else np.where(last_note > 0, last_note, self.before)
        tokens = np.arange(allowed.shape[1])
        apart = tokens - last[:, None]
        distance = np.abs(apart)
        is_far = (distance > OCTAVE) & (tokens >= FIRST_NOTE_ON) & ((last > 0) & self.no_wide_leaps)[:, None]
        for previous, token in [] if self.leaps is None else self.leaps[:, step].tolist():
            is_far[:, token] &= last != previous
        octaves = np.where(is_far, (distance - 1) // OCTAVE * np.sign(apart), 0)
        target = np.clip(tokens - OCTAVE * octaves, 0, allowed.shape[1] - 1)
        return added_by_place(target, probabilities, allowed.shape[1]), allowed & ~is_far


def added_by_place(places: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """The sums of ``values`` ``(B, K)`` by place ``(B, K)``: ``(B, size)``."""
    rows = np.arange(len(places))[:, None] * size
    summed = np.bincount((places + rows).ravel(), values.ravel(), minlength=len(places) * size)
    return summed.reshape(len(places), size).astype(values.dtype, copy=False)


def _moved(probabilities: np.ndarray, allowed: np.ndarray, reach: int) -> np.ndarray:
    """Probabilities ``(B, P)`` of pitches in a row, those of forbidden ones given to the nearest allowed ones."""
    found, left = probabilities * allowed, probabilities * ~allowed
    for distance in range(1, min(reach, MAX_MOVE_SEMITONES) + 1):
        below, above = np.zeros_like(allowed), np.zeros_like(allowed)  # whether an allowed one is so near
        below[:, distance:], above[:, :-distance] = allowed[:, :-distance], allowed[:, distance:]
        share = left * np.where(below & above, left.dtype.type(0.5), left.dtype.type(1))
        found[:, :-distance] += (share * below)[:, distance:]
        found[:, distance:] += (share * above)[:, :-distance]
        left = left * ~(below | above)
    return found + _moved_far(left, allowed, reach) if reach > MAX_MOVE_SEMITONES else np.asarray(found)


def _moved_far(left: np.ndarray, allowed: np.ndarray, reach: int) -> np.ndarray:
    """As :func:`_moved`, of probabilities that are all of forbidden pitches; its time does not grow with ``reach``."""
    size = allowed.shape[1]
    places, far = np.arange(size), size + reach
    below = np.maximum.accumulate(np.where(allowed, places, -far), axis=1)
    above = np.minimum.accumulate(np.where(allowed, places, size + far)[:, ::-1], axis=1)[:, ::-1]
    down, up = places - below, above - places
    share = left * (np.minimum(down, up) <= reach) * np.where(down == up, left.dtype.type(0.5), left.dtype.type(1))
    targets = np.concatenate([below, above], axis=1).clip(0, size - 1)
    return added_by_place(targets, np.concatenate([share * (down <= up), share * (down >= up)], axis=1), size)


def _at(table: np.ndarray, step: int) -> np.ndarray:
    """The rows ``(B, V)`` of a step of ``(B, T, V)``."""
    return np.asarray(table[:, step if table.shape[1] > 1 else 0])

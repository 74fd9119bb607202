"""Melodies <-> latent vectors: what every use of a trained model is made of.

Conventions: a *window* is a melody of exactly the model's bars and grid; everything drawn comes from the
``torch.Generator`` that is passed in, so the same seed gives the same melodies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from data_prep.melody import Melody, MelodyNote
from data_prep.tokens import Vocabulary
from melodyvae.config import MelodyConfig
from melodyvae.models.latent import DiagonalGaussian
from melodyvae.models.token_rules import TokenRules

DECODING_BATCH = 1024


class LatentMelodyModel(Protocol):
    """What generation asks of a model; :class:`~melodyvae.models.melody.MelodyModel` is one."""

    extras: dict[str, Tensor]  # what was fitted to the trained network

    @property
    def config(self) -> MelodyConfig:
        """Bars, meter and grid of a window."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The token table."""

    @property
    def device(self) -> torch.device:
        """Where tokens and latent vectors must be."""

    def encode(self, tokens: Tensor) -> DiagonalGaussian:
        """q(z | x), parameters ``(B, Z)``, of token windows ``(B, T)``."""

    def decode(
        self,
        z: Tensor,
        temperature: float,
        generator: torch.Generator | None,
        rules: TokenRules | None = None,
    ) -> Tensor:
        """Token windows ``(B, T)`` for latent vectors ``(B, Z)``; ``rules`` say which tokens may come."""

    def logits(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Teacher-forced logits ``(B, T, V)`` of windows ``(B, T)`` given ``(B, Z)``, differentiable in z."""

    def prior(self, count: int) -> DiagonalGaussian:
        """N(0, I), parameters ``(count, Z)``."""


def tied_like(melody: Melody, original: Melody, window_bars: int) -> Melody:
    """``melody`` with notes tied over the borders of windows where ``original`` holds a note and the pitch agrees."""
    window_steps = window_bars * melody.steps_per_bar
    held = {
        border
        for note in original.notes
        for border in range(note.start_step // window_steps * window_steps + window_steps, note.end_step, window_steps)
    }
    notes: list[MelodyNote] = []
    for note in melody.notes:
        before = notes[-1] if notes else None
        if before and note.start_step in held and (before.end_step, before.pitch) == (note.start_step, note.pitch):
            notes[-1] = before._replace(end_step=note.end_step)
        else:
            notes.append(note)
    return replace(melody, notes=tuple(notes))


def matching_steps(model: LatentMelodyModel, melody: Melody, other: Melody) -> int:
    """On how many steps two windows have the same token."""
    return int((model.vocabulary.encode(melody) == model.vocabulary.encode(other)).sum())


def posterior_means(model: LatentMelodyModel, windows: Sequence[Melody] | np.ndarray) -> Tensor:
    """The mean of q(z | x) of each window, of melodies or of tokens ``(N, T)``: ``(N, Z)``, on the model's device."""
    if not isinstance(windows, np.ndarray):
        windows = np.stack([model.vocabulary.encode(window) for window in windows])
    batches = torch.split(torch.from_numpy(windows.astype(np.int64)), DECODING_BATCH)
    with torch.inference_mode():
        return torch.cat([model.encode(batch.to(model.device)).mean.float() for batch in batches])


def decode_tokens(
    model: LatentMelodyModel,
    z: Tensor,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
    rules: TokenRules | None = None,
) -> np.ndarray:
    """Token windows, uint8 ``(N, T)``, for latent vectors ``(N, Z)``; ``rules`` say which tokens may come where.

    Raises:
        ValueError: if the temperature is negative or no number.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; it must be a number from 0 up")
    with torch.inference_mode():
        parts = []
        for start in range(0, len(z), DECODING_BATCH):
            stop = start + DECODING_BATCH
            ruled = {} if rules is None else {"rules": rules.rows(start, stop)}
            parts.append(model.decode(z[start:stop], temperature, generator, **ruled))
        tokens = torch.cat(parts)
    return tokens.cpu().numpy().astype(np.uint8)


def decode_melodies(
    model: LatentMelodyModel,
    z: Tensor,
    temperature: float,
    generator: torch.Generator | None,
    rules: TokenRules | None = None,
    **fields: Any,
) -> list[Melody]:
    """A melody for each latent vector of ``(N, Z)``; ``fields`` are their tempo, program and so on."""
    grid = {"steps_per_quarter": model.config.steps_per_quarter, "meter": model.config.meter}
    rows = decode_tokens(model, z, temperature, generator, rules)
    return [model.vocabulary.decode(row, **(grid | fields)) for row in rows]


def fields_of(melody: Melody) -> dict[str, Any]:
    """What a melody made from ``melody`` keeps of it."""
    return {
        "quarters_per_minute": melody.quarters_per_minute,
        "program": melody.program,
        "meter": melody.meter,
    }


def check_count(count: int, least: int) -> None:
    """Raise ``ValueError`` if fewer melodies are asked for than make sense."""
    if count < least:
        raise ValueError(f"count is {count}; it must be at least {least}")

"""Melodies <-> latent vectors: what every use of a trained model is made of.

Conventions: a *window* is a melody of exactly the model's bars and grid; everything drawn comes from the
``Draws`` that is passed in, so the same seed gives the same melodies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.plan import Plan
from melodyvae.network.refine import refine_latents
from melodyvae.network.rows import in_parts
from melodyvae.network.token_rules import TokenRules

DECODING_BATCH = 1024


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


def whole_melody(model: MelodyNetwork, row: np.ndarray, like: Melody) -> Melody:
    """The melody of tokens ``(W * T,)``, window by window, as long as ``like`` and with its ties over the borders."""
    windows = [model.vocabulary.decode(part, **fields_of(like)) for part in row.reshape(-1, model.config.steps)]
    joined = replace(Melody.join(windows).window(0, like.bars), steps_per_quarter=model.config.steps_per_quarter)
    return tied_like(joined, like, model.config.bars)


def matching_steps(model: MelodyNetwork, melody: Melody, other: Melody) -> int:
    """On how many steps two windows have the same token."""
    return int((model.vocabulary.encode(melody) == model.vocabulary.encode(other)).sum())


def token_windows(model: MelodyNetwork, windows: Sequence[Melody] | np.ndarray) -> np.ndarray:
    """The tokens of windows, of melodies or of tokens already, int64 ``(N, T)``."""
    if not isinstance(windows, np.ndarray):
        windows = np.stack([model.vocabulary.encode(window) for window in windows])
    return windows.astype(np.int64)


def posterior_means(model: MelodyNetwork, windows: Sequence[Melody] | np.ndarray) -> np.ndarray:
    """The mean of q(z | x) of each window, of melodies or of tokens ``(N, T)``: ``(N, Z)``, float32."""
    parts = in_parts(token_windows(model, windows), DECODING_BATCH)
    return np.concatenate([model.encode(part).mean.astype(np.float32) for part in parts])


def exact_latents(model: MelodyNetwork, windows: Sequence[Melody] | np.ndarray) -> np.ndarray:
    """Latent vectors ``(N, Z)`` from which the windows come back greedily, as far as they can be refined to that.

    They are the posterior means where these are enough, and moved from there where not.
    """
    tokens = token_windows(model, windows)
    z = posterior_means(model, tokens)
    missed = np.flatnonzero((decode_tokens(model, z) != tokens).any(axis=1))
    if len(missed):
        z[missed] = refine_latents(model.gradient, tokens[missed], z[missed])
    return z


def decode_tokens(
    model: MelodyNetwork,
    z: np.ndarray,
    temperature: float = 0.0,
    draws: Draws | None = None,
    rules: TokenRules | None = None,
    plan: Plan | None = None,
) -> np.ndarray:
    """Token windows, uint8 ``(N, T)``, for latent vectors ``(N, Z)``; ``rules`` say which tokens may come where.

    A composing model follows a ``plan``; its windows are then written together.

    Raises:
        ValueError: if the temperature is negative or no number.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; it must be a number from 0 up")
    if plan is not None:
        return model.decode(z, temperature, draws, rules, plan).astype(np.uint8)
    parts = []
    for start in range(0, len(z), DECODING_BATCH):
        stop = start + DECODING_BATCH
        ruled = None if rules is None else rules.rows(start, stop)
        parts.append(model.decode(z[start:stop], temperature, draws, ruled))
    return np.concatenate(parts).astype(np.uint8)


def decode_melodies(
    model: MelodyNetwork,
    z: np.ndarray,
    temperature: float,
    draws: Draws | None,
    rules: TokenRules | None = None,
    **fields: Any,
) -> list[Melody]:
    """A melody for each latent vector of ``(N, Z)``; ``fields`` are their tempo, program and so on."""
    grid = {"steps_per_quarter": model.config.steps_per_quarter, "meter": model.config.meter}
    rows = decode_tokens(model, z, temperature, draws, rules)
    return [model.vocabulary.decode(row, **(grid | fields)) for row in rows]


def fields_of(melody: Melody) -> dict[str, Any]:
    """Fields that a melody made from ``melody`` keeps of it."""
    return {
        "quarters_per_minute": melody.quarters_per_minute,
        "program": melody.program,
        "meter": melody.meter,
    }


def check_count(count: int, least: int) -> None:
    """Raise ``ValueError`` if fewer melodies are asked for than make sense."""
    if count < least:
        raise ValueError(f"count is {count}; it must be at least {least}")

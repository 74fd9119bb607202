"""Hidden bars of a tune, filled in from what can be seen.

For each hidden bar a window of the model is laid so that the bar stands in it as late as it can, after bars that are
known. Points are drawn from the prior and moved by gradient descent until the window's visible steps are likely: what
the visible steps say nothing about stays as it was drawn. The decoder then writes the hidden steps, given z and the
visible steps before them, and of several candidates the one is taken whose windows, now full, have the lowest negative
ELBO, those with the bars after it among them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from data_prep.errors import UserError
from data_prep.melody import Melody
from melodyvae.generation.codec import fields_of, tied_like
from melodyvae.generation.scoring import negative_elbo
from melodyvae.models.loss import token_nats

if TYPE_CHECKING:
    from melodyvae.models.melody import MelodyModel

CANDIDATES = 24
UPDATES = 30
LEARNING_RATE = 0.1


class CompletionError(UserError, ValueError):
    """There is nothing to fill in, or nothing to go by."""


def complete(
    model: MelodyModel,
    melody: Melody,
    hidden_bars: Collection[int],
    count: int = 1,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> list[Melody]:
    """``count`` melodies that are ``melody`` in its visible bars, with its hidden bars filled in.

    Notes that reach from a visible bar into a hidden one end there, and those that reach out of one begin there.

    Args:
        model: the model.
        melody: whole bars, at least as many as a window has, hidden ones included.
        hidden_bars: from 0; those after the melody's end make it longer.
        count: how many.
        temperature: of the tokens' draw; the completions differ at 0 too, since z is drawn.
        generator: the source of all draws.

    Raises:
        CompletionError: if no bar is hidden, or none with a note is visible.
    """
    hidden = sorted(set(hidden_bars))
    if not hidden or hidden[0] < 0:
        raise CompletionError("no bar is hidden, so there is nothing to fill in")
    bars = max(melody.bars, hidden[-1] + 1, model.config.bars)
    whole = melody.pad_to(bars)
    pieces = [_silent(whole, bar) if bar in hidden else whole.window(bar, 1) for bar in range(bars)]
    if not any(piece.notes for piece in pieces):
        raise CompletionError("no visible bar has a note, so there is nothing to go by")
    melodies = [tied_like(Melody.join(pieces), whole, 1) for _ in range(count)]
    known = [bar not in hidden for bar in range(bars)]
    usual = _usual_nats(model, whole, known)
    for bar in hidden:
        melodies = _fill(model, melodies, whole, bar, known, usual, temperature, generator)
        known[bar] = True
    return [replace(found, start_quarters=melody.start_quarters, name=melody.name) for found in melodies]


def _fill(
    model: MelodyModel,
    melodies: list[Melody],
    whole: Melody,
    bar: int,
    known: list[bool],
    usual: float | None,
    temperature: float,
    generator: torch.Generator | None,
) -> list[Melody]:
    """The melodies with one more bar in them."""
    size = model.config.bars
    first = min(max(bar - size + 1, 0), len(known) - size)
    visible = np.repeat(known[first : first + size], whole.steps_per_bar)
    tokens = np.stack([model.vocabulary.encode(melody.window(first, size)) for melody in melodies])
    repeated = torch.from_numpy(tokens.astype(np.int64)).repeat_interleave(CANDIDATES, dim=0).to(model.device)
    mask = torch.from_numpy(visible).to(model.device)
    z = _fitted(model, repeated, mask, generator)
    with torch.inference_mode():
        filled = model.fill_in(z, repeated, mask, temperature, generator).cpu().numpy().astype(np.uint8)
    candidates = [
        _with_bar(model, melodies[index // CANDIDATES], whole, row, bar, first) for index, row in enumerate(filled)
    ]
    starts = [
        start
        for start in range(max(bar - size + 1, 0), min(bar, len(known) - size) + 1)
        if all(known[other] or other == bar for other in range(start, start + size))
    ]
    nats = np.zeros(len(candidates))
    for start in starts or [first]:
        rows = np.stack([model.vocabulary.encode(melody.window(start, size)) for melody in candidates])
        nats += negative_elbo(model, rows) / len(starts or [first])
    costs = nats if usual is None else np.abs(nats - usual)
    best = costs.reshape(len(melodies), CANDIDATES).argmin(axis=1)
    return [candidates[index * CANDIDATES + choice] for index, choice in enumerate(best)]


def _usual_nats(model: MelodyModel, whole: Melody, known: list[bool]) -> float | None:
    """The mean negative ELBO of the windows in which all is known; None if there is none with a note."""
    size = model.config.bars
    windows = [whole.window(start, size) for start in range(len(known) - size + 1) if all(known[start : start + size])]
    rows = [model.vocabulary.encode(window) for window in windows if window.notes]
    return float(negative_elbo(model, np.stack(rows)).mean()) if rows else None


def _fitted(model: MelodyModel, tokens: Tensor, visible: Tensor, generator: torch.Generator | None) -> Tensor:
    """Points from which the visible steps of ``tokens`` ``(B, T)`` are likely: ``(B, Z)``."""
    z = model.prior(len(tokens)).sample(generator).detach().requires_grad_(True)
    if not visible.any():
        return z.detach()
    optimizer = torch.optim.Adam([z], lr=LEARNING_RATE)
    for _ in range(UPDATES):
        # cuDNN's LSTM has a backward pass only in training mode.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            losses = token_nats(model.logits(z, tokens), tokens)
            (z.grad,) = torch.autograd.grad(losses[:, visible].sum(), z)
        optimizer.step()
    return z.detach()


def _with_bar(model: MelodyModel, melody: Melody, whole: Melody, row: np.ndarray, bar: int, first: int) -> Melody:
    """A melody with one of its bars taken from a window that begins at bar ``first``."""
    written = model.vocabulary.decode(row, **fields_of(whole)).window(bar - first, 1)
    pieces = [written if index == bar else melody.window(index, 1) for index in range(melody.bars)]
    joined = Melody.join(pieces)
    # What the melody held over bar lines, and what the whole one did, is held again.
    return tied_like(tied_like(joined, melody, 1), whole, 1)


def _silent(melody: Melody, bar: int) -> Melody:
    return replace(melody.window(bar, 1), notes=())

"""How good a model is, in the terms of the MusicVAE paper, on windows it was not trained on.

Conventions: windows are integers ``(N, T)``; accuracies, rates and F1 are shares, 0 to 1; KL is in bits a window;
reconstruction and negative ELBO in nats. Every figure that a trivial guess could reach is given with that guess.

Contents: :func:`reconstruction_figures`, :func:`note_f1`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from data_prep.tokens import FIRST_NOTE_ON, NO_EVENT
from melodyvae.latent import active_units
from melodyvae.model import MelodyVAE


def reconstruction_figures(
    model: MelodyVAE, windows: np.ndarray, seed: int = 0, batch_size: int = 512
) -> dict[str, float]:
    """How well windows come back through z, each figure a mean over all of ``windows`` ``(N, T)``.

    - ``teacher_forced_accuracy``: steps whose most probable token is right, given the true tokens before it and one z
      drawn from q(z | x).
    - ``sampled_accuracy``: steps right when every token is drawn at temperature 1 from the model's own past, z from
      q(z | x): the paper's "sampling" column.
    - ``greedy_accuracy``, ``note_f1``, ``exact_windows``: of the most probable continuation, z the posterior mean.
    - ``no_event_accuracy``: steps right when one always guesses "no event".
    - ``reconstruction_nats``, ``kl_bits``, ``negative_elbo_nats_per_step``: the halves of the bound, and the bound.
    - ``active_units``: see :func:`melodyvae.latent.active_units`.

    The posterior and every draw depend on ``seed`` alone.
    """
    if len(windows) == 0:
        raise ValueError("there are no windows to evaluate on")
    generator = torch.Generator(model.device).manual_seed(seed)
    sums = {
        "teacher": 0,
        "sampled": 0,
        "greedy": 0,
        "no_event": 0,
        "exact": 0,
        "reconstruction": 0.0,
        "kl": 0.0,
    }
    notes = np.zeros(3, dtype=np.int64)  # right, decoded, true
    means: list[Tensor] = []
    with torch.inference_mode():
        for tokens in _batches(windows, batch_size, model.device):
            posterior = model.encode(tokens)
            z = posterior.sample(generator)
            greedy = model.decode(posterior.mean)
            log_probabilities = model.decoder(z, tokens).log_softmax(dim=-1)
            sums["teacher"] += int((log_probabilities.argmax(-1) == tokens).sum())
            sums["sampled"] += int((model.decode(z, 1.0, generator) == tokens).sum())
            sums["greedy"] += int((greedy == tokens).sum())
            sums["no_event"] += int((tokens == NO_EVENT).sum())
            sums["exact"] += int((greedy == tokens).all(dim=1).sum())
            sums["reconstruction"] -= float(log_probabilities.gather(2, tokens.unsqueeze(2)).sum())
            sums["kl"] += float(posterior.kl_to_standard_normal().sum())
            notes += _note_counts(greedy, tokens)
            means.append(posterior.mean)
    count, steps = len(windows), windows.size
    reconstruction, kl = sums["reconstruction"] / count, sums["kl"] / count
    return {
        "teacher_forced_accuracy": sums["teacher"] / steps,
        "sampled_accuracy": sums["sampled"] / steps,
        "greedy_accuracy": sums["greedy"] / steps,
        "no_event_accuracy": sums["no_event"] / steps,
        "note_f1": _f1(notes),
        "exact_windows": sums["exact"] / count,
        "reconstruction_nats": reconstruction,
        "kl_bits": kl / math.log(2),
        "negative_elbo_nats_per_step": (reconstruction + kl) / windows.shape[1],
        "active_units": active_units(torch.cat(means)),
    }


def note_f1(decoded: Tensor, tokens: Tensor) -> float:
    """F1 of the notes of ``decoded`` against ``tokens``, both ``(N, T)``: right means onset step and pitch are right.

    1 where neither holds a note.
    """
    return _f1(_note_counts(decoded, tokens))


def _note_counts(decoded: Tensor, tokens: Tensor) -> np.ndarray:
    is_note = tokens >= FIRST_NOTE_ON
    right = (is_note & (decoded == tokens)).sum()
    return np.array([int(right), int((decoded >= FIRST_NOTE_ON).sum()), int(is_note.sum())])


def _f1(counts: np.ndarray) -> float:
    right, decoded, true = (int(count) for count in counts)
    return 2 * right / (decoded + true) if decoded + true else 1.0


def _batches(windows: np.ndarray, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    for start in range(0, len(windows), batch_size):
        yield torch.from_numpy(windows[start : start + batch_size].astype(np.int64)).to(device)

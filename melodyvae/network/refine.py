"""The z from which a window comes back exactly: the posterior mean, moved a little where that is not enough.

A window comes back greedily from z if, at each step, the window's own token is the most probable one after the window's
own past. So a few steps of gradient descent on -log p(x | z), from the posterior mean, are enough for most windows that
the mean misses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Gradient = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

UPDATES = 60
LEARNING_RATE = 0.05
SURE_LOGITS = 0.1  # how far the right token must lead: a token is not to hang on a rounding error
DECAYS = (0.9, 0.999)  # of the running means of the gradient and of its square
TINY = 1e-8
STEPS_AT_ONCE = 4096  # steps of all windows whose gradients are taken together: 1 kB or so per LSTM unit


def refine_latents(gradient_of: Gradient, tokens: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Latent vectors ``(B, Z)`` near ``means`` from which as many steps as can be reached come back.

    Each row is moved by Adam, and left alone once all of its steps come back ("Adam: A Method for Stochastic
    Optimization", Kingma, Ba, 2014, https://arxiv.org/abs/1412.6980).

    Args:
        gradient_of: ``(z, tokens)`` to their logits ``(B, T, V)`` and the gradient of -log p(x | z), ``(B, Z)``.
        tokens: the windows, int64 ``(B, T)``.
        means: where to start, ``(B, Z)``; rows that come back from there stay as they are.
    """
    rows = max(STEPS_AT_ONCE // tokens.shape[1], 1)
    parts = [
        _refined(gradient_of, tokens[start : start + rows], means[start : start + rows])
        for start in range(0, len(tokens), rows)
    ]
    return np.concatenate(parts) if parts else means


def _refined(gradient_of: Gradient, tokens: np.ndarray, means: np.ndarray) -> np.ndarray:
    best, best_right = means.copy(), np.full(len(means), -1)
    open_rows, z = np.arange(len(means)), means.copy()
    first, second = np.zeros_like(z), np.zeros_like(z)
    for update in range(1, UPDATES + 2):
        logits, gradient = gradient_of(z, tokens[open_rows])
        right = sure_steps(logits, tokens[open_rows])
        better = right > best_right[open_rows]
        best[open_rows[better]], best_right[open_rows[better]] = z[better], right[better]
        stays = right < tokens.shape[1]
        if update > UPDATES or not stays.any():
            break
        open_rows, z, gradient = open_rows[stays], z[stays], gradient[stays]
        first = DECAYS[0] * first[stays] + (1 - DECAYS[0]) * gradient
        second = DECAYS[1] * second[stays] + (1 - DECAYS[1]) * np.square(gradient)
        scale = np.sqrt(second / (1 - DECAYS[1] ** update)) + TINY
        z = z - LEARNING_RATE * first / (1 - DECAYS[0] ** update) / scale
    return best


def sure_steps(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """On how many steps of ``(B, T, V)`` the true token leads all others: ``(B,)``."""
    places = tokens.astype(np.int64)[..., None]
    true = np.take_along_axis(logits, places, -1)[..., 0]
    others = logits.copy()
    np.put_along_axis(others, places, -np.inf, -1)
    return np.asarray((true > others.max(axis=-1) + SURE_LOGITS).sum(axis=1))

"""The z from which a window comes back exactly: the posterior mean, moved a little where that is not enough.

A window comes back greedily from z if, at each step, the window's own token is the most probable one after the window's
own past. So a few steps of gradient descent on -log p(x | z), from the posterior mean, are enough for most windows that
the mean misses.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from melodyvae.models.loss import token_nats

UPDATES = 60
LEARNING_RATE = 0.05
SURE_LOGITS = 0.1  # how far the right token must lead: a token is not to hang on a rounding error


def refine_latents(
    logits_of: Callable[[Tensor, Tensor], Tensor], tokens: Tensor, means: Tensor, updates: int = UPDATES
) -> Tensor:
    """Latent vectors ``(B, Z)`` near ``means`` from which as many steps as can be reached come back.

    Args:
        logits_of: the teacher-forced logits ``(B, T, V)`` of ``(z, tokens)``, differentiable in z.
        tokens: the windows, int64 ``(B, T)``.
        means: where to start, ``(B, Z)``; rows that come back from there stay as they are.
        updates: of Adam, at most.
    """
    z = means.detach().clone().requires_grad_(True)
    best, best_right = means.detach().clone(), torch.full((len(means),), -1, device=means.device)
    optimizer = torch.optim.Adam([z], lr=LEARNING_RATE)
    for update in range(updates + 1):
        # cuDNN's LSTM has a backward pass only in training mode.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            logits = logits_of(z, tokens)
            loss = token_nats(logits, tokens).sum()
            right = _sure_steps(logits.detach(), tokens)
            better = right > best_right
            best, best_right = torch.where(better[:, None], z.detach(), best), torch.maximum(right, best_right)
            if update == updates or bool((best_right == tokens.shape[1]).all()):
                return best
            (gradient,) = torch.autograd.grad(loss, z)
        z.grad = gradient * (best_right < tokens.shape[1])[:, None]
        optimizer.step()
    return best


def _sure_steps(logits: Tensor, tokens: Tensor) -> Tensor:
    """On how many steps of ``(B, T, V)`` the true token leads all others: ``(B,)``."""
    true = logits.gather(2, tokens[..., None]).squeeze(2)
    others = logits.scatter(2, tokens[..., None], -torch.inf).amax(dim=2)
    return (true > others + SURE_LOGITS).sum(dim=1)

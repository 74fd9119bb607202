"""A tighter bound on -log p(x) than the negative ELBO: the importance-weighted one.

"Importance Weighted Autoencoders" (Burda, Grosse, Salakhutdinov, 2015), https://arxiv.org/abs/1509.00519
"""

from __future__ import annotations

import math

import numpy as np
import torch

from melodyvae.datasets.batches import token_batches
from melodyvae.models.latent import standard_normal
from melodyvae.models.loss import token_nats
from melodyvae.models.melody import MelodyModel
from melodyvae.network.draws import Draws

ROWS_AT_ONCE = 1024


def importance_weighted_bound(model: MelodyModel, windows: np.ndarray, samples: int = 100, seed: int = 0) -> np.ndarray:
    """-log of the mean of p(x, z) / q(z | x) over ``samples`` draws of z, in nats, of each window ``(N, T)``: ``(N,)``.

    With one sample it is the negative ELBO at one z; with more it falls towards -log p(x), and never below it in
    expectation.
    """
    draws = Draws(seed)
    bounds = []
    with torch.inference_mode():
        for part in token_batches(windows, max(ROWS_AT_ONCE // samples, 1), model.device):
            tokens = part.repeat_interleave(samples, dim=0)
            posterior = model.encode(tokens)
            z = posterior.sample(draws)
            log_likelihood = -token_nats(model.logits(z, tokens), tokens).sum(1)
            prior = standard_normal(*z.shape, like=z)
            log_weight = log_likelihood + prior.log_density(z) - posterior.log_density(z)
            bounds.append(math.log(samples) - log_weight.view(len(part), samples).logsumexp(dim=1))
    return torch.cat(bounds).double().cpu().numpy()

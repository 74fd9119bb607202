"""The curves by which the MusicVAE paper judges interpolations, over many pairs of held-out windows.

"A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music" (Roberts et al., 2018), section 5.2 and
figure 4, https://arxiv.org/abs/1803.05428
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from melodyvae.evaluation.ngram import NgramModel
from melodyvae.network.latent import slerp
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.codec import decode_tokens, posterior_means

POINTS = 11


@dataclass(frozen=True)
class InterpolationCurves:
    """Means over pairs A, B at ``alpha`` from 0 (A) to 1 (B), each a list of as many numbers.

    Attributes:
        alpha: the places.
        latent_hamming, data_hamming: the share of steps that differ from A: of the latent walk, slerp between the
            posterior means decoded greedily; and of the baseline in data space, which takes each step from B with
            probability alpha, and from A otherwise.
        latent_cost, data_cost: -log p under the n-gram model, divided by (1 - alpha) times that of A plus alpha times
            that of B: 1 if the tunes between are as usual as the ends.
    """

    alpha: list[float]
    latent_hamming: list[float]
    data_hamming: list[float]
    latent_cost: list[float]
    data_cost: list[float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def interpolation_curves(
    model: MelodyNetwork, windows: np.ndarray, language_model: NgramModel, pairs: int = 1024, seed: int = 0
) -> InterpolationCurves:
    """The curves over random pairs of ``windows`` ``(N, T)``; a window may be in several pairs."""
    if len(windows) < 2:
        raise ValueError("there are no two windows to interpolate between")
    generator = np.random.default_rng(seed)
    first = generator.integers(len(windows), size=pairs)
    second = (first + generator.integers(1, len(windows), size=pairs)) % len(windows)
    starts, ends = windows[first], windows[second]
    alphas = np.linspace(0, 1, POINTS)
    means = posterior_means(model, starts), posterior_means(model, ends)
    path = np.stack([slerp(a, b, alphas) for a, b in zip(*means, strict=True)], axis=1)
    latent = decode_tokens(model, path.reshape(POINTS * pairs, -1)).reshape(POINTS, pairs, -1)
    takes_end = generator.random(latent.shape) < alphas[:, None, None]
    mixed = np.where(takes_end, ends, starts)
    costs = language_model.cost(starts), language_model.cost(ends)
    usual = (1 - alphas)[:, None] * costs[0] + alphas[:, None] * costs[1]

    def relative_cost(walk: np.ndarray) -> list[float]:
        cost = language_model.cost(walk.reshape(-1, walk.shape[2])).reshape(POINTS, pairs)
        ratios: list[float] = (cost.sum(axis=1) / usual.sum(axis=1)).tolist()
        return ratios

    return InterpolationCurves(
        alpha=alphas.tolist(),
        latent_hamming=(latent != starts).mean(axis=(1, 2)).tolist(),
        data_hamming=(mixed != starts).mean(axis=(1, 2)).tolist(),
        latent_cost=relative_cost(latent),
        data_cost=relative_cost(mixed),
    )

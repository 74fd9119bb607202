"""The latent space: a diagonal Gaussian, its KL divergence, and straight and spherical paths. No networks.

Conventions: shapes are ``(..., Z)``; log-variances are natural logarithms; KL is in nats, summed over Z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from melodyvae.network.draws import Draws
from melodyvae.network.latent import LOWEST_LOG_VARIANCE

ACTIVE_UNIT_VARIANCE = 0.01


@dataclass(frozen=True)
class DiagonalGaussian:
    """N(mean, diag(exp(log_variance))); both parameters are ``(..., Z)``."""

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def bounded(cls, parameters: Tensor) -> DiagonalGaussian:
        """The Gaussian of mean and log-variance in a row, ``(..., 2 Z)``, the latter at least -8."""
        mean, log_variance = parameters.chunk(2, dim=-1)
        return cls(mean, log_variance.clamp(min=LOWEST_LOG_VARIANCE))

    def sample(self, source: torch.Generator | Draws | None = None) -> Tensor:
        """One draw, ``(..., Z)``, differentiable in the parameters (the reparameterisation trick).

        From :class:`~melodyvae.network.draws.Draws` the noise is the same under every version of torch and on every
        device; torch's own generators are faster.

        "Auto-Encoding Variational Bayes" (Kingma, Welling, 2013), section 2.4: https://arxiv.org/abs/1312.6114
        """
        if isinstance(source, Draws):
            noise = torch.from_numpy(source.normal(*self.mean.shape)).to(self.mean)
        else:
            noise = torch.randn(self.mean.shape, generator=source, dtype=self.mean.dtype, device=self.mean.device)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl_to_standard_normal(self) -> Tensor:
        """KL(self || N(0, I)) in nats, ``(...)``: never negative, 0 only at N(0, I) (same paper, appendix B)."""
        terms = self.mean.square() + self.log_variance.exp() - 1.0 - self.log_variance
        return 0.5 * terms.sum(-1)

    def log_density(self, z: Tensor) -> Tensor:
        """Natural logarithm of the density at ``z`` ``(..., Z)``, summed over Z."""
        squares = (z - self.mean).square() * torch.exp(-self.log_variance)
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).sum(-1)

    def relative_to(self, prior: DiagonalGaussian) -> DiagonalGaussian:
        """The Gaussian of (z - m) / s for a prior N(m, s^2): its KL to N(0, I) is the KL of this one to the prior."""
        mean = (self.mean - prior.mean) * torch.exp(-0.5 * prior.log_variance)
        return DiagonalGaussian(mean, self.log_variance - prior.log_variance)

    def flattened(self) -> DiagonalGaussian:
        """Parameters ``(B, S, W)`` as ``(B, S * W)``."""
        return DiagonalGaussian(self.mean.flatten(1), self.log_variance.flatten(1))


def standard_normal(*shape: int, like: Tensor) -> DiagonalGaussian:
    """N(0, I) of the given shape ``(..., Z)``, with the precision and device of ``like``."""
    zeros = torch.zeros(*shape, dtype=like.dtype, device=like.device)
    return DiagonalGaussian(zeros, zeros)


def active_units(means: Tensor) -> int:
    """Number of used latent dimensions: those whose posterior mean ``(N, Z)`` has a variance above 0.01 over the data.

    "Importance Weighted Autoencoders" (Burda, Grosse, Salakhutdinov, 2015): https://arxiv.org/abs/1509.00519
    """
    return int((means.var(dim=0) > ACTIVE_UNIT_VARIANCE).sum()) if len(means) > 1 else 0


def lerp(start: Tensor, end: Tensor, weights: Tensor) -> Tensor:
    """Points on the straight line from ``start`` to ``end`` (both ``(Z,)``) at ``weights`` ``(N,)``: ``(N, Z)``."""
    weights = weights.to(start).unsqueeze(-1)
    return (1 - weights) * start + weights * end


def slerp(start: Tensor, end: Tensor, weights: Tensor) -> Tensor:
    """Points on the great arc from ``start`` to ``end`` (both ``(Z,)``) at ``weights`` ``(N,)``: ``(N, Z)``.

    The direction turns at constant speed and the norm changes linearly, so both ends are met exactly, for any
    norms. Draws from N(0, I) lie near a sphere, which a straight line would leave. Where no arc is defined (a zero
    vector, equal or opposite directions) the path is the straight line.

    "Animating Rotation with Quaternion Curves" (Shoemake, 1985): https://doi.org/10.1145/325165.325242
    """
    norm_start, norm_end = start.norm(), end.norm()
    if norm_start == 0 or norm_end == 0:
        return lerp(start, end, weights)
    cosine = torch.dot(start, end) / (norm_start * norm_end)
    angle = torch.arccos(cosine.clamp(-1, 1))
    sine = torch.sin(angle)
    if sine < 1e-4:
        return lerp(start, end, weights)
    weights = weights.to(start).unsqueeze(-1)
    turned_start = torch.sin((1 - weights) * angle) / sine * (start / norm_start)
    turned_end = torch.sin(weights * angle) / sine * (end / norm_end)
    path = ((1 - weights) * norm_start + weights * norm_end) * (turned_start + turned_end)
    # The ends are given back bit for bit: they are somebody's tune.
    path = torch.where(weights == 0, start, path)
    return torch.where(weights == 1, end, path)

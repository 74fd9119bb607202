"""The latent space in NumPy: a diagonal Gaussian, its KL divergence, and straight and spherical paths.

Conventions: shapes are ``(..., Z)``; log-variances are natural logarithms; KL is in nats, summed over Z.
:mod:`melodyvae.models.latent` says the same in torch, for training, and names the papers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.network.draws import Draws

LOWEST_LOG_VARIANCE = -8.0


@dataclass(frozen=True)
class Gaussian:
    """N(mean, diag(exp(log_variance))); both parameters are ``(..., Z)``."""

    mean: np.ndarray
    log_variance: np.ndarray

    @classmethod
    def of(cls, parameters: np.ndarray) -> Gaussian:
        """The Gaussian of mean and log-variance in a row, ``(..., 2 Z)``."""
        mean, log_variance = np.split(parameters, 2, axis=-1)
        return cls(mean, log_variance)

    @classmethod
    def bounded(cls, parameters: np.ndarray) -> Gaussian:
        """As :meth:`of`, with log-variances of at least -8."""
        mean, log_variance = np.split(parameters, 2, axis=-1)
        return cls(mean, np.maximum(log_variance, LOWEST_LOG_VARIANCE))

    @classmethod
    def standard(cls, *shape: int) -> Gaussian:
        """N(0, I) of the given shape ``(..., Z)``, float32."""
        return cls(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def sample(self, draws: Draws | None = None) -> np.ndarray:
        """One draw, ``(..., Z)``."""
        noise = (draws or Draws()).normal(*self.mean.shape).astype(self.mean.dtype)
        return np.asarray(self.mean + np.exp(0.5 * self.log_variance) * noise)

    def kl_to_standard_normal(self) -> np.ndarray:
        """KL(self || N(0, I)) in nats, ``(...)``: never negative, 0 only at N(0, I)."""
        terms = np.square(self.mean) + np.exp(self.log_variance) - 1.0 - self.log_variance
        return np.asarray(0.5 * terms.sum(axis=-1))

    def relative_to(self, prior: Gaussian) -> Gaussian:
        """The Gaussian of (z - m) / s for a prior N(m, s^2): its KL to N(0, I) is the KL of this one to the prior."""
        mean = (self.mean - prior.mean) * np.exp(-0.5 * prior.log_variance)
        return Gaussian(mean, self.log_variance - prior.log_variance)

    def flattened(self) -> Gaussian:
        """Parameters ``(B, S, W)`` as ``(B, S * W)``."""
        batch = len(self.mean)
        return Gaussian(self.mean.reshape(batch, -1), self.log_variance.reshape(batch, -1))


def lerp(start: np.ndarray, end: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Points on the straight line from ``start`` to ``end`` (both ``(Z,)``) at ``weights`` ``(N,)``: ``(N, Z)``."""
    along = weights.astype(start.dtype)[:, None]
    return np.asarray((1 - along) * start + along * end)


def slerp(start: np.ndarray, end: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Points on the great arc from ``start`` to ``end`` (both ``(Z,)``) at ``weights`` ``(N,)``: ``(N, Z)``.

    The direction turns at constant speed and the norm changes linearly, so both ends are met exactly, for any
    norms. Draws from N(0, I) lie near a sphere, which a straight line would leave. Where no arc is defined (a zero
    vector, equal or opposite directions) the path is the straight line.

    "Animating Rotation with Quaternion Curves" (Shoemake, 1985): https://doi.org/10.1145/325165.325242
    """
    norm_start, norm_end = np.linalg.norm(start), np.linalg.norm(end)
    if norm_start == 0 or norm_end == 0:
        return lerp(start, end, weights)
    angle = np.arccos(np.clip(start @ end / (norm_start * norm_end), -1, 1))
    sine = np.sin(angle)
    if sine < 1e-4:
        return lerp(start, end, weights)
    along = weights.astype(start.dtype)[:, None]
    turned_start = np.sin((1 - along) * angle) / sine * (start / norm_start)
    turned_end = np.sin(along * angle) / sine * (end / norm_end)
    path = ((1 - along) * norm_start + along * norm_end) * (turned_start + turned_end)
    # The ends are given back bit for bit: they are somebody's tune.
    path = np.where(along == 0, start, path)
    return np.where(along == 1, end, path)

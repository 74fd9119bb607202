"""The prior that samples are drawn from: a Gaussian mixture, fitted to the codes of the training windows.

A sharp model (a low beta) codes its windows where N(0, I) is not: the aggregate posterior, which is the mean of
q(z | x) over the training windows, is no standard normal, and what is drawn from one decodes to tunes of odd rhythms
and wild leaps. A density fitted to draws from the aggregate posterior afterwards mends the rhythms ("From Variational
to Deterministic Autoencoders", Ghosh et al., 2019, https://arxiv.org/abs/1903.12436, which takes a mixture, too). The
leaps are tamed by letting draws settle: each melody is read back by the encoder and drawn anew from there, a Markov
chain that tends to the distribution in which encoder and decoder agree ("Generalized Denoising Auto-Encoders as
Generative Models", Bengio et al., 2013, https://arxiv.org/abs/1305.6663).

A mixture of eight full covariances and ten rounds were chosen on the valid split of the data of melody-2bar, against
diagonal mixtures, one Gaussian, a normalising flow and fewer rounds: ``tests/benchmarks/priors.py``.

Conventions: K components, Z latent dimensions; log-densities in nats.

Contents: :class:`GaussianMixture`, :class:`PriorError`, :class:`CodingModel`, :func:`fit_prior`, :func:`fit_mixture`,
:func:`draw_latents`, :func:`has_fitted_prior`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from melodyvae.latent import DiagonalGaussian

Prior = Literal["fitted", "normal"]
EXTRA = "prior."
COMPONENTS = 8
SETTLING_ROUNDS = 10
MOST_WINDOWS = 60_000
FITTING_ROUNDS = 8
BORROWED_DRAWS = 200.0  # of the covariance of all draws, added to each component's own
DRAWS_A_DIMENSION = 16  # that a component needs, at least, on the mean
BATCH = 1024


class PriorError(ValueError):
    """A model has no fitted prior."""


class CodingModel(Protocol):
    """What a prior is fitted to; :class:`~melodyvae.model.MelodyVAE` is one."""

    extras: dict[str, Tensor]

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
        allowed_tokens: Tensor | None = None,
    ) -> Tensor:
        """Token windows ``(B, T)`` for latent vectors ``(B, Z)``, of ``allowed_tokens`` ``(V,)`` only."""

    def prior(self, count: int) -> DiagonalGaussian:
        """N(0, I), parameters ``(count, Z)``."""


@dataclass(frozen=True)
class GaussianMixture:
    """A density over latent vectors, float32.

    Attributes:
        weights: of the components, ``(K,)``, with the sum 1.
        means: ``(K, Z)``.
        factors: ``(K, Z, Z)``, lower triangular; the covariances are ``factor @ factor.T``.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """``count`` draws, ``(count, Z)``."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        shape = (count, self.means.shape[1])
        noise = torch.randn(shape, generator=generator, dtype=self.means.dtype, device=self.means.device)
        z = torch.empty_like(noise)
        for component in set(chosen.tolist()):
            rows = chosen == component
            z[rows] = self.means[component] + noise[rows] @ self.factors[component].T
        return z

    def log_density(self, z: Tensor) -> Tensor:
        """Natural logarithm of the density at ``z`` ``(N, Z)``: ``(N,)``."""
        return torch.logsumexp(self._joint(z), dim=1)

    def responsibilities(self, z: Tensor) -> Tensor:
        """The probability of each component given ``z`` ``(N, Z)``: ``(N, K)``."""
        return torch.softmax(self._joint(z), dim=1)

    def _joint(self, z: Tensor) -> Tensor:
        columns = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            noise = torch.linalg.solve_triangular(factor, (z - mean).T, upper=False)
            log_volume = factor.diagonal().log().sum() + 0.5 * len(mean) * math.log(2 * math.pi)
            columns.append(weight.log() - 0.5 * noise.square().sum(dim=0) - log_volume)
        return torch.stack(columns, dim=1)

    def to_extras(self) -> dict[str, Tensor]:
        """The tensors as a checkpoint holds them: float16, each under a name of its own."""
        return {EXTRA + entry.name: getattr(self, entry.name).cpu().half() for entry in fields(self)}

    @classmethod
    def from_extras(cls, extras: dict[str, Tensor], device: torch.device) -> Self:
        """The mixture that a checkpoint holds, on ``device``.

        Raises:
            PriorError: if there is none.
        """
        names = [entry.name for entry in fields(cls)]
        if any(EXTRA + name not in extras for name in names):
            raise PriorError(
                "the model has no fitted prior, which `melodyvae train` fits at its end; draw from N(0, I) with "
                "--prior normal"
            )
        return cls(**{name: extras[EXTRA + name].to(device, torch.float32) for name in names})


def fit_prior(model: CodingModel, windows: np.ndarray, seed: int = 0) -> GaussianMixture:
    """The mixture of a trained model, from training windows ``(N, T)``, of which at most 60,000 are taken.

    The windows are taken in their own keys, so that samples come in the keys that there are. With few windows there are
    fewer components: one for every 16 Z windows, at most eight.
    """
    order = np.random.default_rng(seed).permutation(len(windows))
    chosen = np.asarray(windows[np.sort(order[:MOST_WINDOWS])])
    generator = torch.Generator(model.device).manual_seed(seed)
    batches = torch.split(torch.from_numpy(chosen.astype(np.int64)), BATCH)
    with torch.inference_mode():
        draws = [model.encode(batch.to(model.device)).sample(generator).float().cpu() for batch in batches]
    z = torch.cat(draws).clone()
    components = min(max(len(z) // (DRAWS_A_DIMENSION * z.shape[1]), 1), COMPONENTS)
    return fit_mixture(z, components, seed)


def fit_mixture(z: Tensor, components: int, seed: int = 0, rounds: int = FITTING_ROUNDS) -> GaussianMixture:
    """A mixture with full covariances that fits ``z`` ``(N, Z)``, by expectation and maximisation from k-means.

    Each component's covariance borrows 200 draws' worth of that of all, which in turn borrows Z draws' worth of the
    identity: no covariance is singular, however few draws there are.
    """
    count, size = z.shape
    identity = torch.eye(size)
    centred = z - z.mean(dim=0)
    overall = (centred.T @ centred + size * identity) / (count + size)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(overall), centred.T, upper=False).T
    shares = torch.nn.functional.one_hot(_k_means(whitened, components, seed), components).to(z.dtype)
    mixture = _maximise(z, shares, overall)
    for _ in range(rounds if components > 1 else 0):
        mixture = _maximise(z, mixture.responsibilities(z), overall)
    return mixture


def draw_latents(
    model: CodingModel,
    count: int,
    prior: Prior | None = None,
    generator: torch.Generator | None = None,
    allowed_tokens: Tensor | None = None,
    rounds: int = SETTLING_ROUNDS,
) -> Tensor:
    """``count`` latent vectors ``(count, Z)``: from N(0, I), or from the fitted mixture and settled.

    Args:
        model: the model.
        count: how many, at least 1.
        prior: None takes the fitted one of a model that has one.
        generator: the source of all draws.
        allowed_tokens: booleans ``(V,)``: the melodies of settling consist of these only; None allows all.
        rounds: of settling: a melody is drawn at z, and then z from the melody's posterior.

    Raises:
        PriorError: if the fitted prior is asked of a model that has none.
    """
    if prior == "normal" or (prior is None and not has_fitted_prior(model)):
        return model.prior(count).sample(generator)
    masked = {} if allowed_tokens is None else {"allowed_tokens": allowed_tokens}
    settled = []
    with torch.inference_mode():
        for z in torch.split(GaussianMixture.from_extras(model.extras, model.device).sample(count, generator), BATCH):
            for _ in range(rounds):
                z = model.encode(model.decode(z, 1.0, generator, **masked)).sample(generator)
            settled.append(z)
    return torch.cat(settled).clone()


def has_fitted_prior(model: CodingModel) -> bool:
    """Whether the model's checkpoint came with a fitted prior."""
    return EXTRA + "weights" in model.extras


def _maximise(z: Tensor, shares: Tensor, overall: Tensor) -> GaussianMixture:
    """The mixture whose components hold ``shares`` ``(N, K)`` of the draws."""
    held = shares.sum(dim=0)
    means = shares.T @ z / held.clamp(min=1e-6).unsqueeze(1)
    factors = []
    for share, weight, mean in zip(shares.T, held, means, strict=True):
        centred = z - mean
        scatter = (centred * share.unsqueeze(1)).T @ centred
        factors.append(torch.linalg.cholesky((scatter + BORROWED_DRAWS * overall) / (weight + BORROWED_DRAWS)))
    return GaussianMixture(held / held.sum(), means, torch.stack(factors))


def _k_means(points: Tensor, clusters: int, seed: int, rounds: int = 10) -> Tensor:
    """The cluster of each of ``points`` ``(N, Z)``: ``(N,)``. A cluster that loses all its points stays where it is."""
    generator = torch.Generator().manual_seed(seed)
    centres = points[torch.randperm(len(points), generator=generator)[:clusters]].clone()
    nearest = torch.zeros(len(points), dtype=torch.long)
    for _ in range(rounds):
        nearest = (points @ centres.T - 0.5 * centres.square().sum(dim=1)).argmax(dim=1)
        for cluster in set(nearest.tolist()):
            centres[cluster] = points[nearest == cluster].mean(dim=0)
    return nearest

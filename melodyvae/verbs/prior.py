"""The prior that samples are drawn from: a Gaussian fitted to the codes of the training windows, and Gibbs steps.

A sharp model (a low beta) codes its windows where N(0, I) is not: the aggregate posterior, which is the mean of
q(z | x) over the training windows, is no standard normal, and draws from N(0, I) decode to tunes of odd rhythms and
wild leaps. A density fitted to draws from the aggregate posterior afterwards mends the rhythms ("From Variational to
Deterministic Autoencoders", Ghosh et al., 2019, https://arxiv.org/abs/1903.12436). Gibbs steps tame the leaps: a melody
is drawn given z, then z given the melody by the encoder. This Markov chain tends to the distribution in which encoder
and decoder agree ("Generalized Denoising Auto-Encoders as Generative Models", Bengio et al., 2013,
https://arxiv.org/abs/1305.6663).

Mixtures and a normalising flow were tried, too (``tests/benchmarks/priors.py``): straight from the prior they are
somewhat better than one Gaussian, but after Gibbs steps they are not. That, and ten steps, were chosen on the valid
split of the data of melody-2bar.

Conventions: Z latent dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from melodyvae.network.checkpoint import Fitted
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import in_parts, random_rows
from melodyvae.network.token_rules import TokenRules
from melodyvae.system.errors import UserError

Prior = Literal["fitted", "normal"]
GIBBS_STEPS = 10
MAX_WINDOWS = 30_000
BATCH = 1024


class PriorError(UserError, ValueError):
    """A model has no fitted prior."""


@dataclass(frozen=True)
class FittedGaussian(Fitted):
    """A Gaussian over latent vectors, float32.

    Attributes:
        mean: ``(Z,)``.
        factor: ``(Z, Z)``, lower triangular; the covariance is ``factor @ factor.T``.
    """

    EXTRA: ClassVar[str] = "prior."

    mean: np.ndarray
    factor: np.ndarray

    def sample(self, count: int, draws: Draws | None = None) -> np.ndarray:
        """``count`` draws, ``(count, Z)``."""
        noise = (draws or Draws()).normal(count, len(self.mean)).astype(np.float32)
        return np.asarray(self.mean + noise @ self.factor.T)

    @classmethod
    def from_extras(cls, extras: Mapping[str, np.ndarray], latent_size: int) -> Self:
        """The Gaussian that a checkpoint holds.

        Raises:
            PriorError: if there is none.
            CheckpointError: if it is of another latent size.
        """
        if not cls.is_in(extras):
            raise PriorError(
                "the model has no fitted prior, which `melodyvae train` fits at its end; draw from N(0, I) with "
                "prior normal"
            )
        return cls.read(extras, {"mean": (latent_size,), "factor": (latent_size, latent_size)})


def fit_prior(model: MelodyNetwork, windows: np.ndarray) -> FittedGaussian:
    """The prior of a trained model, from training windows ``(N, T)``, of which at most 30,000 are taken.

    The windows are taken in their own keys, so that samples come in the keys that there are.
    """
    draws = Draws(0)
    parts = in_parts(random_rows(windows, MAX_WINDOWS, seed=0), BATCH)
    return fit_gaussian(np.concatenate([model.encode(part).sample(draws) for part in parts]))


def fit_gaussian(z: np.ndarray) -> FittedGaussian:
    """The Gaussian of draws ``(N, Z)``.

    Its covariance borrows Z draws' worth of the identity, so that it is not singular, however few draws there are.
    """
    count, size = z.shape
    centred = z - z.mean(axis=0)
    covariance = (centred.T @ centred + size * np.eye(size, dtype=z.dtype)) / (count + size)
    return FittedGaussian(z.mean(axis=0), np.linalg.cholesky(covariance))


def draw_latents(
    model: MelodyNetwork,
    count: int,
    prior: Prior | None = None,
    draws: Draws | None = None,
    rules: TokenRules | None = None,
) -> np.ndarray:
    """``count`` latent vectors ``(count, Z)``: from N(0, I), or from the fitted Gaussian after Gibbs steps.

    Args:
        model: the model.
        count: how many, at least 1.
        prior: None takes the fitted one of a model that has one.
        draws: the source of all draws.
        rules: which tokens may come in the melodies of the Gibbs steps, the same for all of them; None allows all.

    Raises:
        PriorError: if the fitted prior is asked of a model that has none.
    """
    if prior == "normal" or (prior is None and not has_fitted_prior(model)):
        return model.prior(count).sample(draws)
    found = []
    fitted = FittedGaussian.from_extras(model.extras, model.config.latent_size)
    for z in in_parts(fitted.sample(count, draws), BATCH):
        for _ in range(GIBBS_STEPS):
            z = model.encode(model.decode(z, 1.0, draws, rules)).sample(draws)
        found.append(z)
    return np.concatenate(found)


def has_fitted_prior(model: MelodyNetwork) -> bool:
    """Whether the model's checkpoint came with a fitted prior."""
    return FittedGaussian.is_in(model.extras)

"""Metrics of a digit model from the literature, on digits it was not trained on.

Conventions: nats per image; shares 0 to 1. The bounds are of binarised images: each pixel of each image is drawn once
from its grey value (one draw of the dynamic binarisation, which depends on the seed alone).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from melodyvae.digits.data import Digits, batched, black_and_white
from melodyvae.digits.model import DigitVAE, bernoulli_nats
from melodyvae.models.latent import DiagonalGaussian, active_units

IMPORTANCE_SAMPLES = 500
DECODED_AT_ONCE = 2_000  # images; more do not fit a core's cache


@dataclass(frozen=True)
class PublishedBound:
    """A published bound on -log p(x) of test digits under dynamic binarisation, in nats per image."""

    model: str
    nats: float
    source: str


BURDA = (
    "Importance Weighted Autoencoders (Burda, Grosse, Salakhutdinov, 2015), table 1, https://arxiv.org/abs/1509.00519"
)
PUBLISHED = (
    PublishedBound("VAE, dense 2 x 200, 50 latents, 5000 importance samples", 86.76, BURDA),
    PublishedBound("IWAE (k = 50), the same networks, 5000 importance samples", 84.78, BURDA),
)


def digit_metrics(
    model: DigitVAE,
    digits: Digits,
    importance_samples: int = IMPORTANCE_SAMPLES,
    seed: int = 0,
    progress: Callable[[int], object] = lambda images: None,
) -> dict[str, float]:
    """Metrics of the model on ``digits``; each is a mean over all of them.

    - ``negative_elbo_nats`` = ``reconstruction_nats`` + ``kl_nats``, at one z an image, drawn from q(z | x);
    - ``importance_weighted_nats``: see :func:`importance_weighted_nats`; left out at 0 ``importance_samples``;
    - ``mean_squared_error``, a pixel, and ``cross_entropy_nats``, an image: of the grey images and what comes back
      from their posterior means;
    - ``active_units``: see :func:`melodyvae.models.latent.active_units`.

    A plain autoencoder has no bound and no KL: it gets the errors alone.

    Args:
        model: in evaluation mode.
        digits: at least one.
        importance_samples: draws of z per image for the importance-weighted bound.
        seed: of the binarisation and of every draw of z.
        progress: called now and then with the number of images whose bound was computed since the last call.
    """
    generator = torch.Generator(model.device).manual_seed(seed)
    drawn = black_and_white(digits, torch.Generator().manual_seed(seed))
    metrics = _errors(model, digits)
    if not model.config.variational:
        return metrics
    with torch.inference_mode():
        terms = [model.loss_terms(images, generator, labels) for images, labels in _batches(model, drawn)]
        metrics |= {
            "reconstruction_nats": _mean([term.reconstruction for term in terms]),
            "kl_nats": _mean([term.kl for term in terms]),
            "negative_elbo_nats": _mean([term.negative_elbo() for term in terms]),
        }
        if importance_samples:
            bounds = []
            for images, labels in _batches(model, drawn, max(1, DECODED_AT_ONCE // importance_samples)):
                bounds.append(importance_weighted_nats(model, images, importance_samples, generator, labels))
                progress(len(images))
            metrics["importance_weighted_nats"] = _mean(bounds)
    return metrics


def importance_weighted_nats(
    model: DigitVAE,
    images: Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """An upper bound of -log p(x) in nats, ``(B,)``, of black and white images ``(B, 28, 28)``.

    -log of the mean of p(x, z) / q(z | x) over ``samples`` draws of z from q(z | x): with one draw the negative ELBO,
    with more of them ever tighter. "Importance Weighted Autoencoders" (Burda, Grosse, Salakhutdinov, 2015), equation 8:
    https://arxiv.org/abs/1509.00519
    """
    posterior = model.encode(images, labels)
    wide = DiagonalGaussian(*(p.expand(samples, -1, -1) for p in (posterior.mean, posterior.log_variance)))
    z = wide.sample(generator)  # (samples, B, Z)
    repeated = None if labels is None else labels.repeat(samples)
    logits = model.logits(z.flatten(0, 1), repeated).view(samples, *images.shape)
    log_weights = -bernoulli_nats(logits, images.expand_as(logits))
    log_weights += model.prior(1).log_density(z) - wide.log_density(z)
    return math.log(samples) - log_weights.logsumexp(dim=0)


def classifier_accuracies(model: DigitVAE, train: Digits, test: Digits) -> dict[str, float]:
    """The share of test digits that simple classifiers name from their posterior means: what z knows of the digit.

    ``nearest_neighbour_accuracy`` takes the label of the nearest training mean, ``logistic_accuracy`` a logistic
    regression on all of them.

    Raises:
        ImportError: if scikit-learn is not installed.
    """
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # scikit-learn has no types
    from sklearn.neighbors import KNeighborsClassifier  # type: ignore[import-untyped]

    seen, asked = (posterior_means(model, digits).numpy() for digits in (train, test))
    nearest = KNeighborsClassifier(n_neighbors=1).fit(seen, train.labels.numpy())
    logistic = LogisticRegression(max_iter=1000).fit(seen, train.labels.numpy())
    return {
        "nearest_neighbour_accuracy": float(nearest.score(asked, test.labels.numpy())),
        "logistic_accuracy": float(logistic.score(asked, test.labels.numpy())),
    }


def posterior_means(model: DigitVAE, digits: Digits) -> Tensor:
    """The posterior mean of each grey image, float ``(N, Z)``, on the CPU."""
    with torch.inference_mode():
        return torch.cat([model.encode(images, labels).mean.cpu() for images, labels in _batches(model, digits)])


def negative_elbos(model: DigitVAE, digits: Digits, seed: int = 0) -> Tensor:
    """The negative ELBO of each image in nats, ``(N,)``, on the CPU: binarised once, at one z."""
    generator = torch.Generator(model.device).manual_seed(seed)
    drawn = black_and_white(digits, torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        elbos = [
            model.loss_terms(images, generator, labels).negative_elbo().cpu()
            for images, labels in _batches(model, drawn)
        ]
    return torch.cat(elbos)


def _errors(model: DigitVAE, digits: Digits) -> dict[str, float]:
    squares, entropies, means = [], [], []
    with torch.inference_mode():
        for images, labels in _batches(model, digits):
            means.append(model.encode(images, labels).mean)
            logits = model.logits(means[-1], labels)
            squares.append((logits.sigmoid() - images).square().mean(dim=(1, 2)))
            entropies.append(bernoulli_nats(logits, images))
    return {
        "mean_squared_error": _mean(squares),
        "cross_entropy_nats": _mean(entropies),
        "active_units": active_units(torch.cat(means)),
    }


def _mean(parts: list[Tensor]) -> float:
    return float(torch.cat(parts).double().mean())


def _batches(model: DigitVAE, digits: Digits, size: int = DECODED_AT_ONCE) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The images, 0 to 1, and their labels where the model takes them, a few at a time, on the model's device."""
    for batch in batched(digits, size):
        labels = batch.labels.to(model.device) if model.config.labels else None
        yield batch.grey().to(model.device), labels

"""The digit models: a VAE of handwritten digits, on the same latent, objective, trainer and checkpoint as the melodies.

Only encoder, decoder and likelihood are their own. An image is 28 x 28 independent Bernoulli pixels given z: black or
white, drawn from its grey values at every visit (dynamic binarisation; see :mod:`melodyvae.digits.data`).

Conventions: images are ``(B, 28, 28)``, float, 0 (paper) to 1 (ink); labels are integers ``(B,)``, 0 to 9; z is
``(B, Z)``; loss terms are in nats per image.

"Auto-Encoding Variational Bayes" (Kingma, Welling, 2013): https://arxiv.org/abs/1312.6114
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from melodyvae.digits.config import SIDE, DigitsConfig
from melodyvae.models.checkpoint import CheckpointedModel
from melodyvae.models.latent import DiagonalGaussian, standard_normal
from melodyvae.models.loss import LossTerms

PIXELS = SIDE * SIDE
CLASSES = 10


class DigitVAE(CheckpointedModel):
    """A variational autoencoder of digits: dense or convolutional, plain or conditional on the label."""

    KIND = "digits"
    CONFIG = DigitsConfig
    DEFAULT = "digits-5d"
    config: DigitsConfig

    def __init__(self, config: DigitsConfig | None = None) -> None:
        super().__init__(config or DigitsConfig())
        posterior_size = (2 if self.config.variational else 1) * self.config.latent_size
        label_size = CLASSES if self.config.labels else 0
        networks = _dense_networks if self.config.network == "dense" else _conv_networks
        self.image_features, self.encoder, self.decoder = networks(self.config, posterior_size, label_size)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def encode(self, images: Tensor, labels: Tensor | None = None) -> DiagonalGaussian:
        """q(z | x), parameters ``(B, Z)``, of images ``(B, 28, 28)``.

        A plain autoencoder's posterior is a point: its log-variance is minus infinity, and every draw is the mean.

        Raises:
            ValueError: if labels are missing in a conditional model, or given to another.
        """
        features = self.image_features(images.unsqueeze(1))
        posterior = self._full_precision(self.encoder(self._with_labels(features, labels)))
        if not self.config.variational:
            return DiagonalGaussian(posterior, torch.full_like(posterior, -torch.inf))
        mean, log_variance = posterior.chunk(2, dim=-1)
        return DiagonalGaussian(mean, log_variance)

    def logits(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Log-odds of ink ``(B, 28, 28)`` for ``z`` ``(B, Z)``; labels as for :meth:`encode`."""
        return self._full_precision(self.decoder(self._with_labels(z, labels))).view(-1, SIDE, SIDE)

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Probability of ink ``(B, 28, 28)``: the mean image of p(x | z)."""
        return self.logits(z, labels).sigmoid()

    def reconstruct(self, images: Tensor) -> Tensor:
        """The mean image ``(B, 28, 28)`` at the posterior mean of each image, by a model that takes no labels."""
        return self.decode(self.encode(images).mean)

    def prior(self, count: int) -> DiagonalGaussian:
        """N(0, I), parameters ``(count, Z)``."""
        return standard_normal(count, self.config.latent_size, like=next(self.parameters()))

    def loss_terms(
        self, images: Tensor, generator: torch.Generator | None = None, labels: Tensor | None = None
    ) -> LossTerms:
        """Reconstruction and KL of images ``(B, 28, 28)``, each ``(B,)`` in nats, at one z drawn from q(z | x).

        The KL of a plain autoencoder is given as 0: its loss has no such term.
        """
        posterior = self.encode(images, labels)
        reconstruction = bernoulli_nats(self.logits(posterior.sample(generator), labels), images)
        if not self.config.variational:
            return LossTerms(reconstruction, torch.zeros_like(reconstruction))
        return LossTerms(reconstruction, posterior.kl_to_standard_normal())

    def _full_precision(self, tensor: Tensor) -> Tensor:
        """Out of autocast: hundreds of pixels are summed up next."""
        return tensor.to(next(self.parameters()).dtype)

    def _with_labels(self, inputs: Tensor, labels: Tensor | None) -> Tensor:
        if self.config.labels != (labels is not None):
            mistake = "needs the labels of the images" if self.config.labels else "was trained without labels"
            raise ValueError(f"this model {mistake}")
        if labels is None:
            return inputs
        return torch.cat([inputs, F.one_hot(labels.long(), CLASSES).to(inputs)], dim=-1)


def bernoulli_nats(logits: Tensor, images: Tensor) -> Tensor:
    """-log p(x | z) in nats, ``(B,)``: summed over the pixels of log-odds and images, each ``(B, 28, 28)``."""
    return F.binary_cross_entropy_with_logits(logits, images, reduction="none").sum(dim=(-2, -1))


def _dense_networks(
    config: DigitsConfig, posterior_size: int, label_size: int
) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Pixels -> features, features and label -> posterior, z and label -> log-odds; all of them fully connected."""
    hidden = [config.hidden_size] * config.hidden_layers
    encoder = _fully_connected(PIXELS + label_size, *hidden, posterior_size)
    decoder = _fully_connected(config.latent_size + label_size, *hidden, PIXELS)
    return nn.Flatten(), encoder, decoder


def _conv_networks(
    config: DigitsConfig, posterior_size: int, label_size: int
) -> tuple[nn.Module, nn.Module, nn.Module]:
    """The same three with convolutions of stride 2 next to the pixels: 28 -> 14 -> 7 pixels a side, and back."""
    few, many, side = config.channels, 2 * config.channels, SIDE // 4
    image_features = nn.Sequential(
        nn.Conv2d(1, few, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Conv2d(few, many, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Flatten(),
    )
    encoder = _fully_connected(many * side * side + label_size, config.hidden_size, posterior_size)
    decoder = nn.Sequential(
        _fully_connected(config.latent_size + label_size, config.hidden_size, many * side * side),
        nn.SiLU(),
        nn.Unflatten(1, (many, side, side)),
        nn.ConvTranspose2d(many, few, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.ConvTranspose2d(few, 1, 4, stride=2, padding=1),
    )
    # Pixel by pixel, not map by map, is how a CPU's convolutions run best: half the time a decoded image.
    for network in (image_features, decoder):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own annotation lacks it
    return image_features, encoder, decoder


def _fully_connected(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.SiLU()]
    return nn.Sequential(*layers[:-1])

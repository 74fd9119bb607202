"""The sizes of the digit models, how they are trained, and their presets.

Conventions: as in :mod:`melodyvae.config`; KL and reconstruction are in nats per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from melodyvae.config import ConfigError, TrainConfig, check_at_least, check_choice, check_types

SIDE = 28  # pixels
Network = Literal["dense", "conv"]
NETWORKS: tuple[str, ...] = get_args(Network)


@dataclass(frozen=True)
class DigitsConfig:
    """The sizes of a :class:`~melodyvae.digits.model.DigitVAE`."""

    network: Network = "dense"
    latent_size: int = 20
    hidden_size: int = 400  # units of a fully connected layer
    hidden_layers: int = 2  # dense: fully connected layers between pixels and z, on either side
    channels: int = 32  # conv: feature maps at 14 x 14 pixels; twice as many at 7 x 7
    variational: bool = True  # False: a plain autoencoder, whose z is a point, with no KL
    labels: bool = False  # True: the digit is given to encoder and decoder

    def __post_init__(self) -> None:
        check_types(self)
        check_choice("network", self.network, NETWORKS)
        for name in ("latent_size", "hidden_size", "hidden_layers", "channels"):
            check_at_least(name, getattr(self, name), 1)


@dataclass(frozen=True)
class DigitsTrainConfig(TrainConfig):
    """Training configuration of a digit model. beta = 1 is the negative ELBO; beta = 0 is reconstruction alone."""

    batch_size: int = 128
    learning_rate: float = 1.5e-3
    gradient_clip: float = 100.0
    beta: float = 1.0
    max_updates: int | None = 20_000
    reconstruct: bool = True  # False: the KL alone is minimised, to see what it does by itself

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.reconstruct and self.beta == 0:
            raise ConfigError("without reconstruction and with beta 0 there is nothing to learn")


DIGITS_PRESETS: dict[str, DigitsConfig] = {
    "dense": DigitsConfig(),
    "conv": DigitsConfig(network="conv", hidden_size=128),
    "plain-autoencoder": DigitsConfig(variational=False),
}

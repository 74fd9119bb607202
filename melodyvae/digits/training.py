"""Training a digit model: the parts that the general loop does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from melodyvae.config import ConfigError, override, to_dict, without_budget
from melodyvae.digits.config import DIGITS_PRESETS, DigitsTrainConfig
from melodyvae.digits.data import MNIST_SHA256, DigitBatches, Digits, DigitSplits, batched, binarise
from melodyvae.digits.model import DigitVAE
from melodyvae.models.loss import LossTerms
from melodyvae.training.provenance import provenance_of
from melodyvae.training.task import Metrics, Progress, Task
from melodyvae.training.trainer import Trainer

EVALUATION_BATCH = 1_000
MNIST = "MNIST (LeCun, Cortes, Burges), CC BY-SA 3.0"


def build_digits_model_and_config(
    preset_name: str,
    latent_size: int | None,
    hidden_size: int | None,
    labels: bool,
    **changes: Any,
) -> tuple[DigitVAE, DigitsTrainConfig]:
    """A new model of a preset, and how to train it, with every change that is not None applied to the training.

    A budget given among ``changes`` (``max_updates``, ``max_minutes``) replaces the default one.

    Raises:
        ConfigError: on an unknown preset, or a change that the configuration refuses.
    """
    if preset_name not in DIGITS_PRESETS:
        raise ConfigError(f"there is no preset {preset_name!r}; choose one of {', '.join(DIGITS_PRESETS)}")
    training = override(without_budget(DigitsTrainConfig(), changes), **changes)
    torch.manual_seed(training.seed)
    sizes = override(DIGITS_PRESETS[preset_name], latent_size=latent_size, hidden_size=hidden_size, labels=labels)
    return DigitVAE(sizes), training


class DigitsTask(Task):
    """A :class:`DigitVAE` that learns the training digits.

    The images of an update are binarised with the update's own noise, the held-out ones always with the same noise.
    """

    model: DigitVAE

    def __init__(self, model: DigitVAE, config: DigitsTrainConfig, digits: DigitSplits) -> None:
        self.model = model
        self.config = config
        self.sizes = to_dict(model.config)
        self.fingerprint = {"data_sha256": digits.fingerprint}
        self._batches = DigitBatches(digits.train, config.batch_size, config.seed)
        self._held_out = digits.held_out
        self._provenance = provenance_of(config, _data(digits))

    def loss_terms(self, update: int, generator: torch.Generator) -> LossTerms:
        """Those of a batch of digits; without reconstruction if the KL alone is to be minimised."""
        terms = _binarised_loss_terms(self.model, self._batches(update), generator)
        if self.config.reconstruct:
            return terms
        return LossTerms(torch.zeros_like(terms.reconstruction), terms.kl)

    def evaluate(self) -> Metrics | None:
        """The halves of the negative ELBO of the held-out digits, and their sum, in nats per image.

        A plain autoencoder has a reconstruction alone: no distribution over z, so no KL and no bound.
        """
        if not len(self._held_out):
            return None
        generator = torch.Generator(self.model.device).manual_seed(self.config.seed)
        batches = [
            _binarised_loss_terms(self.model, batch, generator) for batch in batched(self._held_out, EVALUATION_BATCH)
        ]
        reconstruction = float(torch.cat([terms.reconstruction for terms in batches]).mean())
        kl = float(torch.cat([terms.kl for terms in batches]).mean())
        loss = reconstruction * self.config.reconstruct + self.config.beta * max(kl - self.config.free_nats, 0.0)
        metrics = {"reconstruction_nats": reconstruction, "loss": loss}
        if self.model.config.variational:
            metrics |= {"kl_nats": kl, "negative_elbo_nats": reconstruction + kl}
        return metrics

    def save(self, path: Path, metrics: Metrics, progress: Progress) -> None:
        """Write the checkpoint."""
        self.model.metrics = {"held_out": {k: v for k, v in metrics.items() if k.startswith("held_out_")}}
        self.model.provenance = self._provenance | {
            "updates": progress.update,
            "images_seen": progress.update * self.config.batch_size,
            "minutes": round(progress.minutes, 1),
        }
        self.model.save(path)


def digits_trainer(
    model: DigitVAE,
    config: DigitsTrainConfig,
    digits: DigitSplits,
    folder: Path,
    device: torch.device | None = None,
    precision: str = "auto",
) -> Trainer:
    """The loop that trains ``model`` on the training digits."""
    return Trainer(DigitsTask(model, config, digits), config, folder, device, precision=precision)


def _binarised_loss_terms(model: DigitVAE, batch: Digits, generator: torch.Generator) -> LossTerms:
    images = binarise(batch.grey().to(model.device), generator)
    labels = batch.labels.to(model.device) if model.config.labels else None
    return model.loss_terms(images, generator, labels)


def _data(digits: DigitSplits) -> dict[str, Any]:
    return {
        "data": MNIST if digits.fingerprint == MNIST_SHA256 else "images of one's own, which are not MNIST",
        "data_sha256": digits.fingerprint,
        "data_counts": {
            "train": len(digits.train),
            "held_out": len(digits.held_out),
            "test": len(digits.test),
        },
    }

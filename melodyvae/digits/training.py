"""Training a digit model: the parts that the general loop does not know.

Contents: :func:`digits_starting_point`, :func:`digits_trainer`.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import melodyvae
from melodyvae.config import ConfigError, override, to_dict
from melodyvae.digits.config import DIGITS_PRESETS, DigitsTrainConfig
from melodyvae.digits.data import DigitBatches, Digits, DigitSplits, binarise
from melodyvae.digits.model import DigitVAE
from melodyvae.models.loss import LossTerms
from melodyvae.training.trainer import Metrics, Progress, Trainer

BATCH_OF_A_LOOK = 1_000


def digits_starting_point(
    preset_name: str = "dense",
    latent_size: int | None = None,
    hidden_size: int | None = None,
    labels: bool = False,
    **changes: Any,
) -> tuple[DigitVAE, DigitsTrainConfig]:
    """A new model of a preset, and how to train it, with every change that is not None applied to the training.

    A budget given among ``changes`` (``max_updates``, ``max_minutes``) replaces the preset's.

    Raises:
        ConfigError: on an unknown preset, or a change that the configuration refuses.
    """
    if preset_name not in DIGITS_PRESETS:
        raise ConfigError(f"there is no preset {preset_name!r}; choose one of {', '.join(DIGITS_PRESETS)}")
    preset = DIGITS_PRESETS[preset_name]
    training = preset.training
    if any(changes.get(name) is not None for name in ("max_updates", "max_minutes")):
        training = replace(training, max_updates=None, max_minutes=None)
    training = override(training, **changes)
    torch.manual_seed(training.seed)
    sizes = override(preset.model, latent_size=latent_size, hidden_size=hidden_size, labels=labels)
    return DigitVAE(sizes), training


def digits_trainer(
    model: DigitVAE,
    config: DigitsTrainConfig,
    digits: DigitSplits,
    folder: Path,
    device: torch.device | None = None,
    precision: str = "auto",
) -> Trainer:
    """The loop that trains ``model`` on the training digits and looks at the held-out ones.

    The images of an update are binarised anew with the update's own noise; the held-out ones always with the same.
    """
    batches = DigitBatches(digits.train, config.batch_size, config.seed)
    made_by = _provenance(config, digits)

    def loss_terms(update: int, generator: torch.Generator) -> LossTerms:
        terms = _binarised_loss_terms(model, batches(update), generator)
        if config.reconstruct:
            return terms
        return LossTerms(torch.zeros_like(terms.reconstruction), terms.kl)

    def evaluate() -> Metrics:
        generator = torch.Generator(model.device).manual_seed(config.seed)
        looks = [
            _binarised_loss_terms(model, digits.held_out[start : start + BATCH_OF_A_LOOK], generator)
            for start in range(0, len(digits.held_out), BATCH_OF_A_LOOK)
        ]
        reconstruction = float(torch.cat([terms.reconstruction for terms in looks]).mean())
        kl = float(torch.cat([terms.kl for terms in looks]).mean())
        return {
            "reconstruction_nats": reconstruction,
            "kl_nats": kl,
            "negative_elbo_nats": reconstruction + kl,
            "loss": reconstruction * config.reconstruct + config.beta * max(kl - config.free_nats, 0.0),
        }

    def save_model(path: Path, metrics: Metrics, progress: Progress) -> None:
        model.metrics = {"held_out": {k: v for k, v in metrics.items() if k.startswith("held_out_")}}
        model.provenance = made_by | {
            "updates": progress.update,
            "images_seen": progress.update * config.batch_size,
            "minutes": round(progress.minutes, 1),
        }
        model.save(path)

    watched = evaluate if len(digits.held_out) else None
    learns_from = {"data_sha256": digits.fingerprint}
    return Trainer(model, config, loss_terms, folder, save_model, watched, device, precision, learns_from)


def _binarised_loss_terms(model: DigitVAE, batch: Digits, generator: torch.Generator) -> LossTerms:
    images = binarise(batch.grey().to(model.device), generator)
    labels = batch.labels.to(model.device) if model.config.labels else None
    return model.loss_terms(images, generator, labels)


def _provenance(config: DigitsTrainConfig, digits: DigitSplits) -> dict[str, Any]:
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "training": to_dict(config),
        "data": "MNIST (LeCun, Cortes, Burges), CC BY-SA 3.0",
        "data_sha256": digits.fingerprint,
        "data_counts": {
            "train": len(digits.train),
            "held_out": len(digits.held_out),
            "test": len(digits.test),
        },
        "versions": {
            "melodyvae": melodyvae.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }

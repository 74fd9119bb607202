"""Interface of the training loop to a model: its loss, its held-out metrics, and how it is saved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from melodyvae.models.loss import LossTerms

Metrics = dict[str, float]


@dataclass(frozen=True)
class Progress:
    """State of progress of a training run.

    Attributes:
        update: updates made.
        minutes: time spent training, over all sessions of the run.
        share: part of the budget that is used up, 0 to 1.
        metrics: the latest metrics: ``reconstruction`` and ``kl`` of the training batches (nats), ``held_out_*``.
    """

    update: int
    minutes: float
    share: float
    metrics: Metrics


class Task(ABC):
    """A model and what it learns.

    Attributes:
        model: trained in place.
        sizes: the configuration of the model, by which it is made anew on resuming.
        fingerprint: what makes this training this one besides its options, such as the hash of its data; on resuming
            it must be the same.
        origin: what the model says of the weights that the training began with; on resuming it is as it was.
        evaluate_first: whether to evaluate before the first update, too: the weights are not new.
    """

    model: nn.Module
    sizes: Mapping[str, Any] = {}
    fingerprint: Mapping[str, Any] = {}
    origin: Mapping[str, Any] = {}
    evaluate_first: bool = False

    @abstractmethod
    def loss_terms(self, update: int, generator: torch.Generator) -> LossTerms:
        """The loss terms of an update's batch, each ``(B,)`` in nats; of this rank's part of it if there are several.

        The batch must depend on the update's number alone, the noise on ``generator``.
        """

    def evaluate(self) -> Metrics | None:
        """Held-out metrics; the best weights are those with the lowest ``loss`` among them. None: nothing held out."""
        return None

    @abstractmethod
    def save(self, path: Path, metrics: Metrics, progress: Progress) -> None:
        """Write the model with its metrics to ``path``, whole or not at all."""

"""A task made of functions, for tests of the loop alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from melodyvae.models.loss import LossTerms
from melodyvae.training.task import Metrics, Progress, Task


class FunctionTask(Task):
    """A task whose methods are functions; nothing is saved or evaluated by default."""

    def __init__(
        self,
        model: nn.Module,
        loss_terms: Callable[[int, torch.Generator], LossTerms],
        save: Callable[[Path, Metrics, Progress], None] = lambda path, metrics, progress: None,
        evaluate: Callable[[], Metrics | None] = lambda: None,
    ) -> None:
        self.model = model
        self._loss_terms, self._save, self._evaluate = loss_terms, save, evaluate

    def loss_terms(self, update: int, generator: torch.Generator) -> LossTerms:
        return self._loss_terms(update, generator)

    def evaluate(self) -> Metrics | None:
        return self._evaluate()

    def save(self, path: Path, metrics: Metrics, progress: Progress) -> None:
        self._save(path, metrics, progress)

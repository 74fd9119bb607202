"""Companions of a trained network: its prior, attribute vectors, quantiles of scores, novelty index and metrics.

In a dataset of several speeds and phases only the windows at the written speed that begin at bar lines count.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from data_prep.output import SPLITS
from melodyvae.datasets.windows import WindowDataset
from melodyvae.evaluation.reconstruction import reconstruction_metrics
from melodyvae.models.melody import MelodyModel
from melodyvae.network.checkpoint import beside
from melodyvae.network.rows import random_rows
from melodyvae.training.trainer import MODEL_FILE
from melodyvae.verbs.attribute_vectors import fit_attribute_vectors
from melodyvae.verbs.key_shares import MAX_WINDOWS, count_key_shares
from melodyvae.verbs.novelty import NOVELTY_FILE, NoveltyIndex
from melodyvae.verbs.prior import fit_prior
from melodyvae.verbs.scoring import fit_quantiles


def finish_melody_run(
    folder: Path, dataset: WindowDataset, device: torch.device | None = None
) -> dict[str, dict[str, float]]:
    """Fit what goes with the network of a finished run to the data it learned, measure it, and write both to its file.

    Returns:
        The metrics by split, ``valid`` and ``test``; a split without windows is left out.
    """
    path = folder / MODEL_FILE
    model = MelodyModel.from_pretrained(path).to(device or torch.device("cpu"))
    fit_companions(model, dataset)
    save_with_novelty(model, dataset, path)
    return model.metrics


def fit_companions(
    model: MelodyModel, dataset: WindowDataset, max_windows: int | None = None, max_measured: int | None = None
) -> None:
    """Give ``model`` the extras and the metrics that fit its weights, in place.

    Prior and attribute vectors are fitted to training windows, the quantiles to windows of ``valid``, and ``valid`` and
    ``test`` are measured.

    Args:
        model: the model, ready to use.
        dataset: of windows that fit the model.
        max_windows: to fit each to, drawn; None takes as many as each has use for.
        max_measured: of each split; None measures all.

    Raises:
        DatasetError: if the windows do not fit the model.
    """
    dataset.check_fits(model.config)
    windows = {split: dataset.as_written(split) for split in SPLITS}
    measured = {split: _some(windows[split], max_measured) for split in ("valid", "test") if len(windows[split])}
    model.metrics = {split: reconstruction_metrics(model, rows) for split, rows in measured.items()}
    train, network = _some(windows["train"], max_windows), model.network()
    fitted = fit_attribute_vectors(network, train).to_extras()
    if not model.config.has_learned_prior:  # else N(0, I) is it
        fitted |= fit_prior(network, train).to_extras()
    fitted |= fit_quantiles(network, _some(windows["valid"], max_windows))
    if model.config.look_back:
        fitted |= count_key_shares(_some(windows["train"], MAX_WINDOWS))
    model.extras |= {name: torch.from_numpy(array) for name, array in fitted.items()}


def save_with_novelty(model: MelodyModel, dataset: WindowDataset, path: Path) -> None:
    """Write the model to ``path``, and beside it the index of all training windows of ``dataset``."""
    model.save(path)
    index = NoveltyIndex.of(dataset.as_written("train"), model.config.steps_per_quarter)
    index.save(beside(path, NOVELTY_FILE))


def _some(windows: np.ndarray, count: int | None) -> np.ndarray:
    return windows if count is None else random_rows(windows, count, seed=0)

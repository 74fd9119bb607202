"""Companions of a trained network: prior, attribute vectors, quantiles of scores, judge, novelty index and metrics.

In a dataset of several speeds and phases only the windows at the written speed that begin at bar lines count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from data_prep.output import SPLITS
from melodyvae.datasets.windows import DatasetError, WindowDataset
from melodyvae.evaluation.reconstruction import reconstruction_metrics
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody
from melodyvae.music.styles import style_code
from melodyvae.network.checkpoint import beside
from melodyvae.network.conditions import METERS
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import random_places
from melodyvae.training.trainer import MODEL_FILE
from melodyvae.verbs.attribute_vectors import fit_attribute_vectors
from melodyvae.verbs.composing import compose
from melodyvae.verbs.form import BEGINS, CLOSES, METER, STYLE, count_plans
from melodyvae.verbs.judge import fit_judge
from melodyvae.verbs.key_shares import MAX_WINDOWS, count_key_shares
from melodyvae.verbs.novelty import NOVELTY_FILE, NoveltyIndex
from melodyvae.verbs.prior import fit_prior
from melodyvae.verbs.scoring import fit_quantiles

MIN_TUNES, MAX_TUNES = 50, 1500  # whose beginnings are compared with as many drafts


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

    Prior, attribute vectors and the judge of drafts are fitted to training windows, the quantiles to windows of
    ``valid``, and ``valid`` and ``test`` are measured.

    Args:
        model: the model, ready to use.
        dataset: of windows that fit the model.
        max_windows: to fit each to, drawn; None takes as many as each has use for.
        max_measured: of each split; None measures all.

    Raises:
        DatasetError: if the windows do not fit the model.
    """
    dataset.check_fits(model.config)
    tunes = {split: _tunes(model, dataset, split) for split in SPLITS}
    measured = {split: tunes[split].some(max_measured) for split in ("valid", "test") if len(tunes[split].windows)}
    model.metrics = {
        split: reconstruction_metrics(model, rows.windows, conditions=rows.conditions)
        for split, rows in measured.items()
    }
    train, network = tunes["train"].some(max_windows).windows, model.network()
    fitted = fit_attribute_vectors(network, train).to_extras()
    if not model.config.has_learned_prior:  # else N(0, I) is it
        fitted |= fit_prior(network, train).to_extras()
    fitted |= fit_quantiles(network, tunes["valid"].some(max_windows).windows)
    if model.config.look_back:
        fitted |= count_key_shares(tunes["train"].some(MAX_WINDOWS).windows)
    model.extras |= {name: torch.from_numpy(array) for name, array in fitted.items()}
    fit_plans(model, dataset)
    if model.config.look_back:
        judge = _fit_judge(model.network(), dataset, tunes["train"])
        model.extras |= {name: torch.from_numpy(array) for name, array in judge.items()}


def fit_plans(model: MelodyModel, dataset: WindowDataset) -> None:
    """Give a model that is told conditions the plans of training tunes, in place."""
    tunes = _tunes(model, dataset, "train")
    if tunes.conditions is not None:
        plans = count_plans(tunes.windows, tunes.conditions, model.config.steps_per_bar)
        model.extras |= {name: torch.from_numpy(array) for name, array in plans.items()}


def windows_to_calibrate_to(model: MelodyModel, dataset: WindowDataset) -> np.ndarray:
    """Training windows as written, ``(N, T)``: for a model that is told conditions, the first of tunes in its meter.

    Raises:
        DatasetError: if there is no tune in this meter.
    """
    if not model.config.conditions:
        return dataset.as_written("train")
    own = dataset.tunes_in(model.config.meter)
    return np.asarray(own.splits["train"][own.tune_beginnings("train")])


def save_with_novelty(model: MelodyModel, dataset: WindowDataset, path: Path) -> None:
    """Write the model to ``path``, and beside it the index of all training windows.

    For a model that is told conditions it holds those of tunes, every eighth and the last: no bar is left out.
    """
    model.save(path)
    tunes = _tunes(model, dataset, "train")
    windows = tunes.windows
    if tunes.conditions is not None:
        windows = windows[tunes.conditions[:, [BEGINS, CLOSES]].any(axis=1)]
    index = NoveltyIndex.of(windows, model.config.steps_per_quarter)
    index.save(beside(path, NOVELTY_FILE))


@dataclass(frozen=True)
class _Tunes:
    """Windows ``(N, T)``, and their conditions ``(N, 5)`` if the model is told them."""

    windows: np.ndarray
    conditions: np.ndarray | None

    def some(self, count: int | None) -> _Tunes:
        """``count`` of them, drawn; None takes all."""
        if count is None:
            return self
        places = random_places(len(self.windows), count, seed=0)
        return _Tunes(self.windows[places], None if self.conditions is None else self.conditions[places])


def _tunes(model: MelodyModel, dataset: WindowDataset, split: str) -> _Tunes:
    """The windows of a split as written; for a model that is told conditions, those of tunes if there are any."""
    if not model.config.conditions:
        return _Tunes(dataset.as_written(split), None)
    conditions = dataset.conditions_of(split)
    is_tune = conditions[:, STYLE] != style_code("part")
    rows = np.flatnonzero(is_tune if is_tune.any() else ~is_tune)
    return _Tunes(np.asarray(dataset.splits[split])[rows], conditions[rows])


def _fit_judge(network: MelodyNetwork, dataset: WindowDataset, tunes: _Tunes) -> dict[str, np.ndarray]:
    """The judge that tells beginnings of training tunes from drafts in the same meters, for a model's extras.

    Empty if there are fewer than :data:`MIN_TUNES` tunes, or if a dataset of one's own does not say where tunes begin.
    """
    try:
        beginnings, meters = dataset.tune_beginnings("train"), [network.config.meter]
    except DatasetError:
        return {}
    codes = np.ones(len(beginnings), np.int64)
    if tunes.conditions is not None:
        conditions, meters = dataset.conditions_of("train")[beginnings], list(METERS)
        codes = np.where(conditions[:, STYLE] == style_code("part"), 0, conditions[:, METER])
    real: list[Melody] = []
    drafts: list[Melody] = []
    for code, meter in enumerate(meters, 1):
        rows = beginnings[codes == code]
        rows = rows[random_places(len(rows), MAX_TUNES // len(meters), seed=0)]
        if not len(rows):
            continue
        of_meter = network.in_meter(meter, network.room.composed_grid(meter))
        fields = {"meter": meter, "steps_per_quarter": of_meter.config.steps_per_quarter}
        tokens = of_meter.lifted(np.asarray(dataset.splits["train"][rows]))
        real += [network.vocabulary.decode(row, **fields) for row in tokens]
        drafts += compose(of_meter, len(rows), draws=Draws(code), scale="auto").melodies
    return fit_judge(real, drafts).to_extras() if len(real) >= MIN_TUNES else {}

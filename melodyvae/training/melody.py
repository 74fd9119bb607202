"""Training a MelodyModel on a dataset folder: the parts that the general loop does not know.

Contents: :func:`melody_trainer`, :func:`finish_melody_run`, :func:`starting_point`, :func:`held_out_loss`,
:func:`collapse_warning`.
"""

from __future__ import annotations

import math
import platform
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import melodyvae
from melodyvae.config import ConfigError, MelodyConfig, MelodyTrainConfig, from_dict, override, to_dict
from melodyvae.datasets.augmentation import Augmentation
from melodyvae.datasets.batches import TrainingBatches
from melodyvae.datasets.held_out import source_marks
from melodyvae.datasets.windows import WindowDataset
from melodyvae.evaluation.reconstruction import reconstruction_figures
from melodyvae.generation.attribute_vectors import fit_directions
from melodyvae.generation.novelty import NOVELTY_FILE, NoveltyIndex
from melodyvae.generation.prior import fit_prior
from melodyvae.generation.scoring import fit_quantiles
from melodyvae.models.checkpoint import beside
from melodyvae.models.loss import LossTerms
from melodyvae.models.melody import MelodyModel
from melodyvae.presets import PRESETS, Preset
from melodyvae.ranks import ALONE, Ranks
from melodyvae.training.schedules import teacher_forcing_share
from melodyvae.training.trainer import MODEL_FILE, Metrics, Progress, Trainer

FINE_TUNING_RATE_DIVISOR = 4.0
FINE_TUNING_WARMUP_UPDATES = 30
TRAINED_WHOLE: dict[str, Any] = {"lower_encoder_rate": 1.0, "lower_decoder_rate": 1.0, "upper_level_updates": 0}
COLLAPSED_BITS = 2.0
COLLAPSED_GAP = 0.1  # of teacher-forced accuracy over that from z alone, greedy or sampled
LEAST_GAIN = 0.02  # of accuracy from z alone over always guessing "no event"


def starting_point(
    preset_name: str = "melody-2bar",
    init_from: str | None = None,
    *,
    dataset: WindowDataset | None = None,
    bars: int | None = None,
    segments_from: str | None = None,
    **changes: Any,
) -> tuple[MelodyModel, MelodyTrainConfig]:
    """A model to train, and how: those of a preset, with every change that is not None applied to the training.

    A new model takes the meter and the grid of ``dataset`` if that is given, and has ``bars`` bars if those are. The
    lower level of one with two starts with the weights of ``segments_from``, the preset's by default; with ``"none"``
    it starts from scratch, and is not held back.

    A budget given among ``changes`` (``max_updates``, ``max_minutes``) replaces the preset's. With ``init_from`` the
    model is that checkpoint, to be fine-tuned, and the options are those it was trained with (the preset's, if it does
    not say them), but for a quarter of the learning rate and beta from the start, so that what the model knows is not
    lost.

    Raises:
        ConfigError: on an unknown preset, on a change that the configuration refuses, and on ``bars`` for a model that
            has its bars already.
        CheckpointError: if ``init_from`` cannot be read.
    """
    if preset_name not in PRESETS:
        raise ConfigError(f"there is no preset {preset_name!r}; choose one of {', '.join(PRESETS)}")
    preset: Preset = PRESETS[preset_name]
    if init_from is None:
        training = _without_budget(preset.training, changes)
        lower = preset.segments_from if segments_from is None else segments_from
        if lower == "none":
            lower, training = None, replace(training, **TRAINED_WHOLE)
        training = override(training, **changes)
        torch.manual_seed(training.seed)
        grid = {} if dataset is None else {key: dataset.meta[key] for key in ("meter", "steps_per_quarter")}
        model = MelodyModel(from_dict(MelodyConfig, to_dict(override(preset.model, bars=bars)) | grid))
        if lower is not None:
            model.take_segments_from(MelodyModel.from_pretrained(lower))
        return model, training
    model = MelodyModel.from_pretrained(init_from)
    if segments_from is not None:
        raise ConfigError(f"{init_from} has its weights already; leave out segments_from")
    if bars is not None:
        raise ConfigError(f"{init_from} has its number of bars already; leave out bars, or train a new model")
    training = _fine_tuning(model.provenance, preset.training)
    return model, override(_without_budget(training, changes), **changes)


def _without_budget(training: MelodyTrainConfig, changes: dict[str, Any]) -> MelodyTrainConfig:
    """``training``, without its budget if ``changes`` hold another one."""
    if any(changes.get(name) is not None for name in ("max_updates", "max_minutes")):
        return replace(training, max_updates=None, max_minutes=None)
    return training


def _fine_tuning(provenance: dict[str, Any], default: MelodyTrainConfig) -> MelodyTrainConfig:
    """How a model of this provenance is trained on: with the options it had, as far as this version knows them."""
    known = {entry.name for entry in fields(MelodyTrainConfig)}
    options = {name: value for name, value in provenance.get("training", {}).items() if name in known}
    training = from_dict(MelodyTrainConfig, options) if options else default
    if "fine_tuned_from" not in provenance:  # else its learning rate was lowered already
        training = replace(training, learning_rate=training.learning_rate / FINE_TUNING_RATE_DIVISOR)
    warmup = min(training.warmup_updates, FINE_TUNING_WARMUP_UPDATES)  # the weights are no longer random
    return replace(training, warmup_updates=warmup, annealing="constant", upper_level_updates=0)


def melody_trainer(
    model: MelodyModel,
    config: MelodyTrainConfig,
    dataset: WindowDataset,
    folder: Path,
    device: torch.device | None = None,
    precision: str = "auto",
    ranks: Ranks = ALONE,
) -> Trainer:
    """The loop that trains ``model`` on the training windows of ``dataset`` and looks at its held-out ones.

    Raises:
        DatasetError: if the dataset does not fit the model or has nothing to train on.
    """
    dataset.check_fits(model.config)
    batches = TrainingBatches(
        dataset.splits["train"],
        config.batch_size,
        config.seed,
        config.transpose_down,
        config.transpose_up,
        model.vocabulary,
        ranks,
        Augmentation(config.changed_windows, config.anticipation, config.rests),
    )
    held_out = _some_of(dataset.splits["valid"], config.evaluate_windows, config.seed)
    made_by = _provenance(config, dataset, model.provenance)

    def loss_terms(update: int, generator: torch.Generator) -> LossTerms:
        batch = batches(update).to(model.device, non_blocking=True)
        if update < config.upper_level_updates:
            return model.code_loss_terms(batch, generator)
        share = teacher_forcing_share(config, update)
        return model.loss_terms(batch, generator, share, config.look_back_hidden)

    def evaluate() -> Metrics:
        figures = reconstruction_figures(model, held_out, config.seed)
        return figures | {"loss": held_out_loss(figures, config)}

    def save_model(path: Path, metrics: Metrics, progress: Progress) -> None:
        model.metrics = {"valid_sample": {k: v for k, v in metrics.items() if k.startswith("held_out_")}}
        model.provenance = made_by | {
            "updates": progress.update,
            "windows_seen": progress.update * config.batch_size,
            "minutes": round(progress.minutes, 1),
        }
        model.save(path)

    return Trainer(
        model,
        config,
        loss_terms,
        folder,
        save_model,
        evaluate if len(held_out) else None,
        device,
        precision,
        learns_from={"dataset_sha256": dataset.fingerprint},
        look_first=bool(model.provenance),
        rates={
            "encoder.segment_encoder.": config.lower_encoder_rate,
            "decoder.segment_decoder.": config.lower_decoder_rate,
        },
        some_rest=config.upper_level_updates > 0,
        ranks=ranks,
    )


def held_out_loss(figures: Metrics, config: MelodyTrainConfig) -> float:
    """What the best weights have the least of, in nats a window: reconstruction + beta * max(KL - free nats, 0).

    With a target rate beta is no constant to compare by; a nat above the target then counts as much as a nat of
    reconstruction, and one below it as nothing.
    """
    nats, beta, free = figures["kl_bits"] * math.log(2), config.beta, config.free_nats
    if config.target_bits is not None:
        beta, free = 1.0, config.target_bits * math.log(2)
    return float(figures["reconstruction_nats"] + beta * max(nats - free, 0.0))


def collapse_warning(metrics: Metrics, beta: float) -> str | None:
    """What to tell the user if, by held-out figures, the decoder has begun to ignore z; None if it has not.

    It has if z tells next to nothing about a window, or if neither the most probable melody at the mean nor draws at
    z ~ q are better than silence while each step is guessed well from the true past: the decoder then is a language
    model ("Generating Sentences from a Continuous Space", Bowman et al., 2016, https://arxiv.org/abs/1511.06349).
    """
    if "held_out_kl_bits" not in metrics:
        return None
    bits, units = metrics["held_out_kl_bits"], metrics["held_out_active_units"]
    greedy, sampled = metrics["held_out_greedy_accuracy"], metrics["held_out_sampled_accuracy"]
    forced, silence = metrics["held_out_teacher_forced_accuracy"], metrics["held_out_no_event_accuracy"]
    no_better = max(greedy, sampled) < silence + LEAST_GAIN
    if bits >= COLLAPSED_BITS and not (no_better and forced - max(greedy, sampled) > COLLAPSED_GAP):
        return None
    return (
        f"the decoder begins to ignore z: z holds {bits:.1f} bits in {units:.0f} active units, and from it alone "
        f"{greedy:.3f} of the steps come back ({sampled:.3f} when every note is drawn), from the true past "
        f"{forced:.3f}. Try a lower --beta than {beta:g}, a slower annealing (--anneal-steps), or --free-nats."
    )


def finish_melody_run(
    folder: Path, dataset: WindowDataset, device: torch.device | None = None
) -> dict[str, dict[str, float]]:
    """Fit what goes with the network of a finished run, measure it on all held-out windows, and write both to its file.

    Returns:
        The figures by split, ``valid`` and ``test``; a split without windows is left out.
    """
    path = folder / MODEL_FILE
    model = MelodyModel.from_pretrained(path).to(device or torch.device("cpu"))
    model.metrics = {
        split: reconstruction_figures(model, np.asarray(dataset.splits[split]))
        for split in ("valid", "test")
        if len(dataset.splits[split])
    }
    model.extras |= fit_directions(model, dataset.splits["train"]).to_extras()
    if not model.config.look_back:  # its prior is learned: N(0, I) is it
        model.extras |= fit_prior(model, dataset.splits["train"]).to_extras()
    model.extras |= fit_quantiles(model, dataset.splits["valid"])
    model.save(path)
    NoveltyIndex.of(np.asarray(dataset.splits["train"]), model.config.steps_per_quarter).save(
        beside(path, NOVELTY_FILE)
    )
    return model.metrics


def _some_of(windows: np.ndarray, count: int, seed: int) -> np.ndarray:
    chosen = np.random.default_rng(seed).permutation(len(windows))[:count]
    return np.asarray(windows[np.sort(chosen)])


def _provenance(config: MelodyTrainConfig, dataset: WindowDataset, parent: dict[str, Any]) -> dict[str, Any]:
    made_by: dict[str, Any] = {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "training": to_dict(config),
        "dataset_sha256": dataset.fingerprint,
        "dataset_counts": dataset.meta["counts"],
        "trained_on": source_marks(dataset),
        "versions": {
            "melodyvae": melodyvae.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    return made_by | ({"fine_tuned_from": parent} if parent else {})

"""Training a MelodyModel on a dataset folder: the parts that the general loop does not know."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from melodyvae.config import ConfigError, MelodyConfig, MelodyTrainConfig, from_dict, override, to_dict, without_budget
from melodyvae.datasets.augmentation import Augmentation
from melodyvae.datasets.batches import TrainingBatches
from melodyvae.datasets.held_out import source_marks
from melodyvae.datasets.tune_batches import TuneBatches
from melodyvae.datasets.windows import WindowDataset
from melodyvae.evaluation.reconstruction import reconstruction_metrics
from melodyvae.models.loss import LossTerms
from melodyvae.models.melody import MelodyModel
from melodyvae.network.checkpoint import locate
from melodyvae.network.rows import random_rows
from melodyvae.presets import preset_named
from melodyvae.ranks import ALONE, Ranks
from melodyvae.training.provenance import provenance_of
from melodyvae.training.schedules import teacher_forcing_share
from melodyvae.training.task import Metrics, Progress, Task
from melodyvae.training.trainer import Trainer

FINE_TUNING_RATE_DIVISOR = 4.0
FINE_TUNING_WARMUP_UPDATES = 30
COLLAPSED_BITS = 2.0
COLLAPSED_GAP = 0.1  # of teacher-forced accuracy over that from z alone, greedy or sampled
MIN_GAIN = 0.02  # of accuracy from z alone over always guessing "no event"


def build_model_and_config(
    preset_name: str = "melody-2bar",
    init_from: str | None = None,
    *,
    dataset: WindowDataset | None = None,
    bars: int | None = None,
    segments_from: str | None = None,
    run: Path | None = None,
    **changes: Any,
) -> tuple[MelodyModel, MelodyTrainConfig]:
    """A model to train, and how: those of a preset, with every change that is not None applied to the training.

    A new model takes the meter and the grid of ``dataset`` if that is given, and has ``bars`` bars if those are. The
    part of one that codes segments starts with the weights of ``segments_from``, the preset's by default; with
    ``"none"`` it starts from scratch.

    A budget given among ``changes`` (``max_updates``, ``max_minutes``) replaces the preset's. With ``init_from`` the
    model is that checkpoint, to be fine-tuned, and the options are those it was trained with (the preset's, if it does
    not say them), but for a quarter of the learning rate and beta from the start, so that what the model knows is not
    lost. If the bars of ``dataset`` are shorter than the checkpoint's, the model is a new one for them that starts
    with its weights. ``run`` is the folder that the training writes to, whose model is never one to start with.

    Raises:
        ConfigError: on an unknown preset, on a change that the configuration refuses, and on ``bars`` for a model that
            has its bars already.
        CheckpointError: if ``init_from`` cannot be read.
    """
    preset = preset_named(preset_name)
    if init_from is None:
        training = override(without_budget(preset.training, changes), **changes)
        lower = preset.segments_from if segments_from is None else segments_from
        torch.manual_seed(training.seed)
        grid = {} if dataset is None else {key: dataset.meta[key] for key in ("meter", "steps_per_quarter")}
        segments = None if lower in (None, "none") else MelodyModel.from_pretrained(locate(lower, run))
        if segments is not None:
            grid |= {name: getattr(segments.config, name) for name in ("output", "pitch_inputs")}
        model = MelodyModel(from_dict(MelodyConfig, to_dict(override(preset.model, bars=bars)) | grid))
        if segments is not None:
            model.take_segments_from(segments)
        return model, training
    model = MelodyModel.from_pretrained(locate(init_from, run))
    if segments_from is not None:
        raise ConfigError(f"{init_from} has its weights already; leave out segments_from")
    if bars is not None:
        raise ConfigError(f"{init_from} has its number of bars already; leave out bars, or train a new model")
    if dataset is not None:
        model = _for_bars_of(dataset, model)
    if preset.model.conditions and model.config.look_back and not model.config.conditions:
        # Trained as the preset says: what it is to be told is new to it.
        return model.with_conditions(), override(without_budget(preset.training, changes), **changes)
    training = _fine_tuning(model.provenance, preset.training)
    return model, override(without_budget(training, changes), **changes)


def _for_bars_of(dataset: WindowDataset, model: MelodyModel) -> MelodyModel:
    """``model``, or if the dataset's bars are shorter a new one for them that starts with its weights."""
    config = replace(model.config, meter=tuple(dataset.meta["meter"]))
    if config.steps >= model.config.steps:
        return model
    shorter = MelodyModel(config)
    shorter.take_steps_from(model)
    shorter.provenance = model.provenance
    return shorter


def _fine_tuning(provenance: dict[str, Any], default: MelodyTrainConfig) -> MelodyTrainConfig:
    """Configuration to train a model of this provenance further: its own options, as far as this version knows them."""
    known = {entry.name for entry in fields(MelodyTrainConfig)}
    options = {name: value for name, value in provenance.get("training", {}).items() if name in known}
    training = from_dict(MelodyTrainConfig, options) if options else default
    if "fine_tuned_from" not in provenance:  # else its learning rate was lowered already
        training = replace(training, learning_rate=training.learning_rate / FINE_TUNING_RATE_DIVISOR)
    warmup = min(training.warmup_updates, FINE_TUNING_WARMUP_UPDATES)  # the weights are no longer random
    return replace(training, warmup_updates=warmup, annealing="constant")


class MelodyTask(Task):
    """A :class:`MelodyModel` that learns the training windows of a dataset.

    Raises:
        DatasetError: if the dataset does not fit the model or has nothing to train on.
        ConfigError: if a model that looks back is to be trained with scheduled sampling.
    """

    model: MelodyModel

    def __init__(
        self, model: MelodyModel, config: MelodyTrainConfig, dataset: WindowDataset, ranks: Ranks = ALONE
    ) -> None:
        dataset.check_fits(model.config)
        if model.config.look_back and config.scheduled_sampling_rate:
            raise ConfigError(
                f"scheduled_sampling_rate is {config.scheduled_sampling_rate:g}; a model that looks back is trained on "
                "true tokens alone: leave it at 0"
            )
        self.model = model
        self.config = config
        self.sizes = {} if model.ARCHITECTURE else to_dict(model.config)
        self.fingerprint = {"dataset_sha256": dataset.fingerprint}
        self.evaluate_first = bool(model.provenance)
        is_told = model.config.conditions
        self._batches = TrainingBatches(
            dataset.splits["train"],
            config.batch_size,
            config.seed,
            config.transpose_down,
            config.transpose_up,
            ranks,
            Augmentation(config.changed_windows, config.anticipation, config.rests),
        )
        self._tune_batches = None
        if is_told:
            conditions, bar = dataset.conditions_of("train"), model.config.steps_per_bar
            self._tune_batches = TuneBatches(dataset.splits["train"], conditions, config, bar, ranks)
        rows = random_rows(np.arange(len(dataset.splits["valid"])), config.evaluate_windows, config.seed)
        self._held_out = dataset.splits["valid"][rows]
        self._held_out_conditions = dataset.conditions_of("valid")[rows] if is_told else None
        model.set_dropout(config.dropout)
        self._provenance = _provenance(config, dataset)
        self.origin = {"fine_tuned_from": model.provenance} if model.provenance else {}

    def loss_terms(self, update: int, generator: torch.Generator) -> LossTerms:
        """Those of a batch of windows, newly transposed."""
        device, conditions = self.model.device, None
        if self._tune_batches is None:
            tokens = self._batches(update)
        else:
            tokens, conditions = (part.to(device, non_blocking=True) for part in self._tune_batches(update))
        tokens, share = tokens.to(device, non_blocking=True), teacher_forcing_share(self.config, update)
        if self.config.dropout:  # drawn from torch's own generator, which a resumed training must find the same
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator, device=device)))
        return self.model.loss_terms(tokens, generator, share, self.config.look_back_hidden, conditions)

    def evaluate(self) -> Metrics | None:
        """The reconstruction metrics of held-out windows."""
        if not len(self._held_out):
            return None
        metrics = reconstruction_metrics(
            self.model, self._held_out, self.config.seed, conditions=self._held_out_conditions
        )
        return metrics | {"loss": held_out_loss(metrics, self.config)}

    def save(self, path: Path, metrics: Metrics, progress: Progress) -> None:
        """Write the checkpoint."""
        self.model.metrics = {"valid_sample": {k: v for k, v in metrics.items() if k.startswith("held_out_")}}
        self.model.provenance = {
            **self._provenance,
            **self.origin,
            "updates": progress.update,
            "windows_seen": progress.update * self.config.batch_size,
            "minutes": round(progress.minutes, 1),
        }
        self.model.save(path)


def melody_trainer(
    model: MelodyModel,
    config: MelodyTrainConfig,
    dataset: WindowDataset,
    folder: Path,
    device: torch.device | None = None,
    precision: str = "auto",
    ranks: Ranks = ALONE,
) -> Trainer:
    """The loop that trains ``model`` on the training windows of ``dataset``; errors as of :class:`MelodyTask`."""
    task = MelodyTask(model, config, dataset, ranks)
    return Trainer(task, config, folder, device, precision=precision, ranks=ranks)


def held_out_loss(metrics: Metrics, config: MelodyTrainConfig) -> float:
    """Objective of the best weights, in nats per window: reconstruction + beta * max(KL - free nats, 0).

    With a target rate, beta changes during training, so losses with beta cannot be compared. A nat above the target
    then counts as a nat of reconstruction, and a nat below it counts nothing.
    """
    nats, beta, free = metrics["kl_bits"] * math.log(2), config.beta, config.free_nats
    if config.target_bits is not None:
        beta, free = 1.0, config.target_bits * math.log(2)
    return float(metrics["reconstruction_nats"] + beta * max(nats - free, 0.0))


def collapse_warning(metrics: Metrics, beta: float, looks_back: bool = False) -> str | None:
    """Warning for the user if, by held-out metrics, the decoder has begun to ignore z; else None.

    It has if z holds almost no information about a window, or if neither the most probable melody at the mean nor
    draws at z ~ q are better than silence while each step is guessed well from the true past: the decoder then is a
    language model ("Generating Sentences from a Continuous Space", Bowman et al., 2016, https://arxiv.org/abs/1511.06349).
    A decoder that ``looks_back`` is one by intent, and its z, standardised by a learned prior, holds few bits: only
    the first condition applies to it.
    """
    if "held_out_kl_bits" not in metrics:
        return None
    bits, units = metrics["held_out_kl_bits"], metrics["held_out_active_units"]
    greedy, sampled = metrics["held_out_greedy_accuracy"], metrics["held_out_sampled_accuracy"]
    forced, silence = metrics["held_out_teacher_forced_accuracy"], metrics["held_out_no_event_accuracy"]
    no_better = not looks_back and max(greedy, sampled) < silence + MIN_GAIN
    if bits >= COLLAPSED_BITS and not (no_better and forced - max(greedy, sampled) > COLLAPSED_GAP):
        return None
    return (
        f"the decoder begins to ignore z: z holds {bits:.1f} bits in {units:.0f} active units, and from it alone "
        f"{greedy:.3f} of the steps come back ({sampled:.3f} when every note is drawn), from the true past "
        f"{forced:.3f}. Try a lower beta than {beta:g}, more anneal_steps, or free_nats."
    )


def learned_nothing(metrics: Metrics, updates: int, config: MelodyTrainConfig) -> str | None:
    """Sentence for the user if, by held-out metrics, no note comes back from z; else None."""
    if metrics.get("note_f1", 1.0) > 0:
        return None
    why = f"{updates} updates are too few"
    if updates < config.warmup_updates:
        why += f" (the learning rate rises during the first {config.warmup_updates})"
    return (
        f"The model has learned nothing yet: no note comes back, and {why}. Train longer (more minutes or steps), or "
        "start from a trained model (init_from)."
    )


def _provenance(config: MelodyTrainConfig, dataset: WindowDataset) -> dict[str, Any]:
    data = {
        "dataset_sha256": dataset.fingerprint,
        "dataset_counts": dataset.meta["counts"],
        "trained_on": source_marks(dataset),
    }
    return provenance_of(config, data)

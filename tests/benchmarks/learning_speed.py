"""Learning speed: windows and minutes until 95% of the steps come back, for the presets and for what was tried.

    python -m tests.benchmarks.learning_speed DATASET --out FOLDER [--only baseline ...] [--windows 204800]
    python -m tests.benchmarks.learning_speed DATASET --out FOLDER --minutes 6 --anneal-steps 300 [--init-from MODEL]
    python -m tests.benchmarks.learning_speed --out FOLDER --plot learning-speed.png

Each variant trains anew on one thread; a variant whose run lies in FOLDER already is not trained again. Without
``--minutes`` all see as many windows, with the schedule of the preset's whole training. With it, each has as many
minutes of the processor, whatever else runs beside it, and the learning rate falls to zero in them. With
``--init-from`` it starts with that model's weights; ``tokens`` and ``event-then-pitch`` alone can. The last form only
reads the runs in FOLDER: any run folder of ``melodyvae train`` may be put there too.

Printed are windows and minutes until the greedy decode from the posterior mean has 0.95 of the steps of held-out
windows right (interpolated between two looks), and, at the end: windows per second, note F1, how many steps more are
right with the true past than with the model's own draws (the gap), the KL, and the loss (nats of reconstruction, and
of KL times the final beta).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from melodyvae.config import MelodyTrainConfig
from melodyvae.datasets.windows import WindowDataset, open_dataset
from melodyvae.device import use_threads
from melodyvae.models.decoder import MelodyDecoder
from melodyvae.models.melody import MelodyModel
from melodyvae.music.tokens import NO_EVENT
from melodyvae.training.melody import build_model_and_config, melody_trainer
from melodyvae.training.trainer import METRICS_FILE, read_metrics
from tests.benchmarks.conversion import with_event_then_pitch

TARGET = 0.95
WHOLE_TRAINING = 14_000  # updates of 128 windows: the learning rate falls as if training went on for that long
SMALL_MODEL = {
    **{"latent_size": 128, "encoder_size": 128, "encoder_features": 16},
    **{"decoder_size": 128, "decoder_layers": 1, "decoder_features": 32},
}
SMALL_TRAINING = {
    **{"batch_size": 64, "learning_rate": 4e-3, "warmup_updates": 50, "anneal_updates": 100},
    **{"evaluate_every": 100_000, "evaluate_windows": 256},  # at the end alone
}


@dataclass(frozen=True)
class Variant:
    """One thing done otherwise than in melody-2bar: in the training (``changes``), or in the network.

    ``model`` are options of the network; ``rebuild`` makes of one what no option does.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    rebuild: Callable[[MelodyModel], None] | None = None
    preset: str = "melody-2bar"
    precision: str = "auto"


class TokenDropout(MelodyDecoder):
    """Every fourth token of the true past is hidden, so that the decoder must ask z."""

    share = 0.25

    def raw_logits(self, z: Tensor, previous: Tensor) -> Tensor:
        if self.training:
            previous = torch.where(torch.rand(previous.shape) < self.share, NO_EVENT, previous)
        return super().raw_logits(z, previous)


def _with_token_dropout(model: MelodyModel) -> None:
    model.decoder.__class__ = TokenDropout


VARIANTS = {
    "melody-2bar": Variant(),
    "musicvae-small": Variant(preset="musicvae-small"),
    "melody-2bar-fp32": Variant(precision="fp32"),
    "beta-after-1000": Variant({"anneal_after_updates": 1000}),
    "learning-rate-4e-3": Variant({"learning_rate": 4e-3}),
    "batch-64": Variant({"batch_size": 64}),
    "batch-256": Variant({"batch_size": 256}),
    "token-dropout": Variant(rebuild=_with_token_dropout),
    "tokens": Variant(model={"output": "tokens", "pitch_inputs": False}),
    "event-then-pitch": Variant(model={"output": "event-then-pitch", "pitch_inputs": False}),
    "pitch-inputs": Variant(model={"output": "tokens", "pitch_inputs": True}),
    "both": Variant(model={"output": "event-then-pitch", "pitch_inputs": True}),
    "scheduled-sampling": Variant({"scheduled_sampling_rate": 1000.0}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--windows", type=int, default=204_800)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--anneal-steps", type=int, dest="anneal_updates")
    parser.add_argument("--init-from")
    parser.add_argument("--small", action="store_true", help="with --minutes: small models, batches of 64")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    use_threads(1)
    if arguments.dataset is not None:
        for name in arguments.only:
            if arguments.minutes is None:
                _train(name, arguments.dataset, arguments.out, arguments.windows)
            else:
                _train_for(arguments.minutes, name, arguments)
    runs = {path.parent.name: read_metrics(path.parent) for path in sorted(arguments.out.glob(f"*/{METRICS_FILE}"))}
    _print_table(runs)
    if arguments.plot is not None:
        _plot(runs, arguments.plot)


def _train(name: str, dataset_folder: str, out: Path, windows: int) -> None:
    variant, folder = VARIANTS[name], out / name
    if folder.exists():
        return
    batch_size = variant.changes.get("batch_size", 128)
    updates = WHOLE_TRAINING * 128 // batch_size
    dataset = open_dataset(dataset_folder)
    changes = {"evaluate_every": 12_800 // batch_size, "max_updates": updates} | variant.changes
    model, config = _model_and_config(variant, dataset, changes)
    trainer = melody_trainer(model, config, dataset, folder, precision=variant.precision)
    for progress in trainer.run():
        if progress.update * batch_size >= windows:
            trainer.stop()


def _train_for(minutes: float, name: str, arguments: argparse.Namespace) -> None:
    """Train a variant for some minutes of the processor, whose seconds the trainer counts here as if they were all."""
    variant, folder = VARIANTS[name], arguments.out / name
    if folder.exists():
        return
    dataset = open_dataset(arguments.dataset)
    changes = {"max_minutes": minutes, "evaluate_every": 250, "anneal_updates": arguments.anneal_updates}
    if arguments.small:
        changes |= SMALL_TRAINING
        variant = replace(variant, model=SMALL_MODEL | variant.model)
    model, config = _model_and_config(variant, dataset, changes | variant.changes, arguments.init_from)
    with mock.patch("time.monotonic", time.process_time):
        for _ in melody_trainer(model, config, dataset, folder, precision=variant.precision).run():
            pass


def _model_and_config(
    variant: Variant, dataset: WindowDataset, changes: dict[str, Any], init_from: str | None = None
) -> tuple[MelodyModel, MelodyTrainConfig]:
    model, config = build_model_and_config(variant.preset, init_from, dataset=dataset, **changes)
    if init_from is not None:
        if variant.model.get("output") == "event-then-pitch":
            model = with_event_then_pitch(model, np.array(dataset.splits["valid"][:512]))
    elif variant.model:
        torch.manual_seed(config.seed)
        model = MelodyModel(replace(model.config, **variant.model))
    if variant.rebuild is not None:
        variant.rebuild(model)
    return model, config


def _print_table(runs: dict[str, list[dict[str, Any]]]) -> None:
    """A line for each run, by its evaluations, oldest first."""
    heads = {"windows to 0.95": 16, "minutes": 9, "windows/s": 11, "at": 9, "F1": 8, "gap": 8, "KL bits": 9, "loss": 8}
    print(" " * 22 + "".join(f"{head:>{width}}" for head, width in heads.items()))
    for name, lines in runs.items():
        reached, last = _when_reached(lines), lines[-1]
        windows, minutes = ("-", "-") if reached is None else (f"{reached[0]:,.0f}", f"{reached[1]:.1f}")
        rate = last["examples"] / last["minutes"] / 60
        gap = last["held_out_teacher_forced_accuracy"] - last["held_out_sampled_accuracy"]
        print(
            f"{name:<22}{windows:>16}{minutes:>9}{rate:>11.0f}{last['examples']:>9,}{last['held_out_note_f1']:>8.3f}"
            f"{gap:>8.4f}{last['held_out_kl_bits']:>9.0f}{last['held_out_loss']:>8.2f}"
        )


def _when_reached(lines: list[dict[str, Any]]) -> tuple[float, float] | None:
    """Windows and minutes at which the greedy accuracy passed the target, on the line between two looks."""
    for before, after in zip([{"examples": 0, "minutes": 0.0, "held_out_greedy_accuracy": 0.0}, *lines], lines):  # noqa: B905 - pairs
        low, high = before["held_out_greedy_accuracy"], after["held_out_greedy_accuracy"]
        if high >= TARGET:
            share = (TARGET - low) / (high - low)
            return tuple(before[key] + share * (after[key] - before[key]) for key in ("examples", "minutes"))  # type: ignore[return-value]
    return None


def _plot(runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    styles = {"melody-2bar": ("position-wise read-out", "-"), "musicvae-small": ("last-state read-out", "--")}
    for name, (label, style) in styles.items():
        lines = runs[name]
        greedy = [line["held_out_greedy_accuracy"] for line in lines]
        axes[0].plot([line["examples"] / 1000 for line in lines], greedy, style, label=label)
        axes[1].plot([line["minutes"] for line in lines], greedy, style, label=label)
    ends = [_when_reached(runs[name]) or (0.0, 0.0) for name in styles]
    for axis, label, unit, index in zip(axes, ("thousand windows seen", "minutes"), (1000, 1), (0, 1), strict=True):
        axis.axhline(TARGET, color="grey", linewidth=0.8, linestyle=":")
        axis.set(xlabel=label, ylim=(0.6, 1.0), xlim=(0, 1.5 * max(end[index] for end in ends) / unit or None))
    axes[0].set_ylabel("steps right, greedy from the mean\n(held-out windows)")
    axes[0].legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()

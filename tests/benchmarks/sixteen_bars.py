"""Sixteen bars: two levels against one, both read-outs, from scratch and from a trained lower level, at equal budgets.

    python -m tests.benchmarks.sixteen_bars DATASET --out FOLDER [--only flat ...] [--windows 64000]

DATASET has windows of sixteen bars. Each model trains anew for as many windows, on one thread; one whose run lies in
FOLDER already is not trained again, and any run folder of ``melodyvae train`` may be put there too. Printed are the
metrics of the last look at held-out windows within the budget; beta is still 0 or nearly so in all of them, so this is
how well each can be learned at all.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from melodyvae.config import MelodyConfig, MelodyTrainConfig
from melodyvae.datasets.windows import open_dataset
from melodyvae.device import use_threads
from melodyvae.models.melody import MelodyModel
from melodyvae.presets import PRESETS
from melodyvae.training.melody import TRAINED_WHOLE, melody_trainer
from melodyvae.training.trainer import METRICS_FILE, read_metrics

TWO_LEVELS = PRESETS["melody-16bar-conductor"].model
FLAT = replace(TWO_LEVELS, segment_bars=None)
MODELS = {
    "melody-16bar": (TWO_LEVELS, "melody-2bar"),
    "from-scratch": (TWO_LEVELS, None),
    "last-state": (replace(TWO_LEVELS, readout="last-state", segment_bars=1), None),
    "flat": (FLAT, None),
    "flat-last-state": (replace(FLAT, readout="last-state"), None),
}
METRICS = ("teacher_forced_accuracy", "sampled_accuracy", "greedy_accuracy", "note_f1", "kl_bits", "no_event_accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--windows", type=int, default=64_000)
    arguments = parser.parse_args()
    use_threads(1)
    for name in arguments.only:
        config, lower = MODELS[name]
        _train(config, lower, arguments.dataset, arguments.out / name, arguments.windows)
    print(
        f"{'':<18}{'windows':>9}{'minutes':>9}" + "".join(f"{name.removesuffix('_accuracy'):>16}" for name in METRICS)
    )
    for path in sorted(arguments.out.glob(f"*/{METRICS_FILE}")):
        lines = [line for line in read_metrics(path.parent) if line["examples"] <= arguments.windows]
        if lines:
            cells = "".join(f"{lines[-1]['held_out_' + name]:16.4f}" for name in METRICS)
            print(f"{path.parent.name:<18}{lines[-1]['examples']:>9,}{lines[-1]['minutes']:>9.1f}{cells}")


def _train(config: MelodyConfig, lower: str | None, dataset_folder: str, folder: Path, windows: int) -> None:
    if folder.exists():
        return
    training: MelodyTrainConfig = replace(
        PRESETS["melody-16bar-conductor"].training, max_minutes=None, max_updates=2000, evaluate_every=250
    )
    torch.manual_seed(training.seed)
    model = MelodyModel(config)
    if lower is None:
        training = replace(training, **TRAINED_WHOLE)
    else:
        model.take_segments_from(MelodyModel.from_pretrained(lower))
    trainer = melody_trainer(model, training, open_dataset(dataset_folder), folder)
    for progress in trainer.run():
        if progress.update * training.batch_size >= windows:
            trainer.stop()


if __name__ == "__main__":
    main()

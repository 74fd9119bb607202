"""What does a bit of z buy over sixteen bars? Accuracy against KL at several betas, as a table and a plot.

    python -m tests.benchmarks.sixteen_bars_rates DATASET --out FOLDER [--betas 0.05 ...] [--plot rates.png]

DATASET has windows of sixteen bars. At each beta a model, melody-16bar by default, is trained on: first its upper level
alone, then both; at the beta that it was trained with it is taken as it is. The metrics are of 1,024 windows of the
test split. A beta whose metrics lie in FOLDER already is not trained again; without DATASET only those are read.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from melodyvae.datasets.windows import open_dataset
from melodyvae.device import use_threads
from melodyvae.evaluation.reconstruction import reconstruction_metrics
from melodyvae.models.melody import MelodyModel
from melodyvae.presets import PRESETS
from melodyvae.training.melody import melody_trainer

BETAS = (0.05, 0.1, 0.3, 0.8, 2.0)
WINDOWS = 1024
PUBLISHED = (277.0, 0.90)  # bits, teacher-forced: hierdec-mel_16bar, on Magenta's own held-out melodies
MEASURES = {
    "teacher_forced_accuracy": "steps right, given the true past, z ~ q",
    "sampled_accuracy": "steps right, drawn at T = 1, z ~ q",
    "note_f1": "note F1, greedy from the mean",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="melody-16bar")
    parser.add_argument("--betas", nargs="+", type=float, default=BETAS)
    parser.add_argument("--upper-updates", type=int, default=300)
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    use_threads(1)
    if arguments.dataset is not None:
        for beta in arguments.betas:
            updates = (arguments.upper_updates, arguments.updates)
            metrics_at(beta, arguments.model, arguments.dataset, arguments.out, updates)
    points = sorted((json.loads(path.read_text()) for path in arguments.out.glob("*.json")), key=lambda p: p["beta"])
    print(f"{'beta':>6}{'KL bits':>9}" + "".join(f"{name.removesuffix('_accuracy'):>16}" for name in MEASURES))
    for point in points:
        print(f"{point['beta']:>6g}{point['kl_bits']:>9.1f}" + "".join(f"{point[name]:16.4f}" for name in MEASURES))
    if arguments.plot is not None:
        plot(points, arguments.plot)


def metrics_at(beta: float, model_name: str, dataset_folder: str, out: Path, updates: tuple[int, int]) -> None:
    """Train on at ``beta``, for so many updates of the upper level and of all, and leave the metrics in ``out``."""
    file = out / f"beta-{beta:g}.json"
    if file.exists():
        return
    model, dataset = MelodyModel.from_pretrained(model_name), open_dataset(dataset_folder)
    config = replace(
        PRESETS["melody-16bar-conductor"].training,
        beta=beta,
        annealing="constant",
        learning_rate=1e-3,
        warmup_updates=50,
        upper_level_updates=updates[0],
        max_updates=updates[1],
        max_minutes=None,
        evaluate_every=updates[1],
    )
    if beta == model.provenance["training"]["beta"]:
        out.mkdir(parents=True, exist_ok=True)
    else:
        for _ in melody_trainer(model, config, dataset, out / file.stem).run():
            pass
    windows = dataset.splits["test"]
    some = np.random.default_rng(0).permutation(len(windows))[:WINDOWS]
    metrics = reconstruction_metrics(model.eval(), np.asarray(windows[np.sort(some)]))
    file.write_text(json.dumps({"beta": beta} | metrics))


def plot(points: list[dict[str, Any]], path: Path) -> None:
    """Draw the measures over the KL, the published value marked."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(MEASURES), figsize=(12, 3.6), layout="constrained")
    bits = [point["kl_bits"] for point in points]
    for axis, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        axis.plot(bits, [point[measure] for point in points], "o-", markersize=4)
        for point in points:
            where = (point["kl_bits"], point[measure])
            axis.annotate(f"{point['beta']:g}", where, (3, -9), textcoords="offset points", fontsize=7, color="0.4")
        axis.set(xlabel="KL, bits per window", ylabel=label)
        axis.grid(color="0.9")
    axes[0].plot(*PUBLISHED, "kx", label="MusicVAE, as published\n(its own data)")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()

"""Accuracy against KL, for any models and without training: one table and one plot over the KL.

    python -m tests.benchmarks.rate_curve DATASET --models melody-16bar melody-compose sharp.safetensors
        [--shares 1 0.7 0.45 0.25 0.1] [--windows 512] [--json FILE] [--plot FILE]

Each model is measured at each share: q is widened to q^share * N(0, I)^(1 - share), normalised, and so says
a window in fewer bits (1 is q itself; see :func:`widened_gaussian`). All windows are of the test split of DATASET,
held out from every model, the same ones for all. Per row:

- KL: bits of z per window, relative to the prior that the model draws from; of a model that looks back also against
  N(0, I) in the place of its learned prior, at share 1.
- sum: the KL and the bits that the decoder still needs for the notes, a bound on -log p of the window.
- teacher-forced, sampled: steps right, given the true past, or every token drawn at temperature 1, z ~ q.
- greedy, F1: steps and notes right of the most probable tokens, from the mean of q.
- minutes: of one core.

MODEL@SHARES, such as sharp.safetensors@1,0.5, gives a model shares of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from melodyvae.datasets.batches import token_batches
from melodyvae.datasets.held_out import held_out_windows
from melodyvae.datasets.windows import open_dataset
from melodyvae.device import use_threads
from melodyvae.evaluation.reconstruction import window_ratios
from melodyvae.models.latent import DiagonalGaussian
from melodyvae.models.melody import MelodyModel
from melodyvae.network.rows import random_rows

SHARES = (1.0, 0.7, 0.45, 0.25, 0.1)
PUBLISHED = (277.0, 0.90)  # bits, teacher-forced: hierdec-mel_16bar, on Magenta's own held-out melodies
MEASURES = {
    "teacher_forced_accuracy": "teacher-forced",
    "sampled_accuracy": "sampled",
    "greedy_accuracy": "greedy",
    "note_f1": "F1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES)
    parser.add_argument("--windows", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    use_threads(1)
    dataset = open_dataset(arguments.dataset)
    points: list[dict[str, Any]] = []
    names = [name.partition("@") for name in arguments.models]
    models = {name: MelodyModel.from_pretrained(name) for name, _, _ in names}
    for model in models.values():
        windows = held_out_windows(model.provenance, dataset, "test")  # refuses what a model was trained on
    some = random_rows(windows, arguments.windows, arguments.seed)
    print(f"{len(some)} of {len(windows)} windows of the test split of {arguments.dataset}; no event: ", end="")
    print(f"{(some == 0).mean():.4f} of the steps")
    print(f"{'':<26}{'share':>6}{'KL':>9}{'sum':>9}" + "".join(f"{label:>16}" for label in MEASURES.values()), end="")
    print(f"{'minutes':>9}")
    for name, _, own in names:
        for share in [float(part) for part in own.split(",")] if own else arguments.shares:
            point = {"model": Path(name).name, "share": share} | measured(models[name], some, share, arguments.seed)
            points.append(point)
            cells = "".join(f"{point[measure]:16.4f}" for measure in MEASURES)
            print(f"{point['model']:<26}{share:6g}{point['kl_bits']:9.1f}{point['bits']:9.1f}{cells}", end="")
            print(f"{point['minutes']:9.1f}", flush=True)
        if models[name].config.has_learned_prior:
            print(f"{Path(name).name}: the same z costs {standard_bits(models[name], some):.1f} bits under N(0, I)")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(points, indent=1) + "\n")
    if arguments.plot is not None:
        plot(points, arguments.plot)


def widened_gaussian(gaussian: DiagonalGaussian, share: float) -> DiagonalGaussian:
    """The normalised q^share * N(0, I)^(1 - share): q at 1, the standard normal at 0, bits between.

    It is the distribution of its rate that is nearest to q: it minimises share * KL(. || q) + (1 - share) *
    KL(. || N(0, I)).
    """
    precision = share * torch.exp(-gaussian.log_variance) + (1 - share)
    mean = share * torch.exp(-gaussian.log_variance) * gaussian.mean / precision
    return DiagonalGaussian(mean, -torch.log(precision))


class Widened:
    """A model with a wider posterior."""

    def __init__(self, model: MelodyModel, share: float) -> None:
        self._model, self._share = model, share

    def encode(self, tokens: torch.Tensor) -> DiagonalGaussian:
        return widened_gaussian(self._model.encode(tokens), self._share)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def measured(model: MelodyModel, windows: np.ndarray, share: float, seed: int) -> dict[str, float]:
    """The metrics of windows ``(N, T)`` at a share, and ``bits``, the KL and the reconstruction together."""
    started = time.process_time()
    ratios, _ = window_ratios(cast(MelodyModel, Widened(model, share)), windows, seed)
    found = {name: ratio.value for name, ratio in ratios.items()}
    found["bits"] = found["kl_bits"] + found["reconstruction_nats"] / math.log(2)
    return found | {"minutes": (time.process_time() - started) / 60}


def standard_bits(model: MelodyModel, windows: np.ndarray) -> float:
    """The KL of q(z | x) of a model that looks back from N(0, I), bits per window: its own z, not told relative."""
    with torch.inference_mode():
        nats = [model.encoder(part).kl_to_standard_normal().sum(1) for part in token_batches(windows, 512)]
    return float(torch.cat(nats).mean()) / math.log(2)


def plot(points: list[dict[str, Any]], path: Path) -> None:
    """Draw the measures over the KL, a line for each model, the published value marked."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(MEASURES), figsize=(15, 3.8), layout="constrained")
    for axis, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        for name in dict.fromkeys(point["model"] for point in points):
            line = sorted((point["kl_bits"], point[measure]) for point in points if point["model"] == name)
            axis.plot(*zip(*line, strict=True), "o-", markersize=4, label=name.removesuffix(".safetensors"))
        axis.set(xlabel="KL, bits per window", ylabel=label)
        axis.grid(color="0.9")
    axes[0].plot(*PUBLISHED, "kx", label="MusicVAE, as published\n(its own data)")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()

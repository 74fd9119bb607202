"""Repetition along walks of sixteen bars: with and without ties, and between the ends mixed step by step.

    python -m tests.benchmarks.walk_repetition DATASET [--pairs 30] [--places 9] [--split test] [--plot FILE]

DATASET has windows of sixteen bars. Of pairs of them from different files, the walk of melody-2bar from the posterior
means of one, window by window, to those of the other is decoded at places evenly far apart in z. Per place: the share
of bars that repeat an earlier one exactly, and in rhythm; the dotted line goes straight from that of the one ends to
that of the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from melodyvae.datasets.windows import open_dataset
from melodyvae.music.statistics import window_statistics
from melodyvae.network.latent import slerp
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.codec import decode_tokens, posterior_means
from melodyvae.verbs.ties import Ties

KINDS = {"repeats_exact": "exactly", "repeats_rhythm": "in rhythm"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--places", type=int, default=9)
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    model, dataset = MelodyNetwork.read("melody-2bar"), open_dataset(arguments.dataset)
    windows, sources = np.asarray(dataset.splits[arguments.split]), dataset.sources_of(arguments.split)
    generator, places = np.random.default_rng(0), np.linspace(0, 1, arguments.places)
    walks: dict[str, list[np.ndarray]] = {"tied": [], "not tied": [], "mixed": []}
    changed = 0
    while len(walks["tied"]) < arguments.pairs:
        one, other = generator.integers(len(windows), size=2)
        if sources[one] == sources[other]:
            continue
        parts = [windows[index].reshape(-1, model.config.steps) for index in (one, other)]
        means = [posterior_means(model, part) for part in parts]
        path = np.concatenate([slerp(a, b, places)[:, None] for a, b in zip(*means, strict=True)], axis=1)
        rows = decode_tokens(model, path.reshape(-1, path.shape[-1])).reshape(len(places), -1)
        tied = Ties.of(rows[0], rows[-1], model.config.steps_per_bar, model.config.steps).tied(rows, places)
        changed += int((tied[[0, -1]] != rows[[0, -1]]).any())
        walks["tied"].append(tied)
        walks["not tied"].append(rows)
        is_other = generator.random((len(places), rows.shape[1])) < places[:, None]
        walks["mixed"].append(np.where(is_other, rows[-1], rows[0]))
    print(f"{arguments.pairs} walks of {arguments.dataset}, ends changed by ties: {changed}")
    curves: dict[str, dict[str, np.ndarray]] = {}
    for name, found in walks.items():
        stacked = np.stack(found, axis=1)  # (places, pairs, T)
        metrics = [window_statistics(rows, model.vocabulary, model.config.steps_per_bar) for rows in stacked]
        steps = (stacked[1:] != stacked[:-1]).mean(axis=2)  # (places - 1, pairs)
        curves[name] = {kind: np.array([each[kind].pooled for each in metrics]) for kind in KINDS}
        for kind, label in KINDS.items():
            print(f"{name:<10}{label:<12}" + "".join(f"{value:7.3f}" for value in curves[name][kind]))
        print(f"{name:<10}steps changed each time: {steps.mean():.3f}, at most {steps.max(0).mean():.3f}")
    if arguments.plot is not None:
        plot(places, curves, arguments.plot)


def plot(places: np.ndarray, curves: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Draw the shares along the walk."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(KINDS), figsize=(9, 3.6), layout="constrained")
    for axis, (kind, label) in zip(axes, KINDS.items(), strict=True):
        for name, found in curves.items():
            axis.plot(places, found[kind], "o-", markersize=4, label=name)
        ends = curves["tied"][kind][[0, -1]]
        axis.plot([0, 1], ends, "k:", label="from A's share to B's")
        axis.set(xlabel="from A (0) to B (1)", ylabel=f"bars that repeat an earlier one {label}", ylim=(0, None))
        axis.grid(color="0.9")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()

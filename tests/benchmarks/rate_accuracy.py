r"""Accuracy against KL for both read-outs at several betas, as a table and a plot.

    melodyvae train DATASET --steps 14000 -o sharp
    melodyvae train DATASET --preset musicvae-small --steps 15000 -o small
    for beta in 0.05 0.1 0.2 0.4 0.8; do
      melodyvae train DATASET --init-from sharp --beta $beta --steps 700 -o runs/position-$beta
      melodyvae train DATASET --preset musicvae-small --init-from small --beta $beta --steps 700 \
        -o runs/last-state-$beta
    done
    python -m tests.benchmarks.rate_accuracy runs/* [--split test] [--shipped melody-2bar] [--plot rate-accuracy.png]

Each run's metrics are those that its training wrote into its model at the end, measured on all windows of the split.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from melodyvae.models.checkpoint import load_checkpoint

PUBLISHED = (58.0, 0.95)  # bits, sampled accuracy: cat-mel_2bar_small on Magenta's own held-out melodies
MEASURES = {"sampled_accuracy": "steps right, drawn at T = 1, z ~ q", "note_f1": "note F1, greedy from the mean"}
STYLES = {"position": ("position-wise read-out", "o-"), "last-state": ("last-state read-out", "s--")}


@dataclass(frozen=True)
class Point:
    """One run: what it paid and what it got."""

    name: str
    readout: str
    beta: float
    metrics: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--shipped")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    points = [read_point(run, arguments.split) for run in arguments.runs]
    points.sort(key=lambda point: (point.readout, point.beta))
    shipped = read_point(arguments.shipped, arguments.split) if arguments.shipped else None
    print(f"{'':<22}{'read-out':<12}{'beta':>6}{'KL bits':>9}{'sampled':>9}{'F1':>8}{'exact':>8}")
    for point in [*points, *([shipped] if shipped else [])]:
        cells = [point.metrics[name] for name in ("sampled_accuracy", "note_f1", "exact_windows")]
        print(
            f"{point.name:<22}{point.readout:<12}{point.beta:>6g}{point.metrics['kl_bits']:>9.1f}"
            f"{cells[0]:>9.4f}{cells[1]:>8.4f}{cells[2]:>8.4f}"
        )
    if arguments.plot is not None:
        plot(points, shipped, arguments.plot)


def read_point(run: str | Path, split: str) -> Point:
    """What the model of a run, or of a shipped name, records of itself."""
    checkpoint = load_checkpoint(run)
    return Point(
        Path(run).name,
        checkpoint.config["readout"],
        checkpoint.provenance["training"]["beta"],
        checkpoint.metrics[split],
    )


def plot(points: list[Point], shipped: Point | None, path: Path) -> None:
    """Draw accuracy over KL, a line per read-out, the shipped model and the published value marked."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for axis, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        for readout, (name, style) in STYLES.items():
            line = [
                (point.metrics["kl_bits"], point.metrics[measure], point.beta)
                for point in points
                if point.readout == readout
            ]
            axis.plot([bits for bits, _, _ in line], [value for _, value, _ in line], style, label=name, markersize=4)
            for bits, value, beta in line:
                axis.annotate(f"{beta:g}", (bits, value), (3, -9), textcoords="offset points", fontsize=7, color="0.4")
        if shipped is not None:
            axis.plot(
                shipped.metrics["kl_bits"], shipped.metrics[measure], "k*", markersize=11, label="melody-2bar, shipped"
            )
        if measure == "sampled_accuracy":
            axis.plot(*PUBLISHED, "kx", label="MusicVAE, as published\n(its own data)")
        axis.set(xlabel="KL, bits per window", ylabel=label)
        axis.grid(color="0.9")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()

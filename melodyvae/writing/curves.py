"""Pictures of curves: a training, and the interpolation metrics of the MusicVAE paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from melodyvae.writing.style import END_NOTE, NOTE, PlotError


def plot_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG of a training: loss terms and held-out metrics over the examples seen.

    Args:
        lines: what :func:`melodyvae.training.trainer.read_metrics` gives.
        path: the file to write.

    Raises:
        PlotError: if there is no line.
    """
    from matplotlib.figure import Figure

    if not lines:
        raise PlotError("the training made no evaluation, so there is no curve to draw")
    figure = Figure(figsize=(10, 4), layout="constrained")
    nats, shares = figure.subplots(1, 2)
    seen = [line["examples"] / 1000 for line in lines]
    for key, style in (
        ("reconstruction", {"color": NOTE, "label": "reconstruction, train"}),
        ("held_out_reconstruction_nats", {"color": NOTE, "label": "reconstruction, held out", "ls": "--"}),
        ("kl", {"color": END_NOTE, "label": "KL, train"}),
    ):
        if key in lines[-1]:
            nats.plot(seen, [line.get(key) for line in lines], **style)
    nats.set_yscale("log")
    nats.set_ylabel("nats per example")
    for key in ("greedy_accuracy", "teacher_forced_accuracy", "sampled_accuracy", "note_f1", "exact_windows"):
        if f"held_out_{key}" in lines[-1]:
            shares.plot(seen, [line.get(f"held_out_{key}") for line in lines], label=key.replace("_", " "))
    shares.set_ylim(0, 1.01)
    shares.set_ylabel("share, held out")
    for axis in (nats, shares):
        axis.set_xlabel("thousand examples seen")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(frameon=False)
    figure.savefig(path, dpi=120)


def plot_interpolations(curves: Mapping[str, Sequence[float]], path: Path) -> None:
    """Write a PNG of the two curves of the MusicVAE paper, the latent walk against the one in data space.

    Args:
        curves: the values of :class:`melodyvae.evaluation.interpolation.InterpolationCurves`, by name.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    for axis, kind, label in zip(
        figure.subplots(1, 2),
        ("hamming", "cost"),
        ("share of steps that differ from A", "cost under an n-gram model, relative"),
        strict=True,
    ):
        axis.plot(curves["alpha"], curves[f"latent_{kind}"], color=NOTE, marker="o", ms=4, label="latent space")
        axis.plot(
            curves["alpha"], curves[f"data_{kind}"], color=END_NOTE, marker="s", ms=4, ls="--", label="data space"
        )
        axis.set_xlabel("from A (0) to B (1)")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.savefig(path, dpi=150, format="png")

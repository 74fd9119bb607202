"""Pictures of matrices: which bars of a tune are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def plot_similarities(matrices: Mapping[str, Sequence[Sequence[float]]], path: Path) -> None:
    """Write a PNG of self-similarity matrices side by side: how alike two bars sound on average.

    Args:
        matrices: by title, the values of :func:`melodyvae.evaluation.structure.self_similarity`.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(matrices) + 0.8, 3.8), layout="constrained")
    bars = len(next(iter(matrices.values())))
    off_diagonal = [
        value for rows in matrices.values() for i, row in enumerate(rows) for j, value in enumerate(row) if i != j
    ]
    axes = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    for axis, (title, rows) in zip(axes, matrices.items(), strict=True):
        image = axis.imshow(
            rows, cmap="Greys", vmin=0, vmax=max(off_diagonal, default=1.0), extent=(0.5, bars + 0.5, bars + 0.5, 0.5)
        )
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("bar")
        ticks = range(1, bars + 1, max(bars // 4, 1))
        axis.set_xticks(ticks)
        axis.set_yticks(ticks)
    axes[0].set_ylabel("bar")
    figure.colorbar(image, ax=list(axes), label="share of steps alike")
    figure.savefig(path, dpi=150, format="png")

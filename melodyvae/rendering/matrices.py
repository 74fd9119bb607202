"""Pictures of matrices: the effects of sliders, and which bars of a tune are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from melodyvae.rendering.style import END_NOTE, INK, NOTE

MIN_HATCHED = 0.05  # standard deviations


def plot_effects(matrices: dict[str, np.ndarray], names: Sequence[str], path: Path) -> None:
    """Write a PNG with one heat map per matrix, two in a row: the effect of each slider (row) on each attribute.

    Each cell shows its number; the larger the effect, the deeper the colour, which reads in grey as well. Rises are
    blue, falls are red and hatched.

    Args:
        matrices: title to effects in standard deviations, ``(A, A)`` each.
        names: of the attributes, A.
        path: the file to write.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    columns = min(len(matrices), 2)
    rows = -(-len(matrices) // columns)
    figure = Figure(figsize=(4.3 * columns + 1.0, 4.3 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis in grid.flat[len(matrices) :]:
        axis.set_visible(False)
    for axis, (title, effects) in zip(grid.flat, matrices.items(), strict=False):
        for (row, column), effect in np.ndenumerate(effects):
            depth = min(abs(effect), 1.0)
            colour = np.array(to_rgb(NOTE if effect > 0 else END_NOTE))
            hatch = "////" if effect < -MIN_HATCHED else None
            cell = Rectangle(
                (column - 0.5, row - 0.5), 1, 1, facecolor=1 - depth * (1 - colour), edgecolor="white", hatch=hatch
            )
            axis.add_patch(cell)
            weight = "bold" if row == column else "normal"
            shown = f"{effect:+.2f}".replace("-", "\N{MINUS SIGN}")
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85}
            axis.text(column, row, shown, ha="center", va="center", color=INK, fontsize=8.5, weight=weight, bbox=box)
            if row == column:
                axis.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor=INK, lw=1.2))
        axis.set_xlim(-0.5, len(names) - 0.5)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_aspect("equal")
        axis.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(len(names)), names)
        axis.tick_params(length=0)
        axis.set_title(title, fontsize=10)
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.supxlabel("what changes, in standard deviations of the training windows", fontsize=10)
    figure.supylabel("the slider that is moved", fontsize=10)
    figure.savefig(path, dpi=150)


def plot_similarities(matrices: Mapping[str, Sequence[Sequence[float]]], path: Path) -> None:
    """Write a PNG of self-similarity matrices side by side: how alike two bars sound on average.

    Args:
        matrices: by title, the values of :func:`melodyvae.evaluation.repetition.self_similarity`.
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

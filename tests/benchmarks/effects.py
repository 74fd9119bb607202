"""The effect of each slider of ``morph`` on each attribute, measured and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.attribute_vectors import AttributeVectors
from melodyvae.verbs.attributes import ATTRIBUTES, measure
from melodyvae.verbs.codec import decode_tokens, posterior_means
from melodyvae.verbs.morph_search import CANDIDATES, deviations_of, move
from melodyvae.writing.style import END_NOTE, INK, NOTE

MIN_HATCHED = 0.05  # standard deviations


def effect_matrix(
    model: MelodyNetwork,
    windows: np.ndarray,
    amount: float = 1.0,
    candidates: int = CANDIDATES,
    seed: int = 0,
    directions: AttributeVectors | None = None,
) -> np.ndarray:
    """The mean change of each attribute (columns) when one slider (rows) is moved by ``amount``: ``(A, A)``.

    In standard deviations of the attribute over the training windows; from the windows ``(N, T)`` as the model
    remembers them, which should be held out. ``directions`` are by default the model's own.
    """
    chosen = directions or AttributeVectors.from_extras(model.extras, model.config.latent_size)
    deviations = deviations_of(chosen)
    z = posterior_means(model, windows)
    start = (z, decode_tokens(model, z))
    before = measure(start[1], model.config)
    draws = Draws(seed)
    rows = []
    for amounts in amount * np.eye(len(ATTRIBUTES)):
        _, tokens = move(model, chosen, start, start, amounts, candidates, draws=draws)
        rows.append(((measure(tokens, model.config) - before) / deviations).mean(axis=0))
    return np.stack(rows)


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


def quartile_directions(z: np.ndarray, standardised: np.ndarray) -> np.ndarray:
    """Unit vectors ``(A, Z)``: the paper's, the mean z of the highest quarter of each attribute minus the lowest's."""
    low, high = np.quantile(standardised, [0.25, 0.75], axis=0)
    differences = np.stack(
        [
            z[values >= above].mean(axis=0) - z[values <= below].mean(axis=0)
            for values, below, above in zip(standardised.T, low, high, strict=True)
        ]
    )
    return np.asarray(differences / np.linalg.norm(differences, axis=1, keepdims=True))

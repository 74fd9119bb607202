"""Pictures: piano rolls and training curves. matplotlib is imported only when a picture is drawn.

Contents: :func:`plot_piano_rolls`, :func:`plot_grid_of_rolls`, :func:`plot_curves`, :func:`plot_interpolations`,
:func:`plot_effects`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_prep.errors import UserError
from data_prep.melody import Melody
from melodyvae.rendering.svg import BLACK_KEYS, pitch_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1a1a2e"
BLACK_KEY_ROW = "#f0f0f4"
NOTE = "#3b6fb6"
END_NOTE = "#c8553d"  # the two ends of a walk; darker than NOTE in grey
BEAT_LINE = "#c9c9d2"
GAP_STEPS = 0.15  # so that a repeated note is seen to be two
ROLL_GAP = 4  # semitones of white between two rolls
MOST_ROLLS = 64
MAX_ROLLS_IN_COLUMN = 16
MOST_BAR_LABELS = 16
LEAST_HATCHED = 0.05  # standard deviations


class PlotError(UserError, ValueError):
    """There is nothing to draw."""


def plot_piano_rolls(
    melodies: Sequence[Melody], path: Path, titles: Sequence[str] | None = None, set_apart: Sequence[int] = ()
) -> None:
    """Write a PNG with a piano roll for each melody, one above the other, aligned in time and on one scale of pitches.

    More than :data:`MAX_ROLLS_IN_COLUMN` stand in several columns.

    Args:
        melodies: at least one; of more than :data:`MOST_ROLLS` only the first are drawn, and the picture says so.
        path: the file to write.
        titles: one a melody; numbers by default.
        set_apart: which ones have another colour, such as the ends of a walk; -1 is the last.
    """
    from matplotlib.figure import Figure

    if not melodies:
        raise PlotError("there is no melody to draw")
    shown = melodies[:MOST_ROLLS]
    names = titles or [str(index) for index in range(1, len(melodies) + 1)]
    ends = {index % len(melodies) for index in set_apart}
    low, high = pitch_range(shown)
    pitch_span = high - low + 1
    roll_height = pitch_span + ROLL_GAP  # in semitones
    inches = min(max(0.055 * pitch_span, 0.7), 2.2) * roll_height / pitch_span
    bars = max(melody.bars for melody in shown)
    count = -(-len(shown) // MAX_ROLLS_IN_COLUMN)
    in_column = -(-len(shown) // count)
    size = (max(6.5, 2.6 * min(bars, 8)) * min(count, 2), inches * in_column + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    for column, axis in enumerate(figure.subplots(1, count, squeeze=False)[0]):
        chosen = range(column * in_column, min((column + 1) * in_column, len(shown)))
        _draw_column(axis, [(shown[index], names[index], index in ends) for index in chosen], low, high)
        axis.set_ylim(-(in_column - 1) * roll_height - pitch_span, 1)
        axis.set_xlim(0, bars * shown[0].steps_per_bar)
        labelled = range(0, bars, -(-bars // MOST_BAR_LABELS))
        places = [bar * shown[0].steps_per_bar for bar in labelled]
        axis.set_xticks(places, [f"bar {bar + 1}" for bar in labelled], ha="left")
    if len(shown) < len(melodies):
        figure.supxlabel(f"the first {len(shown)} of {len(melodies)} melodies")
    with warnings.catch_warnings():
        # A title may be a file name in a script that matplotlib's font has not; boxes then stand for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=150)


def _draw_column(axis: Axes, rolls: Sequence[tuple[Melody, str, bool]], low: int, high: int) -> None:
    """Rolls one above the other, each with its name and whether it is set apart."""
    roll_height = high - low + 1 + ROLL_GAP
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    ticks = []
    for index, (melody, name, is_end) in enumerate(rolls):
        bottom = -index * roll_height - high  # a pitch is drawn at bottom + pitch
        _draw_roll(axis, melody, low, high, bottom, END_NOTE if is_end else NOTE)
        axis.annotate(
            name,
            (0, bottom + (low + high) / 2),
            (-26, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            weight="bold" if is_end else "normal",
            parse_math=False,  # a file name may hold dollar signs
        )
        ticks += [(bottom + pitch, f"C{pitch // 12 - 1}") for pitch in octaves]
    axis.set_yticks([place for place, _ in ticks], [label for _, label in ticks], fontsize=7)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def plot_roll(melody: Melody, axes: Axes | None = None) -> Axes:
    """The axes that a melody's piano roll is drawn into: by default pyplot's, as a notebook shows them."""
    from matplotlib import pyplot

    axes = axes or pyplot.subplots(figsize=(max(6.5, 2.6 * min(melody.bars, 8)), 2.4), layout="constrained")[1]
    low, high = pitch_range([melody])
    _draw_roll(axes, melody, low, high, 0, NOTE)
    axes.set_xlim(0, max(melody.length_steps, 1))
    axes.set_ylim(low - 1, high + 1)
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    labelled = range(0, melody.bars, -(-max(melody.bars, 1) // MOST_BAR_LABELS))
    axes.set_xticks([bar * melody.steps_per_bar for bar in labelled], [f"bar {bar + 1}" for bar in labelled], ha="left")
    axes.set_title(melody.name, loc="left", parse_math=False)
    return axes


def plot_grid_of_rolls(melodies: Sequence[Melody], columns: int, path: Path) -> None:
    """Write a PNG of piano rolls in rows of ``columns``, on one scale of pitches; the four corners are set apart."""
    from matplotlib.figure import Figure

    if not melodies:
        raise PlotError("there is no melody to draw")
    rows = -(-len(melodies) // columns)
    low, high = pitch_range(melodies)
    figure = Figure(figsize=(2.5 * columns, max(0.05 * (high - low), 1.1) * rows), layout="constrained")
    corners = {0, columns - 1, len(melodies) - columns, len(melodies) - 1}
    for index, (axis, melody) in enumerate(
        zip(figure.subplots(rows, columns, squeeze=False).flat, melodies, strict=False)
    ):
        _draw_roll(axis, melody, low, high, 0, END_NOTE if index in corners else NOTE)
        axis.set_xlim(0, melody.length_steps)
        axis.set_ylim(low - 1, high + 1)
        octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
        is_first = index % columns == 0
        axis.set_yticks(octaves, [f"C{pitch // 12 - 1}" if is_first else "" for pitch in octaves], fontsize=7)
        axis.set_xticks([])
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
        if index in corners:
            label = "ABCD"[sorted(corners).index(index)]
            axis.set_title(label, loc="left", fontsize=10, weight="bold", pad=2)
    figure.savefig(path, dpi=150)


def _draw_roll(axis: Axes, melody: Melody, low: int, high: int, bottom: float, colour: str) -> None:
    """One roll whose pitches are drawn at ``bottom + pitch``."""
    from matplotlib.collections import PolyCollection

    length = melody.length_steps
    floor, ceiling = bottom + low - 0.5, bottom + high + 0.5
    black_keys = [pitch for pitch in range(low, high + 1) if pitch % 12 in BLACK_KEYS]
    rows = [_rectangle(0, length, bottom + pitch, 1.0) for pitch in black_keys]
    axis.add_collection(PolyCollection(rows, facecolors=BLACK_KEY_ROW, linewidths=0))
    bar_lines = range(0, length + 1, melody.steps_per_bar)
    if melody.bars <= MOST_BAR_LABELS:
        beats = [step for step in range(0, length, melody.steps_per_quarter) if step not in bar_lines]
        axis.vlines(beats, floor, ceiling, colors=BEAT_LINE, linewidths=0.5, zorder=1)
    axis.vlines(bar_lines, floor, ceiling, colors=INK, linewidths=0.9, zorder=1)
    axis.hlines(floor, 0, length, colors=INK, linewidths=0.9, zorder=1)
    notes = [_rectangle(note.start_step, note.end_step - GAP_STEPS, bottom + note.pitch, 0.9) for note in melody.notes]
    axis.add_collection(PolyCollection(notes, facecolors=colour, edgecolors=INK, linewidths=0.5, zorder=2))


def _rectangle(left: float, right: float, middle: float, height: float) -> list[tuple[float, float]]:
    low, high = middle - height / 2, middle + height / 2
    return [(left, low), (right, low), (right, high), (left, high)]


def plot_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG of a training: the loss terms, and the held-out metrics, against examples seen.

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
    nats.set_ylabel("nats an example")
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


def plot_effects(matrices: dict[str, np.ndarray], names: Sequence[str], path: Path) -> None:
    """Write a PNG with one heat map a matrix, two a row: what each slider (row) does to each attribute (column).

    Numbers stand in the cells, and the size of an effect is the depth of its colour, so that it reads in grey as well;
    a rise is blue, a fall is red and hatched.

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
            hatch = "////" if effect < -LEAST_HATCHED else None
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


def plot_similarities(matrices: Mapping[str, Sequence[Sequence[float]]], path: Path) -> None:
    """Write a PNG of self-similarity matrices side by side: how alike each two bars sound, on the mean.

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

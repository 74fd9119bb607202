"""Pictures of melodies: piano rolls. matplotlib is imported only when a picture is drawn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from melodyvae.music.melody import Melody
from melodyvae.writing.style import END_NOTE, INK, NOTE, PlotError
from melodyvae.writing.svg import BLACK_KEYS, pitch_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from melodyvae.writing.sheet import Roll, Sheet

BLACK_KEY_ROW = "#f0f0f4"
BEAT_LINE = "#c9c9d2"
GAP_STEPS = 0.15  # so that a repeated note is seen to be two
ROLL_GAP = 4  # semitones of white between two rolls
MAX_ROLLS = 64
MAX_ROLLS_IN_COLUMN = 16
MAX_BAR_LABELS = 16
MAX_TITLE = 60  # characters above a roll; a longer name leaves no room for the notes
MAX_LABEL = 30  # likewise of those beside a roll


def plot_sheet(sheet: Sheet, path: Path) -> None:
    """Write a PNG with the piano roll of each melody of a sheet, on one scale of pitches.

    They stand in the sheet's columns, or one above the other, aligned in time: more than :data:`MAX_ROLLS_IN_COLUMN` in
    several columns; of more than :data:`MAX_ROLLS` only the first are drawn, and the picture says so.
    """
    if not sheet.rolls:
        raise PlotError("there is no melody to draw")
    if sheet.columns:
        plot_grid_of_rolls(sheet.melodies, sheet.columns, path)
    else:
        _plot_rolls(sheet.rolls, path)


def _plot_rolls(rolls: Sequence[Roll], path: Path) -> None:
    from matplotlib.figure import Figure

    shown = rolls[:MAX_ROLLS]
    low, high = pitch_range([roll.melody for roll in shown])
    pitch_span = high - low + 1
    roll_height = pitch_span + ROLL_GAP  # in semitones
    inches = min(max(0.055 * pitch_span, 0.7), 2.2) * roll_height / pitch_span
    bars = max(roll.melody.bars for roll in shown)
    count = -(-len(shown) // MAX_ROLLS_IN_COLUMN)
    in_column = -(-len(shown) // count)
    size = (max(6.5, 2.6 * min(bars, 8)) * min(count, 2), inches * in_column + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    for column, axis in enumerate(figure.subplots(1, count, squeeze=False)[0]):
        _draw_column(axis, shown[column * in_column : (column + 1) * in_column], low, high)
        axis.set_ylim(-(in_column - 1) * roll_height - pitch_span, 1)
        axis.set_xlim(0, bars * shown[0].melody.steps_per_bar)
        labelled = range(0, bars, -(-bars // MAX_BAR_LABELS))
        places = [bar * shown[0].melody.steps_per_bar for bar in labelled]
        axis.set_xticks(places, [f"bar {bar + 1}" for bar in labelled], ha="left")
    if len(shown) < len(rolls):
        figure.supxlabel(f"the first {len(shown)} of {len(rolls)} melodies")
    with warnings.catch_warnings():
        # A title may be a file name in a script that matplotlib's font has not; boxes then stand for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=150)


def _draw_column(axis: Axes, rolls: Sequence[Roll], low: int, high: int) -> None:
    """Rolls one above the other, each with its title."""
    roll_height = high - low + 1 + ROLL_GAP
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    ticks = []
    for index, roll in enumerate(rolls):
        bottom = -index * roll_height - high  # a pitch is drawn at bottom + pitch
        _draw_roll(axis, roll.melody, low, high, bottom, END_NOTE if roll.is_highlighted else NOTE)
        axis.annotate(
            _cut(roll.title, MAX_LABEL),
            (0, bottom + (low + high) / 2),
            (-26, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            weight="bold" if roll.is_highlighted else "normal",
            parse_math=False,  # a file name may hold dollar signs
        )
        ticks += [(bottom + pitch, f"C{pitch // 12 - 1}") for pitch in octaves]
    axis.set_yticks([place for place, _ in ticks], [label for _, label in ticks], fontsize=7)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


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
    labelled = range(0, melody.bars, -(-max(melody.bars, 1) // MAX_BAR_LABELS))
    axes.set_xticks([bar * melody.steps_per_bar for bar in labelled], [f"bar {bar + 1}" for bar in labelled], ha="left")
    axes.set_title(_cut(melody.name, MAX_TITLE), loc="left", parse_math=False)
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
    if melody.bars <= MAX_BAR_LABELS:
        beats = [step for step in range(0, length, melody.steps_per_quarter) if step not in bar_lines]
        axis.vlines(beats, floor, ceiling, colors=BEAT_LINE, linewidths=0.5, zorder=1)
    axis.vlines(bar_lines, floor, ceiling, colors=INK, linewidths=0.9, zorder=1)
    axis.hlines(floor, 0, length, colors=INK, linewidths=0.9, zorder=1)
    notes = [_rectangle(note.start_step, note.end_step - GAP_STEPS, bottom + note.pitch, 0.9) for note in melody.notes]
    axis.add_collection(PolyCollection(notes, facecolors=colour, edgecolors=INK, linewidths=0.5, zorder=2))


def _rectangle(left: float, right: float, middle: float, height: float) -> list[tuple[float, float]]:
    low, high = middle - height / 2, middle + height / 2
    return [(left, low), (right, low), (right, high), (left, high)]

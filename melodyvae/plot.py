"""Pictures: piano rolls and training curves. matplotlib is imported only when a picture is drawn.

Contents: :func:`plot_piano_rolls`, :func:`plot_curves`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.melody import Melody

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1a1a2e"
PAPER_ROW = "#f2f2f5"  # the rows of black keys
NOTE = "#3b6fb6"
END_NOTE = "#c8553d"  # the two ends of a walk; darker than NOTE in grey
BLACK_KEYS = frozenset({1, 3, 6, 8, 10})
PITCH_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


class PlotError(ValueError):
    """There is nothing to draw."""


def plot_piano_rolls(
    melodies: Sequence[Melody], path: Path, titles: Sequence[str] | None = None, ends: bool = False
) -> None:
    """Write a PNG with one piano roll a melody, aligned in time and sharing one pitch axis.

    Args:
        melodies: at least one.
        path: the file to write.
        titles: one a melody; numbers by default.
        ends: whether the first and the last are set apart, as the ends of a walk.
    """
    from matplotlib.figure import Figure

    if not melodies:
        raise PlotError("there is no melody to draw")
    pitches = [note.pitch for melody in melodies for note in melody.notes] or [60, 72]
    low, high = min(pitches) - 2, max(pitches) + 2
    bars = max(melody.bars for melody in melodies)
    row_height = min(max(0.055 * (high - low), 0.7), 2.2)
    figure = Figure(figsize=(max(6.5, 2.6 * min(bars, 8)), row_height * len(melodies) + 0.6), layout="constrained")
    axes = figure.subplots(len(melodies), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for index, (melody, axis) in enumerate(zip(melodies, axes, strict=True)):
        is_end = ends and index in (0, len(melodies) - 1)
        _draw_roll(axis, melody, low, high, END_NOTE if is_end else NOTE)
        title = titles[index] if titles else f"{index + 1}"
        axis.set_ylabel(title, rotation=0, ha="right", va="center", fontweight="bold" if is_end else "normal")
    last = melodies[-1]
    axes[-1].set_xlim(0, bars * last.steps_per_bar)
    axes[-1].set_xticks(
        [bar * last.steps_per_bar for bar in range(bars)],
        [f"bar {bar + 1}" for bar in range(bars)],
        ha="left",
    )
    figure.savefig(path, dpi=150)


def _draw_roll(axis: Axes, melody: Melody, low: int, high: int, colour: str) -> None:
    for pitch in range(low, high + 1):
        if pitch % 12 in BLACK_KEYS:
            axis.axhspan(pitch - 0.5, pitch + 0.5, color=PAPER_ROW, linewidth=0)
    for step in range(0, melody.length_steps + 1, melody.steps_per_quarter):
        on_bar = step % melody.steps_per_bar == 0
        axis.axvline(step, color=INK if on_bar else "#c9c9d2", linewidth=0.9 if on_bar else 0.5, zorder=1)
    axis.bar(
        [note.start_step for note in melody.notes],
        height=0.9,
        width=[note.end_step - note.start_step for note in melody.notes],
        bottom=[note.pitch - 0.45 for note in melody.notes],
        align="edge",
        color=colour,
        edgecolor=INK,
        linewidth=0.5,
        zorder=2,
    )
    axis.set_ylim(low - 0.5, high + 0.5)
    naturals = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axis.set_yticks(naturals, [f"{PITCH_NAMES[p % 12]}{p // 12 - 1}" for p in naturals], fontsize=7)
    axis.tick_params(length=0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def plot_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG of a training: the loss terms, and the held-out figures, against examples seen.

    Args:
        lines: what :func:`melodyvae.trainer.read_metrics` gives.
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

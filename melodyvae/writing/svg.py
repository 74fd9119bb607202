"""Piano rolls as SVG text, for pages and notebooks: no JavaScript, no files, colours that follow the page's CSS.

Conventions: one step is one unit wide, one semitone one unit high; the highest pitch is at the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from melodyvae.music.melody import Melody

BLACK_KEYS = frozenset({1, 3, 6, 8, 10})
MARGIN = 2  # semitones above the highest and below the lowest note
NOTE_GAP = 0.15  # steps, so that a repeated note is seen to be two
SILENCE = (60, 72)  # the pitches that a roll without notes shows


def pitch_range(melodies: Sequence[Melody]) -> tuple[int, int]:
    """The lowest and the highest pitch that rolls of these melodies show, with a margin."""
    pitches = [note.pitch for melody in melodies for note in melody.notes] or SILENCE
    return min(pitches) - MARGIN, max(pitches) + MARGIN


def roll_svg(melody: Melody, pitches: tuple[int, int] | None = None, label: str = "") -> str:
    """The piano roll of a melody as an ``<svg>`` element.

    Its four paths have the classes ``black`` (rows of black keys), ``beat``, ``bar`` and ``note``: a stroke for each
    row, line and note. Without CSS it is readable on white.

    Args:
        melody: the melody.
        pitches: the lowest and highest pitch shown; the melody's own by default. Give rolls that stand together one
            range.
        label: what a screen reader says.
    """
    low, high = pitches or pitch_range([melody])
    length, rows = max(melody.length_steps, 1), high - low + 1
    parts = [
        f'<svg class="roll" role="img" aria-label="{escape(label or _spoken(melody))}" viewBox="0 0 {length} {rows}" '
        f'preserveAspectRatio="none" xmlns="http://www.w3.org/2000/svg">'
    ]
    rows_of_keys = [f"M0 {high - pitch + 0.5}h{length}" for pitch in range(low, high + 1) if pitch % 12 in BLACK_KEYS]
    lines: dict[str, list[str]] = {"beat": [], "bar": []}
    for step in range(0, length + 1, melody.steps_per_quarter):
        lines["beat" if step % melody.steps_per_bar else "bar"].append(f"M{step} 0v{rows}")
    notes = [
        f"M{note.start_step} {high - note.pitch + 0.5}h{note.end_step - note.start_step - NOTE_GAP:.2f}"
        for note in melody.notes
    ]
    parts.append(f'<path class="black" d="{"".join(rows_of_keys)}" stroke="#8882"/>')
    for kind, width in (("beat", 0.5), ("bar", 1.4)):
        parts.append(
            f'<path class="{kind}" d="{"".join(lines[kind])}" stroke="#888" stroke-width="{width}" '
            'vector-effect="non-scaling-stroke"/>'
        )
    parts.append(f'<path class="note" d="{"".join(notes)}" stroke="#3b6fb6" stroke-width="0.9"/>')
    return "".join([*parts, "</svg>"])


def _spoken(melody: Melody) -> str:
    notes = "1 note" if len(melody.notes) == 1 else f"{len(melody.notes)} notes"
    bars = "1 bar" if melody.bars == 1 else f"{melody.bars} bars"
    return f"piano roll: {notes} in {bars} of {melody.meter[0]}/{melody.meter[1]}"

"""Pictures of melodies: piano rolls.

The PNG of a sheet is drawn with Pillow, which is there in a twentieth of matplotlib's time; axes for notebooks are
matplotlib's, imported only when they are asked for. Conventions: places in a picture are pixels from its top left.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from melodyvae.music.melody import Melody
from melodyvae.writing.style import END_NOTE, INK, NOTE, PlotError
from melodyvae.writing.svg import BLACK_KEYS, pitch_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from melodyvae.writing.sheet import Sheet

BLACK_KEY_ROW = "#f0f0f4"
BEAT_LINE = "#c9c9d2"
GAP_STEPS = 0.15  # so that a repeated note is seen to be two
MAX_ROLLS = 64
MAX_ROLLS_IN_COLUMN = 16
MAX_BAR_LABELS = 16
MAX_TITLE = 60  # characters above a roll; a longer name leaves no room for the notes
MAX_LABEL = 30  # likewise of those beside a roll
SEMITONE = 8.0  # pixels
ROLL_HEIGHTS = (105.0, 330.0)  # pixels, the smallest and the largest
BAR_WIDTH, MIN_WIDTH, MAX_WIDE_BARS = 390, 850, 8
CELL_WIDTH = 340  # pixels, of a roll in a grid
MARGIN = 12
TEXT, SMALL_TEXT = 17, 13  # pixels
FONT_FILES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


class _Box(NamedTuple):
    """Place of a roll in the picture, and the number of steps that span it."""

    left: float
    top: float
    width: float
    height: float
    steps: int


def plot_sheet(sheet: Sheet, path: Path) -> None:
    """Write a PNG with the piano roll of each melody of a sheet, on one scale of pitches.

    They stand in the sheet's columns, row by row, the corners labelled; or one above the other, each with its title:
    more than :data:`MAX_ROLLS_IN_COLUMN` in several columns. At most :data:`MAX_ROLLS` are drawn in
    columns, and the picture says so.
    """
    from PIL import Image, ImageDraw

    if not sheet.rolls:
        raise PlotError("there is no melody to draw")
    shown = sheet.rolls if sheet.columns else sheet.rolls[:MAX_ROLLS]
    low, high = pitch_range([roll.melody for roll in shown])
    height = min(max(SEMITONE * (high - low + 1), ROLL_HEIGHTS[0]), ROLL_HEIGHTS[1])
    steps = max(max(roll.melody.length_steps for roll in shown), 1)
    bars = max(roll.melody.bars for roll in shown)
    text, bold, small = _font(TEXT), _font(TEXT, is_bold=True), _font(SMALL_TEXT)
    titles = [_cut(roll.title, MAX_LABEL) for roll in shown]
    if sheet.columns:
        columns, rows, width = sheet.columns, -(-len(shown) // sheet.columns), float(CELL_WIDTH)
        beside, above, between = 0.0, TEXT + 4.0, 0.0
    else:
        columns = -(-len(shown) // MAX_ROLLS_IN_COLUMN)
        rows = -(-len(shown) // columns)
        width = max(MIN_WIDTH, BAR_WIDTH * min(bars, MAX_WIDE_BARS)) * min(2 / columns, 1)
        beside, above, between = max(bold.getlength(title) for title in titles) + MARGIN, 0.0, 2.0 * TEXT
    octave = small.getlength("C-1") + 6
    size = (
        round(columns * (beside + octave + width + MARGIN) + MARGIN),
        round(rows * (above + height + between) + 2 * MARGIN + TEXT),
    )
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    corners = [0, columns - 1, len(shown) - columns, len(shown) - 1] if sheet.columns else []
    for index, (roll, title) in enumerate(zip(shown, titles, strict=True)):
        column, row = (index % columns, index // columns) if sheet.columns else (index // rows, index % rows)
        left = MARGIN + column * (beside + octave + width + MARGIN) + beside + octave
        box = _Box(left, MARGIN + row * (above + height + between) + above, width, height, steps)
        is_set_apart = roll.is_highlighted or index in corners
        _draw_roll(draw, roll.melody, low, high, box, END_NOTE if is_set_apart else NOTE)
        if not sheet.columns or column == 0:
            _draw_octaves(draw, low, high, box, small)
        if sheet.columns:
            letter = "ABCD"[corners.index(index)] if index in corners else ""
            draw.text((left, box.top - 3), letter, INK, bold, anchor="ls")
        else:
            font = bold if roll.is_highlighted else text
            draw.text((left - octave - 4, box.top + height / 2), title, INK, font, anchor="rm")
            if row == rows - 1 or index == len(shown) - 1:
                _draw_bar_numbers(draw, roll.melody, bars, box, text)
    if len(shown) < len(sheet.rolls):
        words = f"the first {len(shown)} of {len(sheet.rolls)} melodies"
        draw.text((size[0] / 2, size[1] - 2), words, INK, small, anchor="mb")
    picture.save(path, format="PNG", optimize=True)


def _draw_roll(draw: ImageDraw, melody: Melody, low: int, high: int, box: _Box, colour: str) -> None:
    """Draw the rows of black keys, the beats and bars, and the notes of one melody."""
    step, semitone = box.width / box.steps, box.height / (high - low + 1)
    right = box.left + melody.length_steps * step
    bottom = box.top + box.height

    def row(pitch: int, share: float = 1.0) -> tuple[float, float]:
        middle = box.top + (high - pitch + 0.5) * semitone
        return middle - share * semitone / 2, middle + share * semitone / 2

    for pitch in range(low, high + 1):
        if pitch % 12 in BLACK_KEYS:
            draw.rectangle((box.left, row(pitch)[0], right, row(pitch)[1]), BLACK_KEY_ROW)
    for place in range(0, melody.length_steps + 1, melody.steps_per_quarter):
        is_bar = place % melody.steps_per_bar == 0
        if is_bar or melody.bars <= MAX_BAR_LABELS:
            x = box.left + place * step
            draw.line((x, box.top, x, bottom), INK if is_bar else BEAT_LINE, 2 if is_bar else 1)
    draw.line((box.left, bottom, right, bottom), INK, 2)
    for note in melody.notes:
        top, below = row(note.pitch, 0.9)
        ends = box.left + note.start_step * step, box.left + (note.end_step - GAP_STEPS) * step
        draw.rectangle((ends[0], top, max(ends[1], ends[0] + 1), below), colour, INK)


def _draw_octaves(draw: ImageDraw, low: int, high: int, box: _Box, font: FreeTypeFont) -> None:
    """Name the Cs beside a roll."""
    for pitch in range(low, high + 1):
        if pitch % 12 == 0:
            y = box.top + (high - pitch + 0.5) * box.height / (high - low + 1)
            draw.text((box.left - 4, y), f"C{pitch // 12 - 1}", INK, font, anchor="rm")


def _draw_bar_numbers(draw: ImageDraw, melody: Melody, bars: int, box: _Box, font: FreeTypeFont) -> None:
    """Number the bars below a roll, at most :data:`MAX_BAR_LABELS` of them."""
    for bar in range(0, bars, -(-bars // MAX_BAR_LABELS)):
        x = box.left + bar * melody.steps_per_bar * box.width / box.steps
        draw.text((x, box.top + box.height + 4), f"bar {bar + 1}", INK, font, anchor="la")


def _font(size: int, is_bold: bool = False) -> FreeTypeFont:
    """DejaVu Sans, which matplotlib brings and which has many scripts, or Pillow's own."""
    from PIL import ImageFont

    package = find_spec("matplotlib")  # which is not imported
    folders = list(package.submodule_search_locations or ()) if package else []
    for folder in folders:
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / FONT_FILES[is_bold]
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # for mypy: it is, with a size
    return font


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def plot_roll(melody: Melody, axes: Axes | None = None) -> Axes:
    """The axes that a melody's piano roll is drawn into: by default pyplot's, as a notebook shows them."""
    from matplotlib import pyplot

    axes = axes or pyplot.subplots(figsize=(max(6.5, 2.6 * min(melody.bars, 8)), 2.4), layout="constrained")[1]
    low, high = pitch_range([melody])
    _draw_roll_in(axes, melody, low, high)
    axes.set_xlim(0, max(melody.length_steps, 1))
    axes.set_ylim(low - 1, high + 1)
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    labelled = range(0, melody.bars, -(-max(melody.bars, 1) // MAX_BAR_LABELS))
    axes.set_xticks([bar * melody.steps_per_bar for bar in labelled], [f"bar {bar + 1}" for bar in labelled], ha="left")
    axes.set_title(_cut(melody.name, MAX_TITLE), loc="left", parse_math=False)
    return axes


def _draw_roll_in(axis: Axes, melody: Melody, low: int, high: int) -> None:
    """Draw one roll into matplotlib's axes, pitches upwards."""
    from matplotlib.collections import PolyCollection

    length = melody.length_steps
    floor, ceiling = low - 0.5, high + 0.5
    black_keys = [pitch for pitch in range(low, high + 1) if pitch % 12 in BLACK_KEYS]
    rows = [_rectangle(0, length, pitch, 1.0) for pitch in black_keys]
    axis.add_collection(PolyCollection(rows, facecolors=BLACK_KEY_ROW, linewidths=0))
    bar_lines = range(0, length + 1, melody.steps_per_bar)
    if melody.bars <= MAX_BAR_LABELS:
        beats = [step for step in range(0, length, melody.steps_per_quarter) if step not in bar_lines]
        axis.vlines(beats, floor, ceiling, colors=BEAT_LINE, linewidths=0.5, zorder=1)
    axis.vlines(bar_lines, floor, ceiling, colors=INK, linewidths=0.9, zorder=1)
    axis.hlines(floor, 0, length, colors=INK, linewidths=0.9, zorder=1)
    notes = [_rectangle(note.start_step, note.end_step - GAP_STEPS, note.pitch, 0.9) for note in melody.notes]
    axis.add_collection(PolyCollection(notes, facecolors=NOTE, edgecolors=INK, linewidths=0.5, zorder=2))


def _rectangle(left: float, right: float, middle: float, height: float) -> list[tuple[float, float]]:
    low, high = middle - height / 2, middle + height / 2
    return [(left, low), (right, low), (right, high), (left, high)]

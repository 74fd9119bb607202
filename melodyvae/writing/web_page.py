"""A folder of melodies as one web page: piano rolls and play buttons, with a small synthesiser, and no network.

The page is one file. It holds the notes as JSON, draws each roll as SVG, and plays them with the browser's Web Audio
(https://www.w3.org/TR/webaudio/): no library, no sample, no request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.writing.svg import pitch_range, roll_svg

if TYPE_CHECKING:
    from melodyvae.music.feel import Feel
    from melodyvae.music.notes import Part
    from melodyvae.writing.sheet import Roll, Sheet

USUAL_VOLUME = 100  # of a channel that is not set, in General MIDI
TEMPLATE = "web_page.html"


def write_page(sheet: Sheet, path: Path, sentences: Sequence[str] = ()) -> None:
    """Write the page of some melodies, each with its roll, on the grid, and a button that plays it.

    Args:
        sheet: what is shown.
        path: the HTML file to write, in the folder of the melodies' files.
        sentences: are printed under the heading, such as what was decided.

    Raises:
        ValueError: if there is no melody.
    """
    if not sheet.rolls:
        raise ValueError("there is no melody to show")
    path.write_text(page(sheet, sentences), encoding="utf-8")


def page(sheet: Sheet, sentences: Sequence[str] = ()) -> str:
    """The text of the page that :func:`write_page` writes."""
    shown = pitch_range(sheet.melodies)
    template = resources.files("melodyvae.writing").joinpath(TEMPLATE).read_text(encoding="utf-8")
    parts = {
        "title": escape(sheet.title),
        "notes": "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences),
        "made_by": escape(sheet.made_by),
        "columns": str(sheet.columns or 1),
        "tunes": "\n".join(_tune(index, roll, shown) for index, roll in enumerate(sheet.rolls)),
        "data": _json([_playable(roll.melody, roll.feel, roll.backing) for roll in sheet.rolls]),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark[1]], template)  # one pass: names may hold marks


def _tune(index: int, roll: Roll, shown: tuple[int, int]) -> str:
    melody, name = roll.melody, roll.title
    drawn = roll_svg(melody, shown, f"piano roll of {name}")
    download = f'<a href="{escape(quote(roll.file))}" download>MIDI</a>' if roll.file else ""
    tempo = f"{melody.quarters_per_minute:.0f} bpm"
    return (
        f'<section class="tune{" end" if roll.is_highlighted else ""}" data-tune="{index}">'
        f'<button type="button" class="play" aria-label="Play {escape(name)}"></button>'
        f"<header><h2>{escape(name)}</h2><span>{tempo}</span>{download}</header>"
        f'<div class="stage">{drawn}<div class="playhead"></div></div></section>'
    )


def _playable(melody: Melody, feel: Feel | None, backing: Sequence[Part] | None) -> dict[str, Any]:
    """Data of the page's synthesiser: times in seconds, pitches and velocities as in MIDI.

    The fifth entry of a note of the backing says whether it is a drum's.
    """
    seconds = 60 / melody.quarters_per_minute
    steps = melody.steps_per_quarter
    written = [(note.start_step / steps, note.end_step / steps, note.pitch, note.velocity) for note in melody.notes]
    return {
        "seconds": round(melody.length_steps * seconds / steps, 6),
        "program": melody.program,
        "notes": [
            [round(start * seconds, 6), round(end * seconds, 6), pitch, velocity]
            for start, end, pitch, velocity in (written if feel is None else feel.play(melody))
        ],
        "backing": [
            [round(start * seconds, 4), round(end * seconds, 4), pitch, velocity, part.is_drum]
            for part in backing or ()
            for start, end, pitch, velocity in zip(
                part.starts.tolist(),
                part.ends.tolist(),
                part.pitches.tolist(),
                _as_loud_as_mixed(part).tolist(),
                strict=True,
            )
        ],
    }


def _as_loud_as_mixed(part: Part) -> np.ndarray:
    """The velocities of a part, less where its channel is turned down, ``(N,)``."""
    volume = USUAL_VOLUME if part.volume is None else min(part.volume, USUAL_VOLUME)
    return np.round(part.velocities * (volume / USUAL_VOLUME)).astype(np.int64)


def _json(value: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")

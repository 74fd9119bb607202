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
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.writing.svg import pitch_range, roll_svg

if TYPE_CHECKING:
    from melodyvae.music.feel import Feel
    from melodyvae.music.notes import Part

USUAL_VOLUME = 100  # of a channel that is not set, in General MIDI
TEMPLATE = "web_page.html"


def write_page(
    melodies: Sequence[Melody],
    path: Path,
    title: str,
    names: Sequence[str],
    files: Sequence[str] = (),
    *,
    feels: Sequence[Feel] = (),
    backings: Sequence[Sequence[Part]] = (),
    notes: Sequence[str] = (),
    set_apart: Sequence[int] = (),
    columns: int = 1,
) -> None:
    """Write the page of some melodies, each with its roll and a button that plays it.

    Args:
        melodies: at least one.
        path: the HTML file to write.
        title: the page's heading.
        names: one for each melody.
        files: the file that each melody is in, relative to the page, for a download link; none by default.
        feels: how each melody is played; as it is written, on the grid, by default. The rolls are drawn on the grid.
        backings: what plays with each melody, times in quarters from its start; nothing by default.
        notes: sentences to print under the heading, such as what was decided.
        set_apart: which melodies have another colour, such as the ends of a walk; -1 is the last.
        columns: how many rolls stand side by side on a wide screen.

    Raises:
        ValueError: if there is no melody, or not one name for each.
    """
    if not melodies or len(names) != len(melodies):
        raise ValueError(f"{len(melodies)} melodies and {len(names)} names; there must be as many, and at least one")
    path.write_text(
        page(
            melodies,
            title,
            names,
            files,
            feels=feels,
            backings=backings,
            notes=notes,
            set_apart=set_apart,
            columns=columns,
        ),
        encoding="utf-8",
    )


def page(
    melodies: Sequence[Melody],
    title: str,
    names: Sequence[str],
    files: Sequence[str] = (),
    *,
    feels: Sequence[Feel] = (),
    backings: Sequence[Sequence[Part]] = (),
    notes: Sequence[str] = (),
    set_apart: Sequence[int] = (),
    columns: int = 1,
) -> str:
    """The text of the page that :func:`write_page` writes."""
    shown = pitch_range(melodies)
    ends = {index % len(melodies) for index in set_apart}
    tunes = [
        _tune(index, melody, roll_svg(melody, shown, f"piano roll of {name}"), name, link, index in ends)
        for index, (melody, name, link) in enumerate(zip(melodies, names, files or [""] * len(melodies), strict=True))
    ]
    template = resources.files("melodyvae.writing").joinpath(TEMPLATE).read_text(encoding="utf-8")
    parts = {
        "title": escape(title),
        "notes": "".join(f"<p>{escape(note)}</p>" for note in notes),
        "columns": str(max(columns, 1)),
        "tunes": "\n".join(tunes),
        "data": _json(
            [
                _playable(melody, feel, backing)
                for melody, feel, backing in zip_longest(melodies, feels, backings[: len(melodies)])
            ]
        ),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark[1]], template)  # one pass: names may hold marks


def _tune(index: int, melody: Melody, roll: str, name: str, link: str, is_end: bool) -> str:
    download = f'<a href="{escape(quote(link))}" download>MIDI</a>' if link else ""
    tempo = f"{melody.quarters_per_minute:.0f} bpm"
    return (
        f'<section class="tune{" end" if is_end else ""}" data-tune="{index}">'
        f'<button type="button" class="play" aria-label="Play {escape(name)}"></button>'
        f"<header><h2>{escape(name)}</h2><span>{tempo}</span>{download}</header>"
        f'<div class="stage">{roll}<div class="playhead"></div></div></section>'
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

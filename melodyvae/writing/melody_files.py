"""Melodies -> a folder: a MIDI file of each, all in a row, a picture, a page that plays them and, if wanted, sound."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from melodyvae.writing.output_folder import output_folder

if TYPE_CHECKING:
    from melodyvae.music.keys import Key
    from melodyvae.music.melody import Melody
    from melodyvae.writing.sheet import Sheet

JOINED_FILE = "all.mid"
PICTURE_FILE = "piano-rolls.png"
PAGE_FILE = "index.html"
DESCRIBED = re.compile(r"\d+-of-\d+(_[A-G][#b]?m?)?_\d+(\.\d)?bpm\.(mid|wav)")  # a name as of described_names


def described_names(melodies: Sequence[Melody], keys: Sequence[Key | None]) -> list[str]:
    """Names such as ``03-of-8_Am_96bpm.mid``: the number, the key where there is one, and the tempo to a tenth."""
    digits = max(2, len(str(len(melodies))))
    return [
        f"{index:0{digits}d}-of-{len(melodies)}{f'_{key.short}' if key else ''}"
        f"_{round(melody.quarters_per_minute, 1):g}bpm.mid"
        for index, (melody, key) in enumerate(zip(melodies, keys, strict=True), start=1)
    ]


def grid_names(count: int) -> list[str]:
    """row-1-column-1.mid and so on, of ``count`` rows and columns."""
    digits = len(str(count))
    places = [(row, column) for row in range(1, count + 1) for column in range(1, count + 1)]
    return [f"row-{row:0{digits}d}-column-{column:0{digits}d}.mid" for row, column in places]


def names_written(names: Sequence[str], joined: bool = True, audio: bool = False) -> list[str]:
    """All files that :func:`write_melodies` writes for melodies of these ``names``."""
    midi_files = [*names, JOINED_FILE] if joined else list(names)
    wav_files = [str(Path(name).with_suffix(".wav")) for name in midi_files] if audio else []
    return [*midi_files, *wav_files, PICTURE_FILE, PAGE_FILE]


def write_melodies(
    folder: Path,
    sheet: Sheet,
    sentences: Sequence[str] = (),
    *,
    audio: bool = False,
    replace: bool = False,
    inputs: Iterable[Path] = (),
) -> list[str]:
    """The names of what was written into ``folder``: whole or not at all.

    Args:
        folder: is made if it is not there.
        sheet: at least one melody with a file.
        sentences: what stands on the page under its heading.
        audio: write a WAV file beside each MIDI file.
        replace: replace files of an earlier run; see :func:`~melodyvae.writing.output_folder.output_folder`.
        inputs: files that are never replaced.

    Raises:
        OutputExistsError: if a file of one of these names is there already and may not be replaced.
        OSError: if the place cannot be written to.
    """
    from melodyvae.writing.audio import write_wav
    from melodyvae.writing.piano_rolls import plot_sheet
    from melodyvae.writing.row import write_in_a_row
    from melodyvae.writing.web_page import write_page

    joined = sheet.joined
    written = names_written([roll.file for roll in sheet.written], bool(joined), audio)
    with output_folder(folder, written, replace, inputs) as staging:
        for roll in sheet.written:
            named = dataclasses.replace(roll.melody, name=Path(roll.file).stem)
            write_in_a_row([dataclasses.replace(roll, melody=named)], staging / roll.file, text=sheet.made_by)
        if joined:
            are_written = all(roll.file for roll in joined)
            markers = [roll.file.removesuffix(".mid") if are_written else roll.title for roll in joined]
            write_in_a_row(joined, staging / JOINED_FILE, markers, sheet.made_by)
        for wav_file in (name for name in written if name.endswith(".wav")):
            write_wav(staging / Path(wav_file).with_suffix(".mid"), staging / wav_file)
        plot_sheet(sheet, staging / PICTURE_FILE)
        write_page(sheet, staging / PAGE_FILE, sentences)
    kept = {*written, *(path.name for path in inputs if path.resolve().parent == folder.resolve())}
    for path in folder.iterdir():  # an earlier run's, whose names said another key or tempo
        if replace and DESCRIBED.fullmatch(path.name) and path.name not in kept:
            path.unlink()
    return written

"""Melodies -> a folder: a MIDI file of each, all in a row, a picture, a page that plays them and, if wanted, sound."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from melodyvae.writing.output_folder import output_folder

if TYPE_CHECKING:
    from melodyvae.music.feel import Feel
    from melodyvae.music.frame import Frame
    from melodyvae.music.keys import Key
    from melodyvae.music.melody import Melody
    from melodyvae.music.notes import Part

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
    melodies: Sequence[Melody],
    names: Sequence[str],
    rolls: Sequence[tuple[str, Melody]],
    *,
    set_apart: Sequence[int] = (),
    row: Sequence[Melody] = (),
    columns: int | None = None,
    title: str = "Melodies",
    sentences: Sequence[str] = (),
    backings: Sequence[Sequence[Part]] | None = None,
    feels: Sequence[Feel] = (),
    roll_feels: Sequence[Feel] = (),
    keys: Sequence[Key | None] = (),
    frames: Sequence[Frame | None] = (),
    audio: bool = False,
    replace: bool = False,
    inputs: Iterable[Path] = (),
) -> list[str]:
    """The names of what was written into ``folder``: whole or not at all.

    Args:
        folder: is made if it is not there.
        melodies: at least one.
        names: of their MIDI files.
        rolls: what is drawn: title and melody.
        set_apart: which rolls have another colour, such as the ends of a walk; -1 is the last.
        row: what is joined into :data:`JOINED_FILE`; nothing is written there if it is empty.
        columns: draw the rolls in so many columns.
        title: of the page.
        sentences: what stands on the page under its heading.
        backings: what plays with each melody (see :mod:`melodyvae.music.arrangement`).
        feels: how each melody is played (see :mod:`melodyvae.music.feel`); on the grid by default.
        roll_feels: how the page plays what is drawn.
        keys: of each melody; unknown by default.
        frames: the place of each melody in the piece that it is from (see :mod:`melodyvae.music.frame`).
        audio: write a WAV file beside each MIDI file.
        replace: replace files of an earlier run; see :func:`~melodyvae.writing.output_folder.output_folder`.
        inputs: files that are never replaced.

    Raises:
        OutputExistsError: if a file of one of these names is there already and may not be replaced.
        OSError: if the place cannot be written to.
    """
    from melodyvae.music.keys import key_of
    from melodyvae.writing.audio import write_wav
    from melodyvae.writing.piano_rolls import plot_grid_of_rolls, plot_piano_rolls
    from melodyvae.writing.row import write_in_a_row
    from melodyvae.writing.web_page import write_page

    written = names_written(names, bool(row), audio)
    with output_folder(folder, written, replace, inputs) as staging:
        for index, (melody, name) in enumerate(zip(melodies, names, strict=True)):
            one = slice(index, index + 1)
            write_in_a_row(
                [dataclasses.replace(melody, name=Path(name).stem)],
                staging / name,
                backings[one] if backings else None,
                feels=feels[one],
                keys=keys[one],
                frames=frames[one],
            )
        if row:
            is_drawn = len(row) == len(rolls) != len(names)
            markers = [title for title, _ in rolls] if is_drawn else [name.removesuffix(".mid") for name in names]
            row_feels = roll_feels if is_drawn else feels
            row_keys = (*map(key_of, row[: len(row) - len(keys)]), *keys) if keys else ()  # the sources come first
            write_in_a_row(row, staging / JOINED_FILE, backings, markers, row_feels, row_keys, frames)
        for wav_file in (name for name in written if name.endswith(".wav")):
            write_wav(staging / Path(wav_file).with_suffix(".mid"), staging / wav_file)
        titles, drawn = [title for title, _ in rolls], [melody for _, melody in rolls]
        if columns:
            plot_grid_of_rolls(drawn, columns, staging / PICTURE_FILE)
        else:
            plot_piano_rolls(drawn, staging / PICTURE_FILE, titles, set_apart)
        file_of = {id(melody): name for melody, name in zip(melodies, names, strict=True)}
        backing_of = {id(melody): backing for melody, backing in zip(melodies, backings or (), strict=False)}
        write_page(
            drawn,
            staging / PAGE_FILE,
            title,
            titles,
            [file_of.get(id(melody), "") for melody in drawn],
            feels=roll_feels,
            backings=[backing_of.get(id(melody), ()) for melody in drawn],
            notes=sentences,
            set_apart=set_apart,
            columns=columns or 1,
        )
    kept = {*written, *(path.name for path in inputs if path.resolve().parent == folder.resolve())}
    for path in folder.iterdir():  # an earlier run's, whose names said another key or tempo
        if replace and DESCRIBED.fullmatch(path.name) and path.name not in kept:
            path.unlink()
    return written

"""What the commands that read and write melodies share: saying what was chosen, and writing all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from data_prep.melodies.regions import ReadMelody
    from data_prep.melody import Melody
    from data_prep.reading.notes import Part
    from melodyvae.config import MelodyConfig
    from melodyvae.generation.sources import Window
    from melodyvae.models.melody import MelodyModel

JOINED_FILE = "all.mid"
PICTURE_FILE = "piano-rolls.png"
MOST_TOLD = 16


def read_announced(path: Path, track: str, config: MelodyConfig, label: str | None = None) -> ReadMelody:
    """The melody of a file, after saying in a line which track it was taken from and what was decided."""
    from data_prep.limits import Limits
    from melodyvae.generation.sources import read_source

    found = read_source(path, config, track, Limits())
    click.echo(f"{label or path.name}: {found.description}")
    return found


def read_window(label: str, path: Path, track: str, bar: int | None, config: MelodyConfig) -> Melody:
    """The window of a file that the model gets, after saying what was chosen."""
    from melodyvae.generation.sources import WindowError, pick_window

    found = read_announced(path, track, config, f"{label} is {path.name}")
    try:
        window = pick_window(found, config, bar)
    except WindowError as error:
        raise WindowError(f"{path}: {error}") from error
    say_window(label, window)
    return window.melody


def say_window(label: str, window: Window) -> None:
    """Say which bars were taken."""
    told = f"{label} is taken from bars {window.first_bar} to {window.last_bar}"
    click.echo(f"{told}; {window.note}" if window.note else told)


def say_novelty(model: MelodyModel, melodies: Sequence[Melody], names: Sequence[str]) -> None:
    """How near each melody is to its nearest training melody, if the model knows."""
    import numpy as np

    from melodyvae.generation.novelty import find_index

    index = find_index(model)
    if index is None:
        click.echo("how near these are to training melodies is unknown: the model came without its index of them")
        return
    alike = index.beats_alike(np.stack([model.vocabulary.encode(melody) for melody in melodies]))
    told = [f"{name} {count}" for name, count in zip(names, alike, strict=True)]
    if len(told) > MOST_TOLD:
        told = [f"{int((alike == count).sum())} with {count}" for count in sorted(set(alike.tolist()))]
    near = int((alike >= index.beats - 1).sum())
    click.echo(f"beats of {index.beats} as in the nearest training melody, in any key: {', '.join(told)}")
    if near:
        click.echo(f"near-copies of training melodies: {near}; --novel draws them again")


def melody_names(count: int) -> list[str]:
    """01.mid, 02.mid, ... with as many digits as the count needs, at least two."""
    digits = max(2, len(str(count)))
    return [f"{index:0{digits}d}.mid" for index in range(1, count + 1)]


def write_melodies(
    folder: Path,
    melodies: Sequence[Melody],
    names: Sequence[str],
    titles: Sequence[str] | None = None,
    *,
    rolls: Sequence[Melody] | None = None,
    row: Sequence[Melody] | None = None,
    ends: bool = False,
    first_is_end: bool = False,
    grid_columns: int | None = None,
    joined: bool = True,
    replace: bool = False,
    backings: Sequence[Sequence[Part]] | None = None,
    audio: bool = False,
) -> None:
    """Write one MIDI file a melody, all of them joined, and their picture, whole or not at all.

    ``rolls`` and ``row`` are what is drawn, and what is joined, in place of the melodies; ``ends`` (the first and the
    last roll) and ``first_is_end`` set rolls apart; with ``grid_columns`` rolls are drawn in so many columns. With
    ``backings`` each melody is written over its own (see :mod:`data_prep.melodies.arrangement`); with ``audio`` each
    MIDI file gets a WAV file beside it.
    """
    from data_prep.melodies.arrangement import write_in_a_row
    from melodyvae.cli.results_folder import output_folder
    from melodyvae.rendering.audio import write_wav
    from melodyvae.rendering.piano_rolls import plot_grid_of_rolls, plot_piano_rolls

    midi_files = [*names, JOINED_FILE] if joined else list(names)
    wav_files = [str(Path(name).with_suffix(".wav")) for name in midi_files] if audio else []
    with output_folder(folder, [*midi_files, *wav_files, PICTURE_FILE], replace) as staging:
        for index, (melody, name) in enumerate(zip(melodies, names, strict=True)):
            if backings:
                write_in_a_row([melody], staging / name, [backings[index]])
            else:
                melody.write(staging / name)
        if joined:
            write_in_a_row(row or melodies, staging / JOINED_FILE, backings)
        for midi_file, wav_file in zip(midi_files, wav_files, strict=False):
            write_wav(staging / midi_file, staging / wav_file)
        if grid_columns:
            plot_grid_of_rolls(melodies, grid_columns, staging / PICTURE_FILE)
        else:
            set_apart = [0, -1] if ends else [0] if first_is_end else []
            plot_piano_rolls(rolls or melodies, staging / PICTURE_FILE, titles, set_apart)
    first = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
    told = [first, *([JOINED_FILE] if joined else []), *(["a WAV file of each"] if audio else []), PICTURE_FILE]
    where = f"{folder}{'' if str(folder).endswith('/') else '/'}"
    click.echo(f"Wrote {', '.join(told[:-1])} and {told[-1]} to {where}")

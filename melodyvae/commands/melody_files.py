"""What the commands that read and write melodies share: saying what was chosen, and writing all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from data_prep.melody import Melody, ReadMelody
    from melodyvae.config import MelodyConfig

JOINED_FILE = "all.mid"
PICTURE_FILE = "piano-rolls.png"


def read_announced(path: Path, track: str, config: MelodyConfig, label: str | None = None) -> ReadMelody:
    """The melody of a file, after saying in a line which track it was taken from and what was decided."""
    from melodyvae.generate import read_source

    found = read_source(path, config, track)
    click.echo(f"{label or path.name}: {found.description}")
    return found


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
    ends: bool = False,
    joined: bool = True,
    replace: bool = False,
) -> None:
    """Write one MIDI file a melody, all of them joined, and their picture, whole or not at all."""
    from data_prep.melody import write_in_a_row
    from melodyvae.output import output_folder
    from melodyvae.plot import plot_piano_rolls

    extra = [JOINED_FILE, PICTURE_FILE] if joined else [PICTURE_FILE]
    with output_folder(folder, [*names, *extra], replace) as staging:
        for melody, name in zip(melodies, names, strict=True):
            melody.write(staging / name)
        if joined:
            write_in_a_row(melodies, staging / JOINED_FILE)
        plot_piano_rolls(rolls or melodies, staging / PICTURE_FILE, titles, ends=ends)
    first = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
    click.echo(f"Wrote {first}, {' and '.join(extra)} to {folder}{'' if str(folder).endswith('/') else '/'}")

"""``melodyvae grid``: the tunes between four tunes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from melodyvae.cli.options import (
    Generation,
    generation_options,
    known_errors,
    midi_file,
    musical_options,
    source_options,
)
from melodyvae.rendering.melody_files import grid_names


@click.command()
@click.argument("files", nargs=4, type=midi_file, metavar="A B C D")
@click.option("-n", "count", type=click.IntRange(min=2), default=5, show_default=True, help="Rows, and columns.")
@click.option(
    "--ends",
    type=click.Choice(["exact", "model"]),
    default="exact",
    show_default=True,
    help="exact: the four come back note for note; model: as the model remembers them.",
)
@source_options
@musical_options
@generation_options
def grid(
    generation: Generation,
    files: tuple[Path, Path, Path, Path],
    count: int,
    ends: str,
    **options: Any,
) -> None:
    """Write rows of tunes between four MIDI files: A top left, B top right, C bottom left, D bottom right.

    \b
    melodyvae grid a.mid b.mid c.mid d.mid -n 5

    The folder (grid by default) gets row-1-column-1.mid and so on, all.mid with all of them in a row,
    piano-rolls.png, and index.html, a page that plays them. All have A's key, tempo
    and instrument, and keep to the scale of the four.
    """
    with known_errors():
        folder, vae = generation.open("grid", grid_names(count), tunes=[(path, options["track"]) for path in files])
        result = vae.grid(files, count, exact=ends == "exact", **options)
        generation.finish(result, folder)

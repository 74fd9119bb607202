"""``melodyvae grid``: the tunes between four tunes."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import Generation, midi_file, verb_command
from melodyvae.verbs.grid import CORNERS, GridOptions
from melodyvae.verbs.grid import grid as square
from melodyvae.writing.melody_files import grid_names


@verb_command(GridOptions)
@click.argument("files", nargs=-1, required=True, type=midi_file, metavar="A B C D")
def grid(generation: Generation, files: tuple[Path, ...], options: GridOptions) -> None:
    """Write rows of tunes between four MIDI files: A top left, B top right, C bottom left, D bottom right.

    \b
    melodyvae grid a.mid b.mid c.mid d.mid -n 5

    The folder (grid by default) gets row-1-column-1.mid and so on, all.mid with all of them in a row,
    piano-rolls.png, and index.html, a page that plays them. All have A's key, tempo
    and instrument, and keep to the scale of the four.
    """
    if len(files) != CORNERS:
        raise click.UsageError(
            f"a grid lies between {CORNERS} tunes: give A (top left), B (top right), C (bottom left) and D (bottom "
            f"right), and not {len(files)} {'file' if len(files) == 1 else 'files'}"
        )
    folder, vae = generation.open("grid", grid_names(options.count), tunes=files, track=options.track)
    generation.finish(square(vae, files, options), folder)

"""``melodyvae reconstruct``: tunes as the model remembers them."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import Generation, midi_file, verb_command
from melodyvae.verbs.reconstruct import ReconstructOptions
from melodyvae.verbs.reconstruct import reconstruct as remember


@verb_command(ReconstructOptions)
@click.argument("files", nargs=-1, required=True, type=midi_file)
def reconstruct(generation: Generation, files: tuple[Path, ...], options: ReconstructOptions) -> None:
    """Write each of FILES as the model remembers it, as many bars at a time as it takes (two).

    \b
    melodyvae reconstruct song.mid
    melodyvae reconstruct *.mid -o remembered

    The folder (reconstructions by default) gets a MIDI file for each, of its name, piano-rolls.png with each melody
    above what came back, and index.html, a page that plays them.
    """
    names = [f"{path.stem}.mid" for path in files]
    if len(set(names)) < len(names):
        raise click.UsageError("two of the files have the same name, and would be written to the same place")
    folder, vae = generation.open("reconstructions", names, joined=False, tunes=files, track=options.track)
    generation.finish(remember(vae, files, options), folder)

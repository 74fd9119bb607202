"""``melodyvae vary``: tunes near a tune."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import Generation, midi_file, verb_command
from melodyvae.verbs.vary import VaryOptions
from melodyvae.verbs.vary import vary as near


@verb_command(VaryOptions)
@click.argument("file", type=midi_file)
def vary(generation: Generation, file: Path, options: VaryOptions) -> None:
    """Write tunes that are near FILE, a MIDI file, as the model understands tunes.

    \b
    melodyvae vary a.mid -n 8
    melodyvae vary a.mid --amount 0.5 --bar 9 -o further

    The folder (FILE-varied by default) gets a MIDI file for each tune, such as 01-of-8_C_120bpm.mid, all.mid
    with the tune and then all of them in a row, piano-rolls.png, and index.html, a page that plays them.
    """
    folder, vae = generation.open(f"{file.stem}-varied", tunes=[file], track=options.track)
    generation.finish(near(vae, file, options), folder)

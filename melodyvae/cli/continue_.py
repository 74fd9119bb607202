"""``melodyvae continue``: a tune that goes on."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import Generation, composing, midi_file, verb_command
from melodyvae.verbs.continue_ import ContinueOptions
from melodyvae.verbs.continue_ import continue_ as go_on


@verb_command(ContinueOptions, name="continue")
@click.argument("file", type=midi_file)
def continue_(generation: Generation, file: Path, options: ContinueOptions) -> None:
    """Write FILE, a MIDI file, with bars added after the melody's last note: in its manner, taking up what it has said.

    \b
    melodyvae continue a.mid --bars 8 -n 4

    The new bars keep to the scale of those before them and to the range of the tune; of eight times as many those are
    kept that are as dense as the tune, come to their close and take up an earlier bar.

    The model is melody-compose unless --model names another that looks back. The folder (FILE-continued by default)
    gets MIDI files such as 01-of-4_C_120bpm.mid, each the whole tune, all.mid with all of them in a
    row, piano-rolls.png, and index.html, a page that plays them.
    """
    folder, vae = composing(generation).open(f"{file.stem}-continued")
    generation.finish(go_on(vae, file, options), folder)

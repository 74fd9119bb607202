"""``melodyvae morph``: a tune with its character moved."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import Generation, midi_file, verb_command
from melodyvae.verbs.morph import MorphOptions
from melodyvae.verbs.morph import morph as moved


@verb_command(MorphOptions)
@click.argument("file", type=midi_file)
def morph(generation: Generation, file: Path, options: MorphOptions) -> None:
    """Write FILE, a MIDI file, with its character moved, little by little.

    \b
    melodyvae morph a.mid --density +1
    melodyvae morph a.mid --range -1 --syncopation +0.5 -n 8 -o calmer
    melodyvae morph a.mid --interval +1 --scale G:major

    An AMOUNT is in standard deviations over the model's training tunes: +1 is much more, -1 is much less. What is not
    named is kept as far as it can be.

    The folder (FILE-morphed by default) gets MIDI files such as 01-of-5_C_120bpm.mid, from the tune itself
    to the one with the full amounts, all.mid with all of them in a row, piano-rolls.png, and index.html, a
    page that plays them.
    """
    folder, vae = generation.open(f"{file.stem}-morphed", tunes=[file], track=options.track)
    generation.finish(moved(vae, file, options), folder)

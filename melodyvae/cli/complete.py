"""``melodyvae complete``: hidden bars of a tune, filled in."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from melodyvae.cli.options import Generation, composing, midi_file, verb_command
from melodyvae.verbs.complete import CompleteOptions
from melodyvae.verbs.complete import complete as fill_in


@verb_command(CompleteOptions)
@click.argument("file", type=midi_file)
def complete(generation: Generation, file: Path, options: CompleteOptions) -> None:
    """Write FILE, a MIDI file, with some of its bars filled in anew from the others, or with bars added.

    \b
    melodyvae complete a.mid --extend 2
    melodyvae complete a.mid --hide 3-4 -n 8

    Bars are counted as in FILE, and added after the melody's last note. The new bars keep to the scale and the range of
    those around them. melody-compose writes them: it hears the bars before, takes up their themes, and of many drafts
    keeps those after which the bars that follow are likeliest.

    The folder (FILE-completed by default) gets MIDI files such as 01-of-4_C_120bpm.mid, each the whole melody,
    all.mid with all of them in a row, piano-rolls.png, and index.html, a page that plays them.
    """
    hidden = len(options.hidden_bars)
    if bool(hidden) == bool(options.extend):
        raise click.UsageError("give either --hide with the bars to fill in, or --extend to go on after the end")
    folder, vae = composing(generation).open(f"{file.stem}-completed", tunes=[file], track=options.track)
    with click.progressbar(length=hidden + options.extend, label="Filling in bars", file=sys.stderr) as bar:
        result = fill_in(vae, file, options, progress=lambda done, total: bar.update(done - bar.pos))
    generation.finish(result, folder)

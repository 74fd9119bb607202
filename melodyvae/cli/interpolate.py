"""``melodyvae interpolate``: the tunes between two tunes."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import Generation, midi_file, verb_command
from melodyvae.verbs.interpolate import InterpolateOptions
from melodyvae.verbs.interpolate import interpolate as walk


@verb_command(InterpolateOptions, labels="ab")
@click.argument("a", type=midi_file)
@click.argument("b", type=midi_file)
def interpolate(generation: Generation, a: Path, b: Path, options: InterpolateOptions) -> None:
    """Write the tunes on the way from A to B, two MIDI files.

    \b
    melodyvae interpolate a.mid b.mid -n 8
    melodyvae interpolate a.mid b.mid --bar-a 9 --track-b "lead" -o walk
    melodyvae interpolate a.mid b.mid --bars 8 --key glide --tempo 96

    The folder (A-to-B by default) gets a MIDI file for each tune from A to B, such as 01-of-8_C_100bpm.mid,
    all.mid with all of them in a row, piano-rolls.png, and index.html, a page that plays them. All have A's
    key, tempo and instrument, and keep to the scale of the two tunes; timing and loudness go over from A's to B's.
    With --keep-accompaniment all but A keep to the scale of A's other tracks: B gets the key in which it fits them
    best, and its other notes go to the nearest degree. --scale none leaves them.
    Two bars of each tune are walked unless --bars asks for more; longer tunes are walked two bars at a time, by the
    same model.
    """
    folder, vae = generation.open(f"{a.stem}-to-{b.stem}", tunes=[a, b], track=options.track)
    generation.finish(walk(vae, a, b, options), folder)

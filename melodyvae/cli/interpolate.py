"""``melodyvae interpolate``: the tunes between two tunes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from melodyvae.cli.options import (
    BAR,
    FIRST_BAR_HELP,
    TRACK_HELP,
    Generation,
    generation_options,
    known_errors,
    midi_file,
    musical_options,
    reading_options,
    temperature_option,
)


@click.command()
@click.argument("a", type=midi_file)
@click.argument("b", type=midi_file)
@click.option("-n", "count", type=click.IntRange(min=2), default=8, show_default=True, help="Tunes, ends included.")
@click.option("--bar-a", type=BAR, help=FIRST_BAR_HELP.format(of=" from A"))
@click.option("--bar-b", type=BAR, help=FIRST_BAR_HELP.format(of=" from B"))
@click.option("--track-a", default="auto", show_default=True, help=TRACK_HELP.format(of=" of A"))
@click.option("--track-b", default="auto", show_default=True, help=TRACK_HELP.format(of=" of B"))
@reading_options
@click.option(
    "--ends",
    type=click.Choice(["exact", "model", "original"]),
    default="exact",
    show_default=True,
    help="exact: A and B come back note for note; model: as the model remembers them; original: A and B themselves.",
)
@click.option(
    "--spacing",
    type=click.Choice(["even", "latent"]),
    default="even",
    show_default=True,
    help="even: evenly far apart to the ear; latent: in equal steps of the model's space.",
)
@musical_options
@click.option("--keep-accompaniment", is_flag=True, help="Let A's other tracks play under each tune, B too.")
@temperature_option(0.0)
@generation_options
def interpolate(
    generation: Generation,
    a: Path,
    b: Path,
    count: int,
    bar_a: int | None,
    bar_b: int | None,
    track_a: str,
    track_b: str,
    **options: Any,
) -> None:
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
    with known_errors():
        folder, vae = generation.open(f"{a.stem}-to-{b.stem}", tunes=[(a, track_a), (b, track_b)])
        result = vae.interpolate(
            a, b, count, first_bar=(bar_a, bar_b), track=(track_a, track_b), seed=generation.seed, **options
        )
        generation.finish(result, folder)

"""``melodyvae continue``: a tune that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from melodyvae.cli.options import (
    Generation,
    composing,
    generation_options,
    known_errors,
    midi_file,
    scale_option,
    temperature_option,
    track_option,
)


@click.command("continue")
@click.argument("file", type=midi_file)
@click.option("--bars", type=click.IntRange(min=1, max=10_000), default=8, show_default=True, help="Bars to add.")
@click.option("-n", "count", type=click.IntRange(min=1), default=4, show_default=True, help="Tunes.")
@track_option
@click.option(
    "--form",
    type=click.Choice(["song", "any"]),
    default="song",
    show_default=True,
    help="song: bars are chosen that close and take up an earlier one; any: not.",
)
@scale_option
@temperature_option(1.0)
@generation_options
def go_on(generation: Generation, file: Path, count: int, **options: Any) -> None:
    """Write FILE, a MIDI file, with bars added after the melody's last note: in its manner, taking up what it has said.

    \b
    melodyvae continue a.mid --bars 8 -n 4

    The new bars keep to the scale of those before them and to the range of the tune; of eight times as many those are
    kept that are as dense as the tune, come to their close and take up an earlier bar.

    The model is melody-compose unless --model names another that looks back. The folder (FILE-continued by default)
    gets MIDI files such as 01-of-4_C_120bpm.mid, each the whole tune, all.mid with all of them in a
    row, piano-rolls.png, and index.html, a page that plays them.
    """
    with known_errors():
        folder, vae = composing(generation).open(f"{file.stem}-continued")
        generation.finish(vae.go_on(file, count, seed=generation.seed, **options), folder)

"""``melodyvae vary``: tunes near a tune."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from melodyvae.cli.options import (
    FiniteFloat,
    Generation,
    generation_options,
    known_errors,
    midi_file,
    novel_option,
    scale_option,
    source_options,
    temperature_option,
)


@click.command()
@click.argument("file", type=midi_file)
@click.option("-n", "count", type=click.IntRange(min=1), default=8, show_default=True, help="Tunes.")
@click.option(
    "--amount",
    type=FiniteFloat(min=0, max=1),
    default=0.45,
    show_default=True,
    help="How far away: 0 is the tune itself, 1 a new one.",
)
@source_options
@scale_option
@novel_option
@temperature_option(0.0)
@generation_options
def vary(generation: Generation, file: Path, count: int, **options: Any) -> None:
    """Write tunes that are near FILE, a MIDI file, as the model understands tunes.

    \b
    melodyvae vary a.mid -n 8
    melodyvae vary a.mid --amount 0.5 --bar 9 -o further

    The folder (FILE-varied by default) gets a MIDI file for each tune, such as 01-of-8_C_120bpm.mid, all.mid
    with the tune and then all of them in a row, piano-rolls.png, and index.html, a page that plays them.
    """
    with known_errors():
        folder, vae = generation.open(f"{file.stem}-varied", tunes=[(file, options["track"])])
        generation.finish(vae.vary(file, count, seed=generation.seed, **options), folder)

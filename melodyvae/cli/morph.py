"""``melodyvae morph``: a tune with its character moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from melodyvae.cli.options import (
    FiniteFloat,
    Generation,
    generation_options,
    known_errors,
    midi_file,
    scale_option,
    source_options,
    temperature_option,
)

SLIDERS = {
    "density": "More notes (+) or fewer (-).",
    "range": "More semitones from lowest to highest note, or fewer.",
    "interval": "Wider steps from note to note, or smaller ones.",
    "syncopation": "Both of the following.",
    "syncopation-8": "More or fewer notes on weak eighths without one on the beat before.",
    "syncopation-16": "The same of sixteenths.",
    "diatonic": "More or fewer of the notes in the major scale that fits best.",
}
MAX_AMOUNT = 5.0


def slider_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option an attribute."""
    for name, told in reversed(SLIDERS.items()):
        amount = FiniteFloat(min=-MAX_AMOUNT, max=MAX_AMOUNT)
        command = click.option(f"--{name}", type=amount, default=0.0, metavar="AMOUNT", help=told)(command)
    return command


@click.command()
@click.argument("file", type=midi_file)
@slider_options
@scale_option
@click.option("-n", "--steps", "count", type=click.IntRange(min=2), default=5, show_default=True, help="Tunes.")
@source_options
@click.option(
    "--candidates",
    type=click.IntRange(min=1),
    default=192,
    show_default=True,
    help="Tunes tried for each one written; more come nearer to what is asked.",
)
@temperature_option(0.0)
@generation_options
def morph(generation: Generation, file: Path, scale: str, count: int, **options: Any) -> None:
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
    if scale in ("auto", "none") and not any(options[name.replace("-", "_")] for name in SLIDERS):
        raise click.UsageError("there is nothing to move; give an amount, such as --density +1, or a --scale")
    with known_errors():
        folder, vae = generation.open(f"{file.stem}-morphed", tunes=[(file, options["track"])])
        generation.finish(vae.morph(file, count, scale=scale, seed=generation.seed, **options), folder)

"""``melodyvae morph``: a tune with its character moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodyvae.cli.options import (
    FiniteFloat,
    generation_options,
    known_errors,
    load_model,
    midi_file,
    scale_option,
)

if TYPE_CHECKING:
    from data_prep.melody import Melody
    from melodyvae.models.melody import MelodyModel

SLIDERS = {
    "density": "More notes (+) or fewer (-).",
    "range": "More semitones from lowest to highest note, or fewer.",
    "interval": "Wider steps from note to note, or smaller ones.",
    "syncopation": "Both of the following.",
    "syncopation-8": "More or fewer notes on weak eighths without one on the beat before.",
    "syncopation-16": "The same of sixteenths.",
    "diatonic": "More or fewer of the notes in the major scale that fits best.",
}
MOST_AMOUNT = 5.0


def slider_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option an attribute."""
    for name, told in reversed(SLIDERS.items()):
        amount = FiniteFloat(min=-MOST_AMOUNT, max=MOST_AMOUNT)
        command = click.option(f"--{name}", type=amount, default=0.0, metavar="AMOUNT", help=told)(command)
    return command


@click.command()
@click.argument("file", type=midi_file)
@slider_options
@scale_option
@click.option("-n", "--steps", "count", type=click.IntRange(min=2), default=5, show_default=True, help="Tunes.")
@click.option("--bar", type=click.IntRange(min=1), help="First bar to take.  [default: the first good one]")
@click.option("--track", default="auto", show_default=True, help="Track: auto, a number or a name.")
@click.option(
    "--candidates",
    type=click.IntRange(min=1),
    default=192,
    show_default=True,
    help="Tunes tried for each one written; 1 takes the bare attribute vector.",
)
@generation_options(temperature=0.0)
def morph(
    file: Path,
    scale: str | None,
    count: int,
    bar: int | None,
    track: str,
    candidates: int,
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
    **amounts: float,
) -> None:
    """Write FILE, a MIDI file, with its character moved, little by little.

    \b
    melodyvae morph a.mid --density +1
    melodyvae morph a.mid --range -1 --syncopation +0.5 -n 8 -o calmer
    melodyvae morph a.mid --interval +1 --scale G:major

    An AMOUNT is in standard deviations over the model's training tunes: +1 is much more, -1 is much less. What is not
    named is kept as far as it can be.

    The folder (FILE-morphed by default) gets 01.mid, the tune as the model remembers it, to the last with the full
    amounts, all.mid with all of them in a row, and piano-rolls.png.
    """
    from melodyvae.cli.results import melody_names, read_window, write_melodies
    from melodyvae.generation.morph import morph as morphed
    from melodyvae.generation.scales import Scale

    wanted = {name.replace("_", "-"): amount for name, amount in amounts.items() if amount}
    if not wanted and scale is None:
        raise click.UsageError("there is nothing to move; give an amount, such as --density +1, or a --scale")
    with known_errors():
        chosen = None if scale is None else Scale.parse(scale)
        model, generator = load_model(model_name, device, seed)
        window = read_window("The tune", file, track, bar, model.config)
        melodies = morphed(model, window, wanted, count, temperature, generator, chosen, candidates)
        _say_what_changed(model, window, melodies, wanted)
        titles = ["as it is", *(str(index) for index in range(2, count)), "moved"]
        folder = output or Path(f"{file.stem}-morphed")
        write_melodies(folder, melodies, melody_names(count), titles, ends=True, replace=force, audio=audio)


def _say_what_changed(model: MelodyModel, window: Melody, melodies: list[Melody], wanted: dict[str, float]) -> None:
    """A table: each attribute of the tune, of the first and the last melody, and what was aimed at."""
    import numpy as np

    from melodyvae.generation.attribute_vectors import Directions
    from melodyvae.generation.attributes import ATTRIBUTES, UNITS, measure
    from melodyvae.generation.morph import wanted_amounts

    rows = np.stack([model.vocabulary.encode(melody) for melody in (window, melodies[0], melodies[-1])])
    tune, before, after = measure(rows, model.config)
    deviations = Directions.from_extras(model.extras, model.device).deviations.cpu().numpy()
    amounts = wanted_amounts(wanted)
    click.echo(f"{'':<16}{'the tune':>10}{'01.mid':>10}{'asked':>10}{'the last':>10}")
    for index, name in enumerate(ATTRIBUTES):
        asked = f"{before[index] + amounts[index] * deviations[index]:.2f}" if amounts[index] else "as it is"
        figures = f"{tune[index]:>10.2f}{before[index]:>10.2f}{asked:>10}{after[index]:>10.2f}"
        click.echo(f"{name:<16}{figures}  {UNITS[name]}")

"""``melodyvae sample``: new tunes."""

from __future__ import annotations

from typing import Any

import click

from melodyvae.cli.options import (
    SCALES,
    FiniteFloat,
    Generation,
    checked,
    composing,
    generation_options,
    is_given,
    known_errors,
    novel_option,
    scale_option,
    temperature_option,
    usage_errors,
)


@click.command()
@click.option("-n", "count", type=click.IntRange(min=1), default=8, show_default=True, help="Tunes.")
@click.option(
    "--tempo",
    type=FiniteFloat(min=10, max=400),
    default=120.0,
    show_default=True,
    help="Quarters per minute.",
)
@click.option("--bars", type=click.IntRange(min=1), help="How long.  [default: 8; of another model: its own]")
@click.option(
    "--parts",
    type=click.Choice(["tunes", "all"]),
    default="tunes",
    show_default=True,
    help="tunes: what a person would sing; all: any part of a piece, basses and inner voices, too.",
)
@click.option(
    "--key",
    callback=checked(SCALES, "key_named"),
    help="In this key, such as G:major or A:minor: chosen and transposed.",
)
@click.option("--density", type=FiniteFloat(min=0.1), help="Notes per bar: the nearest are chosen.")
@click.option(
    "--range",
    "pitches",
    type=click.IntRange(0, 127),
    nargs=2,
    help="Lowest and highest MIDI pitch: chosen and transposed.",
)
@click.option(
    "--form",
    type=click.Choice(["song", "any"]),
    help="song: tunes are chosen that close and take a bar up again; any: not.  [default: song; of all parts: any]",
)
@scale_option
@click.option(
    "--prior",
    type=click.Choice(["fitted", "normal"]),
    help="Of melody-2bar: z from a Gaussian fitted to the training melodies (its default), or from N(0, I).",
)
@novel_option
@temperature_option(1.0)
@generation_options
def sample(generation: Generation, count: int, parts: str, **options: Any) -> None:
    """Write new tunes, drawn from the model.

    \b
    melodyvae sample -n 8
    melodyvae sample -n 8 --bars 16
    melodyvae sample -n 4 --bars 32 --key A:minor --density 5 --range 60 81
    melodyvae sample -n 8 --parts all
    melodyvae sample -n 4 --scale G:major
    melodyvae sample -n 8 --model melody-2bar --prior normal
    melodyvae sample -n 100 --seed 7 --temperature 0.7 -o tunes

    They are written by melody-compose: eight bars, long enough for a phrase and its answer, whose bars come back as
    those of songs do; of sixteen times as many those are kept that best come to their close and take a bar up again.
    --model melody-2bar writes two bars, and any model of yours what it has learned.

    The folder (samples by default) gets a MIDI file for each tune, such as 01-of-8_C_120bpm.mid, all.mid with all of
    them in a row, piano-rolls.png, and index.html, a page that plays them.
    Key, scale, range and density hold together; what no tune can meet is refused, and what none of those drawn meets is
    told with what was reached.
    Without --seed the tunes are new each time, and the seed with which they come again is printed.
    """
    from melodyvae.generation.composing import Wish
    from melodyvae.generation.meters import COMPOSED_BARS
    from melodyvae.generation.scales import key_named, parse_choice

    if is_given("model_name") and is_given("parts"):
        raise click.UsageError("--parts chooses the model, so give --model or --parts, not both")
    if not is_given("model_name") and options["prior"] is None:
        generation = composing(generation, parts)
        options["bars"] = options["bars"] or COMPOSED_BARS
        if parts == "all":
            options["form"] = options["form"] or "any"
    key, (low, high) = options["key"], options["pitches"] or (None, None)
    wish = Wish(None if key is None else key_named(key), options["density"], low, high)
    with usage_errors():
        wish.check(parse_choice(options["scale"]), options["bars"] or COMPOSED_BARS)
    with known_errors():
        folder, vae = generation.open("samples")
        generation.finish(vae.sample(count, seed=generation.seed, **options), folder)

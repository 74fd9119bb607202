"""``melodyvae sample``: new tunes."""

from __future__ import annotations

from dataclasses import replace

import click

from melodyvae.cli.options import Generation, composing, is_given, verb_command
from melodyvae.verbs.sample import SampleOptions
from melodyvae.verbs.sample import sample as draw


@verb_command(SampleOptions)
@click.option(
    "--parts",
    type=click.Choice(["tunes", "all"]),
    default="tunes",
    show_default=True,
    help="tunes: what a person would sing; all: any part of a piece, basses and inner voices, too.",
)
def sample(generation: Generation, parts: str, options: SampleOptions) -> None:
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
    from melodyvae.verbs.meters import COMPOSED_BARS

    if is_given("model_name") and is_given("parts"):
        raise click.UsageError("--parts chooses the model, so give --model or --parts, not both")
    if not is_given("model_name") and options.prior is None:
        generation = composing(generation, parts)
        form = options.form or ("any" if parts == "all" else None)
        options = replace(options, bars=options.bars or COMPOSED_BARS, form=form)
    folder, vae = generation.open("samples")
    generation.finish(draw(vae, options), folder)

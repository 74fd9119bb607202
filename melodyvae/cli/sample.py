"""``melodyvae sample``: new tunes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodyvae.cli.options import FiniteFloat, generation_options, known_errors, load_model, scale_option

if TYPE_CHECKING:
    from melodyvae.generation.prior import Prior


@click.command()
@click.option("-n", "count", type=click.IntRange(min=1), default=8, show_default=True, help="Tunes.")
@click.option(
    "--tempo",
    type=FiniteFloat(min=10, max=400),
    default=120.0,
    show_default=True,
    help="Quarters a minute.",
)
@scale_option
@click.option(
    "--prior",
    type=click.Choice(["fitted", "normal"]),
    help="z from a Gaussian fitted to the training melodies, or from N(0, I).  [default: fitted, if there is one]",
)
@click.option("--novel", is_flag=True, help="Draw near-copies of training melodies again.")
@generation_options(temperature=1.0)
def sample(
    count: int,
    tempo: float,
    scale: str | None,
    prior: Prior | None,
    novel: bool,
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
) -> None:
    """Write new tunes, drawn from the model.

    \b
    melodyvae sample -n 8
    melodyvae sample -n 8 --prior normal
    melodyvae sample -n 4 --scale G:major
    melodyvae sample -n 100 --seed 7 --temperature 0.7 -o tunes

    The folder (samples by default) gets 01.mid, 02.mid, ..., all.mid with all of them in a row, and piano-rolls.png.
    """
    from melodyvae.cli.results import melody_names, say_novelty, write_melodies
    from melodyvae.generation import sampling as generate
    from melodyvae.generation.morph import rules_of
    from melodyvae.generation.novelty import index_of, redraw_near_copies
    from melodyvae.generation.scales import Scale

    with known_errors():
        model, generator = load_model(model_name, device, seed)
        rules = None if scale is None else rules_of(model, Scale.parse(scale))
        draw = partial(
            generate.sample,
            model,
            temperature=temperature,
            generator=generator,
            rules=rules,
            prior=prior,
            quarters_per_minute=tempo,
        )
        melodies = redraw_near_copies(draw, count, index_of(model), model.vocabulary) if novel else draw(count)
        names = melody_names(count)
        say_novelty(model, melodies, names)
        write_melodies(output or Path("samples"), melodies, names, replace=force, audio=audio)

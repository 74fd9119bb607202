"""``melodyvae vary``: tunes near a tune."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from melodyvae.cli.options import FiniteFloat, generation_options, known_errors, load_model, midi_file


@click.command()
@click.argument("file", type=midi_file)
@click.option("-n", "count", type=click.IntRange(min=1), default=8, show_default=True, help="Tunes.")
@click.option(
    "--amount",
    type=FiniteFloat(min=0, max=1),
    default=0.3,
    show_default=True,
    help="How far away: 0 is the tune itself, 1 a new one.",
)
@click.option("--bar", type=click.IntRange(min=1), help="First bar to take.  [default: the first good one]")
@click.option("--track", default="auto", show_default=True, help="Track: auto, a number or a name.")
@click.option("--novel", is_flag=True, help="Draw near-copies of training melodies again.")
@generation_options(temperature=0.0)
def vary(
    file: Path,
    count: int,
    amount: float,
    bar: int | None,
    track: str,
    novel: bool,
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
) -> None:
    """Write tunes that are near FILE, a MIDI file, in the latent space.

    \b
    melodyvae vary a.mid -n 8
    melodyvae vary a.mid --amount 0.5 --bar 9 -o further

    The folder (FILE-varied by default) gets 01.mid, 02.mid, ..., all.mid with the tune and then all of them in a row,
    and piano-rolls.png.
    """
    from melodyvae.cli.results import melody_names, read_window, say_novelty, write_melodies
    from melodyvae.generation import variation as walks
    from melodyvae.generation.novelty import index_of, redraw_near_copies

    with known_errors():
        model, generator = load_model(model_name, device, seed)
        window = read_window("The tune", file, track, bar, model.config)
        draw = partial(walks.vary, model, window, amount=amount, temperature=temperature, generator=generator)
        melodies = redraw_near_copies(draw, count, index_of(model), model.vocabulary) if novel else draw(count)
        changed = [walks.steps_changed(model, melody, window) for melody in melodies]
        click.echo(f"steps of {model.config.steps} that differ from the tune: {', '.join(map(str, changed))}")
        names = melody_names(count)
        say_novelty(model, melodies, names)
        titles = ["the tune", *(str(index) for index in range(1, count + 1))]
        write_melodies(
            output or Path(f"{file.stem}-varied"),
            melodies,
            names,
            titles,
            rolls=[window, *melodies],
            row=[window, *melodies],
            first_is_end=True,
            replace=force,
            audio=audio,
        )

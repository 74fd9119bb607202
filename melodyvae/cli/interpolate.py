"""``melodyvae interpolate``: the tunes between two tunes."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import generation_options, known_errors, load_model, midi_file


@click.command()
@click.argument("a", type=midi_file)
@click.argument("b", type=midi_file)
@click.option("-n", "count", type=click.IntRange(min=2), default=8, show_default=True, help="Tunes, ends included.")
@click.option("--bar-a", type=click.IntRange(min=1), help="First bar to take from A.  [default: the first good one]")
@click.option("--bar-b", type=click.IntRange(min=1), help="First bar to take from B.  [default: the first good one]")
@click.option("--track-a", default="auto", show_default=True, help="Track of A: auto, a number or a name.")
@click.option("--track-b", default="auto", show_default=True, help="Track of B: auto, a number or a name.")
@click.option("--bars", type=click.IntRange(min=1), help="Bars to take of each.  [default: the model's: 2]")
@click.option(
    "--ends",
    type=click.Choice(["exact", "model", "original"]),
    default="exact",
    show_default=True,
    help="exact: z is refined until A and B come back; model: as the model remembers them; original: A and B.",
)
@click.option(
    "--spacing",
    type=click.Choice(["even", "latent"]),
    default="even",
    show_default=True,
    help="Evenly far apart to the ear, or in equal steps of z.",
)
@click.option(
    "--key",
    type=click.Choice(["glide", "a", "b", "none"]),
    default="glide",
    show_default=True,
    help="From A's key and register to B's; all in A's or B's key; or pitches left alone.",
)
@click.option(
    "--tempo",
    type=click.Choice(["glide", "a", "b"]),
    default="glide",
    show_default=True,
    help="From A's tempo to B's, or one of them throughout.",
)
@click.option("--keep-accompaniment", is_flag=True, help="Let A's other tracks play on under each tune.")
@generation_options(temperature=0.0)
def interpolate(
    a: Path,
    b: Path,
    count: int,
    bar_a: int | None,
    bar_b: int | None,
    track_a: str,
    track_b: str,
    bars: int | None,
    ends: str,
    spacing: str,
    key: str,
    tempo: str,
    keep_accompaniment: bool,
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
) -> None:
    """Write the tunes on the way from A to B, two MIDI files.

    \b
    melodyvae interpolate a.mid b.mid -n 8
    melodyvae interpolate a.mid b.mid --bar-a 9 --track-b "lead" -o walk
    melodyvae interpolate a.mid b.mid --bars 8 --key a

    The folder (A-to-B by default) gets 01.mid, 02.mid, ... from A to B, all.mid with all of them in a row, and
    piano-rolls.png. All have A's instrument. Two bars of each tune are walked unless --bars asks for more;
    longer tunes are walked two bars at a time, by the same model.
    """
    from data_prep.melodies.arrangement import backing_of, transposed
    from melodyvae.cli.results import melody_names, read_announced, say_window, write_melodies
    from melodyvae.generation.interpolation import WalkOptions, pick_ends, walk

    folder = output or Path(f"{a.stem}-to-{b.stem}")
    options = WalkOptions(count, temperature, ends, spacing, key, tempo)  # type: ignore[arg-type]  # click checked them
    with known_errors():
        model, generator = load_model(model_name, device, seed)
        found = (
            read_announced(a, track_a, model.config, f"A is {a.name}"),
            read_announced(b, track_b, model.config, f"B is {b.name}"),
        )
        picked = pick_ends(model, found, (bar_a, bar_b), bars, options)
        for label, window in zip("AB", picked.windows, strict=True):
            say_window(label, window)
        start, end = (window.melody for window in picked.windows)
        found_walk = walk(model, start, end, options, generator, picked.keys)
        for sentence in filter(None, (picked.note, *found_walk.decisions)):
            click.echo(sentence)
        for label, right in zip("AB", found_walk.steps_right, strict=True):
            steps = start.length_steps
            click.echo(f"{label} reconstructed: {'exact' if right == steps else f'{right} of {steps} steps'}")
        steps_apart = found_walk.distances
        click.echo(
            f"{found_walk.distinct} of {count} tunes are distinct; from each to the next "
            f"{sum(steps_apart) / len(steps_apart):.2f} of the way between strangers ({min(steps_apart):.2f} to "
            f"{max(steps_apart):.2f})"
        )
        backings = None
        if keep_accompaniment:
            backing = backing_of(found[0], picked.windows[0].grid_bar, start.bars)
            backings = [transposed(backing, shift) for shift in found_walk.key_shifts]
            click.echo(f"A's other tracks play on: {len(backing)}" if backing else "A has no other tracks there")
        titles = ["A", *(str(index) for index in range(2, count)), "B"]
        write_melodies(
            folder,
            found_walk.melodies,
            melody_names(count),
            titles,
            ends=True,
            replace=force,
            backings=backings,
            audio=audio,
        )

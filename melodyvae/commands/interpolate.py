"""``melodyvae interpolate``: the tunes between two tunes."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.commands.options import generation_options, known_errors, load_model, midi_file


@click.command()
@click.argument("a", type=midi_file)
@click.argument("b", type=midi_file)
@click.option("-n", "count", type=click.IntRange(min=2), default=8, show_default=True, help="Tunes, ends included.")
@click.option("--bar-a", type=click.IntRange(min=1), help="First bar to take from A.  [default: the first good one]")
@click.option("--bar-b", type=click.IntRange(min=1), help="First bar to take from B.  [default: the first good one]")
@click.option("--track-a", default="auto", show_default=True, help="Track of A: auto, a number or a name.")
@click.option("--track-b", default="auto", show_default=True, help="Track of B: auto, a number or a name.")
@generation_options(temperature=0.0)
def interpolate(
    a: Path,
    b: Path,
    count: int,
    bar_a: int | None,
    bar_b: int | None,
    track_a: str,
    track_b: str,
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    force: bool,
) -> None:
    """Write the tunes on the way from A to B, two MIDI files.

    \b
    melodyvae interpolate a.mid b.mid -n 8
    melodyvae interpolate a.mid b.mid --bar-a 9 --track-b "lead" -o walk

    The folder (A-to-B by default) gets 01.mid, 02.mid, ... from A to B, all.mid with all of them in a row, and
    piano-rolls.png. All keep A's tempo and instrument.
    """
    from melodyvae import generate
    from melodyvae.commands.melody_files import melody_names, read_window, write_melodies

    folder = output or Path(f"{a.stem}-to-{b.stem}")
    with known_errors():
        model, generator = load_model(model_name, device, seed)
        windows = [
            read_window(label, path, track, bar, model.config)
            for label, path, track, bar in (("A", a, track_a, bar_a), ("B", b, track_b, bar_b))
        ]
        melodies = generate.interpolate(model, windows[0], windows[1], count, temperature, generator)
        for label, window, melody in zip("AB", windows, (melodies[0], melodies[-1]), strict=True):
            right = generate.matching_steps(model, window, melody)
            steps = model.config.steps
            told = "exact" if right == steps else f"{right} of {steps} steps"
            click.echo(f"{label} reconstructed: {told}")
        titles = ["A", *(str(index) for index in range(2, count)), "B"]
        write_melodies(folder, melodies, melody_names(count), titles, ends=True, replace=force)

"""``melodyvae complete``: hidden bars of a tune, filled in."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import generation_options, known_errors, load_model, midi_file


@click.command()
@click.argument("file", type=midi_file)
@click.option("--hide", metavar="BARS", help="Bars to fill in, from 1: 3, or 3-4, or 2,7-8.")
@click.option("--bars", type=click.IntRange(min=1), help="Go on for so many bars after the end.")
@click.option("-n", "count", type=click.IntRange(min=1), default=4, show_default=True, help="Tunes.")
@click.option("--track", default="auto", show_default=True, help="Track: auto, a number or a name.")
@generation_options(temperature=0.0)
def complete(
    file: Path,
    hide: str | None,
    bars: int | None,
    count: int,
    track: str,
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
) -> None:
    """Write FILE, a MIDI file, with some of its bars filled in anew from the others, or with bars added.

    \b
    melodyvae complete a.mid --bars 2
    melodyvae complete a.mid --hide 3-4 -n 8

    The folder (FILE-completed by default) gets 01.mid, 02.mid, ..., each the whole tune, all.mid with all of them in a
    row, and piano-rolls.png.
    """
    from melodyvae.cli.results import melody_names, read_announced, write_melodies
    from melodyvae.generation.inpainting import CompletionError
    from melodyvae.generation.inpainting import complete as completed

    if (hide is None) == (bars is None):
        raise click.UsageError("give either --hide with the bars to fill in, or --bars to go on after the end")
    with known_errors(CompletionError):
        model, generator = load_model(model_name, device, seed)
        found = read_announced(file, track, model.config)
        if bars is not None:
            hidden = list(range(found.melody.bars, found.melody.bars + bars))
            click.echo(f"{bars} bars are added after bar {len(found.layout.bar_starts)}")
        else:
            hidden = [found.layout.grid_bar(bar) for bar in _parse_bars(hide or "", len(found.layout.bar_starts))]
        melodies = completed(model, found.melody, hidden, count, temperature, generator)
        names = melody_names(count)
        titles = [file.stem, *(str(index) for index in range(1, count + 1))]
        write_melodies(
            output or Path(f"{file.stem}-completed"),
            melodies,
            names,
            titles,
            rolls=[found.melody, *melodies],
            first_is_end=True,
            replace=force,
            audio=audio,
        )


def _parse_bars(text: str, bars: int) -> list[int]:
    """The bars, from 1, of a list such as 2,7-8; a usage error if it is none, or names bars that are not there."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise click.UsageError(f"--hide is {text!r}; give bars such as 3, or 3-4, or 2,7-8")
        found += range(int(first), int(last or first) + 1)
        if not 1 <= int(first) <= int(last or first) <= bars:
            raise click.UsageError(f"--hide names bars {part.strip()}, and the tune has bars 1 to {bars}")
    return found

"""``melodyvae complete``: hidden bars of a tune, filled in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from melodyvae.cli.options import (
    COMPOSING_MODELS,
    Generation,
    generation_options,
    known_errors,
    midi_file,
    scale_option,
    temperature_option,
    track_option,
)

MAX_HIDDEN_BARS = 10_000


@click.command()
@click.argument("file", type=midi_file)
@click.option("--hide", metavar="BARS", help="Bars to fill in, from 1 as in FILE: 3, or 3-4, or 2,7-8.")
@click.option("--extend", "--bars", type=click.IntRange(min=1), help="Go on for so many bars after the end.")
@click.option("-n", "count", type=click.IntRange(min=1), default=4, show_default=True, help="Tunes.")
@track_option
@scale_option
@temperature_option(None, "  [default: 1; of a two-bar model 0]")
@generation_options
def complete(
    generation: Generation, file: Path, hide: str | None, extend: int | None, count: int, **options: Any
) -> None:
    """Write FILE, a MIDI file, with some of its bars filled in anew from the others, or with bars added.

    \b
    melodyvae complete a.mid --extend 2
    melodyvae complete a.mid --hide 3-4 -n 8

    Bars are counted as in FILE, and added after the melody's last note. The new bars keep to the scale and the range of
    those around them. melody-compose writes them: it hears the bars before, takes up their themes, and of many drafts
    keeps those after which the bars that follow are likeliest. Tunes in threes (3/4, 6/8) are filled in by
    melody-2bar-triple, two bars at a time.

    The folder (FILE-completed by default) gets MIDI files such as 01-of-4_C_120bpm.mid, each the whole melody,
    all.mid with all of them in a row, piano-rolls.png, and index.html, a page that plays them.
    """
    if (hide is None) == (extend is None):
        raise click.UsageError("give either --hide with the bars to fill in, or --extend to go on after the end")
    hidden = [] if hide is None else _parse_bars(hide)
    with known_errors():
        tunes = [(file, options["track"])]
        folder, vae = generation.open(f"{file.stem}-completed", tunes=tunes, duple=COMPOSING_MODELS["tunes"])
        with click.progressbar(length=len(hidden) + (extend or 0), label="Filling in bars", file=sys.stderr) as bar:
            result = vae.complete(
                file,
                count,
                hide=hidden,
                extend=extend or 0,
                seed=generation.seed,
                progress=lambda done, total: bar.update(done - bar.pos),
                **options,
            )
        generation.finish(result, folder)


def _parse_bars(text: str) -> list[int]:
    """The bars, from 1, of a list such as 2,7-8; a usage error if it is none."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise click.UsageError(f"--hide is {text!r}; give bars such as 3, or 3-4, or 2,7-8")
        bars = range(int(first), int(last or first) + 1)
        if not 0 < len(bars) <= MAX_HIDDEN_BARS:
            told = "from the lower to the higher" if not bars else f"at most {MAX_HIDDEN_BARS} at a time"
            raise click.UsageError(f"--hide names bars {part.strip()}; give them {told}")
        found += bars
    return found

"""``melodyvae arithmetic``: sums and differences of tunes."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import Generation, midi_file, verb_command
from melodyvae.verbs.arithmetic import ArithmeticOptions
from melodyvae.verbs.arithmetic import arithmetic as add_up

SIGNS = {"+": 1, "-": -1}


@verb_command(ArithmeticOptions)
@click.argument("terms", nargs=-1, required=True, metavar="A [+|-] B [[+|-] C ...]")
def arithmetic(generation: Generation, terms: tuple[str, ...], options: ArithmeticOptions) -> None:
    """Write the tune that is the sum, or the difference, of MIDI files, as the model understands them.

    \b
    melodyvae arithmetic a.mid - b.mid + c.mid
    melodyvae arithmetic a.mid + b.mid -o both

    The folder (arithmetic by default) gets result.mid, with A's key, tempo and instrument, all.mid with the terms and
    the result in a row, piano-rolls.png with the same, and index.html, a page that plays them.
    """
    files, signs = _parse(terms, click.get_current_context())
    folder, vae = generation.open("arithmetic", ["result.mid"], tunes=files, track=options.track)
    generation.finish(add_up(vae, files, signs, options), folder)


def _parse(terms: tuple[str, ...], ctx: click.Context) -> tuple[list[Path], list[int]]:
    """The files and their signs; a usage error if files and signs do not alternate."""
    expected = "give files with + or - between them, such as: a.mid - b.mid + c.mid"
    if len(terms) % 2 == 0 or len(terms) < 3:
        raise click.UsageError(expected)
    for sign in terms[1::2]:
        if sign not in SIGNS:
            raise click.UsageError(f"{sign!r} is neither + nor -; {expected}")
    files = [Path(midi_file.convert(term, None, ctx)) for term in terms[::2]]
    return files, [1, *(SIGNS[sign] for sign in terms[1::2])]

"""``melodyvae arithmetic``: sums and differences of tunes."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import generation_options, known_errors, load_model, midi_file

SIGNS = {"+": 1, "-": -1}


@click.command()
@click.argument("terms", nargs=-1, required=True, metavar="A [+|-] B [[+|-] C ...]")
@generation_options(temperature=0.0)
@click.pass_context
def arithmetic(
    ctx: click.Context,
    terms: tuple[str, ...],
    output: Path | None,
    model_name: str,
    temperature: float,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
) -> None:
    """Write the tune at the sum of the latent means of MIDI files.

    \b
    melodyvae arithmetic a.mid - b.mid + c.mid
    melodyvae arithmetic a.mid + b.mid -o both

    The folder (arithmetic by default) gets result.mid, with A's tempo and instrument, all.mid with the terms and the
    result in a row, and piano-rolls.png with the same.
    """
    from melodyvae.cli.results import read_window, write_melodies
    from melodyvae.generation import variation as walks

    files, signs = _parse(terms, ctx)
    with known_errors():
        model, generator = load_model(model_name, device, seed)
        labels = ["ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 26] for index in range(len(files))]
        windows = [
            read_window(label, path, "auto", None, model.config) for label, path in zip(labels, files, strict=True)
        ]
        result = walks.arithmetic(model, windows, signs, temperature, generator)
        titles = [f"{'+' if sign > 0 else '-'} {label}" for sign, label in zip(signs, labels, strict=True)]
        write_melodies(
            output or Path("arithmetic"),
            [result],
            ["result.mid"],
            [*titles, "result"],
            rolls=[*windows, result],
            row=[*windows, result],
            replace=force,
            audio=audio,
        )


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

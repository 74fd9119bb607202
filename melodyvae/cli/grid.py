"""``melodyvae grid``: the tunes between four tunes."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import generation_options, known_errors, load_model, midi_file


@click.command()
@click.argument("files", nargs=4, type=midi_file, metavar="A B C D")
@click.option("-n", "count", type=click.IntRange(min=2), default=5, show_default=True, help="Rows, and columns.")
@click.option(
    "--ends",
    type=click.Choice(["exact", "model"]),
    default="exact",
    show_default=True,
    help="The corners as they are, as far as z can be refined to that, or as the model remembers them.",
)
@generation_options(temperature=None)
def grid(
    files: tuple[Path, Path, Path, Path],
    count: int,
    ends: str,
    output: Path | None,
    model_name: str,
    seed: int,
    device: str,
    audio: bool,
    force: bool,
) -> None:
    """Write rows of tunes between four MIDI files: A top left, B top right, C bottom left, D bottom right.

    \b
    melodyvae grid a.mid b.mid c.mid d.mid -n 5

    The folder (grid by default) gets row-1-column-1.mid and so on, all.mid with all of them in a row, and
    piano-rolls.png. All have A's tempo and instrument; the first good bars of each are taken.
    """
    from melodyvae.cli.results import read_window, write_melodies
    from melodyvae.generation import variation as walks

    with known_errors():
        model, _ = load_model(model_name, device, seed)
        corners = [
            read_window(label, path, "auto", None, model.config) for label, path in zip("ABCD", files, strict=True)
        ]
        rows = walks.grid(model, corners, count, exact=ends == "exact")
        for label, corner, found in zip(
            "ABCD", corners, (rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1]), strict=True
        ):
            missed = walks.steps_changed(model, found, corner)
            steps = model.config.steps
            click.echo(f"{label} reconstructed: {f'{steps - missed} of {steps} steps' if missed else 'exact'}")
        melodies = [melody for row in rows for melody in row]
        distinct = len({melody.notes for melody in melodies})
        click.echo(f"{distinct} of {count**2} tunes are distinct")
        places = [(row, column) for row in range(1, count + 1) for column in range(1, count + 1)]
        digits = len(str(count))
        names = [f"row-{row:0{digits}d}-column-{column:0{digits}d}.mid" for row, column in places]
        write_melodies(output or Path("grid"), melodies, names, grid_columns=count, replace=force, audio=audio)

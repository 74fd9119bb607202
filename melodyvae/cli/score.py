"""``melodyvae score``: how unusual the windows and the notes of tunes are."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import known_errors, load_model, midi_file

DOUBTFUL_NATS = 6.0  # what a note outside the tune's scale gets beyond what the model says


@click.command()
@click.argument("files", nargs=-1, required=True, type=midi_file)
@click.option("--track", default="auto", show_default=True, help="Track: auto, a number or a name.")
@click.option(
    "--model", "model_name", default="melody-2bar", show_default=True, help="A shipped model, file or run folder."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def score(files: tuple[Path, ...], track: str, model_name: str, device: str) -> None:
    """Say how unusual each window of FILES, MIDI files, is to the model, and which notes are doubtful.

    \b
    melodyvae score a.mid

    The number of a window is its negative ELBO in nats a step; beside it stands how many of a hundred held-out windows
    of the training data are less unusual. A note is doubtful if it lies outside the scale of the tune, or if the
    model would find another pitch near it much likelier.
    """
    from melodyvae.cli.results import read_announced
    from melodyvae.generation.scoring import QUANTILES
    from melodyvae.generation.scoring import score as scored

    with known_errors():
        model, _ = load_model(model_name, device, 0)
        for path in files:
            found = read_announced(path, track, model.config)
            windows = scored(model, found.melody)
            layout = found.layout
            for window in windows:
                first = layout.piece_bar(window.first_bar - 1)
                percentile = "" if window.percentile is None else f"  more unusual than {window.percentile:3.0f} of 100"
                click.echo(f"  from bar {first:4}: {window.nats_per_step:6.2f} nats a step{percentile}")
            if windows and QUANTILES not in model.extras:
                click.echo("  (the model came without the scores of held-out windows to compare with)")
            doubtful: dict[tuple[int, float], str] = {}
            for window in windows:
                for note in window.notes:
                    if note.nats >= DOUBTFUL_NATS:
                        bar = layout.piece_bar(note.bar - 1)
                        said = f"{_name(note.note.pitch)}, {note.nats:.1f} nats: rather {_name(note.better_pitch)}"
                        doubtful.setdefault((bar, note.beat), said)
            for (bar, beat), said in sorted(doubtful.items()):
                click.echo(f"  doubtful: bar {bar}, beat {beat:g}: {said}")
            if windows and not doubtful:
                click.echo("  no doubtful note")


def _name(pitch: int) -> str:
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    return f"{names[pitch % 12]}{pitch // 12 - 1}"

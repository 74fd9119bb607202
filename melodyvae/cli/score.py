"""``melodyvae score``: how unusual the bars and the notes of tunes are."""

from __future__ import annotations

from pathlib import Path

import click

from melodyvae.cli.options import (
    by_flag,
    known_errors,
    load_model,
    midi_file,
    model_option,
    verb_options,
)
from melodyvae.verbs.score import ScoreOptions
from melodyvae.verbs.score import score as judge
from melodyvae.verbs.sentences import scores_told


@click.command()
@click.argument("files", nargs=-1, required=True, type=midi_file)
@verb_options(ScoreOptions)
@model_option
@click.option("--all", "every", is_flag=True, help="Print every bar and every doubtful note of long tunes, too.")
def score(files: tuple[Path, ...], model_name: str, every: bool, options: ScoreOptions) -> None:
    """Say how unusual the bars of FILES, MIDI files, are to the model, and which notes are doubtful.

    \b
    melodyvae score a.mid
    melodyvae score song.mid --all

    Each two bars (one window of the model) are compared with passages of tunes like those that it has learned from:
    the score is how many of a hundred are less unusual. A note is doubtful if melody-compose, which knows that bars
    repeat and keys stay, finds the whole tune much likelier with another pitch near it. Notes of a bar that recurs
    exactly are not doubtful. For a long tune the most unusual bars and the most doubtful notes are printed, unless
    --all is given.
    """
    with known_errors():
        vae = load_model(model_name, [(path, str(options.track)) for path in files])
        for path in files:
            found = judge(vae, path, options)
            for sentence in scores_told(found, by_flag, every=every):
                click.echo(sentence)

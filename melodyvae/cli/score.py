"""``melodyvae score``: how unusual the bars and the notes of tunes are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodyvae.cli.options import (
    known_errors,
    load_model,
    midi_file,
    model_option,
    verb_options,
    with_track_options,
)
from melodyvae.verbs.score import ScoreOptions
from melodyvae.verbs.score import score as judge

if TYPE_CHECKING:
    from melodyvae.vae import MelodyVAE


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

    From each bar on, as many bars as the model takes at a time (two) are compared with passages of tunes like those
    that it has learned from: how many of a hundred are less unusual. A note is doubtful if the whole tune would be
    much likelier with another pitch near it, by melody-compose, which hears that bars come back and keys stay; in
    other meters than 4/4, where that model cannot hear, if it lies outside the scale of the tune or its bars would be
    much likelier. A bar that recurs exactly clears its notes. Of a long tune the most unusual bars and the most
    doubtful notes are printed, unless --all is given.
    """
    held: dict[str, MelodyVAE] = {}
    with known_errors():
        for path in files:
            vae = load_model(model_name, [(path, str(options.track))], held=held)
            found = judge(vae, path, options)
            for sentence in with_track_options(found.sentences if every else found.summary, [found.source]):
                click.echo(sentence)

"""Requests -> what the page shows, by the verbs of :class:`~melodyvae.vae.MelodyVAE`; plain values, ready for JSON.

The calls of the model are counted (see :class:`melodyvae.studio.engine.Watched`). What a verb decides, measures and
draws is the verb's, so that the shell command of a request gives what the page shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args
from zipfile import ZIP_DEFLATED, ZipFile

from melodyvae.config import MelodyConfig
from melodyvae.music.notes import Part
from melodyvae.music.scales import SCALES
from melodyvae.music.styles import STYLES
from melodyvae.music.tokens import HIGHEST_PITCH, LOWEST_PITCH
from melodyvae.studio.reading import Piece, shown_name
from melodyvae.studio.requests import (
    VERBS,
    FileRequest,
    RequestError,
    VerbRequest,
    ZipRequest,
    melody_to_json,
    part_to_json,
)
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.attribute_vectors import AttributeVectors, AttributeVectorsError
from melodyvae.verbs.attributes import ATTRIBUTES, UNITS
from melodyvae.verbs.complete import CompleteOptions
from melodyvae.verbs.form import Form
from melodyvae.verbs.meters import COMPOSED_BARS, COMPOSING_MODEL, TWO_BAR_MODEL
from melodyvae.verbs.results import Grid, Interpolation, Morph, Reconstruction, Result, Samples, Scores, Variations
from melodyvae.verbs.sample import SampleOptions
from melodyvae.verbs.scoring import NoteScore
from melodyvae.verbs.sentences import description, loss, sentences_of
from melodyvae.verbs.sources import MelodySource, Taken, pick_window
from melodyvae.writing.row import write_in_a_row
from melodyvae.writing.sheet import Roll

MAX_OVERVIEW_NOTES = 4096


def choose(request: VerbRequest | None) -> str:
    """The name of the shipped model for a request; None is a tune that is dropped."""
    writes = request is not None and request.verb in ("sample", "complete", "continue")
    return COMPOSING_MODEL if writes else TWO_BAR_MODEL


def describe(model: Any, name: str, chooses: bool) -> dict[str, Any]:
    """Description of the model for the page; ``chooses``: whether what is asked for selects another one."""
    config: MelodyConfig = model.config
    try:
        AttributeVectors.from_extras(model.extras, config.latent_size)
        attributes = [{"name": attribute, "unit": UNITS[attribute]} for attribute in ATTRIBUTES]
    except AttributeVectorsError:
        attributes = []
    return {
        "name": name,
        "chooses": chooses,
        "composes": chooses or config.look_back,
        "bars": config.bars,
        "meter": list(config.meter),
        "steps_per_quarter": config.steps_per_quarter,
        "steps_per_bar": config.steps_per_bar,
        "lowest_pitch": LOWEST_PITCH,
        "highest_pitch": HIGHEST_PITCH,
        "attributes": attributes,
        "scales": list(SCALES),
        "styles": list(STYLES),
        "forms": list(get_args(Form)),
    }


def show_piece(
    config: MelodyConfig, piece: Piece, name: str, first_bar: int | None, bars: int | None
) -> dict[str, Any]:
    """A piece as the page shows it: the window that is taken, and what it was taken from.

    Raises:
        WindowError: if there is no such bar, or no note in the window.
    """
    found = piece.found
    window = pick_window(found, config, first_bar, bars)
    return {
        "name": Path(shown_name(name)).stem or "tune",
        "file": shown_name(name),
        "melody": melody_to_json(replace(window.melody, name=found.melody.name)),
        "track": found.part_index + 1,
        "tracks": list(piece.tracks),
        "description": description(found),
        "why": piece.why,
        "note": window.note,
        "reason": window.reason,
        "lost_bars": list(window.lost_bars),
        "loss": loss(Taken("", None, found, window)),
        "first_bar": window.first_bar,
        "last_bar": window.last_bar,
        "bars": len(found.layout.bar_starts),
        "grid_bar": window.grid_bar,
        "grid_bars": found.melody.bars,
        "bar_of_grid": [found.layout.piece_bar(bar) for bar in range(min(found.melody.bars, MAX_OVERVIEW_NOTES))],
        "steps_per_bar": found.melody.steps_per_bar,
        "overview": [list(note[:3]) for note in found.melody.notes[:MAX_OVERVIEW_NOTES]],
    }


def perform(model: Any, request: VerbRequest, sources: Sequence[MelodySource]) -> dict[str, Any]:
    """Results of a verb for the page: its melodies, decisions and measurements.

    Args:
        model: whose calls are counted.
        request: what is asked for.
        sources: the tunes of the request, a piece or a melody each.
    """
    composer = None
    if request.verb == "score" and not model.config.look_back:
        composer = model.another(COMPOSING_MODEL)
    vae = MelodyVAE(model, composer=composer)
    options = request.placed()
    if isinstance(options, SampleOptions) and options.bars is None and model.config.look_back:
        options = replace(options, bars=COMPOSED_BARS)
    taken: tuple[Any, ...] = (list(sources),) if request.verb == "pad" else tuple(sources)
    result = VERBS[request.verb].function(vae, *taken, options)
    return _scores(result, request) if isinstance(result, Scores) else _shown_result(result)


def _shown_result(result: Result) -> dict[str, Any]:
    """A result as plain values."""
    if isinstance(result, Grid):
        return {
            "size": result.size,
            "cells": [[list(note[:3]) for note in melody.notes] for melody in result.melodies],
            "tempi": [round(melody.quarters_per_minute, 2) for melody in result.melodies],
            "frame": melody_to_json(replace(result.melodies[0], notes=(), name="")),
            "decisions": sentences_of(result.decisions, None),
            "distinct": result.distinct,
        }
    shown: dict[str, Any] = {
        "melodies": [melody_to_json(melody) for melody in result.melodies],
        "decisions": sentences_of(result.decisions, None),
    }
    if isinstance(result, Interpolation):
        parts = result.backings
        shown |= {
            "backings": None if parts is None else [[part_to_json(part) for part in backing] for backing in parts],
            "steps_right": list(result.steps_right),
            "lost": [len(taken.lost_bars) for taken in result.sources],
            "steps": result.melodies[0].length_steps,
            "distances": [round(distance, 4) for distance in result.distances],
            "distinct": result.distinct,
        }
    elif isinstance(result, Morph):
        shown["measured"] = {
            name: {"before": round(before, 3), "after": round(after, 3), "asked": asked and round(asked, 3)}
            for name, (_, before, after, asked) in result.measures.items()
        }
    elif isinstance(result, Variations):
        shown |= {
            "changed": list(result.steps_changed),
            "steps": result.original.length_steps,
            "near_copies": result.near_copies,
        }
    elif isinstance(result, Samples):
        shown |= {"styles": list(result.styles), "forms": list(result.forms) if result.styles else []}
    elif isinstance(result, Reconstruction):
        shown |= {"steps_right": result.steps_right[0], "steps": result.originals[0].length_steps}
    return shown


def _scores(result: Scores, request: VerbRequest) -> dict[str, Any]:
    """Scores of the windows, and the doubtful notes: each once, with the doubt of its worst window."""
    worst: dict[tuple[int, int], NoteScore] = {}
    (tune,) = request.tunes
    assert tune.melody is not None  # for mypy: what is scored is a melody
    for window in result.windows:
        for note in window.notes:
            place = (window.first_bar - 1) * tune.melody.steps_per_bar + note.note.start_step, note.note.pitch
            if place not in worst or note.nats > worst[place].nats:
                worst[place] = note
    return {
        "windows": [
            {
                "first_bar": window.first_bar,
                "nats_per_step": round(window.nats_per_step, 3),
                "percentile": None if window.percentile is None else round(window.percentile, 1),
            }
            for window in result.windows
        ],
        "notes": [
            {
                "start": step,
                "pitch": pitch,
                "nats": round(note.nats, 2),
                "better": note.better_pitch,
                "doubtful": note.is_doubtful,
            }
            for (step, pitch), note in sorted(worst.items(), key=lambda entry: entry[0])
        ],
    }


def midi_file(request: FileRequest) -> bytes:
    """One MIDI file of the melodies in a row, each in its own tempo.

    Raises:
        RequestError: if the melodies lie on different grids.
    """
    given = _backings(request)
    backings = given if any(given) else (None,) * len(given)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tunes.mid"
        try:
            if len(request.melodies) == 1 and backings == (None,):
                request.melodies[0].write(path)
            else:
                pairs = zip(request.melodies, backings, strict=True)
                write_in_a_row([Roll(melody, backing=backing) for melody, backing in pairs], path)
        except ValueError as error:
            raise RequestError(str(error)) from error
        return path.read_bytes()


def zip_file(request: ZipRequest) -> bytes:
    """A zip of one MIDI file a melody and, of several, ``all.mid`` with them in a row."""
    if len(request.names) != len(request.melodies):
        raise RequestError(f"{len(request.melodies)} melodies and {len(request.names)} names; there must be as many")
    buffer = BytesIO()
    taken: set[str] = set()
    backings = _backings(request)
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for melody, name, backing in zip(request.melodies, request.names, backings, strict=True):
            archive.writestr(f"{_free_name(name, taken)}.mid", midi_file(FileRequest((melody,), (backing,))))
        meters = {(melody.meter, melody.steps_per_quarter) for melody in request.melodies}
        if len(request.melodies) > 1 and len(meters) == 1:  # a melody has one meter
            archive.writestr(f"{_free_name('all', taken)}.mid", midi_file(FileRequest(request.melodies, backings)))
    return buffer.getvalue()


def _backings(request: FileRequest | ZipRequest) -> tuple[tuple[Part, ...], ...]:
    """The parts that play with each melody."""
    backings = ((),) * len(request.melodies) if request.backings is None else request.backings
    if len(backings) != len(request.melodies):
        raise RequestError(f"{len(request.melodies)} melodies and {len(backings)} backings; give one for each")
    return backings


def size_of(request: VerbRequest) -> tuple[Any, ...]:
    """Key for progress: the parts of a request that its number of model calls depends on."""
    lengths = [tune.melody.length_steps if tune.melody else None for tune in request.tunes]
    names = ("count", "candidates", "ends", "spacing", "extend", "bars")
    hidden = len(request.options.hidden_bars) if isinstance(request.options, CompleteOptions) else 0
    return request.verb, *lengths, hidden, *(getattr(request.options, name, None) for name in names)


def safe_name(name: str) -> str:
    """A file name that is valid on every system: letters, digits, dashes, underscores and spaces, at most 60."""
    kept = "".join(letter if letter.isalnum() or letter in "-_ " else "-" for letter in shown_name(name))
    return kept.strip(" -")[:60] or "tune"


def _free_name(name: str, taken: set[str]) -> str:
    stem = candidate = safe_name(name)
    number = 2
    while candidate.lower() in taken:
        candidate, number = f"{stem}-{number}", number + 1
    taken.add(candidate.lower())
    return candidate

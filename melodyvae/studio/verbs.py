"""Requests -> what the page shows, by the model's verbs. The results are plain values, ready for JSON.

A *window* is a melody of exactly the model's bars. Every function here takes a model whose calls are counted (see
:class:`melodyvae.studio.engine.Watched`) and a checked request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch

from data_prep.melodies.arrangement import write_in_a_row
from data_prep.melodies.keys import Key, find_key, key_of
from data_prep.melody import Melody
from melodyvae.config import MelodyConfig
from melodyvae.generation import variation
from melodyvae.generation.attribute_vectors import AttributeVectors, AttributeVectorsError
from melodyvae.generation.attributes import ATTRIBUTES, UNITS, measure
from melodyvae.generation.inpainting import complete as completed
from melodyvae.generation.interpolation import WalkOptions
from melodyvae.generation.interpolation import walk as walked
from melodyvae.generation.morph import morph as morphed
from melodyvae.generation.morph import wanted_amounts
from melodyvae.generation.sampling import sample as sampled
from melodyvae.generation.scales import SCALES, parse_choice
from melodyvae.generation.scoring import score as scored
from melodyvae.generation.sources import pick_window
from melodyvae.studio.reading import Piece, shown_name, sounding_steps
from melodyvae.studio.requests import (
    CompleteRequest,
    FileRequest,
    MorphRequest,
    PadRequest,
    RequestError,
    SampleRequest,
    ScoreRequest,
    VaryRequest,
    WalkRequest,
    ZipRequest,
    melody_to_json,
)

MAX_WINDOWS = 32  # of the model, in one walk or completion
DENSITY_POOL = 4  # tunes drawn for each one shown when a density is asked for
DOUBTFUL_NATS = 6.0  # as `melodyvae score` has it
MAX_OVERVIEW_NOTES = 4096


def describe(model: Any, name: str) -> dict[str, Any]:
    """What the page must know of the model."""
    config: MelodyConfig = model.config
    try:
        AttributeVectors.from_extras(model.extras, model.device, config.latent_size)
        attributes = [{"name": attribute, "unit": UNITS[attribute]} for attribute in ATTRIBUTES]
    except AttributeVectorsError:
        attributes = []
    return {
        "name": name,
        "bars": config.bars,
        "meter": list(config.meter),
        "steps_per_quarter": config.steps_per_quarter,
        "steps_per_bar": config.steps // config.bars,
        "lowest_pitch": config.lowest_pitch,
        "highest_pitch": config.highest_pitch,
        "attributes": attributes,
        "scales": list(SCALES),
    }


def show_piece(model: Any, piece: Piece, name: str, first_bar: int | None, bars: int | None) -> dict[str, Any]:
    """A piece as the page shows it: the window that is taken, and what it was taken from.

    Raises:
        WindowError: if there is no such bar, or no note in the window.
    """
    found = piece.found
    window = pick_window(found, model.config, first_bar, bars)
    return {
        "name": Path(shown_name(name)).stem or "tune",
        "file": shown_name(name),
        "melody": melody_to_json(replace(window.melody, name=found.melody.name)),
        "track": found.part_index + 1,
        "tracks": list(piece.tracks),
        "description": found.description,
        "why": piece.why,
        "note": window.note,
        "first_bar": window.first_bar,
        "last_bar": window.last_bar,
        "bars": len(found.layout.bar_starts),
        "grid_bar": window.grid_bar,
        "grid_bars": found.melody.bars,
        "bar_of_grid": [found.layout.piece_bar(bar) for bar in range(min(found.melody.bars, MAX_OVERVIEW_NOTES))],
        "steps_per_bar": found.melody.steps_per_bar,
        "overview": [list(note[:3]) for note in found.melody.notes[:MAX_OVERVIEW_NOTES]],
        "sounding": sounding_steps(found),
    }


def walk(model: Any, request: WalkRequest) -> dict[str, Any]:
    """The tunes from A to B, and what was decided on the way."""
    _check_grid(model, request.a, request.b)
    if request.a.length_steps != request.b.length_steps:
        raise RequestError("A and B must be as long as each other")
    options = WalkOptions(request.count, request.temperature, request.ends, request.spacing, request.key, request.tempo)
    keys = None
    if request.key != "none":
        keys = (_key_of(request.sounding_a, request.a), _key_of(request.sounding_b, request.b))
    found = walked(model, request.a, request.b, options, _generator(model, request.seed), keys)
    return {
        "melodies": [melody_to_json(melody) for melody in found.melodies],
        "decisions": list(found.decisions),
        "steps_right": list(found.steps_right),
        "steps": request.a.length_steps,
        "distances": [round(distance, 4) for distance in found.distances],
        "distinct": found.distinct,
    }


def pad(model: Any, request: PadRequest) -> dict[str, Any]:
    """A square of tunes, row by row, each as ``[start, end, pitch]``; decoded in one batch."""
    corners = [_window(model, corner) for corner in request.corners]
    rows = variation.grid(model, corners, request.size)
    cells = [[list(note[:3]) for note in melody.notes] for row in rows for melody in row]
    return {"size": request.size, "cells": cells, "distinct": len({str(cell) for cell in cells})}


def morph(model: Any, request: MorphRequest) -> dict[str, Any]:
    """The tune with its character moved, and what it measures before and after."""
    window = _window(model, request.melody)
    scale = parse_choice(request.scale)
    generator = _generator(model, request.seed)
    amounts = dict(request.amounts)
    melodies = morphed(model, window, amounts, request.count, request.temperature, generator, scale, request.candidates)
    rows = np.stack([model.vocabulary.encode(melody) for melody in (melodies[0], melodies[-1])])
    before, after = measure(rows, model.config)
    directions = AttributeVectors.from_extras(model.extras, model.device, model.config.latent_size)
    deviations = directions.deviations.cpu().numpy()
    asked = before + wanted_amounts(amounts) * deviations
    return {
        "melodies": [melody_to_json(melody) for melody in melodies],
        "measured": {
            name: {
                "before": round(float(before[index]), 3),
                "after": round(float(after[index]), 3),
                "asked": round(float(asked[index]), 3),
            }
            for index, name in enumerate(ATTRIBUTES)
        },
    }


def vary(model: Any, request: VaryRequest) -> dict[str, Any]:
    """Tunes near a tune, and on how many steps each differs from it."""
    window = _window(model, request.melody)
    generator = _generator(model, request.seed)
    melodies = variation.vary(model, window, request.count, request.amount, request.temperature, generator)
    return {
        "melodies": [melody_to_json(melody) for melody in melodies],
        "changed": [variation.steps_changed(model, melody, window) for melody in melodies],
        "steps": window.length_steps,
    }


def complete(model: Any, request: CompleteRequest) -> dict[str, Any]:
    """The tune with its hidden bars filled in."""
    _check_grid(model, request.melody)
    melody = _folded(model, request.melody)
    bars = max(melody.bars, max(request.hidden_bars) + 1)
    if bars > MAX_WINDOWS * model.config.bars:
        raise RequestError(f"the tune would have {bars} bars; at most {MAX_WINDOWS * model.config.bars} are filled in")
    generator = _generator(model, request.seed)
    melodies = completed(model, melody, request.hidden_bars, request.count, request.temperature, generator)
    return {"melodies": [melody_to_json(found) for found in melodies]}


def sample(model: Any, request: SampleRequest) -> dict[str, Any]:
    """New tunes."""
    count = request.count if request.density is None else request.count * DENSITY_POOL
    melodies = sampled(
        model,
        count,
        request.temperature,
        _generator(model, request.seed),
        parse_choice(request.scale),
        quarters_per_minute=request.quarters_per_minute,
    )
    if request.density is not None:
        bars = model.config.bars
        melodies = sorted(melodies, key=lambda tune: abs(len(tune.notes) / bars - (request.density or 0)))
    return {"melodies": [melody_to_json(melody) for melody in melodies[: request.count]]}


def score(model: Any, request: ScoreRequest) -> dict[str, Any]:
    """How unusual the tune's windows are, and its doubtful notes: each once, as doubtful as in its worst window."""
    _check_grid(model, request.melody)
    windows = scored(model, _folded(model, request.melody))
    worst: dict[tuple[int, int], tuple[float, int]] = {}
    for window in windows:
        for note in window.notes:
            place = window.first_bar - 1, note.note.start_step
            step = place[0] * request.melody.steps_per_bar + place[1]
            worst[step, note.note.pitch] = max(
                worst.get((step, note.note.pitch), (0.0, note.better_pitch)), (note.nats, note.better_pitch)
            )
    return {
        "windows": [
            {
                "first_bar": window.first_bar,
                "nats_per_step": round(window.nats_per_step, 3),
                "percentile": None if window.percentile is None else round(window.percentile, 1),
            }
            for window in windows
        ],
        "notes": [
            {"start": step, "pitch": pitch, "nats": round(nats, 2), "better": better, "doubtful": nats >= DOUBTFUL_NATS}
            for (step, pitch), (nats, better) in sorted(worst.items())
        ],
    }


def midi_file(request: FileRequest) -> bytes:
    """One MIDI file of the melodies in a row, each in its own tempo.

    Raises:
        RequestError: if the melodies lie on different grids.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tunes.mid"
        try:
            if len(request.melodies) == 1:
                request.melodies[0].write(path)
            else:
                write_in_a_row(request.melodies, path)
        except ValueError as error:
            raise RequestError(str(error)) from error
        return path.read_bytes()


def zip_file(request: ZipRequest) -> bytes:
    """A zip of one MIDI file a melody and, of several, ``all.mid`` with them in a row."""
    if len(request.names) != len(request.melodies):
        raise RequestError(f"{len(request.melodies)} melodies and {len(request.names)} names; there must be as many")
    buffer = BytesIO()
    taken: set[str] = set()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for melody, name in zip(request.melodies, request.names, strict=True):
            archive.writestr(f"{_free_name(name, taken)}.mid", midi_file(FileRequest((melody,))))
        if len(request.melodies) > 1:
            archive.writestr(f"{_free_name('all', taken)}.mid", midi_file(FileRequest(request.melodies)))
    return buffer.getvalue()


VERBS: dict[str, tuple[type[Any], Callable[[Any, Any], dict[str, Any]]]] = {
    "walk": (WalkRequest, walk),
    "pad": (PadRequest, pad),
    "morph": (MorphRequest, morph),
    "vary": (VaryRequest, vary),
    "complete": (CompleteRequest, complete),
    "sample": (SampleRequest, sample),
    "score": (ScoreRequest, score),
}


def size_of(verb: str, request: Any) -> tuple[Any, ...]:
    """What the number of model calls of a request depends on: a key for progress."""
    melody = getattr(request, "melody", None) or getattr(request, "a", None)
    sizes = [getattr(request, name, None) for name in ("count", "size", "candidates", "ends", "hidden_bars")]
    return verb, melody.length_steps if melody else None, *sizes


def safe_name(name: str) -> str:
    """A name that every system takes for a file: letters, digits, dashes, underscores and spaces, at most 60."""
    kept = "".join(letter if letter.isalnum() or letter in "-_ " else "-" for letter in shown_name(name))
    return kept.strip(" -")[:60] or "tune"


def _free_name(name: str, taken: set[str]) -> str:
    stem = candidate = safe_name(name)
    number = 2
    while candidate.lower() in taken:
        candidate, number = f"{stem}-{number}", number + 1
    taken.add(candidate.lower())
    return candidate


def _window(model: Any, melody: Melody) -> Melody:
    """The first window of a melody, in the model's range."""
    _check_grid(model, melody)
    return _folded(model, melody.window(0, model.config.bars))


def _folded(model: Any, melody: Melody) -> Melody:
    return melody.fold_into(model.config.lowest_pitch, model.config.highest_pitch)


def _check_grid(model: Any, *melodies: Melody) -> None:
    config: MelodyConfig = model.config
    for melody in melodies:
        if (melody.steps_per_quarter, melody.meter) != (config.steps_per_quarter, tuple(config.meter)):
            raise RequestError(
                f"a melody has {melody.steps_per_quarter} steps per quarter in {melody.meter[0]}/{melody.meter[1]}; "
                f"the model takes {config.steps_per_quarter} in {config.meter[0]}/{config.meter[1]}"
            )
        if melody.bars > MAX_WINDOWS * config.bars:
            raise RequestError(f"a melody has {melody.bars} bars; at most {MAX_WINDOWS * config.bars} are taken")


def _key_of(sounding: Sequence[float] | None, melody: Melody) -> Key | None:
    if sounding is None:
        return key_of(melody)
    if not any(sounding):
        return None
    classes = np.flatnonzero(np.maximum(sounding, 0))
    return find_key(classes, np.array(sounding)[classes])


def _generator(model: Any, seed: int) -> torch.Generator:
    return torch.Generator(model.device).manual_seed(seed)

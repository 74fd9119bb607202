"""Requests -> what the page shows, by the verbs of :class:`~melodyvae.vae.MelodyVAE`; plain values, ready for JSON.

Every function here takes the model, whose calls are counted (see :class:`melodyvae.studio.engine.Watched`), a checked
request, and the sources of its tunes. What a verb decides, measures and draws is the verb's, so that the shell command
of a request gives what the page shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from data_prep.melodies.arrangement import write_in_a_row
from data_prep.melody import Melody
from data_prep.reading.notes import Part
from melodyvae.config import MelodyConfig
from melodyvae.generation.attribute_vectors import AttributeVectors, AttributeVectorsError
from melodyvae.generation.attributes import ATTRIBUTES, UNITS
from melodyvae.generation.meters import (
    COMPOSED_BARS,
    COMPOSING_MODEL,
    DUPLE_MODEL,
    ModelChoice,
    choose_model,
    model_for,
)
from melodyvae.generation.morph import wanted_amounts
from melodyvae.generation.results import Result
from melodyvae.generation.scales import SCALES, parse_choice, parse_key, parse_tempo
from melodyvae.generation.scoring import NoteScore
from melodyvae.generation.sources import MelodySource, pick_window, sounding_bars
from melodyvae.studio.reading import Piece, shown_name
from melodyvae.studio.requests import (
    CompleteRequest,
    ContinueRequest,
    FileRequest,
    MorphRequest,
    PadRequest,
    ReconstructRequest,
    RequestError,
    SampleRequest,
    ScoreRequest,
    TuneSource,
    VaryRequest,
    WalkRequest,
    ZipRequest,
    melody_to_json,
    part_to_json,
)
from melodyvae.vae import MelodyVAE

MAX_OVERVIEW_NOTES = 4096


@dataclass(frozen=True)
class Source:
    """A tune of a request as the verbs take it: a piece or a melody, and the first bar that is taken of it, from 1."""

    source: MelodySource
    first_bar: int | None


def tunes_of(request: Any) -> list[TuneSource]:
    """The tunes that a request is about, in their order."""
    found: list[TuneSource] = []
    for entry in fields(request):
        value = getattr(request, entry.name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Melody):
                found.append(TuneSource(one))
            elif isinstance(one, TuneSource):
                found.append(one)
    return found


def choose(request: Any, meters: Sequence[tuple[int, int]], names: Sequence[str]) -> ModelChoice:
    """The shipped model for a request about tunes in these meters, and what to say about it; as the commands choose."""
    if isinstance(request, ContinueRequest):
        return ModelChoice(COMPOSING_MODEL, ())
    if isinstance(request, SampleRequest):
        composes = (request.bars, request.key, request.density) != (None, None, None)
        meter = request.meter[0], request.meter[-1]
        return ModelChoice(COMPOSING_MODEL if composes else model_for(meter, COMPOSING_MODEL), ())
    labels = "ABCD"[: len(meters)] if 1 < len(meters) <= 4 else names
    return choose_model(meters, labels, COMPOSING_MODEL if isinstance(request, CompleteRequest) else DUPLE_MODEL)


def check_words(request: Any) -> None:
    """Refuse a key, tempo or scale that is none, before a job waits for the model.

    Raises:
        RequestError: with the sentence of the commands.
    """
    try:
        for name, check in (("scale", parse_choice), ("key", parse_key), ("tempo", parse_tempo)):
            word = getattr(request, name, None)
            if isinstance(word, str) and not (name == "key" and isinstance(request, SampleRequest)):
                check(word)
    except ValueError as error:
        raise RequestError(str(error)) from error


def describe(model: Any, name: str, chooses: bool) -> dict[str, Any]:
    """What the page must know of the model; ``chooses`` is whether others take its place by meter and purpose."""
    config: MelodyConfig = model.config
    try:
        AttributeVectors.from_extras(model.extras, model.device, config.latent_size)
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
        "lowest_pitch": config.lowest_pitch,
        "highest_pitch": config.highest_pitch,
        "attributes": attributes,
        "scales": list(SCALES),
    }


def show_piece(
    config: MelodyConfig, piece: Piece, name: str, first_bar: int | None, bars: int | None, choice: ModelChoice
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
        "model": choice.name,
        "model_note": "; ".join(choice.sentences),
        "track": found.part_index + 1,
        "tracks": list(piece.tracks),
        "description": found.description,
        "why": piece.why,
        "note": window.note,
        "reason": window.reason,
        "first_bar": window.first_bar,
        "last_bar": window.last_bar,
        "bars": len(found.layout.bar_starts),
        "grid_bar": window.grid_bar,
        "grid_bars": found.melody.bars,
        "bar_of_grid": [found.layout.piece_bar(bar) for bar in range(min(found.melody.bars, MAX_OVERVIEW_NOTES))],
        "steps_per_bar": found.melody.steps_per_bar,
        "overview": [list(note[:3]) for note in found.melody.notes[:MAX_OVERVIEW_NOTES]],
    }


def walk(model: Any, request: WalkRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """The tunes from A to B, what plays with each, and what was decided on the way."""
    a, b = tunes
    found = MelodyVAE(model).interpolate(
        a.source,
        b.source,
        request.count,
        first_bar=(a.first_bar, b.first_bar),
        bars=request.bars,
        ends=request.ends,
        spacing=request.spacing,
        key=request.key,
        tempo=request.tempo,
        scale=request.scale,
        keep_accompaniment=request.keep_accompaniment,
        temperature=request.temperature,
        seed=request.seed,
    )
    backings = found.backings
    return _told(found) | {
        "backings": None if backings is None else [[part_to_json(part) for part in parts] for parts in backings],
        "steps_right": list(found.steps_right),
        "steps": found.melodies[0].length_steps,
        "distances": [round(distance, 4) for distance in found.distances],
        "distinct": found.distinct,
    }


def pad(model: Any, request: PadRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """A square of tunes, row by row, each as ``[start, end, pitch]``; decoded in one batch.

    ``frame`` is a melody without its notes; in all fields it is that of every tune, but for the tempo.
    """
    found = MelodyVAE(model).grid(
        [tune.source for tune in tunes],
        request.size,
        first_bar=tuple(tune.first_bar for tune in tunes),
        key=request.key,
        tempo=request.tempo,
        scale=request.scale,
    )
    return {
        "size": request.size,
        "cells": [[list(note[:3]) for note in melody.notes] for melody in found.melodies],
        "tempi": [round(melody.quarters_per_minute, 2) for melody in found.melodies],
        "frame": melody_to_json(replace(found.melodies[0], notes=(), name="")),
        "decisions": list(found.decisions),
        "distinct": found.distinct,
    }


def morph(model: Any, request: MorphRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """The tune with its character moved, and what it measures before and after."""
    (tune,) = tunes
    amounts = dict(request.amounts)
    wanted_amounts(amounts)  # raises if there is no such attribute
    moved: dict[str, Any] = {name.replace("-", "_"): amount for name, amount in amounts.items()}
    found = MelodyVAE(model).morph(
        tune.source,
        request.count,
        first_bar=tune.first_bar,
        scale=request.scale,
        candidates=request.candidates,
        temperature=request.temperature,
        seed=request.seed,
        **moved,
    )
    measured = {
        name: {"before": round(before, 3), "after": round(after, 3), "asked": asked and round(asked, 3)}
        for name, (_, before, after, asked) in found.measures.items()
    }
    return _told(found) | {"measured": measured}


def vary(model: Any, request: VaryRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """Tunes near a tune, and on how many steps each differs from it."""
    (tune,) = tunes
    found = MelodyVAE(model).vary(
        tune.source,
        request.count,
        amount=request.amount,
        first_bar=tune.first_bar,
        scale=request.scale,
        temperature=request.temperature,
        seed=request.seed,
    )
    return _told(found) | {
        "changed": list(found.steps_changed),
        "steps": found.original.length_steps,
        "near_copies": found.near_copies,
    }


def reconstruct(model: Any, request: ReconstructRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """The tune as the model remembers it, and on how many steps it is right."""
    found = MelodyVAE(model).reconstruct(tunes[0].source)
    return _melodies(found.melodies) | {
        "steps_right": found.steps_right[0],
        "steps": found.originals[0].length_steps,
    }


def complete(model: Any, request: CompleteRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """The tune with its hidden bars filled in."""
    hide, extend = hidden_of(request)
    found = MelodyVAE(model).complete(
        tunes[0].source,
        request.count,
        hide=hide,
        extend=extend,
        temperature=request.temperature,
        seed=request.seed,
    )
    return _told(found)


def hidden_of(request: CompleteRequest) -> tuple[list[int], int]:
    """Which bars, from 1, are hidden, and how many are added after the last one with a note."""
    last = sounding_bars(request.melody)[1]
    beyond = [bar - last for bar in request.hidden_bars if bar > last]
    return [bar for bar in request.hidden_bars if bar <= last], max(beyond, default=0)


def go_on(model: Any, request: ContinueRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """The tune and bars more, by the model that composes."""
    found = MelodyVAE(model).go_on(
        tunes[0].source, request.count, bars=request.bars, temperature=request.temperature, seed=request.seed
    )
    return _told(found)


def sample(model: Any, request: SampleRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """New tunes."""
    found = MelodyVAE(model).sample(
        request.count,
        bars=request.bars or (COMPOSED_BARS if model.config.look_back else None),
        key=request.key,
        density=request.density,
        scale=request.scale,
        tempo=request.tempo,
        temperature=request.temperature,
        seed=request.seed,
    )
    return _told(found)


def score(model: Any, request: ScoreRequest, tunes: Sequence[Source]) -> dict[str, Any]:
    """How unusual the tune's windows are, and its doubtful notes: each once, as doubtful as in its worst window."""
    worst: dict[tuple[int, int], NoteScore] = {}
    composer = None if model.config.look_back else model.another(COMPOSING_MODEL)
    windows = MelodyVAE(model, composer=composer).score(tunes[0].source).windows
    for window in windows:
        for note in window.notes:
            place = (window.first_bar - 1) * request.melody.steps_per_bar + note.note.start_step, note.note.pitch
            if place not in worst or note.nats > worst[place].nats:
                worst[place] = note
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


def _told(found: Result) -> dict[str, Any]:
    """The melodies of a result, and what was decided on the way."""
    return _melodies(found.melodies) | {"decisions": list(found.decisions)}


def _melodies(melodies: Sequence[Melody]) -> dict[str, Any]:
    return {"melodies": [melody_to_json(melody) for melody in melodies]}


def midi_file(request: FileRequest) -> bytes:
    """One MIDI file of the melodies in a row, each in its own tempo.

    Raises:
        RequestError: if the melodies lie on different grids.
    """
    if request.backings is not None and len(request.backings) != len(request.melodies):
        raise RequestError(f"{len(request.melodies)} melodies and {len(request.backings)} backings; give one for each")
    backings = request.backings if request.backings and any(request.backings) else None
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tunes.mid"
        try:
            if len(request.melodies) == 1 and backings is None:
                request.melodies[0].write(path)
            else:
                write_in_a_row(request.melodies, path, backings)
        except ValueError as error:
            raise RequestError(str(error)) from error
        return path.read_bytes()


def zip_file(request: ZipRequest) -> bytes:
    """A zip of one MIDI file a melody and, of several, ``all.mid`` with them in a row."""
    if len(request.names) != len(request.melodies):
        raise RequestError(f"{len(request.melodies)} melodies and {len(request.names)} names; there must be as many")
    buffer = BytesIO()
    taken: set[str] = set()
    backings: tuple[tuple[Part, ...], ...] = request.backings or ((),) * len(request.melodies)
    if len(backings) != len(request.melodies):
        raise RequestError(f"{len(request.melodies)} melodies and {len(backings)} backings; give one for each")
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for melody, name, backing in zip(request.melodies, request.names, backings, strict=True):
            archive.writestr(f"{_free_name(name, taken)}.mid", midi_file(FileRequest((melody,), (backing,))))
        meters = {(melody.meter, melody.steps_per_quarter) for melody in request.melodies}
        if len(request.melodies) > 1 and len(meters) == 1:  # a melody has one meter
            archive.writestr(f"{_free_name('all', taken)}.mid", midi_file(FileRequest(request.melodies, backings)))
    return buffer.getvalue()


VERBS: dict[str, tuple[type[Any], Callable[[Any, Any, Sequence[Source]], dict[str, Any]]]] = {
    "walk": (WalkRequest, walk),
    "pad": (PadRequest, pad),
    "morph": (MorphRequest, morph),
    "vary": (VaryRequest, vary),
    "reconstruct": (ReconstructRequest, reconstruct),
    "complete": (CompleteRequest, complete),
    "continue": (ContinueRequest, go_on),
    "sample": (SampleRequest, sample),
    "score": (ScoreRequest, score),
}


def size_of(verb: str, request: Any) -> tuple[Any, ...]:
    """What the number of model calls of a request depends on: a key for progress."""
    lengths = [tune.melody.length_steps if tune.melody else None for tune in tunes_of(request)]
    names = ("count", "size", "candidates", "ends", "spacing", "hidden_bars", "bars")
    return verb, *lengths, *(getattr(request, name, None) for name in names)


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

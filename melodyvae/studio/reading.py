"""Uploaded bytes -> pieces, in a process of its own with bounds on time and memory.

Whatever a file says, reading it and laying it out happen in a limited process (:mod:`melodyvae.system.limits`), so that
a hostile file costs its sender an error and nobody else anything. The name of an upload is what sentences call it, and
never part of a path.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from melodyvae.music.notes import Song
from melodyvae.music.regions import ReadMelody
from melodyvae.music.tokens import folded
from melodyvae.music.voice import WEIGHTS, MelodyError, score_parts
from melodyvae.reading.melodies import read_melody
from melodyvae.reading.midi import MidiError
from melodyvae.reading.score import SCORE_SUFFIXES
from melodyvae.studio.limits import StudioLimits
from melodyvae.system.limits import LimitedProcess, Limits, Lost

MAX_TRACKS_TOLD = 64
MAX_NAME = 120  # characters
MIN_TOLD_SHARE = 0.1  # of the score, for a term to be told as a reason
TERMS_TOLD = 3
REASONS = {
    "name": "its name",
    "monophony": "one note at a time",
    "height": "a high register",
    "coverage": "it plays most of the time",
    "entry": "it comes in after the others",
    "pauses": "it pauses as a singer does",
    "rate": "a singable pace",
    "range": "a singable range",
    "steps": "small steps",
    "rhythm": "a varied rhythm",
    "novelty": "it seldom repeats itself",
    "independence": "a rhythm of its own",
    "lyrics": "it has the rhythm of the lyrics",
}


class ReadingError(ValueError):
    """A file from which no melody could be taken; the sentence is for its sender."""


@dataclass(frozen=True)
class Upload:
    """A file as it came, and how to read it.

    Attributes:
        data: its bytes.
        name: what its sender calls it.
        track: ``auto``, a track's number (from 1) or its name.
        meter: of bars to be laid over it; None keeps its own.
        steps_per_quarter: the grid.
        with_song: whether the notes of the other tracks are wanted, too.
    """

    data: bytes
    name: str
    track: str
    meter: tuple[int, int] | None
    steps_per_quarter: int
    with_song: bool = False


@dataclass(frozen=True)
class Piece:
    """A piece read from an upload.

    Attributes:
        found: the melody; without the song, unless that was wanted.
        tracks: one entry a track with notes, as the page shows them.
        why: the reasons for the track that was taken; empty if it is not the likeliest.
    """

    found: ReadMelody
    tracks: tuple[dict[str, Any], ...]
    why: str

    @property
    def notes(self) -> int:
        """Number of notes it holds."""
        return len(self.found.melody) + sum(map(len, self.found.song.parts if self.found.song else ()))


class Reader:
    """One process that reads uploads, one at a time."""

    def __init__(self, limits: StudioLimits) -> None:
        bounds = Limits(limits.read_seconds, limits.read_memory_bytes)
        self._process: LimitedProcess[Upload, Piece | str] = LimitedProcess(read_upload, bounds)
        self._turn = threading.Lock()

    def start(self) -> None:
        """Start the process, so that the first upload need not wait for its imports."""
        with self._turn:
            self._process.start()

    def read(self, upload: Upload) -> Piece:
        """The piece in an upload; waits for those before it.

        Raises:
            ReadingError: if it cannot be read, or takes more than the limits.
        """
        with self._turn:
            (outcome,) = self._process([upload])
        if isinstance(outcome, Piece):
            return outcome
        if isinstance(outcome, Lost):
            detail = "the program that reads it ended; export it again, or as MIDI"
            if outcome.reason in ("too_slow", "too_much_memory"):  # of a crash the detail is an exception's name
                detail = f"{outcome.detail}; split it, or export it as MIDI"
            raise ReadingError(f"{shown_name(upload.name)} could not be read: {detail}")
        raise ReadingError(outcome)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with self._turn:
            self._process.close()


def read_upload(upload: Upload) -> Piece | str:
    """The piece in an upload, or the sentence that says why there is none."""
    name = shown_name(upload.name)
    suffix = Path(upload.name.replace("\\", "/")).suffix.lower()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{suffix if suffix in SCORE_SUFFIXES else '.mid'}"
        path.write_bytes(upload.data)
        try:
            found = read_melody(path, upload.track, upload.meter, upload.steps_per_quarter)
        except (MidiError, MelodyError) as error:
            return str(error).replace(str(path), name)
    found = replace(found, melody=folded(found.melody))
    song = found.song
    if song is None:
        return Piece(found, (), "")
    tracks, why = _tracks(song, found.part_index)
    return Piece(found if upload.with_song else replace(found, song=None), tracks, why)


def shown_name(name: str) -> str:
    """A file's name without its folders and control characters, for sentences."""
    plain = "".join(letter for letter in name.replace("\\", "/").rsplit("/", 1)[-1] if letter.isprintable())
    return plain[:MAX_NAME] or "the file"


def _tracks(song: Song, chosen: int) -> tuple[tuple[dict[str, Any], ...], str]:
    """Data of each track for the page, and the reasons for the chosen melody."""
    scores = {score.index: score for score in score_parts(song)}
    told = tuple(
        {
            "number": index + 1,
            "name": part.name[:MAX_NAME] or ("drums" if part.is_drum else ""),
            "program": part.program,
            "drums": part.is_drum,
            "notes": len(part),
            "lowest": int(part.pitches.min()),
            "highest": int(part.pitches.max()),
            "score": round(scores[index].total, 2) if index in scores else None,
        }
        for index, part in enumerate(song.parts[:MAX_TRACKS_TOLD])
    )
    if len(scores) < 2 or chosen != next(iter(scores)):
        return told, ""
    others = [score for index, score in scores.items() if index != chosen]
    ahead = {
        term: WEIGHTS.get(term, 1.0) * (value - max(other.terms.get(term, 0.0) for other in others))
        for term, value in scores[chosen].terms.items()
    }
    best = sorted(((gain, term) for term, gain in ahead.items() if gain > MIN_TOLD_SHARE), reverse=True)[:TERMS_TOLD]
    reasons = ", ".join(REASONS.get(term, term) for _, term in best)
    return told, reasons and f"the likeliest melody of {len(scores)} tracks: {reasons}"

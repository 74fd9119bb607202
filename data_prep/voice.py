"""Which part of a piece is its melody, and which notes of a part are its one voice.

Contents: :class:`PartScore`, :func:`score_parts`, :func:`choose_part`, :func:`one_voice`, and what is raised when there
is no melody: :class:`MelodyError` and its kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from data_prep.notes import Part, Song

AUTO = "auto"
MELODY_NAMES = re.compile(
    r"melod|vocal|voice|voix|gesang|stimme|\bsing|song|lead|solo|sopran|cantus|canto|tune|theme|right hand|\brh\b", re.I
)
ACCOMPANIMENT_NAMES = re.compile(
    r"bass|basso|accomp|begleit|chord|pad|rhythm|drum|perc|left hand|\blh\b|harmony|arp|pedal|continuo|organ", re.I
)
WEIGHTS = {
    "name": 2.0,
    "monophony": 2.0,
    "height": 1.5,
    "coverage": 1.0,
    "rate": 0.5,
    "range": 0.5,
}


class MelodyError(ValueError):
    """A piece from which no melody can be taken; each kind has a ``reason`` for ledgers to count."""

    reason = "no_melody"


class NoNotesError(MelodyError):
    """There is no note at all."""

    reason = "no_notes"


class DrumsOnlyError(MelodyError):
    """There are notes, but only of drums."""

    reason = "drums"


class NoSuchTrackError(MelodyError):
    """A track was asked for that the piece does not have."""

    reason = "no_such_track"


@dataclass(frozen=True)
class PartScore:
    """How much a part looks like the melody.

    Attributes:
        index: its place in ``Song.parts``.
        terms: each between -1 and 1, by name; see :func:`score_parts`.
    """

    index: int
    terms: dict[str, float]

    @property
    def total(self) -> float:
        """The weighted sum of the terms."""
        return sum(WEIGHTS[name] * value for name, value in self.terms.items())


def score_parts(song: Song) -> list[PartScore]:
    """A score for each part but the drums, the likeliest melody first; of equals the earlier part comes first.

    - ``name``: 1 for a name such as "melody", "vocal" or "lead", -1 for one such as "bass" or "chords".
    - ``monophony``: the share of notes that begin while no other sounds.
    - ``height``: 0 at or below C3 and 1 at or above C5, by the mean pitch, so that a bass is no tune.
    - ``coverage``: the share of the piece's four-quarter stretches in which a note begins.
    - ``rate``: 1 between half a note and four notes a quarter while it plays, less beyond.
    - ``range``: 1 for five semitones to two octaves, less beyond.
    """
    scores = [
        PartScore(index, _terms(part, song.end_quarters))
        for index, part in enumerate(song.parts)
        if not part.is_drum and len(part)
    ]
    return sorted(scores, key=lambda score: (-score.total, score.index))


def choose_part(song: Song, track: str = AUTO) -> int:
    """The index in ``song.parts`` of the melody, or of the track that is asked for by number (from 1) or by name.

    Raises:
        NoNotesError, DrumsOnlyError: if there is nothing to choose from.
        NoSuchTrackError: if there is no such track; the message lists what there is.
    """
    if not song.parts:
        raise NoNotesError("there is no note in it")
    if track == AUTO:
        scores = score_parts(song)
        if not scores:
            raise DrumsOnlyError("all its notes are drums; a melody needs a pitched track")
        return scores[0].index
    if track.isdecimal() and 1 <= int(track) <= len(song.parts):
        return int(track) - 1
    for index, part in enumerate(song.parts):
        if part.name.casefold() == track.casefold():
            return index
    there = ", ".join(f"{index} {part.name!r}" for index, part in enumerate(song.parts, start=1))
    raise NoSuchTrackError(f"there is no track {track!r}; the tracks are: {there}")


def one_voice(notes: Iterable[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """The melody line among ``(start_step, end_step, pitch, velocity)``: in order, without overlap.

    Of notes that begin together the highest stays. A note that begins while a lower one sounds cuts that one short. A
    note that begins while a higher one sounds is left out, unless less than half of it is covered: then the higher one
    was only held a little long, and is cut short.
    """
    line: list[tuple[int, int, int, int]] = []
    for start, end, pitch, velocity in sorted(notes, key=lambda note: (note[0], -note[2], -note[1])):
        if line and start < line[-1][1]:
            before_start, before_end, before_pitch, before_velocity = line[-1]
            covered = before_end - start
            if start == before_start or (pitch <= before_pitch and 2 * covered >= end - start):
                continue
            line[-1] = (before_start, start, before_pitch, before_velocity)
        line.append((start, end, pitch, velocity))
    return line


def _terms(part: Part, song_quarters: float) -> dict[str, float]:
    sounding_until = np.maximum.accumulate(part.ends)
    tolerance = 0.1 * (part.ends - part.starts)[1:]
    alone = np.concatenate([[True], part.starts[1:] >= sounding_until[:-1] - tolerance])
    stretches = max(int(np.ceil(song_quarters / 4)), 1)
    played = len(np.unique((part.starts // 4).astype(np.int64)))
    rate = len(part) / (4 * played)
    spread = int(part.pitches.max() - part.pitches.min())
    has_melody_name = bool(MELODY_NAMES.search(part.name))
    has_other_name = bool(ACCOMPANIMENT_NAMES.search(part.name))
    return {
        "name": float(has_melody_name) - float(has_other_name),
        "monophony": float(alone.mean()),
        "height": float(np.clip((part.pitches.mean() - 48) / 24, 0, 1)),
        "coverage": min(played / stretches, 1.0),
        "rate": float(min(1.0, rate / 0.5, 4.0 / rate)),
        "range": float(min(1.0, spread / 5, 24 / max(spread, 1))),
    }

"""Melodies in a row, each in its own tempo, alone or over the other tracks of a piece -> one MIDI file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from melodyvae.music.arrangement import LEAD_NAME
from melodyvae.music.feel import Feel
from melodyvae.music.frame import Frame
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody
from melodyvae.music.notes import (
    DEFAULT_QUARTERS_PER_MINUTE,
    TIME_RESOLUTION,
    Event,
    KeySignature,
    Meter,
    Part,
    Song,
    Tempo,
)
from melodyvae.writing.midi import write_midi
from melodyvae.writing.sheet import Roll


def write_in_a_row(rolls: Sequence[Roll], path: str | Path, markers: Sequence[str] = (), text: str = "") -> None:
    """Write a MIDI file of melodies one after the other, each in its own tempo, whole or not at all.

    The file ends on the bar line. Tracks of one name and program that play with the melodies become one. A melody with
    a frame alone lies over its piece, with silence before it; of several in a row, each begins at once.

    Args:
        rolls: at least one; the first one's name, or ``melody`` where it has none or there is a backing, names the
            track.
        path: the file.
        markers: the text of a marker where each melody begins; none by default.
        text: what stands at the file's beginning, such as what made it.

    Raises:
        ValueError: as :meth:`Melody.join`, or if a meter does not fit into MIDI.
        OSError: if the place cannot be written to.
    """
    first = Melody.join([roll.melody for roll in rolls])
    has_backing = any(roll.backing is not None for roll in rolls)
    name = LEAD_NAME if has_backing else first.name or LEAD_NAME
    pieces = []
    for roll in rolls:
        melody, frame = roll.melody, roll.frame
        lead = _lead(replace(melody, name=name, program=first.program), roll.feel)
        if not has_backing:  # alone it is for its user to mix
            lead = replace(lead, volume=None)
        piece = _piece(melody, lead, roll.backing or (), roll.key, frame)
        pieces.append(_from(piece, frame.start_quarters) if frame and len(rolls) > 1 else piece)
    starts = np.cumsum([0.0, *(piece.end_quarters for piece in pieces)]).tolist()
    write_midi(_joined(pieces, starts), path, [*zip(starts, markers, strict=False)], text)


def _lead(melody: Melody, feel: Feel | None) -> Part:
    """The notes of a melody as they are played, times from its first bar."""
    (lead,) = melody.to_song().parts
    if feel is None:
        return lead
    played = feel.play(melody)
    return replace(
        lead,
        starts=np.array([note.start_quarters for note in played], np.float64),
        ends=np.array([note.end_quarters for note in played], np.float64),
        velocities=np.array([note.velocity for note in played], np.int64),
        volume=feel.volume,
    )


def _piece(melody: Melody, lead: Part, backing: Sequence[Part], key: Key | None, frame: Frame | None) -> Song:
    """A melody and what plays with it, over the piece that it is from if there is a frame."""
    if frame is None:
        piece = replace(melody.to_song(), parts=(lead, *backing))
    else:
        lead = replace(frame.place(lead, melody.line), program_changes=frame.program_changes)
        piece = replace(frame.outline, parts=(lead, *(frame.place(part) for part in backing)))
    if key is not None and not piece.key_signatures:
        piece = replace(piece, key_signatures=(KeySignature(0.0, key.fifths, key.is_minor),))
    return piece


def _from(piece: Song, start: float) -> Song:
    """A piece from a time on, counted from there; no note begins before it."""
    if not start:
        return piece
    return replace(
        piece,
        parts=tuple(part.shifted(-start) for part in piece.parts),
        tempi=_in_force(piece.tempi, start),
        meters=_in_force(piece.meters, start),
        key_signatures=_in_force(piece.key_signatures, start),
        end_quarters=piece.end_quarters - start,
    )


def _in_force(events: Sequence[Event], start: float) -> tuple[Event, ...]:
    """The events from a time on, counted from there, and at its beginning the one that is in force."""
    count = sum(event.start_quarters <= start + TIME_RESOLUTION for event in events)
    return tuple(
        replace(event, start_quarters=max(event.start_quarters - start, 0.0)) for event in events[max(count - 1, 0) :]
    )


def _joined(pieces: Sequence[Song], starts: Sequence[float]) -> Song:
    """Pieces one after the other; parts of one name and program are one."""
    parts: dict[tuple[str, int, bool], Part] = {}
    tempi: list[Tempo] = []
    meters: list[Meter] = []
    keys: list[KeySignature] = []
    for piece, start in zip(pieces, starts, strict=False):
        for number, part in enumerate(piece.parts):
            kind = (part.name, part.program, part.is_drum) if number else ("", -1, False)  # the lead stays apart
            moved = part.shifted(start)
            parts[kind] = _followed(parts[kind], moved, start) if kind in parts else moved
        _go_on(tempi, piece.tempi or (Tempo(0.0, DEFAULT_QUARTERS_PER_MINUTE),), start)
        _go_on(meters, piece.meters or (Meter(0.0, 4, 4),), start)
        _go_on(keys, piece.key_signatures, start)
    return Song(
        parts=tuple(parts.values()),
        tempi=tuple(tempi),
        meters=tuple(meters),
        end_quarters=starts[len(pieces)],
        key_signatures=tuple(keys),
    )


def _go_on(events: list[Event], more: Sequence[Event], start: float) -> None:
    """Add the events of a piece that begins at ``start``, but not a first one that is in force already."""
    moved = [replace(event, start_quarters=event.start_quarters + start) for event in more]
    if moved and events and moved[0] == replace(events[-1], start_quarters=start):
        del moved[0]
    events += moved


def _followed(part: Part, more: Part, start: float) -> Part:
    """A part and then another one, whose program holds from ``start`` on."""
    in_force = part.program_changes[-1][1] if part.program_changes else part.program
    again = ((start, more.program),) if more.program != in_force else ()
    return replace(
        part,
        starts=np.concatenate([part.starts, more.starts]),
        ends=np.concatenate([part.ends, more.ends]),
        pitches=np.concatenate([part.pitches, more.pitches]),
        velocities=np.concatenate([part.velocities, more.velocities]),
        program_changes=(*part.program_changes, *again, *more.program_changes),
    )

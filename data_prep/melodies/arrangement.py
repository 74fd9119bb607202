"""Melodies in a row, each in its own tempo, alone or over the other tracks of a piece -> one MIDI file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from data_prep.melodies.feel import Feel
from data_prep.melodies.frame import Frame
from data_prep.melodies.keys import Key
from data_prep.melodies.regions import ReadMelody
from data_prep.melody import Melody
from data_prep.reading.notes import (
    DEFAULT_QUARTERS_PER_MINUTE,
    TIME_RESOLUTION,
    KeySignature,
    Meter,
    Part,
    Song,
    Tempo,
)
from data_prep.writing import write_midi

Value = TypeVar("Value")
Event = TypeVar("Event", Tempo, Meter, KeySignature)

LEAD_NAME = "melody"  # so that the lead is found again among the other tracks
HIGHEST_PITCH = 127
DOUBLING_SHARE = 0.6  # of the melody's notes are in a part that doubles it
DOUBLING_QUARTERS = 0.13  # how far apart two players begin the same note


@dataclass(frozen=True, eq=False)
class Accompaniment:
    """What plays under a melody, and which tracks would play the old melody along with a new one.

    Attributes:
        parts: times are quarters from the first bar's start; what doubles the melody is left out.
        muted: the names of tracks that were left out, since they play the melody too.
        thinned: the names of tracks of which only the notes that double the melody were left out.
    """

    parts: tuple[Part, ...]
    muted: tuple[str, ...] = ()
    thinned: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What plays and what does not, for the user."""
        if not (self.parts or self.muted):
            return ("there are no other tracks in these bars",)
        count = len(self.parts)
        said = ["1 other track plays on" if count == 1 else f"{count} other tracks play on"]
        if self.muted:
            said.append(f"muted, since {_it_doubles(self.muted)} the tune: {', '.join(self.muted)}")
        if self.thinned:
            said.append(f"without its notes of the tune: {', '.join(self.thinned)}")
        return tuple(said)


def accompaniment_of(found: ReadMelody, first_bar: int, bars: int) -> Accompaniment:
    """What :func:`backing_of` gives, without the tracks and notes that double the melody.

    A track doubles it if, over the whole piece, it has three fifths of the melody's notes, in whatever octave. Of a
    track most of whose notes are others, only the doubling ones are left out.
    """
    if found.song is None:
        return Accompaniment(())
    parts, muted, thinned = [], [], []
    lead = found.song.parts[found.part_index]
    for index, part in enumerate(found.song.parts):
        if index == found.part_index:
            continue
        name = part.name or f"track {index + 1}"
        doubles = _doubles(lead, part)
        if doubles.any():
            if doubles.mean() >= DOUBLING_SHARE:
                muted.append(name)
                continue
            thinned.append(name)
            part = _notes_of(part, ~doubles)
        cut = _in_bars(part, found, first_bar, bars)
        if cut is not None:
            parts.append(cut)
    return Accompaniment(tuple(parts), tuple(muted), tuple(thinned))


def backing_of(found: ReadMelody, first_bar: int, bars: int) -> tuple[Part, ...]:
    """All parts of a piece but the melody's, over some bars of it.

    Notes keep their timing off the grid; those that sound across the borders of the bars are cut there.

    Args:
        found: the piece, as it was read from a file.
        first_bar: of the melody's bars, from 0.
        bars: how many.

    Returns:
        Parts whose times are quarters from the first bar's start; parts without notes there are left out.
    """
    if found.song is None:
        return ()
    others = [part for index, part in enumerate(found.song.parts) if index != found.part_index]
    cut = [_in_bars(part, found, first_bar, bars) for part in others]
    return tuple(part for part in cut if part is not None)


def _in_bars(part: Part, found: ReadMelody, first_bar: int, bars: int) -> Part | None:
    """The notes of a part in some bars, times from their start; None if there are none."""
    layout = found.layout
    start = first_bar * layout.steps_per_bar / layout.steps_per_quarter
    length = bars * layout.steps_per_bar / layout.steps_per_quarter
    changes = layout.place(np.array([at for at, _ in part.program_changes])).tolist()
    placed = replace(
        part,
        starts=layout.place(part.starts),
        ends=layout.place(part.ends, is_end=True),
        program_changes=tuple(zip(changes, [program for _, program in part.program_changes], strict=True)),
    )
    cut = _shifted(placed, -start)
    inside = (cut.starts < length) & (cut.ends > 0)
    if not inside.any():
        return None
    cut = replace(
        cut,
        starts=np.maximum(cut.starts, 0),
        ends=np.minimum(cut.ends, length),
        program_changes=tuple(change for change in cut.program_changes if change[0] < length),
    )
    return _notes_of(cut, inside)


def _notes_of(part: Part, chosen: np.ndarray) -> Part:
    return replace(
        part,
        starts=part.starts[chosen],
        ends=part.ends[chosen],
        pitches=part.pitches[chosen],
        velocities=part.velocities[chosen],
    )


def _doubles(lead: Part, part: Part) -> np.ndarray:
    """Which notes of a part are also the lead's, ``(N,)``; none of one that has less than three fifths of them."""
    none = np.zeros(len(part), bool)
    if part.is_drum or not len(part) or not len(lead):
        return none
    melody = np.stack([lead.starts, lead.pitches % 12])
    order = np.argsort(part.starts, kind="stable")
    is_double, is_doubled = none.copy(), np.zeros(len(lead), bool)
    starts = part.starts[order]
    firsts = np.searchsorted(starts, melody[0] - DOUBLING_QUARTERS, "left")
    lasts = np.searchsorted(starts, melody[0] + DOUBLING_QUARTERS, "right")
    for index, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        near = order[first:last]
        same = near[part.pitches[near] % 12 == melody[1, index]]
        is_double[same] = True
        is_doubled[index] = len(same) > 0
    return is_double if is_doubled.mean() >= DOUBLING_SHARE else none


def _it_doubles(names: Sequence[str]) -> str:
    return "it plays" if len(names) == 1 else "they play"


def transposed(backing: Sequence[Part], semitones: int) -> tuple[Part, ...]:
    """The same in another key: drums as they are, and notes that would leave MIDI's pitches by octaves less."""
    moved = []
    for part in backing:
        pitches = part.pitches + semitones
        octaves = -(np.minimum(pitches, 0) // 12) - np.maximum(pitches - HIGHEST_PITCH + 11, 0) // 12
        moved.append(part if part.is_drum else replace(part, pitches=pitches + 12 * octaves))
    return tuple(moved)


def write_in_a_row(
    melodies: Sequence[Melody],
    path: str | Path,
    backings: Sequence[Sequence[Part]] | None = None,
    markers: Sequence[str] = (),
    feels: Sequence[Feel] = (),
    keys: Sequence[Key | None] = (),
    frames: Sequence[Frame | None] = (),
) -> None:
    """Write a MIDI file of melodies one after the other, each in its own tempo, whole or not at all.

    The file ends on the bar line.

    Args:
        melodies: at least one; the first one's name, or ``melody`` where it has none or there is a backing, names the
            track.
        path: the file.
        backings: what plays with each, as from :func:`backing_of`; tracks of one name and program become one.
        markers: the text of a marker where each melody begins; none by default.
        feels: how each melody is played; by default as it is written, on the grid.
        keys: the key of each melody, for its signature; unknown by default.
        frames: the place of each melody in the piece that it is from; none by default. A melody alone lies over its
            piece, with silence before it; of several in a row, each begins at once.

    Raises:
        ValueError: as :meth:`Melody.join`, or if a meter does not fit into MIDI.
        OSError: if the place cannot be written to.
    """
    first = Melody.join(melodies)
    name = LEAD_NAME if backings else first.name or LEAD_NAME
    pieces = []
    for index, melody in enumerate(melodies):
        lead = _lead(replace(melody, name=name, program=first.program), _at(feels, index))
        if not backings:  # alone it is for its user to mix
            lead = replace(lead, volume=None)
        backing = _at(backings or (), index) or ()
        frame = _at(frames, index)
        piece = _piece(melody, lead, backing, _at(keys, index), frame)
        pieces.append(_from(piece, frame.start_quarters) if frame and len(melodies) > 1 else piece)
    starts = np.cumsum([0.0, *(piece.end_quarters for piece in pieces)]).tolist()
    write_midi(_joined(pieces, starts), path, [*zip(starts, markers, strict=False)])


def _at(values: Sequence[Value], index: int) -> Value | None:
    return values[index] if index < len(values) else None


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
        parts=tuple(_shifted(part, -start) for part in piece.parts),
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
            moved = _shifted(part, start)
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


def _shifted(part: Part, quarters: float) -> Part:
    """A part that begins later; of the changes of its program until 0 the last is the one that it begins with."""
    changes = [(at + quarters, program) for at, program in part.program_changes]
    begun = [program for at, program in changes if at <= TIME_RESOLUTION]
    return replace(
        part,
        program=begun[-1] if begun else part.program,
        starts=part.starts + quarters,
        ends=part.ends + quarters,
        program_changes=tuple(changes[len(begun) :]),
    )

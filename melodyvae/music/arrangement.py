"""Melodies in a row, each in its own tempo, alone or over the other tracks of a piece -> one MIDI file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from melodyvae.music.notes import (
    Part,
)
from melodyvae.music.regions import ReadMelody

LEAD_NAME = "melody"  # so that the lead is found again among the other tracks
HIGHEST_MIDI_PITCH = 127
DOUBLING_SHARE = 0.6  # of the melody's notes are in a part that doubles it
DOUBLING_QUARTERS = 0.13  # how far apart two players begin the same note


@dataclass(frozen=True, eq=False)
class Accompaniment:
    """The parts that play under a melody, without those that double it.

    Attributes:
        parts: the other parts, without what doubles the melody; times in quarters from the first bar's start.
        muted: names of the tracks left out because they double the melody.
        thinned: names of the tracks that lost only the notes that double the melody.
    """

    parts: tuple[Part, ...]
    muted: tuple[str, ...] = ()
    thinned: tuple[str, ...] = ()


def accompaniment_of(piece: ReadMelody, first_bar: int, bars: int) -> Accompaniment:
    """All parts of a piece but the melody's, in some bars of it, without what doubles the melody.

    Bars are the melody's, ``first_bar`` from 0. Notes keep their timing off the grid; those that sound across the
    borders of the bars are cut there. Parts without notes there are left out.

    A track doubles the melody if, over the whole piece, it has three fifths of its notes, in any octave. If most notes
    of the track are others, only the doubling ones are left out.
    """
    if piece.song is None:
        return Accompaniment(())
    parts, muted, thinned = [], [], []
    lead = piece.song.parts[piece.part_index]
    for index, part in enumerate(piece.song.parts):
        if index == piece.part_index:
            continue
        name = part.name or f"track {index + 1}"
        doubles = _doubles(lead, part)
        if doubles.any():
            if doubles.mean() >= DOUBLING_SHARE:
                muted.append(name)
                continue
            thinned.append(name)
            part = _notes_of(part, ~doubles)
        cut = _in_bars(part, piece, first_bar, bars)
        if cut is not None:
            parts.append(cut)
    return Accompaniment(tuple(parts), tuple(muted), tuple(thinned))


def _in_bars(part: Part, piece: ReadMelody, first_bar: int, bars: int) -> Part | None:
    """The notes of a part in some bars, times from their start; None if there are none."""
    layout = piece.layout
    start = first_bar * layout.steps_per_bar / layout.steps_per_quarter
    length = bars * layout.steps_per_bar / layout.steps_per_quarter
    changes = layout.place(np.array([at for at, _ in part.program_changes])).tolist()
    placed = replace(
        part,
        starts=layout.place(part.starts),
        ends=layout.place(part.ends, is_end=True),
        program_changes=tuple(zip(changes, [program for _, program in part.program_changes], strict=True)),
    )
    cut = placed.shifted(-start)
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
    """Mask of a part's notes that are also the lead's, ``(N,)``; all False below three fifths of them."""
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


def transposed(backing: Sequence[Part], semitones: int) -> tuple[Part, ...]:
    """The same in another key: drums as they are, and notes that would leave MIDI's pitches by octaves less."""
    moved = []
    for part in backing:
        pitches = part.pitches + semitones
        octaves = -(np.minimum(pitches, 0) // 12) - np.maximum(pitches - HIGHEST_MIDI_PITCH + 11, 0) // 12
        moved.append(part if part.is_drum else replace(part, pitches=pitches + 12 * octaves))
    return tuple(moved)

"""Written notes and bars -> a piece: ties joined, and the signatures that put the bar lines where they are written.

A bar that is shorter than its signature says (a pickup, or a bar that a repeat cuts) is a short bar, and the signature
begins anew after it; two short bars that make a whole one, as around a repeat, are one bar. A bar that is longer, but
not twice as long, or one without a signature, has the signature of its own length; in one that is longer still, bar
lines were left out, and are filled in. Times are exact fractions of quarter notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np

from melodyvae.music.notes import DEFAULT_VELOCITY, Meter, Part, printable

MIN_QUARTERS_PER_MINUTE, MAX_QUARTERS_PER_MINUTE = 4, 10_000  # MIDI holds none below 3.58


class WrittenNote(NamedTuple):
    """A note head; ``tie`` is start, continue, stop or None."""

    start: Fraction
    length: Fraction
    pitch: int
    tie: str | None = None
    velocity: int = DEFAULT_VELOCITY


class Marks(NamedTuple):
    """Marks of a bar that say in which order bars are played.

    Attributes:
        starts: a repeat starts with this bar.
        ends: a repeat ends after this bar, and is played so many times in all; 0: none ends here.
        endings: the passes in which this bar is played: every bar under a bracket ``1.`` has 1; empty: in all.
        segno, coda: the sign to which a jump leads stands at the beginning of this bar.
        fine, to_coda: after a jump the piece ends, or goes on at the coda, after this bar.
        jump: after this bar, once, ``da capo`` or ``dal segno``.
    """

    starts: bool = False
    ends: int = 0
    endings: frozenset[int] = frozenset()
    segno: bool = False
    coda: bool = False
    fine: bool = False
    to_coda: bool = False
    jump: Literal["", "da capo", "dal segno"] = ""


NO_MARKS = Marks()


class WrittenBar(NamedTuple):
    """A bar between two bar lines; ``signature`` is None for free time."""

    start: Fraction
    length: Fraction
    signature: tuple[int, int] | None
    marks: Marks = NO_MARKS


def part_of(notes: Iterable[WrittenNote], name: str = "", program: int = 0, is_drum: bool = False) -> Part:
    """A part of written notes in the order of their starts; those whose pitch MIDI has not are left out."""
    joined = [note for note in _without_ties(notes) if 0 <= note.pitch <= 127]
    joined.sort(key=lambda note: (float(note.start), note.pitch))
    return Part(
        name=printable(name),
        program=program,
        is_drum=is_drum,
        starts=np.array([float(note.start) for note in joined], np.float64),
        ends=np.array([float(note.start + note.length) for note in joined], np.float64),
        pitches=np.array([note.pitch for note in joined], np.int16),
        velocities=np.array([note.velocity for note in joined], np.int16),
    )


def meters_of(bars: Sequence[WrittenBar]) -> tuple[Meter, ...]:
    """The signatures after which :meth:`~melodyvae.music.notes.Song.bars` has the bar lines of written bars."""
    meters: list[Meter] = []
    anew_from, in_force = Fraction(0), None
    for bar in _with_halves_joined(bars):
        signature = bar.signature
        if signature is None or _quarters(signature) < bar.length < 2 * _quarters(signature):
            signature = _signature_of(bar.length)
        if signature != in_force or (bar.start - anew_from) % _quarters(signature):
            meters.append(Meter(float(bar.start), *signature))
            anew_from, in_force = bar.start, signature
    return tuple(meters)


def count_bars(bars: Iterable[WrittenBar]) -> int:
    """The number of bars, where two halves around a repeat are one."""
    return len(_with_halves_joined(bars))


def _without_ties(notes: Iterable[WrittenNote]) -> list[WrittenNote]:
    """The notes, tied ones of one pitch as one."""
    joined: list[WrittenNote] = []
    tied: dict[int, int] = {}
    for note in notes:
        row = tied.get(note.pitch) if note.tie in ("continue", "stop") else None
        if row is None or joined[row].start + joined[row].length != note.start:
            row = len(joined)
            joined.append(note)
        else:
            joined[row] = joined[row]._replace(length=joined[row].length + note.length)
        if note.tie in ("start", "continue"):
            tied[note.pitch] = row
    return joined


def _with_halves_joined(bars: Iterable[WrittenBar]) -> list[WrittenBar]:
    joined: list[WrittenBar] = []
    for bar in bars:
        if joined and bar.signature is not None and bar.signature == joined[-1].signature:
            together = joined[-1].length + bar.length
            if together == _quarters(bar.signature):
                joined[-1] = joined[-1]._replace(length=together)
                continue
        joined.append(bar)
    return joined


def _quarters(signature: tuple[int, int]) -> Fraction:
    return Fraction(4 * signature[0], signature[1])


def _signature_of(length: Fraction) -> tuple[int, int]:
    """The signature of a bar of so many quarters, over 4 where that is enough."""
    share = length / 4
    factor = 4 // share.denominator if 4 % share.denominator == 0 else 1
    return share.numerator * factor, share.denominator * factor


def transposed_fifths(fifths: int, semitones: int) -> int:
    """The key signature that sounds so many semitones higher, with as few signs as possible."""
    return fifths if semitones % 12 == 0 else (fifths + 7 * semitones + 5) % 12 - 5

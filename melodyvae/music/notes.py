"""A piece as it was read: parts of notes, tempo and meter, and the bar lines that follow from them.

Conventions: times are in quarter notes from the start of the piece; intervals are half-open, [start, end); pitches and
velocities are MIDI's 0..127.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

DEFAULT_QUARTERS_PER_MINUTE = 120.0
MIN_QUARTERS_PER_MINUTE = 60e6 / (2**24 - 1)  # in a MIDI file: 24 bits of microseconds per quarter
OCTAVE = 12  # semitones
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}  # of a letter above C
DRUM_CHANNEL = 9  # from 0; musicians count channels from 1
DEFAULT_VELOCITY = 80
TIME_RESOLUTION = 1e-6  # quarters; far below a tick of any file, far above rounding
MAX_NAME = 200  # characters; a stranger's may have millions


def printable(name: str) -> str:
    """A name in one line, of at most 200 characters, without those that control a terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name[:MAX_NAME]).split())


class Notice(str):
    """A few words for the user on a fault fixed on reading; ledgers count by ``kind``."""

    kind: str

    def __new__(cls, words: str, kind: str) -> Notice:
        """The words, with their kind."""
        notice = super().__new__(cls, words)
        notice.kind = kind
        return notice

    def __reduce__(self) -> tuple[type[Notice], tuple[str, str]]:
        return Notice, (str(self), self.kind)


@dataclass(frozen=True)
class Tempo:
    """A tempo from ``start_quarters`` on."""

    start_quarters: float
    quarters_per_minute: float


def quarters_per_minute_at(tempi: Sequence[Tempo], quarters: float) -> float:
    """The tempo in force at a time, of tempi sorted by time; before the first one 120, by the MIDI standard."""
    quarters_per_minute = DEFAULT_QUARTERS_PER_MINUTE
    for tempo in tempi:
        if tempo.start_quarters > quarters + TIME_RESOLUTION:
            break
        quarters_per_minute = tempo.quarters_per_minute
    return quarters_per_minute


@dataclass(frozen=True)
class Meter:
    """A time signature from ``start_quarters`` on."""

    start_quarters: float
    numerator: int
    denominator: int

    @property
    def bar_quarters(self) -> float:
        """The length of its bars."""
        return 4 * self.numerator / self.denominator


@dataclass(frozen=True)
class KeySignature:
    """A key signature from ``start_quarters`` on: ``fifths`` sharps (above 0) or flats (below 0), -7 to 7."""

    start_quarters: float
    fifths: int
    is_minor: bool = False


Event = TypeVar("Event", Tempo, Meter, KeySignature)


@dataclass(frozen=True)
class Part:
    """One instrument's notes, sorted by start, then pitch; four arrays of one length ``(notes,)``.

    ``volume`` is the setting of its channel, 0..127, when its first note begins; None if the file has none.
    ``program`` holds from the first note on; ``program_changes`` are the later ones: quarters, program.
    """

    name: str
    program: int
    is_drum: bool
    starts: np.ndarray
    ends: np.ndarray
    pitches: np.ndarray
    velocities: np.ndarray
    volume: int | None = None
    program_changes: tuple[tuple[float, int], ...] = ()

    def __len__(self) -> int:
        return len(self.starts)

    def shifted(self, quarters: float) -> Part:
        """The part, later by ``quarters``; the last program change before 0 becomes its first program."""
        changes = [(at + quarters, program) for at, program in self.program_changes]
        begun = [program for at, program in changes if at <= TIME_RESOLUTION]
        return replace(
            self,
            program=begun[-1] if begun else self.program,
            starts=self.starts + quarters,
            ends=self.ends + quarters,
            program_changes=tuple((at, program) for at, program in changes if at > TIME_RESOLUTION),
        )


@dataclass(frozen=True)
class Bar:
    """One bar. ``is_whole`` is False where a new signature cuts it short, and for a pickup."""

    start_quarters: float
    length_quarters: float
    numerator: int
    denominator: int
    is_whole: bool


@dataclass(frozen=True)
class Section:
    """The bars of one signature: ``whole_bars`` from its start on, then one of ``left_over_quarters`` if not 0."""

    meter: Meter
    whole_bars: int
    left_over_quarters: float

    @property
    def bars(self) -> int:
        """Number of bars, including an incomplete one."""
        return self.whole_bars + bool(self.left_over_quarters)

    def each_bar(self) -> Iterator[Bar]:
        """The bars."""
        meter = self.meter
        for number in range(self.bars):
            start = meter.start_quarters + number * meter.bar_quarters
            is_whole = number < self.whole_bars
            length = meter.bar_quarters if is_whole else self.left_over_quarters
            yield Bar(start, length, meter.numerator, meter.denominator, is_whole)


@dataclass(frozen=True)
class Song:
    """A whole piece.

    Attributes:
        parts: in the order of the file's tracks; parts without notes are left out.
        tempi: sorted by time; empty means 120 quarters per minute.
        meters: sorted by time; empty means 4/4 from the start, by the MIDI standard.
        end_quarters: where the last event lies, which may be after the last note.
        notices: the faults fixed on reading, for the user, each in a few words.
        key_signatures: sorted by time; empty if the file has none.
        lyric_quarters: where the syllables of the lyrics stand, sorted by time; empty if the file has none.
    """

    parts: tuple[Part, ...]
    tempi: tuple[Tempo, ...]
    meters: tuple[Meter, ...]
    end_quarters: float
    notices: tuple[str, ...] = ()
    key_signatures: tuple[KeySignature, ...] = ()
    lyric_quarters: tuple[float, ...] = ()

    def quarters_per_minute_at(self, quarters: float) -> float:
        """The tempo in force at a time."""
        return quarters_per_minute_at(self.tempi, quarters)

    def bars(self) -> list[Bar]:
        """All bars, from the first signature (or 0) until nothing is left; the last one is always whole.

        A new signature starts a new bar wherever it stands, and cuts short the bar it falls into. The signature that is
        in force already, repeated on a bar line, changes nothing.
        """
        return [bar for section in self.sections for bar in section.each_bar()]

    @property
    def bars_end_quarters(self) -> float:
        """End of the last bar, taken as whole: ``end_quarters`` or up to a bar later."""
        last = self.sections[-1]
        return last.meter.start_quarters + last.whole_bars * last.meter.bar_quarters

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The same bars, counted: a piece has thousands of bars, and few signatures."""
        meters = [meter for meter in self.meters if meter.bar_quarters > 0]
        if not meters or meters[0].start_quarters > TIME_RESOLUTION:
            meters.insert(0, Meter(0.0, 4, 4))
        sections: list[Section] = []
        for index, meter in enumerate(meters):
            is_last = index == len(meters) - 1
            end = max(self.end_quarters, meter.start_quarters) if is_last else meters[index + 1].start_quarters
            count = (end - meter.start_quarters) / meter.bar_quarters
            if is_last and not sections and self.parts:
                count = max(count, 1.0)  # notes without length have a bar, too
            whole = math.ceil(count - TIME_RESOLUTION) if is_last else math.floor(count + TIME_RESOLUTION)
            left_over = 0.0 if is_last else end - meter.start_quarters - whole * meter.bar_quarters
            sections.append(Section(meter, whole, left_over if left_over > TIME_RESOLUTION else 0.0))
        return tuple(sections)

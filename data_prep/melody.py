"""Notes <-> melody: choose the voice, put it on the step grid, cut it into windows of whole bars.

Conventions: steps are counted from 0 and intervals are half-open; bars are counted from 0 here (and from 1 only where a
user reads them). A quarter note has ``steps_per_quarter`` steps, 4 by default: sixteenth notes.

Contents: :class:`Melody`, :class:`MelodyNote`; :func:`notes_of`, :func:`legato_line`, :func:`fold_line`;
:func:`find_regions`, :class:`Region`; :func:`read_melody`, :class:`ReadMelody`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from data_prep.melodies.layout import Layout, alike, lay_out
from data_prep.melodies.voice import AUTO, MelodyError, choose_part, one_voice, one_voice_line
from data_prep.reading.midi import read_midi, song_from_bytes, write_midi
from data_prep.reading.notes import TIME_RESOLUTION, Bar, Part, Song, Tempo, quarters_per_minute_at
from data_prep.reading.score import is_score, read_first_score

if TYPE_CHECKING:
    import pretty_midi

DEFAULT_VELOCITY = 80
TICKS_PER_QUARTER = 480
ALL_NOTES_OFF = 123  # MIDI controller
OFF_GRID_STEPS = 0.25  # an onset further than this from the nearest step is off the grid
SAID_OFF_GRID_SHARE = 0.1


class MelodyNote(NamedTuple):
    """One note, from ``start_step`` until just before ``end_step``."""

    start_step: int
    end_step: int
    pitch: int
    velocity: int = DEFAULT_VELOCITY


@dataclass(frozen=True)
class Melody:
    """One voice on a grid of steps.

    1. Notes are in order and do not overlap: each ends at or before the next one's start.
    2. Every note lasts at least one step and lies within [0, ``length_steps``]. Between notes there is silence.
    3. Pitches are MIDI's 0..127, velocities 1..127.
    4. Step 0 is the start of a bar; a bar is ``meter[0] / meter[1]`` of a whole note, a whole number of steps.
    5. ``length_steps`` may end in silence, and that silence counts: it survives being written and read.
    6. One tempo, one program (MIDI instrument, from 0) and one meter hold throughout.
    7. ``start_quarters`` says where in its source step 0 was. It does not move what is written: a file begins at
       step 0.
    8. Written to a file and read again, a melody on whole bars comes back equal but for ``start_quarters``, and but for
       its tempo's rounding to whole microseconds a quarter. One without notes is written, but a file without notes has
       no melody: reading it raises :class:`~data_prep.melodies.voice.NoNotesError`.
    """

    notes: tuple[MelodyNote, ...]
    length_steps: int
    steps_per_quarter: int = 4
    meter: tuple[int, int] = (4, 4)
    quarters_per_minute: float = 120.0
    program: int = 0
    name: str = ""
    start_quarters: float = 0.0

    def __post_init__(self) -> None:
        if self.length_steps < 0:
            raise ValueError(f"length_steps is {self.length_steps}; it must be at least 0")
        if self.steps_per_quarter < 1:
            raise ValueError(f"steps_per_quarter is {self.steps_per_quarter}; it must be at least 1")
        if not 0 < self.quarters_per_minute < np.inf:
            raise ValueError(f"quarters_per_minute is {self.quarters_per_minute}; it must be above 0")
        if min(self.meter) < 1 or 4 * self.meter[0] * self.steps_per_quarter % self.meter[1]:
            raise ValueError(
                f"a bar of {self.meter[0]}/{self.meter[1]} is no whole number of steps at "
                f"{self.steps_per_quarter} steps a quarter"
            )
        free_from = 0
        for note in self.notes:
            if not free_from <= note.start_step < note.end_step <= self.length_steps:
                raise ValueError(
                    f"{note} does not fit: notes must not overlap, last at least one step, and lie within "
                    f"0..{self.length_steps}; this one could start at {free_from} at the earliest"
                )
            if not (0 <= note.pitch <= 127 and 1 <= note.velocity <= 127):
                raise ValueError(f"{note} has a pitch outside 0..127 or a velocity outside 1..127")
            free_from = note.end_step

    @property
    def steps_per_bar(self) -> int:
        """Steps in one bar."""
        return 4 * self.meter[0] * self.steps_per_quarter // self.meter[1]

    @property
    def bars(self) -> int:
        """How many bars it takes, the last one perhaps not full."""
        return -(-self.length_steps // self.steps_per_bar)

    @property
    def line(self) -> np.ndarray:
        """The notes as an array ``(notes, 4)``: start step, end step, pitch, velocity. It is quicker with many."""
        return np.array(self.notes, np.int64).reshape(-1, len(MelodyNote._fields))

    def window(self, first_bar: int, bars: int) -> Melody:
        """Bars ``first_bar`` (from 0) to ``first_bar + bars``; what lies beyond the end is silence.

        A note that sounds across the window's start is cut there and starts anew; across its end it is cut.
        """
        start, length = first_bar * self.steps_per_bar, bars * self.steps_per_bar
        notes = tuple(
            note._replace(start_step=max(note.start_step - start, 0), end_step=min(note.end_step - start, length))
            for note in self.notes
            if note.end_step > start and note.start_step < start + length
        )
        moved = self.start_quarters + start / self.steps_per_quarter
        return replace(self, notes=notes, length_steps=length, start_quarters=moved)

    def windows(self, bars: int, stride_bars: int = 1) -> Iterator[tuple[int, Melody]]:
        """Every (first bar, window) that lies wholly inside the melody, ``stride_bars`` apart."""
        for first_bar in range(0, self.length_steps // self.steps_per_bar - bars + 1, stride_bars):
            yield first_bar, self.window(first_bar, bars)

    def pad_to(self, bars: int) -> Melody:
        """The melody with silence after it until it has at least ``bars`` bars, all of them full."""
        return replace(self, length_steps=max(bars, self.bars) * self.steps_per_bar)

    def transpose(self, semitones: int) -> Melody:
        """Every note shifted.

        Raises:
            ValueError: if a note would leave MIDI's 0..127.
        """
        return replace(self, notes=tuple(note._replace(pitch=note.pitch + semitones) for note in self.notes))

    def legato(self, max_gap_steps: int) -> Melody:
        """The melody with every note held until the next one where the silence between is ``max_gap_steps`` at most.

        For performances, whose notes are released early: their written rests stay rests.
        """
        return replace(self, notes=notes_of(legato_line(self.line, max_gap_steps)))

    @classmethod
    def join(cls, melodies: Sequence[Self]) -> Melody:
        """The melodies in a row, each made up to full bars; tempo, meter, grid and program are the first one's.

        Raises:
            ValueError: if there is none, or one lies on another grid or has other bars.
        """
        if not melodies:
            raise ValueError("there is no melody to join")
        first = melodies[0]
        notes: list[MelodyNote] = []
        length = 0
        for melody in melodies:
            if (melody.steps_per_quarter, melody.steps_per_bar) != (first.steps_per_quarter, first.steps_per_bar):
                raise ValueError("melodies of different bars or grids cannot be joined")
            notes += [
                note._replace(start_step=note.start_step + length, end_step=note.end_step + length)
                for note in melody.notes
            ]
            length += melody.bars * melody.steps_per_bar
        return replace(first, notes=tuple(notes), length_steps=length)

    def to_pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """The melody as a ``PrettyMIDI`` object with one instrument, step 0 at time 0."""
        import pretty_midi

        midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=self.quarters_per_minute)
        midi.time_signature_changes.append(pretty_midi.TimeSignature(*self.meter, 0.0))
        instrument = pretty_midi.Instrument(self.program, name=self.name)
        seconds_per_step = 60 / (self.quarters_per_minute * self.steps_per_quarter)
        instrument.notes = [
            pretty_midi.Note(
                note.velocity, note.pitch, note.start_step * seconds_per_step, note.end_step * seconds_per_step
            )
            for note in self.notes
        ]
        if not self.notes or self.notes[-1].end_step < self.length_steps:
            # Nothing else in a MIDI file says how long a silent end is.
            end = self.length_steps * seconds_per_step
            instrument.control_changes.append(pretty_midi.ControlChange(ALL_NOTES_OFF, 0, end))
        midi.instruments.append(instrument)
        return midi

    def write(self, path: str | Path) -> None:
        """Write a MIDI file, whole or not at all."""
        write_midi(self.to_pretty_midi(), path)

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI, track: str = AUTO) -> Melody:
        """The melody of a ``PrettyMIDI`` object in its own meter, by the rules of :func:`read_melody`."""
        return read_melody(midi, track).melody

    @classmethod
    def from_midi(cls, path: str | Path, track: str = AUTO) -> Melody:
        """The melody of a MIDI file in its own meter, by the rules of :func:`read_melody`."""
        return read_melody(path, track).melody

    def fold_into(self, lowest_pitch: int, highest_pitch: int) -> Melody:
        """Every note outside the range moved by octaves to the nearest place inside it; the rest as it is.

        Raises:
            ValueError: if the range is less than an octave wide.
        """
        return replace(self, notes=notes_of(fold_line(self.line, lowest_pitch, highest_pitch)))


@dataclass(frozen=True, eq=False)
class Region:
    """A stretch of whole bars of one meter, as a melody.

    Attributes:
        frame: the melody without its notes.
        line: its notes, an array as :attr:`Melody.line`.
        first_bar: the number of that bar in the piece, from 0.
        off_grid_steps: the steps of the onsets that were further than a quarter of a step from the grid.
        folded_bars: how many bars of the piece one bar of the melody is.
    """

    frame: Melody
    line: np.ndarray
    first_bar: int
    off_grid_steps: frozenset[int]
    folded_bars: int = 1

    @cached_property
    def melody(self) -> Melody:
        """The melody on the grid; its step 0 is the first of the bars."""
        return replace(self.frame, notes=notes_of(self.line))


@dataclass(frozen=True)
class ReadMelody:
    """The melody of a whole piece, and what was decided on the way.

    Attributes:
        melody: whole bars of one meter, every note of the part's voice in them.
        part_index: the part it is from, from 0.
        description: the decisions, for the user, in a line.
        layout: which bars of the piece the melody's bars are.
        tempi: the piece's.
        song: the piece, where there is one.
    """

    melody: Melody
    part_index: int
    description: str
    layout: Layout
    tempi: tuple[Tempo, ...] = ()
    song: Song | None = None

    @classmethod
    def of(cls, melody: Melody, meter: tuple[int, int] | None = None) -> Self:
        """A melody as if it had been read, with bars of ``meter`` laid over it."""
        bar_quarters = melody.steps_per_bar / melody.steps_per_quarter
        starts = [melody.start_quarters + number * bar_quarters for number in range(max(melody.bars, 1))]
        bars = [Bar(start, bar_quarters, *melody.meter, True) for start in starts]
        layout = lay_out(bars, meter or melody.meter, melody.steps_per_quarter)
        laid_over = replace(melody, meter=meter or melody.meter)
        said = (
            "a melody"
            if laid_over.meter == melody.meter
            else ", ".join(["a melody", *_said_of_bars(bars, layout, laid_over.meter)])
        )
        return cls(laid_over.pad_to(laid_over.bars), 0, said, layout)

    def window(self, first_bar: int, bars: int) -> Melody:
        """Bars ``first_bar`` (of the melody, from 0) to ``first_bar + bars``, in the tempo that is in force there."""
        start = self.layout.quarters_of_bar(min(first_bar, self.layout.bars - 1))
        tempo = quarters_per_minute_at(self.tempi, start) if self.tempi else self.melody.quarters_per_minute
        return replace(self.melody.window(first_bar, bars), quarters_per_minute=tempo, start_quarters=start)


def usual_meter(part: Part, bars: Sequence[Bar], steps_per_quarter: int | None = None) -> tuple[int, int]:
    """The meter in whose bars most of a part's notes begin, whole bars before others; 4/4 if there is none.

    With ``steps_per_quarter``, only whole bars of a whole number of steps count.
    """
    of_note = np.searchsorted([bar.start_quarters for bar in bars], part.starts + TIME_RESOLUTION, "right") - 1
    counts: Counter[tuple[bool, tuple[int, int]]] = Counter()
    for number, notes in zip(*np.unique(of_note, return_counts=True), strict=True):
        bar = bars[max(int(number), 0)]
        if steps_per_quarter is None or (bar.is_whole and 4 * bar.numerator * steps_per_quarter % bar.denominator == 0):
            counts[bar.is_whole, _alike_of(bar)] += int(notes)
    if not counts:
        return (4, 4)
    return max(counts, key=lambda kind: (kind[0], counts[kind], kind[1]))[1]


def find_regions(
    song: Song,
    part_index: int,
    steps_per_quarter: int = 4,
    meter: tuple[int, int] | None = None,
    fold: bool = False,
) -> list[Region]:
    """The melody of one part, in as many regions as the bar lines make of it, regions without notes left out.

    A region is a longest run of whole bars of one meter; short bars (pickups, bars that a signature cuts) belong to
    none. Onsets and ends go to the nearest step, and every note lasts at least one; then
    :func:`~data_prep.melodies.voice.one_voice` chooses among what overlaps. A note that sounds across a region's start
    is cut there and starts anew.

    Args:
        song: the piece.
        part_index: the part, from 0.
        steps_per_quarter: the grid.
        meter: take regions of this meter only; 2/2 counts as 4/4. None takes every meter.
        fold: take two bars of half the meter as one: of 2/4 for 4/4, of 3/8 for 6/8. An odd last bar is left out.
    """
    part = song.parts[part_index]
    regions = []
    for first_bar, start, bars, own_meter in _runs_of_whole_bars(song):
        if fold and meter is not None and (2 * own_meter[0], own_meter[1]) == alike(meter) and bars > 1:
            region = _region(song, part, first_bar, start, bars // 2 * 2, steps_per_quarter, own_meter)
            if len(region.line):
                regions.append(replace(region, frame=replace(region.frame, meter=alike(meter)), folded_bars=2))
            continue
        is_on_grid = 4 * own_meter[0] * steps_per_quarter % own_meter[1] == 0
        if is_on_grid and (meter is None or own_meter == alike(meter)):
            region = _region(song, part, first_bar, start, bars, steps_per_quarter, own_meter)
            if len(region.line):
                regions.append(region)
    return regions


def read_melody(
    source: str | Path | pretty_midi.PrettyMIDI,
    track: str = AUTO,
    meter: tuple[int, int] | None = None,
    steps_per_quarter: int = 4,
) -> ReadMelody:
    """The melody of any piece, from its first bar to its last: of its likeliest part, in bars of one meter.

    Bars of another meter, pickups, and bars that a signature cuts are made up to whole bars as
    :mod:`data_prep.melodies.layout` says; the description tells how many.

    Args:
        source: a MIDI or score file (of several tunes the first) or a ``PrettyMIDI`` object.
        track: ``auto``, a track's number (from 1) or its name.
        meter: bars of this meter; None takes that of the piece in which most of the part's notes are.
        steps_per_quarter: the grid.

    Raises:
        MidiError: if the file cannot be read.
        MelodyError: if there is no melody in it.
    """
    if isinstance(source, str | Path):
        name, song = str(source), read_first_score(source) if is_score(source) else read_midi(source)
    else:
        name, buffer = "the PrettyMIDI object", BytesIO()
        source.write(buffer)
        song = song_from_bytes(buffer.getvalue(), name)
    try:
        part_index = choose_part(song, track)
    except MelodyError as error:
        raise type(error)(f"{name}: {error}") from error
    part, bars = song.parts[part_index], song.bars()
    meter = meter or usual_meter(part, bars, steps_per_quarter)
    layout = lay_out(bars, meter, steps_per_quarter)
    first_steps, last_steps = layout.onsets(part.starts), layout.ends(part.ends)
    line = one_voice(
        zip(
            first_steps.tolist(),
            np.maximum(last_steps, first_steps + 1).tolist(),
            part.pitches.tolist(),
            np.maximum(part.velocities, 1).tolist(),
            strict=True,
        )
    )
    # A note that begins in the piece's very last instant may need a bar more.
    length = -(-max(layout.bars * layout.steps_per_bar, line[-1][1]) // layout.steps_per_bar) * layout.steps_per_bar
    melody = Melody(
        notes=tuple(MelodyNote(*note) for note in line),
        length_steps=length,
        steps_per_quarter=steps_per_quarter,
        meter=meter,
        quarters_per_minute=song.quarters_per_minute_at(0.0),
        program=part.program,
        name=part.name,
    )
    off_grid = float((layout.distances(part.starts) > OFF_GRID_STEPS + TIME_RESOLUTION).mean())
    said = [f"track {part_index + 1} of {len(song.parts)}" + (f" ({part.name})" if part.name else "")]
    said += _said_of_bars(bars, layout, meter)
    if off_grid > SAID_OFF_GRID_SHARE:
        said.append(f"{off_grid:.0%} of its onsets are moved to the nearest 1/{4 * steps_per_quarter} note")
    return ReadMelody(melody, part_index, ", ".join(said), layout, song.tempi, song)


def _said_of_bars(bars: Sequence[Bar], layout: Layout, meter: tuple[int, int]) -> list[str]:
    """What the user should know of the bars that are not of the grid's meter."""
    name = f"{meter[0]}/{meter[1]}"
    others = sum(not bar.is_whole or _alike_of(bar) != alike(meter) for bar in bars)
    if not others:
        return []
    if not any(part.is_own for part in layout.stretches):
        whole = Counter(f"{bar.numerator}/{bar.denominator}" for bar in bars)
        return [f"in {whole.most_common(1)[0][0]}: bars of {name} are laid over it"]
    are = "is" if others == 1 else "are"
    return [f"{others} of its {len(bars)} bars {are} not of {name} and made up to it with silence"]


def _runs_of_whole_bars(song: Song) -> Iterator[tuple[int, float, int, tuple[int, int]]]:
    """Number and start of the first bar, count, and meter of each longest run of whole bars that follow each other."""
    first_bar, start, count, meter = 0, 0.0, 0, (0, 0)
    next_bar = 0
    for section in song.sections:
        own_meter = alike((section.meter.numerator, section.meter.denominator))
        if section.whole_bars:
            if count and own_meter != meter:
                yield first_bar, start, count, meter
                count = 0
            if not count:
                first_bar, start, meter = next_bar, section.meter.start_quarters, own_meter
            count += section.whole_bars
        if section.left_over_quarters and count:
            yield first_bar, start, count, meter
            count = 0
        next_bar += section.bars
    if count:
        yield first_bar, start, count, meter


def _region(
    song: Song, part: Part, first_bar: int, start: float, bars: int, steps_per_quarter: int, meter: tuple[int, int]
) -> Region:
    steps_per_bar = 4 * meter[0] * steps_per_quarter // meter[1]
    length = bars * steps_per_bar
    exact_starts = (part.starts - start) * steps_per_quarter
    exact_ends = (part.ends - start) * steps_per_quarter
    start_steps = np.floor(exact_starts + 0.5).astype(np.int64)
    end_steps = np.maximum(np.floor(exact_ends + 0.5).astype(np.int64), start_steps + 1)
    inside = (end_steps > 0) & (start_steps < length)
    is_off_grid = np.abs(exact_starts - start_steps) > OFF_GRID_STEPS + TIME_RESOLUTION
    off_grid_steps = start_steps[is_off_grid & inside & (start_steps >= 0)]
    columns = np.empty((len(MelodyNote._fields), len(part)), np.int64)
    np.maximum(start_steps, 0, out=columns[0])
    np.minimum(end_steps, length, out=columns[1])
    columns[2] = part.pitches
    np.maximum(part.velocities, 1, out=columns[3])
    line = columns[:, inside].T
    frame = Melody(
        notes=(),
        length_steps=length,
        steps_per_quarter=steps_per_quarter,
        meter=meter,
        quarters_per_minute=song.quarters_per_minute_at(start),
        program=part.program,
        name=part.name,
        start_quarters=start,
    )
    return Region(frame, one_voice_line(line) if len(line) else line, first_bar, frozenset(off_grid_steps.tolist()))


def notes_of(line: np.ndarray) -> tuple[MelodyNote, ...]:
    """The notes in an array as :attr:`Melody.line`."""
    return tuple(MelodyNote(*note) for note in line.tolist())


def legato_line(line: np.ndarray, max_gap_steps: int) -> np.ndarray:
    """:meth:`Melody.legato` of a :attr:`Melody.line`."""
    line, next_starts = line.copy(), line[1:, 0]
    line[:-1, 1] = np.where(next_starts - line[:-1, 1] <= max_gap_steps, next_starts, line[:-1, 1])
    return line


def fold_line(line: np.ndarray, lowest_pitch: int, highest_pitch: int) -> np.ndarray:
    """:meth:`Melody.fold_into` of a :attr:`Melody.line`."""
    if highest_pitch - lowest_pitch < 11:
        raise ValueError(f"the range {lowest_pitch}..{highest_pitch} is narrower than an octave")
    pitches = line[:, 2]
    if not len(line) or lowest_pitch <= pitches.min() <= pitches.max() <= highest_pitch:
        return line
    line = line.copy()
    below, above = np.maximum(lowest_pitch - pitches, 0), np.maximum(pitches - highest_pitch, 0)
    line[:, 2] += 12 * (-(-below // 12) - -(-above // 12))
    return line


def _alike_of(bar: Bar) -> tuple[int, int]:
    return alike((bar.numerator, bar.denominator))

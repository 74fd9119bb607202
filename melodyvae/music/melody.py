"""One voice on a grid of steps: the melody, cut into windows, moved, joined, and written.

Conventions: steps are counted from 0 and intervals are half-open; bars are counted from 0 here (and from 1 only where a
user reads them). A quarter note has ``steps_per_quarter`` steps, 4 by default: sixteenth notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from melodyvae.music.keys import PITCH_CLASS_NAMES
from melodyvae.music.notes import DEFAULT_VELOCITY, MIN_QUARTERS_PER_MINUTE, Meter, Part, Song, Tempo
from melodyvae.writing.midi import TICKS_PER_QUARTER, write_midi

if TYPE_CHECKING:
    import pretty_midi
    from matplotlib.axes import Axes

ALL_NOTES_OFF = 123  # MIDI controller


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
    6. One tempo (that a MIDI file can hold), one program (MIDI instrument, from 0) and one meter hold throughout.
    7. ``start_quarters`` says where in its source step 0 was. It does not move what is written: a file begins at
       step 0.
    8. ``len`` is the number of notes; ``+`` joins melodies, the left one's tempo, meter and program hold for both.
    9. Written to a file and read again, a melody on whole bars comes back equal but for ``start_quarters``, and but for
       its tempo's rounding to whole microseconds per quarter. One without notes is written, but a file without notes
       has no melody: reading it raises :class:`~melodyvae.music.voice.NoNotesError`.
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
        if not MIN_QUARTERS_PER_MINUTE <= self.quarters_per_minute < np.inf:
            raise ValueError(
                f"quarters_per_minute is {self.quarters_per_minute}; it must be at least "
                f"{MIN_QUARTERS_PER_MINUTE:.3f}, the slowest that a MIDI file can hold"
            )
        if min(self.meter) < 1 or 4 * self.meter[0] * self.steps_per_quarter % self.meter[1]:
            raise ValueError(
                f"a bar of {self.meter[0]}/{self.meter[1]} is not a whole number of steps at "
                f"{self.steps_per_quarter} steps per quarter"
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

    def __repr__(self) -> str:
        bars = "1 bar" if self.bars == 1 else f"{self.bars} bars"
        notes = "1 note" if len(self.notes) == 1 else f"{len(self.notes)} notes"
        pitches = [note.pitch for note in self.notes]
        span = f" {pitch_name(min(pitches))} to {pitch_name(max(pitches))}" if pitches else ""
        meter = f"{self.meter[0]}/{self.meter[1]}"
        name = f"{self.name!r}: " if self.name else ""
        return f"<Melody {name}{bars} of {meter}, {notes}{span}, {self.quarters_per_minute:.4g} quarters per minute>"

    def __len__(self) -> int:
        return len(self.notes)

    def __bool__(self) -> bool:
        return True  # a melody without notes is one

    def __add__(self, other: Melody) -> Melody:
        return Melody.join([self, other]) if isinstance(other, Melody) else NotImplemented

    def _repr_html_(self) -> str:
        """HTML for a notebook: a piano roll and a player."""
        from melodyvae.writing.notebook import melody_html

        return melody_html(self)

    def plot(self, axes: Axes | None = None) -> Axes:
        """The matplotlib axes that the piano roll is drawn into; new ones by default."""
        from melodyvae.writing.piano_rolls import plot_roll

        return plot_roll(self, axes)

    @property
    def steps_per_bar(self) -> int:
        """Steps in one bar."""
        return 4 * self.meter[0] * self.steps_per_quarter // self.meter[1]

    @property
    def bars(self) -> int:
        """Number of bars; the last one may be incomplete."""
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
            # Nothing else in a PrettyMIDI object says how long a silent end is.
            end = self.length_steps * seconds_per_step
            instrument.control_changes.append(pretty_midi.ControlChange(ALL_NOTES_OFF, 0, end))
        midi.instruments.append(instrument)
        return midi

    def to_song(self) -> Song:
        """The melody as a piece of one part, step 0 at its start, that ends on the bar line."""
        line = self.line
        part = Part(
            name=self.name,
            program=self.program,
            is_drum=False,
            starts=line[:, 0] / self.steps_per_quarter,
            ends=line[:, 1] / self.steps_per_quarter,
            pitches=line[:, 2],
            velocities=line[:, 3],
        )
        return Song(
            parts=(part,),
            tempi=(Tempo(0.0, self.quarters_per_minute),),
            meters=(Meter(0.0, *self.meter),),
            end_quarters=self.bars * self.steps_per_bar / self.steps_per_quarter,
        )

    def write(self, path: str | Path) -> None:
        """Write a MIDI file that ends on the bar line, whole or not at all."""
        write_midi(self.to_song(), path)

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI, track: str = "auto") -> Melody:
        """The melody of a ``PrettyMIDI`` object in its own meter, by the rules of :mod:`melodyvae.music.regions`.

        An object that pretty_midi read from a file has lost where its tracks end, and so a silent end.
        """
        from melodyvae.reading.melodies import read_melody

        return read_melody(midi, track).melody

    @classmethod
    def from_midi(cls, path: str | Path, track: str = "auto") -> Melody:
        """The melody of a MIDI file in its own meter, by the rules of :mod:`melodyvae.music.regions`."""
        from melodyvae.reading.melodies import read_melody

        return read_melody(path, track).melody


def pitch_name(pitch: int) -> str:
    """The name of a MIDI pitch: 60 is C4."""
    return f"{PITCH_CLASS_NAMES[pitch % 12]}{pitch // 12 - 1}"


def notes_of(line: np.ndarray) -> tuple[MelodyNote, ...]:
    """The notes in an array as :attr:`Melody.line`."""
    return tuple(MelodyNote(*note) for note in line.tolist())


def legato_line(line: np.ndarray, max_gap_steps: int) -> np.ndarray:
    """Every note of a :attr:`Melody.line` held until the next one, if the silence between is ``max_gap_steps`` at most.

    For performances, whose notes are released early: their written rests stay rests.
    """
    line, next_starts = line.copy(), line[1:, 0]
    line[:-1, 1] = np.where(next_starts - line[:-1, 1] <= max_gap_steps, next_starts, line[:-1, 1])
    return line

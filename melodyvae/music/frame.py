"""The place of a melody's bars in their source piece, so that a written melody lies over the piece.

A melody has bars of one length and one tempo; a piece may have short bars, other meters and many tempi. A
:class:`Frame` takes notes from the melody's grid back to their places in the piece. After the piece's end its last
tempo goes on, in bars of the melody.

Conventions: bars and steps of the grid are counted from 0, as in :mod:`melodyvae.music.layout`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from melodyvae.music.keys import says_a_key
from melodyvae.music.layout import Stretch, alike
from melodyvae.music.notes import TIME_RESOLUTION, Meter, Part, Song

if TYPE_CHECKING:
    from melodyvae.music.regions import ReadMelody


@dataclass(frozen=True, eq=False)
class Frame:
    """Some bars of a piece, and perhaps bars after its end.

    Attributes:
        stretches: the piece's and, after its end, one of new bars.
        steps_per_quarter: the grid.
        first_step: where the melody begins on the grid.
        outline: the piece without notes, until the bar line at which the melody ends.
        program_changes: the later programs of the part that the melody is from.
    """

    stretches: tuple[Stretch, ...]
    steps_per_quarter: int
    first_step: int
    outline: Song
    program_changes: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, piece: ReadMelody, first_bar: int, bars: int) -> Frame | None:
        """The frame of ``bars`` bars that begin at a bar of ``found``; None if that is not from a piece."""
        if piece.song is None:
            return None
        layout, song, meter = piece.layout, piece.song, piece.melody.meter
        stretches, meters = list(layout.stretches), song.meters
        end_bar, end = first_bar + bars, stretches[-1].end_quarters
        if end_bar > layout.bars:
            new, last = end_bar - layout.bars, layout.sections[-1].meter
            length = new * layout.steps_per_bar / layout.steps_per_quarter
            first_step = layout.bars * layout.steps_per_bar
            stretches.append(
                Stretch(end, end + length, first_step, new, layout.bars, len(layout.bar_starts), new, True)
            )
            if alike((last.numerator, last.denominator)) != alike(meter):
                meters = (*meters, Meter(end, *meter))
        frame = cls(
            stretches=tuple(stretches),
            steps_per_quarter=layout.steps_per_quarter,
            first_step=first_bar * layout.steps_per_bar,
            outline=replace(song, parts=(), meters=meters),
            program_changes=song.parts[piece.part_index].program_changes,
        )
        last_step = end_bar * layout.steps_per_bar - 1
        end = float(frame._places(np.array([bars * layout.steps_per_bar / layout.steps_per_quarter]), [last_step])[0])
        kept = tuple(meter for meter in meters if meter.start_quarters < end - TIME_RESOLUTION)
        signatures = song.key_signatures if says_a_key(song.key_signatures) else ()
        outline = replace(frame.outline, meters=kept, key_signatures=signatures, end_quarters=end)
        return replace(frame, outline=replace(outline, end_quarters=outline.bars_end_quarters))

    @property
    def start_quarters(self) -> float:
        """Start of the melody's first bar in the piece, in quarters; after the silence if the bar begins with one."""
        return float(self._places(np.zeros(1), [self.first_step])[0])

    def place(self, part: Part, line: np.ndarray | None = None) -> Part:
        """A part in the piece; its times are quarters of the grid from the melody's first bar.

        Notes that lie wholly in silence that made a bar whole are left out: the piece has no place for them.

        Args:
            part: N notes.
            line: the same notes as written, ``(N, 4)`` as :attr:`melodyvae.music.melody.Melody.line`, which say in what
                bars they are, however they are played.
        """
        if line is None:
            first_steps = np.floor(part.starts * self.steps_per_quarter + TIME_RESOLUTION)
            last_steps = np.ceil(part.ends * self.steps_per_quarter - TIME_RESOLUTION) - 1
        else:
            first_steps, last_steps = line[:, 0], line[:, 1] - 1
        starts = self._places(part.starts, self.first_step + first_steps)
        ends = self._places(part.ends, self.first_step + last_steps)
        changes = np.array([quarters for quarters, _ in part.program_changes])
        places = self._places(changes, self.first_step + np.floor(changes * self.steps_per_quarter + TIME_RESOLUTION))
        programs = [program for _, program in part.program_changes]
        chosen = starts < ends - TIME_RESOLUTION
        return replace(
            part,
            starts=starts[chosen],
            ends=ends[chosen],
            pitches=part.pitches[chosen],
            velocities=part.velocities[chosen],
            program_changes=tuple(zip(places.tolist(), programs, strict=True)),
        )

    @cached_property
    def _bounds(self) -> np.ndarray:
        """The first step, the start and the length, in quarters, of each stretch, ``(stretches, 3)``."""
        return np.array(
            [(one.first_step, one.start_quarters, one.end_quarters - one.start_quarters) for one in self.stretches]
        )

    def _places(self, quarters: np.ndarray, steps: np.ndarray | list[int]) -> np.ndarray:
        """The places in the piece of times from the melody's first bar that belong to steps of the grid, ``(N,)``."""
        steps = np.asarray(steps)
        chosen = np.maximum(np.searchsorted(self._bounds[:, 0], steps, "right") - 1, 0)
        first, start, length = self._bounds[chosen].T
        end = first + length * self.steps_per_quarter
        into = quarters + (self.first_step - first) / self.steps_per_quarter
        into = np.where(steps < first, 0.0, into)
        into = np.where(steps > end - 1 + TIME_RESOLUTION, np.minimum(into, length), into)
        return np.asarray(start + into)

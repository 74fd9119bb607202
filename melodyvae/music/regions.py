"""A piece -> its melody on the grid, in whole bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from melodyvae.music.beats import SHUFFLE, counts_quarters, in_beats, is_compound, meter_in_beats
from melodyvae.music.feel import MIN_SWUNG_ONSETS, NO_SWING, Timing, find_swing, is_free
from melodyvae.music.keys import Key, key_of, key_of_piece
from melodyvae.music.layout import Layout, PlacedNotes, Stretch, alike, lay_out
from melodyvae.music.melody import Melody, notes_of
from melodyvae.music.notes import TIME_RESOLUTION, Bar, Meter, Part, Section, Song, Tempo, quarters_per_minute_at
from melodyvae.music.voice import CloseCall

SAID_OFF_GRID_SHARE = 0.1
BEATS_OF_QUARTERS = (2, 4)  # lower numbers of the meters whose eighths may swing


@dataclass(frozen=True, eq=False)
class Region:
    """A stretch of whole bars of one meter, as a melody.

    Attributes:
        frame: the melody without its notes.
        line: its notes, an array as :attr:`Melody.line`.
        first_bar: the number of that bar in the piece, from 0.
        bar_steps: where each bar of the piece begins in it, ``(bars,)``; the first is ``first_bar``.
        off_grid_steps: the steps of the onsets that were further than a quarter of a step from the grid.
        swing, delay_quarters: that were taken out; see :class:`~melodyvae.music.layout.Layout`.
    """

    frame: Melody
    line: np.ndarray
    first_bar: int
    bar_steps: np.ndarray
    off_grid_steps: frozenset[int]
    swing: float = NO_SWING
    delay_quarters: float = 0.0

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
        close_call: the part that was nearly chosen instead; None if there is none, or the part was asked for.
        lost_steps: the nearest step of each note of the part's voice that was lost because another note has that step.
        moved_steps: the steps of the melody's notes that began further than a quarter of a step from them.
    """

    melody: Melody
    part_index: int
    description: str
    layout: Layout
    tempi: tuple[Tempo, ...] = ()
    song: Song | None = None
    close_call: CloseCall | None = None
    lost_steps: tuple[int, ...] = ()
    moved_steps: tuple[int, ...] = ()

    @cached_property
    def key(self) -> Key | None:
        """The key of the whole piece, or of a melody without one; None if it has no notes."""
        return key_of(self.melody) if self.song is None else key_of_piece(self.song, self.part_index)

    @classmethod
    def of(cls, melody: Melody, meter: tuple[int, int] | None = None) -> Self:
        """A melody in the form of one that was read, with bars of ``meter`` laid over it."""
        if meter is not None and melody.notes and is_compound(melody.meter) and counts_quarters(meter):
            piece = melody_of(_song_of(melody), 0, meter, melody.steps_per_quarter)
            return cls(
                **vars(piece) | {"song": None, "description": piece.description.replace("track 1 of 1", "a melody")}
            )
        section = Section(Meter(melody.start_quarters, *melody.meter), max(melody.bars, 1), 0.0)
        bars = list(section.each_bar())
        layout = lay_out([section], meter or melody.meter, melody.steps_per_quarter)
        laid_over = replace(melody, meter=meter or melody.meter)
        description = (
            "a melody"
            if laid_over.meter == melody.meter
            else ", ".join(["a melody", *_said_of_bars(bars, layout, laid_over.meter)])
        )
        return cls(laid_over.pad_to(laid_over.bars), 0, description, layout)

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
    :func:`~melodyvae.music.voice.one_voice` chooses among what overlaps. A note that sounds across a region's start
    is cut there and starts anew.

    Args:
        song: the piece.
        part_index: the part, from 0.
        steps_per_quarter: the grid.
        meter: take regions of this meter only; 2/2 counts as 4/4. None takes every meter.
        fold: take two bars of half the meter as one: of 2/4 for 4/4, of 3/8 for 6/8. An odd last bar is left out.
    """
    part = song.parts[part_index]
    own_meters = dict.fromkeys(
        alike((section.meter.numerator, section.meter.denominator)) for section in song.sections if section.whole_bars
    )
    regions = []
    for own_meter in own_meters:
        folded_bars = 1
        if meter is not None and own_meter != alike(meter):
            if not fold or (2 * own_meter[0], own_meter[1]) != alike(meter):
                continue
            folded_bars = 2
        if 4 * own_meter[0] * steps_per_quarter % own_meter[1]:
            continue
        layout = lay_out_part(song, part, own_meter, steps_per_quarter)
        placed = layout.place_notes(part)
        for stretch in layout.stretches:
            if stretch.is_own and stretch.bars >= folded_bars:
                regions.append(_region(song, part, layout, placed, stretch, own_meter, folded_bars))
    return sorted((region for region in regions if len(region.line)), key=lambda region: region.first_bar)


def melody_of(
    song: Song, part_index: int, meter: tuple[int, int] | None = None, steps_per_quarter: int = 4
) -> ReadMelody:
    """The melody of one part (from 0) of a piece, as :func:`melodyvae.reading.melodies.read_melody`."""
    part, bars = song.parts[part_index], song.bars()
    own_meter = usual_meter(part, bars, steps_per_quarter)
    is_shuffled = meter is not None and is_compound(own_meter) and counts_quarters(meter)
    if is_shuffled:
        song = in_beats(song)
        part, bars = song.parts[part_index], song.bars()
    meter = meter or own_meter
    layout = lay_out_part(song, part, meter, steps_per_quarter)
    if is_shuffled:
        layout = replace(layout, swing=SHUFFLE)
    placed = layout.place_notes(part)
    # A note that begins in the piece's very last instant may need a bar more.
    steps = max(layout.bars * layout.steps_per_bar, int(placed.line[:, 1].max()))
    length = -(-steps // layout.steps_per_bar) * layout.steps_per_bar
    voice = placed.voice(0, length)
    melody = Melody(
        notes=notes_of(voice),
        length_steps=length,
        steps_per_quarter=steps_per_quarter,
        meter=meter,
        quarters_per_minute=song.quarters_per_minute_at(0.0),
        program=part.program,
        name=part.name,
    )
    off_grid = float(placed.is_off_grid.mean())
    moved = np.intersect1d(placed.line[placed.is_off_grid & ~placed.is_crowded_out, 0], voice[:, 0])
    sentences = [f"track {part_index + 1} of {len(song.parts)}" + (f" ({part.name})" if part.name else "")]
    sentences += song.notices
    if is_shuffled:
        sentences.append(fitted_into(own_meter, meter))
    if not is_shuffled or meter[0] % meter_in_beats(own_meter)[0]:
        sentences += _said_of_bars(bars, layout, meter)
    if layout.swing != NO_SWING and not is_shuffled:
        sentences.append(f"its swing of {layout.swing:.2f} is laid straight")
    if layout.delay_quarters:
        late = "late" if layout.delay_quarters > 0 else "early"
        sentences.append(
            f"its notes are {abs(layout.delay_quarters) * 4:.2g} of a sixteenth {late} and are taken on the beat"
        )
    if off_grid > SAID_OFF_GRID_SHARE and is_free(layout.place(part.starts)):
        sentences.append(
            f"it seems to be played freely, without a click: its onsets lie anywhere against the beat, "
            f"and {off_grid:.0%} of them are moved to the nearest 1/{4 * steps_per_quarter} note"
        )
    elif off_grid > SAID_OFF_GRID_SHARE:
        sentences.append(f"{off_grid:.0%} of its onsets are moved to the nearest 1/{4 * steps_per_quarter} note")
    return ReadMelody(
        melody,
        part_index,
        ", ".join(sentences),
        layout,
        song.tempi,
        song,
        lost_steps=tuple(placed.lost_steps(voice).tolist()),
        moved_steps=tuple(moved.tolist()),
    )


def _song_of(melody: Melody) -> Song:
    """A piece of one part."""
    line, per_quarter = melody.line, melody.steps_per_quarter
    part = Part(
        melody.name,
        melody.program,
        is_drum=False,
        starts=line[:, 0] / per_quarter,
        ends=line[:, 1] / per_quarter,
        pitches=line[:, 2],
        velocities=line[:, 3],
    )
    meters = (Meter(0.0, *melody.meter),)
    return Song((part,), (Tempo(0.0, melody.quarters_per_minute),), meters, melody.length_steps / per_quarter)


def lay_out_part(song: Song, part: Part, meter: tuple[int, int], steps_per_quarter: int) -> Layout:
    """The bars of a piece on a grid, with the swing and the delay of a part; a grid that has triplets has no swing."""
    layout = lay_out(song.sections, meter, steps_per_quarter)
    timing = _timing_of(song, part, layout)
    if timing.delay_quarters > 0:  # the piece ends with its last note, and with the delay it may reach into a new bar
        ended = replace(song, end_quarters=max(song.end_quarters - timing.delay_quarters, 0.0))
        layout = lay_out(ended.sections, meter, steps_per_quarter)
    has_swing = meter[1] in BEATS_OF_QUARTERS and steps_per_quarter % 3 != 0
    return replace(layout, swing=timing.swing if has_swing else NO_SWING, delay_quarters=timing.delay_quarters)


def _timing_of(song: Song, part: Part, layout: Layout) -> Timing:
    """The timing of a part; if it has hardly anything between beats, with the swing of the whole piece."""
    placed = layout.place(part.starts)
    timing = Timing.of(placed)
    between = placed - timing.delay_quarters
    if timing.swing != NO_SWING or (np.abs(between % 1 - 0.5) < 0.3).sum() >= MIN_SWUNG_ONSETS:
        return timing
    of_all = find_swing(layout.place(np.concatenate([other.starts for other in song.parts])))
    return timing._replace(swing=of_all)


def _said_of_bars(bars: Sequence[Bar], layout: Layout, meter: tuple[int, int]) -> list[str]:
    """Sentences for the user about the bars that are not of the grid's meter."""
    name = _name(meter)
    others = sum(stretch.piece_bars for stretch in layout.stretches if not stretch.is_own)
    if not others:
        return []
    if not any(part.is_own for part in layout.stretches):
        own, _ = Counter((bar.numerator, bar.denominator) for bar in bars).most_common(1)[0]
        return [fitted_into(own, meter)]
    are = "is" if others == 1 else "are"
    return [f"{others} of its {len(bars)} bars {are} not of {name} and made up to it with silence"]


def fitted_into(own: tuple[int, int], meter: tuple[int, int]) -> str:
    """The words for a piece in its own meter that is read in bars of another."""
    if is_compound(own) and counts_quarters(meter):
        return f"in {_name(own)}, read as a shuffle: its dotted beats are the beats of {_name(meter)}"
    how = ", beat on beat" if is_compound(own) == is_compound(meter) else ""
    return f"in {_name(own)}: bars of {_name(meter)} are laid over it{how}"


def _name(meter: tuple[int, int]) -> str:
    return f"{meter[0]}/{meter[1]}"


def _region(
    song: Song,
    part: Part,
    layout: Layout,
    placed: PlacedNotes,
    stretch: Stretch,
    meter: tuple[int, int],
    folded_bars: int,
) -> Region:
    """The region of a stretch of bars of ``meter``; an odd last bar is left out of one whose bars are folded."""
    bars = stretch.bars // folded_bars
    steps = bars * folded_bars * layout.steps_per_bar
    line = placed.voice(stretch.first_step, stretch.first_step + steps)
    onsets = placed.line[placed.is_off_grid, 0] - stretch.first_step
    frame = Melody(
        notes=(),
        length_steps=steps,
        steps_per_quarter=layout.steps_per_quarter,
        meter=(folded_bars * meter[0], meter[1]),
        quarters_per_minute=song.quarters_per_minute_at(stretch.start_quarters),
        program=part.program,
        name=part.name,
        start_quarters=stretch.start_quarters,
    )
    of_piece = slice(stretch.first_piece_bar, stretch.first_piece_bar + stretch.piece_bars)
    bar_steps = layout.onsets(np.array(layout.bar_starts[of_piece])) - stretch.first_step
    off_grid_steps = frozenset(onsets[(onsets >= 0) & (onsets < steps)].tolist())
    return Region(frame, line, stretch.first_piece_bar, bar_steps, off_grid_steps, layout.swing, layout.delay_quarters)


def _alike_of(bar: Bar) -> tuple[int, int]:
    return alike((bar.numerator, bar.denominator))

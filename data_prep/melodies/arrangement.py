"""Melodies in a row, each in its own tempo, alone or over the other tracks of a piece -> one MIDI file.

Contents: :func:`backing_of`, :func:`write_in_a_row`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import symusic

from data_prep.files import whole_file
from data_prep.melodies.regions import ReadMelody
from data_prep.melody import TICKS_PER_QUARTER, Melody
from data_prep.reading.notes import Part

if TYPE_CHECKING:
    import pretty_midi

LEAD_NAME = "melody"  # so that the lead is found again among the other tracks
HIGHEST_PITCH = 127


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
    layout = found.layout
    start = first_bar * layout.steps_per_bar / layout.steps_per_quarter
    length = bars * layout.steps_per_bar / layout.steps_per_quarter
    backing = []
    for index, part in enumerate(found.song.parts):
        starts, ends = layout.place(part.starts) - start, layout.place(part.ends, is_end=True) - start
        inside = (starts < length) & (ends > 0)
        if index == found.part_index or not inside.any():
            continue
        backing.append(
            replace(
                part,
                starts=np.maximum(starts[inside], 0),
                ends=np.minimum(ends[inside], length),
                pitches=part.pitches[inside],
                velocities=part.velocities[inside],
            )
        )
    return tuple(backing)


def transposed(backing: Sequence[Part], semitones: int) -> tuple[Part, ...]:
    """The same in another key: drums as they are, and a part that would leave MIDI's pitches too."""
    moved = []
    for part in backing:
        pitches = part.pitches + semitones
        stays = part.is_drum or pitches.min() < 0 or pitches.max() > HIGHEST_PITCH
        moved.append(part if stays else replace(part, pitches=pitches))
    return tuple(moved)


def write_in_a_row(
    melodies: Sequence[Melody],
    path: str | Path,
    backings: Sequence[Sequence[Part]] | None = None,
    markers: Sequence[str] = (),
) -> None:
    """Write a MIDI file of melodies one after the other, each in its own tempo, whole or not at all.

    Args:
        melodies: at least one; the first one's name, or ``melody`` where there is a backing, names the track.
        path: the file.
        backings: what plays with each, as from :func:`backing_of`; tracks of one name and program become one.
        markers: the text of a marker where each melody begins; none by default.

    Raises:
        ValueError: as :meth:`Melody.join`.
        OSError: if the place cannot be written to.
    """
    import pretty_midi

    joined = Melody.join(melodies)
    steps = np.cumsum([0, *(melody.bars * melody.steps_per_bar for melody in melodies)])
    quarters = steps / joined.steps_per_quarter
    midi = (replace(joined, name=LEAD_NAME) if backings else joined).to_pretty_midi()
    instruments: dict[tuple[str, int, bool], pretty_midi.Instrument] = {}
    for start, backing in zip(quarters, backings or (), strict=False):
        for part in backing:
            kind = part.name, part.program, part.is_drum
            if kind not in instruments:
                instruments[kind] = pretty_midi.Instrument(part.program, part.is_drum, part.name)
                midi.instruments.append(instruments[kind])
            seconds = 60 / joined.quarters_per_minute
            instruments[kind].notes += [
                pretty_midi.Note(max(int(velocity), 1), int(pitch), (start + begin) * seconds, (start + end) * seconds)
                for velocity, pitch, begin, end in zip(
                    part.velocities, part.pitches, part.starts, part.ends, strict=True
                )
            ]
    buffer = BytesIO()
    midi.write(buffer)
    score: Any = symusic.Score.from_midi(buffer.getvalue())  # pretty_midi writes one tempo only
    tempi: list[Any] = []
    for start, melody in zip(quarters, melodies, strict=False):
        tempo: Any = symusic.Tempo(round(start * TICKS_PER_QUARTER), melody.quarters_per_minute)
        if not tempi or tempo.mspq != tempi[-1].mspq:
            tempi.append(tempo)
    score.tempos = tempi
    score.markers = [
        symusic.TextMeta(round(start * TICKS_PER_QUARTER), text) for start, text in zip(quarters, markers, strict=False)
    ]
    with whole_file(path) as temporary:
        score.dump_midi(temporary)

"""A piece in compound meter counted in its beats: 12/8 as a shuffled 4/4, 6/8 as a 2/4, 9/8 as a 3/4.

A dotted quarter becomes a quarter, and the tempo is that of the beats, so the piece sounds as before. Its second
eighths lie two thirds into a beat: laid straight with that swing, all eighths are on sixteenths of the grid.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from melodyvae.music.notes import MIN_QUARTERS_PER_MINUTE, TIME_RESOLUTION, Meter, Part, Song, Tempo

SHUFFLE = 2 / 3  # where in a beat the last of its three eighths begins
EIGHTHS_PER_BEAT = 3


def is_compound(meter: tuple[int, int]) -> bool:
    """Whether a meter's bars are several beats of three eighths or sixteenths: 6/8, 9/8, 12/8 and so on."""
    return meter[0] > EIGHTHS_PER_BEAT and meter[0] % EIGHTHS_PER_BEAT == 0 and meter[1] >= 8


def counts_quarters(meter: tuple[int, int]) -> bool:
    """Whether a compound piece fits the bars of a meter beat on beat: 4/4, 2/4 and so on, but not 3/4 or 6/8."""
    return meter[1] == 4 and meter[0] % EIGHTHS_PER_BEAT != 0


def meter_in_beats(meter: tuple[int, int]) -> tuple[int, int]:
    """The meter that counts the beats of a compound one as quarters; any other as it is."""
    return (meter[0] // EIGHTHS_PER_BEAT, 4) if is_compound(meter) else meter


def in_beats(song: Song) -> Song:
    """The piece with each beat of its compound bars as a quarter; its other bars are as they were."""
    sections = song.sections
    meters = [(section.meter.numerator, section.meter.denominator) for section in sections]
    starts = np.array([section.meter.start_quarters for section in sections])
    scales = np.array([_beats_per_quarter(meter) for meter in meters])
    placed = np.append(0.0, np.cumsum(np.diff(starts) * scales[:-1]))

    def section_of(quarters: np.ndarray) -> np.ndarray:
        return np.maximum(np.searchsorted(starts, quarters + TIME_RESOLUTION, "right") - 1, 0)

    def move(quarters: np.ndarray) -> np.ndarray:
        chosen = section_of(quarters)
        moved: np.ndarray = placed[chosen] + (quarters - starts[chosen]) * scales[chosen]
        return moved

    def move_one(quarters: float) -> float:
        return float(move(np.array([quarters]))[0])

    def of_part(part: Part) -> Part:
        changes = tuple((move_one(start), program) for start, program in part.program_changes)
        return replace(part, starts=move(part.starts), ends=move(part.ends), program_changes=changes)

    tempo_places = np.array(sorted({0.0, *starts.tolist(), *(tempo.start_quarters for tempo in song.tempi)}))
    tempi = [
        Tempo(move_one(place), max(song.quarters_per_minute_at(place) * float(scale), MIN_QUARTERS_PER_MINUTE))
        for place, scale in zip(tempo_places.tolist(), scales[section_of(tempo_places)], strict=True)
    ]
    return replace(
        song,
        parts=tuple(of_part(part) for part in song.parts),
        tempi=tuple(tempi[:1] + [later for before, later in pairwise(tempi) if _pace(later) != _pace(before)]),
        meters=tuple(
            Meter(place, *meter_in_beats(meter)) for place, meter in zip(placed.tolist(), meters, strict=True)
        ),
        end_quarters=move_one(song.end_quarters),
        key_signatures=tuple(replace(key, start_quarters=move_one(key.start_quarters)) for key in song.key_signatures),
    )


def _beats_per_quarter(meter: tuple[int, int]) -> float:
    return meter[1] / (4 * EIGHTHS_PER_BEAT) if is_compound(meter) else 1.0


def _pace(tempo: Tempo) -> float:
    return round(tempo.quarters_per_minute, 6)

"""A piece in compound meter counted in its beats: a 12/8 is a shuffled 4/4, and sounds as before."""

from __future__ import annotations

import numpy as np
import pytest

from melodyvae.music.beats import in_beats, is_compound, meter_in_beats
from melodyvae.music.feel import Feel
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.notes import MIN_QUARTERS_PER_MINUTE, KeySignature, Meter, Song, Tempo
from melodyvae.music.regions import ReadMelody, melody_of
from tests.reading.smf import part, song

EIGHTHS = [(i / 2, i / 2 + 0.5, 60 + i % 5) for i in range(48)]


def test_only_several_beats_of_three_are_compound() -> None:
    assert [is_compound(meter) for meter in ((12, 8), (9, 8), (6, 8), (6, 16))] == [True] * 4
    assert [is_compound(meter) for meter in ((3, 8), (3, 4), (6, 4), (4, 4), (7, 8))] == [False] * 5
    assert [meter_in_beats(meter) for meter in ((12, 8), (6, 8), (5, 4))] == [(4, 4), (2, 4), (5, 4)]


def test_bars_of_other_meters_keep_their_lengths_and_seconds_stay() -> None:
    piece = Song(
        (part([(0, 6, 60), (6, 7, 62), (10, 13, 64)]),),
        (Tempo(0.0, 120.0), Tempo(3.0, 60.0)),
        (Meter(0.0, 12, 8), Meter(6.0, 4, 4), Meter(10.0, 6, 8)),
        13.0,
        key_signatures=(KeySignature(6.0, 1),),
    )
    found = in_beats(piece)
    assert found.parts[0].starts.tolist() == [0, 4, 8]
    assert found.parts[0].ends.tolist() == [4, 5, 10]
    assert [(meter.start_quarters, meter.numerator, meter.denominator) for meter in found.meters] == [
        (0, 4, 4),
        (4, 4, 4),
        (8, 2, 4),
    ]
    assert found.tempi == (Tempo(0.0, 80.0), Tempo(2.0, 40.0), Tempo(4.0, 60.0), Tempo(8.0, 40.0))
    assert (found.end_quarters, found.key_signatures[0].start_quarters) == (10, 4)


@pytest.mark.parametrize(("meter", "bars"), [((12, 8), 4), ((6, 8), 4)])
def test_every_eighth_is_on_the_grid_and_comes_back_in_time(meter: tuple[int, int], bars: int) -> None:
    found = melody_of(song(part(EIGHTHS), meters=[(0.0, *meter)]), 0, (4, 4))
    assert [note.start_step for note in found.melody.notes][:7] == [0, 1, 2, 4, 5, 6, 8]
    assert (found.melody.bars, found.melody.quarters_per_minute) == (bars, 80.0)
    assert (found.lost_steps, found.moved_steps) == ((), ())
    assert f"in {meter[0]}/{meter[1]}, read as a shuffle" in found.description
    assert "laid" not in found.description
    back = Feel.of(found, 0, bars).play(found.melody)
    seconds = np.array([note.start_quarters for note in back]) * 60 / 80
    assert np.allclose(seconds, np.array([start for start, _, _ in EIGHTHS]) * 60 / 120)


def test_bars_of_three_take_it_as_it_is() -> None:
    found = melody_of(song(part(EIGHTHS), meters=[(0.0, 12, 8)]), 0, (3, 4))
    assert found.layout.swing == 0.5
    assert [note.start_step for note in found.melody.notes][:4] == [0, 2, 4, 6]


def test_a_melody_is_read_as_a_file_of_it() -> None:
    jig = Melody(tuple(MelodyNote(2 * i, 2 * i + 2, 60 + i) for i in range(12)), 24, meter=(12, 8))
    found = ReadMelody.of(jig, (4, 4))
    assert [note.start_step for note in found.melody.notes] == [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]
    assert (found.melody.bars, found.layout.swing) == (1, pytest.approx(2 / 3))


def test_beats_are_not_slower_than_a_file_can_hold() -> None:
    piece = Song((part(EIGHTHS),), (Tempo(0.0, 5.0),), (Meter(0.0, 6, 8),), 24.0)
    assert in_beats(piece).tempi[0].quarters_per_minute == MIN_QUARTERS_PER_MINUTE

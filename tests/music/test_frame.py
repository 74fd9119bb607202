"""A tune that keeps bars of a piece lies over the piece: the same places, tempi and meters."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodyvae.music.arrangement import accompaniment_of
from melodyvae.music.feel import Feel
from melodyvae.music.frame import Frame
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.notes import KeySignature, Meter, Part, Song, Tempo
from melodyvae.music.regions import ReadMelody, melody_of
from melodyvae.reading.midi import read_midi
from melodyvae.writing.row import write_in_a_row
from melodyvae.writing.sheet import Roll
from tests.reading.smf import part, song

METERS = [(0.0, 1, 4), (1.0, 4, 4), (9.0, 2, 4), (11.0, 4, 4), (15.0, 3, 4), (18.0, 4, 4)]
TEMPI = (Tempo(0.0, 90.0), Tempo(7.0, 60.0), Tempo(16.5, 132.0))


@pytest.fixture
def piece() -> ReadMelody:
    """A quarter per beat: a pickup, two bars of 4/4, one of 2/4, one of 4/4, one of 3/4, and two of 4/4."""
    tune = part([(beat, beat + 1.0, 60 + beat % 12) for beat in range(26)], "lead")
    found = replace(song(tune, meters=METERS), tempi=TEMPI, key_signatures=(KeySignature(0.0, 2),))
    return melody_of(found, 0, (4, 4))


def written(path: Path, melodies: list[Melody], found: ReadMelody, first_bar: int = 0) -> Song:
    """What is read of a file of melodies that begin at a bar of ``found``, played as there."""
    rolls = []
    for melody in melodies:
        place = found, first_bar, melody.bars
        rolls.append(Roll(melody, feel=Feel.of(*place), frame=Frame.of(*place)))
    write_in_a_row(rolls, path)
    return read_midi(path)


def rounded(part: Part) -> list[tuple[float, float, int]]:
    columns = np.round(part.starts, 3), np.round(part.ends, 3), part.pitches
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_every_note_and_every_change_of_tempo_and_meter_is_where_it_was(piece: ReadMelody, tmp_path: Path) -> None:
    back = written(tmp_path / "back.mid", [piece.melody], piece)
    assert piece.song is not None
    assert piece.melody.bars == 8  # on the grid short bars are made up to whole ones
    assert rounded(back.parts[0]) == rounded(piece.song.parts[0])
    assert back.meters == piece.song.meters
    assert [(tempo.start_quarters, round(tempo.quarters_per_minute, 3)) for tempo in back.tempi] == [
        (tempo.start_quarters, tempo.quarters_per_minute) for tempo in TEMPI
    ]
    assert (back.end_quarters, back.key_signatures) == (26.0, piece.song.key_signatures)


def test_new_bars_come_after_the_last_bar_line_in_the_last_tempo(piece: ReadMelody, tmp_path: Path) -> None:
    longer = piece.melody + Melody((MelodyNote(0, 16, 80), MelodyNote(16, 32, 81)), 32)
    back = written(tmp_path / "back.mid", [longer], piece)
    assert rounded(back.parts[0])[-3:] == [(25.0, 26.0, 61), (26.0, 30.0, 80), (30.0, 34.0, 81)]
    assert (back.end_quarters, back.meters[-1], len(back.tempi)) == (34.0, Meter(18.0, 4, 4), 3)


def test_bars_that_begin_later_still_lie_over_the_piece_but_follow_each_other_in_a_row(
    piece: ReadMelody, tmp_path: Path
) -> None:
    bars = piece.window(3, 3)  # from the bar of 2/4 on
    assert piece.song is not None
    back = written(tmp_path / "back.mid", [bars], piece, 3)
    assert rounded(back.parts[0]) == rounded(piece.song.parts[0])[9:18]
    assert (back.end_quarters, back.meters) == (18.0, piece.song.meters[:5])
    row = written(tmp_path / "row.mid", [bars, bars], piece, 3)
    assert [start for start, _, _ in rounded(row.parts[0])] == [float(beat) for beat in range(18)]
    assert row.meters == tuple(
        Meter(float(at), *meter) for at, meter in zip((0, 2, 6, 9, 11, 15), ((2, 4), (4, 4), (3, 4)) * 2, strict=True)
    )
    assert [(tempo.start_quarters, round(tempo.quarters_per_minute)) for tempo in row.tempi] == [
        (0.0, 60),
        (7.5, 132),
        (9.0, 60),
        (16.5, 132),
    ]


def test_what_has_no_place_in_a_short_bar_is_left_out(piece: ReadMelody, tmp_path: Path) -> None:
    notes = (MelodyNote(0, 4, 70), MelodyNote(4, 16, 71), MelodyNote(48, 60, 72), MelodyNote(60, 64, 73))
    back = written(tmp_path / "back.mid", [Melody(notes, 128)], piece)
    assert rounded(back.parts[0]) == [(0.0, 1.0, 71), (9.0, 11.0, 72)]


def test_a_tune_in_bars_that_are_laid_over_it_ends_on_its_own_bar_line(tmp_path: Path) -> None:
    tune = part([(float(beat), beat + 1.0, 60) for beat in range(15)])
    found = melody_of(song(tune, meters=[(0.0, 3, 4)]), 0, (4, 4))
    back = written(tmp_path / "back.mid", [found.melody.window(0, 2)], found)
    assert (len(back.parts[0]), back.end_quarters, back.meters) == (8, 9.0, (Meter(0.0, 3, 4),))
    longer = written(tmp_path / "longer.mid", [found.melody.pad_to(5)], found)
    assert (longer.end_quarters, longer.meters) == (19.0, (Meter(0.0, 3, 4), Meter(15.0, 4, 4)))


def test_programs_of_the_tune_are_kept(piece: ReadMelody, tmp_path: Path) -> None:
    assert piece.song is not None
    lead = replace(piece.song.parts[0], program_changes=((2.0, 40), (10.0, 41), (22.0, 42)))
    found = replace(piece, song=replace(piece.song, parts=(lead,)))
    write_in_a_row([Roll(found.window(3, 3), frame=Frame.of(found, 3, 3))], tmp_path / "a.mid")
    data = (tmp_path / "a.mid").read_bytes()
    assert [program for program in (40, 41, 42) if bytes([0xC0, program]) in data] == [40, 41]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from([(4, 4), (3, 4), (2, 4), (5, 8)])), min_size=1, max_size=5),
    st.data(),
)
def test_any_piece_lies_over_itself(
    tmp_path_factory: pytest.TempPathFactory, sections: list[tuple[int, tuple[int, int]]], data: st.DataObject
) -> None:
    meters, end = [], 0.0
    for bars, (numerator, denominator) in sections:
        meters.append((end, numerator, denominator))
        end += bars * 4 * numerator / denominator
    borders = sorted(data.draw(st.sets(st.integers(0, round(4 * end)), min_size=2, max_size=20)))
    lateness = data.draw(st.sampled_from([0.0, 0.02]))
    tune = part([(start / 4 + lateness, stop / 4, 60) for start, stop in itertools.pairwise(borders)])
    found = melody_of(song(tune, meters=meters, end=end), 0, data.draw(st.sampled_from([(4, 4), (3, 4)])))
    back = written(tmp_path_factory.mktemp("frame") / "a.mid", [found.melody], found)
    assert np.abs(back.parts[0].starts - tune.starts).max() < 1 / 480
    assert back.meters == tuple(Meter(*meter) for meter in meters)
    assert back.end_quarters == end


def test_the_other_tracks_lie_over_the_piece_too(piece: ReadMelody, tmp_path: Path) -> None:
    assert piece.song is not None
    pads = part([(at + 0.1, at + 1.7, 48) for at in range(0, 26, 2)], "pads", program=88)
    pads = replace(pads, program_changes=((3.0, 89), (10.0, 90), (16.0, 91), (20.0, 92)))
    found = replace(piece, song=replace(piece.song, parts=(piece.song.parts[0], pads)))
    backing = accompaniment_of(found, 3, 3).parts
    assert backing[0].program == 89  # in force where the bars begin
    melody = found.window(3, 3)
    write_in_a_row([Roll(melody, frame=Frame.of(found, 3, 3), backing=backing)], tmp_path / "a.mid")
    starts = np.sort(
        np.concatenate([back.starts for back in read_midi(tmp_path / "a.mid").parts if back.name == "pads"])
    )
    assert np.abs(starts - [9.0, *np.arange(10.1, 18, 2)]).max() < 1 / 480  # a note across the border is cut there
    data = (tmp_path / "a.mid").read_bytes()
    assert [program for program in range(88, 93) if bytes([0xC1, program]) in data] == [89, 90, 91]

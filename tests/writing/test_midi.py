"""Written files are read again, by this package and by others, and every track ends on the bar line."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from melodyvae.music.feel import Feel
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.notes import KeySignature, Meter, Part, Song, Tempo
from melodyvae.reading.midi import read_midi, song_from_bytes
from melodyvae.writing.midi import midi_bytes, write_midi
from melodyvae.writing.row import write_in_a_row
from melodyvae.writing.sheet import Roll
from tests.music.strategies import melodies
from tests.reading.smf import part, song

TICKS = 480


def end_ticks(data: bytes) -> list[int]:
    """Where each track of a MIDI file ends, as mido reads it."""
    tracks = mido.MidiFile(file=BytesIO(data)).tracks
    assert all(track[-1].type == "end_of_track" for track in tracks)
    return [sum(message.time for message in track) for track in tracks]


def bar_ticks(melody: Melody) -> int:
    return TICKS * 4 * melody.meter[0] // melody.meter[1]


def test_every_byte_of_a_small_file() -> None:
    lead = replace(part([(0, 1, 60)], "é", program=5), volume=100, program_changes=((1.0, 6),))
    piece = song(lead, part([(0, 9, 36)], is_drum=True), meters=[(0, 3, 4)], end=3.0)
    piece = replace(piece, tempi=(Tempo(0.0, 60.0),), key_signatures=(KeySignature(0.0, -3, is_minor=True),))
    header = "4d546864 00000006 0001 0003 01e0"
    conductor = (
        "00 ff5804 03021808"  # 3/4
        "00 ff5902 fd01"  # C minor
        "00 ff5103 0f4240"  # a second per quarter
        "00 ff0601 41"  # the marker
        "8b20 ff2f00"  # 1,440 ticks
    )
    melody = (
        "00 ff0302 c3a9"  # the name in UTF-8
        "00 c005"
        "00 b00764"  # volume
        "00 903c50"
        "8360 803c00"
        "00 c006"
        "8740 ff2f00"  # 960 ticks
    )
    drums = "00 c900 00 992450 8b20 892400 00 ff2f00"  # on channel 10, and not beyond the end
    tracks = [bytes.fromhex(track) for track in (conductor, melody, drums)]
    expected = bytes.fromhex(header) + b"".join(b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks)
    assert midi_bytes(piece, [(0.0, "A")]) == expected


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """A part within two bars of 4/4, on ticks; no pitch sounds twice at once."""
    notes = []
    for pitch in draw(st.sets(st.integers(0, 127), min_size=1, max_size=4)):
        borders = sorted(draw(st.sets(st.integers(0, 8 * TICKS), min_size=2, max_size=6)))
        notes += [(start / TICKS, end / TICKS, pitch) for start, end in zip(borders[::2], borders[1::2], strict=False)]
    found = part(notes, draw(st.sampled_from(["", "lead", "Мелодия"])), draw(st.booleans()), draw(st.integers(0, 127)))
    velocities = draw(st.lists(st.integers(1, 127), min_size=len(notes), max_size=len(notes)))
    volume = None if found.is_drum else draw(st.none() | st.integers(0, 127))  # drums share a channel, and its volume
    return replace(found, velocities=np.array(velocities, np.int16), volume=volume)


@settings(deadline=None)
@given(st.lists(parts(), min_size=1, max_size=20), st.integers(1, 4))
def test_a_piece_that_is_written_is_the_one_that_is_read(found: list[Part], bars: int) -> None:
    end = 8.0 + 3 * bars
    piece = Song(
        parts=tuple(found),
        tempi=(Tempo(0.0, 120.0), Tempo(1.5, 75.0)),
        meters=(Meter(0.0, 4, 4), Meter(8.0, 6, 8)),
        end_quarters=end,
        key_signatures=(KeySignature(0.0, 7), KeySignature(4.0, -7, is_minor=True)),
    )
    back = song_from_bytes(midi_bytes(piece))
    assert replace(back, parts=()) == replace(piece, parts=())
    assert len(back.parts) == len(found)
    for one, other in zip(back.parts, found, strict=True):
        assert (one.name, one.program, one.is_drum, one.volume) == (
            other.name,
            other.program,
            other.is_drum,
            other.volume,
        )
        for name in ("starts", "ends", "pitches", "velocities"):
            assert np.abs(getattr(one, name) - getattr(other, name)).max() < 1e-9  # a tick is 2e-3


@settings(deadline=None)
@given(melodies())
def test_a_melody_ends_on_its_bar_line(tmp_path_factory: pytest.TempPathFactory, melody: Melody) -> None:
    path = tmp_path_factory.mktemp("end") / "a.mid"
    melody.write(path)
    assert end_ticks(path.read_bytes()) == [melody.bars * bar_ticks(melody)] * 2
    assert pretty_midi.PrettyMIDI(str(path)).get_end_time() <= melody.bars * bar_ticks(melody) / TICKS * 60 / (
        melody.quarters_per_minute
    ) * (1 + 1e-6)
    assert symusic.Score(str(path)).end() <= melody.bars * bar_ticks(melody)
    assert read_midi(path).end_quarters == melody.bars * bar_ticks(melody) / TICKS


@settings(deadline=None)
@given(st.data())
def test_a_row_ends_on_the_bar_line_however_it_is_played(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    first = data.draw(melodies())
    row = [
        replace(first, quarters_per_minute=tempo)
        for tempo in data.draw(st.lists(st.sampled_from([90.0, 121.0]), min_size=1, max_size=3))
    ]
    steps = first.length_steps
    offsets = data.draw(st.lists(st.floats(-0.5, 0.5), min_size=steps, max_size=steps))
    feel = Feel(
        data.draw(st.sampled_from([0.5, 0.62])),
        4,
        np.array(offsets),
        np.array([*offsets, 0.49]),
        np.full(steps, 90.0),
    )
    backing = (part([(0.0, 99.0, 48)], "pad"), part([(0.1, 0.2, 36)], "kit", is_drum=True))
    path = tmp_path_factory.mktemp("row") / "all.mid"
    write_in_a_row([Roll(melody, feel=feel, backing=backing) for melody in row], path)
    end = len(row) * first.bars * bar_ticks(first)
    assert end_ticks(path.read_bytes()) == [end] * 4
    assert max(found.ends.max() for found in read_midi(path).parts) <= end / TICKS


def test_the_row_has_a_name_and_the_keys_that_are_known(tmp_path: Path) -> None:
    melody = Melody((MelodyNote(0, 4, 60),), 32)
    write_in_a_row(
        [Roll(melody, key=key) for key in (Key(0, False), Key(9, True), None, Key(3, False))], tmp_path / "all.mid"
    )
    file = mido.MidiFile(tmp_path / "all.mid")
    assert [track.name for track in file.tracks] == ["", "melody"]
    read = read_midi(tmp_path / "all.mid")
    assert read.key_signatures == (KeySignature(0.0, 0), KeySignature(8.0, 0, True), KeySignature(24.0, -3))


@pytest.mark.parametrize(("tonic", "fifths"), [(0, 0), (7, 1), (6, 6), (1, -5), (5, -1), (11, 5)])
def test_the_signatures_of_keys(tonic: int, fifths: int) -> None:
    assert Key(tonic, is_minor=False).fifths == fifths
    assert Key((tonic - 3) % 12, is_minor=True).fifths == fifths


def test_programs_change_where_each_part_says_so(tmp_path: Path) -> None:
    melody = Melody((MelodyNote(0, 4, 60),), 16)
    strings = replace(part([(0, 4, 48)], "strings", program=48), program_changes=((2.0, 51),))
    write_in_a_row([Roll(melody, backing=(strings,))] * 2, tmp_path / "all.mid")
    events = [
        (time, message.program)
        for time, message in timed(mido.MidiFile(tmp_path / "all.mid").tracks[2])
        if message.type == "program_change"
    ]
    assert events == [(0, 48), (960, 51), (1920, 48), (2880, 51)]


def timed(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    times = np.cumsum([message.time for message in track]).tolist()
    return list(zip(times, track, strict=True))


def test_a_meter_that_midi_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for meter in ((4, 6), (256, 4)):
        with pytest.raises(ValueError, match=f"cannot hold the meter {meter[0]}/{meter[1]}: the lower number must be"):
            write_midi(song(part([(0, 1, 60)]), meters=[(0, *meter)]), tmp_path / "a.mid")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        write_midi(song(), tmp_path / "no folder" / "a.mid")

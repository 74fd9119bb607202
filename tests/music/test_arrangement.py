"""Melodies in a row, and over the other tracks of a piece: what is written is what is read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import symusic

from melodyvae.music.arrangement import (
    accompaniment_of,
    transposed,
)
from melodyvae.music.feel import Feel
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.regions import ReadMelody, melody_of
from melodyvae.reading.melodies import read_melody
from melodyvae.reading.midi import read_midi
from melodyvae.writing.row import write_in_a_row
from melodyvae.writing.sheet import Roll
from tests.reading.smf import part, song


class TestInARow:
    def test_each_melody_keeps_its_tempo_and_nothing_else_changes(self, tmp_path: Path) -> None:
        first = Melody((MelodyNote(0, 4, 60), MelodyNote(4, 16, 62)), 32, quarters_per_minute=90.0, program=5)
        second = Melody((MelodyNote(2, 8, 62), MelodyNote(8, 20, 62)), 32, quarters_per_minute=180.0)
        write_in_a_row([Roll(first), Roll(second), Roll(second)], tmp_path / "row.mid")
        read = read_melody(tmp_path / "row.mid")
        assert read.melody.notes == Melody.join([first, second, second]).notes
        assert read.melody.length_steps == 96
        assert read.melody.program == 5
        tempi = [read.window(bar, 2).quarters_per_minute for bar in (0, 2, 4)]
        assert tempi == pytest.approx([90, 180, 180], abs=0.01)
        assert len(read.tempi) == 2

    def test_a_marker_stands_where_each_melody_begins(self, tmp_path: Path) -> None:
        melody = Melody((MelodyNote(0, 4, 60),), 32)
        write_in_a_row([Roll(melody)] * 3, tmp_path / "row.mid", markers=["A", "2", "B"])
        score = symusic.Score(str(tmp_path / "row.mid"))
        quarter = score.ticks_per_quarter
        assert [(marker.time / quarter, marker.text) for marker in score.markers] == [(0, "A"), (8, "2"), (16, "B")]

    def test_nothing_is_refused_and_nothing_written(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no melody to join"):
            write_in_a_row([], tmp_path / "row.mid")
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def band(tmp_path: Path) -> ReadMelody:
    """Four bars: a tune, two chords per bar off the grid, drums on the beat, and a bass that rests in bar three."""
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    tune = [(i, i + 1.0, 72 + (0, 2, 4, 5, 7, 5, 4, 2)[i % 8]) for i in range(16)]
    chords = [(2 * i + 0.1, 2 * i + 1.9, pitch) for i in range(8) for pitch in (48, 52, 55)]
    drums = [(float(i), i + 0.25, 36) for i in range(16)]
    bass = [(float(i), i + 1.0, 36) for i in range(16) if i // 4 != 2]
    for name, program, is_drum, notes in (
        ("chords", 4, False, chords),
        ("vocals", 0, False, tune),
        ("", 0, True, drums),
        ("bass", 33, False, bass),
    ):
        instrument = pretty_midi.Instrument(program, is_drum, name)
        instrument.notes = [pretty_midi.Note(70, pitch, start / 2, end / 2) for start, end, pitch in notes]
        midi.instruments.append(instrument)
    midi.write(str(tmp_path / "band.mid"))
    return read_melody(tmp_path / "band.mid")


def test_the_backing_is_all_but_the_melody_and_keeps_its_timing(band: ReadMelody) -> None:
    backing = accompaniment_of(band, 1, 2).parts
    assert [(part.name, part.is_drum) for part in backing] == [("chords", False), ("", True), ("bass", False)]
    chords, drums, bass = backing
    assert np.allclose(np.unique(chords.starts), [0.1, 2.1, 4.1, 6.1], atol=0.01)
    assert np.allclose(drums.starts, np.arange(8), atol=0.01)
    assert len(bass) == 4
    assert accompaniment_of(band, 2, 1).parts[-1].is_drum  # the bass rests there


def test_notes_across_the_borders_are_cut(band: ReadMelody) -> None:
    whole, cut = (accompaniment_of(piece, 0, 1).parts for piece in (band, ReadMelody.of(band.melody)))
    assert whole[0].ends.max() <= 4
    assert cut == ()  # a melody alone has no backing


TUNE = [(float(i), i + 1.0, 72 + (0, 2, 4, 5, 7, 5, 4, 2)[i % 8]) for i in range(16)]
PADS = [(4.0 * i, 4 * i + 4.0, pitch) for i in range(4) for pitch in (48, 52, 55)]


class TestAccompaniment:
    def test_what_plays_the_tune_too_is_muted_and_named(self) -> None:
        lower = [(start + 0.05, end, pitch - 12) for start, end, pitch in TUNE]
        band = song(part(TUNE, "Vocals"), part(lower, "Sax"), part(lower[:12], ""), part(PADS, "Pads"))
        found = accompaniment_of(melody_of(band, 0), 0, 2)
        assert [part.name for part in found.parts] == ["Pads"]
        assert found.muted == ("Sax", "track 3")

    def test_of_a_piano_that_plays_chords_with_the_tune_on_top_the_chords_stay(self) -> None:
        chords = [(float(i), i + 1.0, pitch) for i in range(16) for pitch in (48, 51)]
        found = accompaniment_of(melody_of(song(part(TUNE, "Vocals"), part([*TUNE, *chords], "Piano")), 0), 0, 4)
        (piano,) = found.parts
        assert found.thinned == ("Piano",)
        assert set(piano.pitches.tolist()) == {48, 51}

    def test_what_shares_a_note_here_and_there_is_not_muted(self) -> None:
        found = accompaniment_of(melody_of(song(part(TUNE, "Vocals"), part(PADS, "Pads")), 0), 0, 4)
        assert (found.muted, found.thinned, len(found.parts[0])) == ((), (), 12)
        alone = accompaniment_of(melody_of(song(part(TUNE)), 0), 0, 4)
        assert (alone.parts, alone.muted) == ((), ())

    def test_the_new_lead_is_as_loud_as_the_old_and_the_others_stay_as_they_are_mixed(self, tmp_path: Path) -> None:
        midi = pretty_midi.PrettyMIDI(initial_tempo=120)
        for name, volume, velocity, notes in (("Lead", 127, 101, TUNE), ("Pads", 40, 60, PADS)):
            instrument = pretty_midi.Instrument(0, name=name)
            instrument.notes = [pretty_midi.Note(velocity, pitch, start / 2, end / 2) for start, end, pitch in notes]
            instrument.control_changes = [pretty_midi.ControlChange(7, volume, 0.0)]
            midi.instruments.append(instrument)
        midi.write(str(tmp_path / "band.mid"))
        found = read_melody(tmp_path / "band.mid", "lead")
        lead = Melody((MelodyNote(0, 8, 60), MelodyNote(8, 32, 62)), 32)
        backing, feel = accompaniment_of(found, 0, 2).parts, Feel.of(found, 0, 2)
        write_in_a_row([Roll(lead, feel=feel, backing=backing)], tmp_path / "new.mid")
        parts = read_midi(tmp_path / "new.mid").parts
        assert [(part.volume, set(part.velocities.tolist())) for part in parts] == [(127, {101}), (40, {60})]
        write_in_a_row([Roll(lead, feel=feel)], tmp_path / "alone.mid")
        assert read_midi(tmp_path / "alone.mid").parts[0].volume is None


def test_another_key_moves_all_but_the_drums(band: ReadMelody) -> None:
    backing = accompaniment_of(band, 0, 1).parts
    moved = transposed(backing, 3)
    shifts = [set((after.pitches - before.pitches).tolist()) for before, after in zip(backing, moved, strict=True)]
    assert shifts == [{3}, {0}, {3}]
    low, high = (set(transposed(backing, by)[2].pitches.tolist()) for by in (-61, 103))
    assert (low, high) == ({36 - 61 + 36}, {36 + 103 - 12})  # by octaves, as they would leave MIDI's pitches


def test_the_lead_is_found_again_over_its_backing(band: ReadMelody, tmp_path: Path) -> None:
    lead = Melody(tuple(MelodyNote(8 * i, 8 * i + 8, 60 + 3 * i) for i in range(4)), 32, quarters_per_minute=90.0)
    faster = Melody((MelodyNote(4, 20, 70), MelodyNote(20, 24, 71)), 32, quarters_per_minute=150.0)
    backing = accompaniment_of(band, 0, 2).parts
    write_in_a_row([Roll(lead, backing=backing), Roll(faster, backing=backing)], tmp_path / "arranged.mid")
    song = read_midi(tmp_path / "arranged.mid")
    assert sorted(part.name for part in song.parts) == ["", "bass", "chords", "melody"]
    chords = next(part for part in song.parts if part.name == "chords")
    assert np.allclose(chords.starts[:3], 0.1, atol=0.01)
    assert np.allclose(np.unique(np.round(chords.starts, 2))[4:5], 8.1, atol=0.01)
    assert read_melody(tmp_path / "arranged.mid").melody.notes == Melody.join([lead, faster]).notes
    assert song.quarters_per_minute_at(0) == pytest.approx(90, abs=0.01)
    assert song.quarters_per_minute_at(9) == pytest.approx(150, abs=0.01)

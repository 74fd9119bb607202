"""What files are read as, and how those are refused that cannot be: each fixture is the file, byte by byte."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pretty_midi
import pytest

from data_prep.reading.clipping import clip_data_bytes
from data_prep.reading.midi import (
    AudioFileError,
    CorruptMidiError,
    EmptyFileError,
    FileTooLargeError,
    MidiError,
    NotMidiError,
    TruncatedMidiError,
    UnsupportedMidiError,
    read_midi,
    song_from_bytes,
    write_midi,
)
from data_prep.reading.notes import Meter, Song
from tests.data_prep.smf import END_OF_TRACK, QUARTER, smf, time_signature, tune


def notes_of(song: Song) -> list[tuple[float, float, int]]:
    assert len(song.parts) == 1
    part = song.parts[0]
    return list(zip(part.starts.tolist(), part.ends.tolist(), part.pitches.tolist(), strict=True))


def test_a_note_on_of_velocity_0_is_a_note_off() -> None:
    data = smf(
        "00 90 3c 50"  # note on, C4
        f"{QUARTER} 90 3c 00"  # the same with velocity 0
        f"{END_OF_TRACK}"
    )
    assert notes_of(song_from_bytes(data)) == [(0.0, 1.0, 60)]


def test_running_status_repeats_the_status_byte() -> None:
    data = smf(
        "00 90 3c 50"
        f"{QUARTER} 3c 00"  # no status byte: still note on
        "00 3e 50"
        f"{QUARTER} 3e 00"
        f"{END_OF_TRACK}"
    )
    assert notes_of(song_from_bytes(data)) == [(0.0, 1.0, 60), (1.0, 2.0, 62)]


def test_a_note_that_is_never_ended_is_left_out() -> None:
    data = smf(
        "00 90 3c 50"  # no note off follows for this one
        f"{QUARTER} 90 3e 50"
        f"{QUARTER} 80 3e 00"
        f"{END_OF_TRACK}"
    )
    assert notes_of(song_from_bytes(data)) == [(1.0, 2.0, 62)]


def test_two_tempi() -> None:
    data = smf(
        "00 ff 51 03 07 a1 20"  # 500,000 microseconds per quarter
        f"{QUARTER} ff 51 03 0f 42 40"  # 1,000,000
        f"00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}"
    )
    song = song_from_bytes(data)
    assert [song.quarters_per_minute_at(quarters) for quarters in (0, 0.5, 1, 9)] == [120, 120, 60, 60]


def test_a_tempo_of_zero_is_no_tempo() -> None:
    data = smf(f"00 ff 51 03 00 00 00 00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}")
    assert song_from_bytes(data).quarters_per_minute_at(0) == 120


def test_of_two_signatures_at_one_time_the_last_counts_and_a_numerator_of_0_does_not() -> None:
    data = smf(
        f"00 {time_signature(4, 4)} 00 {time_signature(3, 4)} 00 {time_signature(0, 4)}"
        f"00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}"
    )
    assert song_from_bytes(data).meters == (Meter(0.0, 3, 4),)


def test_channel_10_is_drums() -> None:
    assert [part.is_drum for part in song_from_bytes(tune([36, 38], channel=9)).parts] == [True]


def test_a_missing_end_of_track_and_bytes_after_the_last_track_are_forgiven() -> None:
    note = f"00 90 3c 50 {QUARTER} 80 3c 00"
    assert notes_of(song_from_bytes(smf(note))) == [(0.0, 1.0, 60)]
    assert notes_of(song_from_bytes(smf(note + END_OF_TRACK) + b"more than eight bytes")) == [(0.0, 1.0, 60)]


def test_notes_come_sorted_by_start_and_then_pitch() -> None:
    data = smf(
        f"00 90 40 50 00 90 3c 50 {QUARTER} 80 40 00 00 80 3c 00 {END_OF_TRACK}",
    )
    assert notes_of(song_from_bytes(data)) == [(0.0, 1.0, 60), (0.0, 1.0, 64)]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        pytest.param(b"", EmptyFileError, r"song is empty \(0 bytes\)", id="empty"),
        pytest.param(b"RIFF....", NotMidiError, "save the MIDI inside it", id="riff"),
        pytest.param(b"<html></html>", NotMidiError, r"begins with b'<htm', not with b'MThd'", id="html"),
        pytest.param(b"MThd\0\0\0\6\0\1", TruncatedMidiError, "ends after 10 bytes, inside its header", id="header"),
        pytest.param(tune([60])[:-5], TruncatedMidiError, r"the chunk at byte 14 announces \d+ bytes", id="truncated"),
        pytest.param(smf(END_OF_TRACK, kind=2), UnsupportedMidiError, "type 2 .*save it as type 0 or 1", id="type 2"),
        pytest.param(smf(END_OF_TRACK, division=0xE728), UnsupportedMidiError, "film frames", id="SMPTE"),
        pytest.param(smf(END_OF_TRACK, division=0), CorruptMidiError, "0 ticks per quarter", id="no ticks"),
        pytest.param(smf(END_OF_TRACK, kind=7), CorruptMidiError, "damaged header: type 7", id="type 7"),
        pytest.param(
            smf(f"00 90 3c 50 {QUARTER} 80 3c"),
            CorruptMidiError,
            "damaged: it ends in the middle of an event",
            id="cut event",
        ),
        pytest.param(smf("00 3c 50"), CorruptMidiError, "damaged: .*running status", id="data before any status"),
        pytest.param(
            smf("ff ff ff 7f 90 3c 50 ff ff ff 7f 80 3c 00" * 12 + END_OF_TRACK),
            CorruptMidiError,
            r"outside 0\.\.100000 quarter notes",
            id="times that overflow",
        ),
    ],
)
def test_what_is_refused_and_how(data: bytes, error: type[MidiError], message: str) -> None:
    with pytest.raises(error, match=message):
        song_from_bytes(data, "song")


def test_ten_megabytes_of_noise_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(10 * 2**20)
    plain, headed = tmp_path / "noise.mid", tmp_path / "headed.mid"
    plain.write_bytes(noise)
    headed.write_bytes(tune([60])[:22] + noise)
    with pytest.raises(NotMidiError, match=r"noise\.mid is not a MIDI file"):
        read_midi(plain)
    with pytest.raises(CorruptMidiError, match=r"headed\.mid is damaged"):
        read_midi(headed)


def test_a_file_beyond_any_music_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "huge.mid"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)  # sparse: no disk is used
    with pytest.raises(FileTooLargeError, match="is 65 MiB"):
        read_midi(path)


def test_a_file_cut_anywhere_or_with_any_byte_flipped_is_read_or_refused_by_name() -> None:
    whole = tune([60, 62, 64, 65])
    read, refused = 0, []
    damaged = [whole[:end] for end in range(len(whole))]
    damaged += [
        whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :] for at in range(len(whole)) for mask in (1, 128, 255)
    ]
    for data in damaged:
        try:
            song_from_bytes(data, "song")
            read += 1
        except MidiError as error:
            refused.append(str(error))
    assert read > 20
    assert len(refused) > 20
    assert read + len(refused) == 4 * len(whole)
    assert all(message.startswith("song ") for message in refused)


def test_writing_leaves_the_whole_file_or_nothing(tmp_path: Path) -> None:
    class Unwritable(pretty_midi.PrettyMIDI):
        def write(self, filename: str) -> None:
            Path(filename).write_bytes(b"MThd half")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        write_midi(Unwritable(), tmp_path / "song.mid")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        write_midi(pretty_midi.PrettyMIDI(), tmp_path / "no folder" / "song.mid")


@pytest.mark.parametrize(
    ("event", "clipped"),
    [
        (f"00 90 3c 90 {QUARTER} 80 3c 00", (60, 127)),
        (f"00 90 bc 50 {QUARTER} 80 bc 00", (127, 80)),
        (f"00 b0 07 ff 00 90 3c 50 {QUARTER} 3c 00", (60, 80)),  # running status goes on
    ],
)
def test_data_bytes_over_127_are_taken_as_127_and_told(event: str, clipped: tuple[int, int]) -> None:
    piece = song_from_bytes(smf(f"{event} 00 ff 03 01 61 {END_OF_TRACK}"), "wild.mid")
    assert [(int(part.pitches[0]), int(part.velocities[0])) for part in piece.parts] == [clipped]
    assert re.fullmatch(r"\d values? over 127, which MIDI does not have, (is|are) taken as 127", piece.notices[0])
    assert song_from_bytes(tune([60])).notices == ()


def test_a_file_that_is_damaged_otherwise_too_is_still_refused() -> None:
    data = smf(f"00 90 3c 90 {QUARTER} 80 3c 00 00 f1 00 {END_OF_TRACK}")
    with pytest.raises(CorruptMidiError, match="is damaged"):
        song_from_bytes(data)
    assert clip_data_bytes(smf(f"00 90 3c 90 {QUARTER} 80 3c")) is None  # the last event lacks a byte


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "WAV"),
        (b"ID3\3\0", "MP3"),
        (b"\xff\xfb\x90\0", "MP3"),
        (b"fLaC\0", "FLAC"),
        (b"OggS\0", "Ogg"),
        (b"FORM\0\0\0\0AIFF", "AIFF"),
        (b"\0\0\0\x20ftypM4A ", "MPEG-4"),
    ],
)
def test_audio_is_called_audio_and_the_way_to_notes_is_told(data: bytes, kind: str) -> None:
    with pytest.raises(AudioFileError, match=rf"song is audio \({kind}\), not MIDI.*transcribes audio to MIDI"):
        song_from_bytes(data, "song")


def test_names_of_tracks_have_no_control_characters() -> None:
    (named,) = song_from_bytes(
        smf(f"00 ff 03 0a 4c 65 61 64 1b 5b 32 4a 00 07 00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}")
    ).parts
    assert named.name == "Lead [2J"


def test_of_a_name_without_an_end_the_beginning_is_taken() -> None:
    name = "41" * 2**14
    (named,) = song_from_bytes(smf(f"00 ff 03 81 80 00 {name} 00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}")).parts
    assert named.name == "A" * 200


def test_a_name_in_any_script_comes_back(tmp_path: Path) -> None:
    # pretty_midi writes names in Latin-1: those of most of the world were an error.
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0, name="Мелодия é"))
    midi.instruments[0].notes.append(pretty_midi.Note(80, 60, 0.0, 1.0))
    write_midi(midi, tmp_path / "a.mid")
    assert [part.name for part in read_midi(tmp_path / "a.mid").parts] == ["Мелодия é"]
    assert midi.instruments[0].name == "Мелодия é"


def test_the_places_of_the_syllables_are_read():
    syllables = f"{QUARTER} ff 05 02 6c 61 {QUARTER} ff 05 02 6c 61"
    note = f"00 90 3c 50 {QUARTER} 80 3c 00"
    data = smf(f"{syllables} {END_OF_TRACK}", f"{note} {END_OF_TRACK}")
    assert song_from_bytes(data).lyric_quarters == (1.0, 2.0)
    assert song_from_bytes(smf(f"{note} {END_OF_TRACK}")).lyric_quarters == ()

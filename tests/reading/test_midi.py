"""MIDI files are read, or refused with a reason: each fixture is the file, byte by byte."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodyvae.music.notes import KeySignature, Meter, Song
from melodyvae.reading.midi import (
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
)
from melodyvae.reading.smf import read_tracks
from tests.reading.smf import END_OF_TRACK, QUARTER, smf, time_signature, tune

NOTE = f"00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}"


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


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        (f"00 90 3c 50 {QUARTER} 90 3e 50 {QUARTER} 80 3e 00 {QUARTER}", [1.0, 2.0]),  # till the next note
        (f"00 90 3c 50 {QUARTER} 80 3c 00 00 90 3e 50 {QUARTER}", [1.0, 2.0]),  # till the track's end
        (f"00 90 3c 50 {QUARTER} 90 3c 50 {QUARTER} 80 3c 00 {QUARTER}", [1.0, 2.0]),  # till it is struck again
        (f"00 90 3c 50 {QUARTER} b0 7b 00 {QUARTER}", [1.0]),  # till all notes are off
    ],
)
def test_a_note_without_its_end_is_held_and_told(events: str, ends: list[float]) -> None:
    song = song_from_bytes(smf(f"{events} ff 2f 00"))
    assert song.parts[0].ends.tolist() == ends
    kinds = [getattr(notice, "kind", None) for notice in song.notices]
    assert kinds == ([] if "90 3c 50 83 60 90 3c 50" in events else ["no_end"])


def test_an_end_that_ends_nothing_is_passed_over() -> None:
    data = smf(f"00 80 3c 00 00 90 3c 50 {QUARTER} 80 3c 00 00 80 3c 00 00 90 3c 50 {QUARTER} 80 3c 00 {END_OF_TRACK}")
    assert notes_of(song_from_bytes(data)) == [(0.0, 1.0, 60), (1.0, 2.0, 60)]


def test_of_notes_of_one_pitch_that_overlap_the_first_ends_first() -> None:
    data = smf(f"00 90 3c 50 {QUARTER} 90 3c 40 {QUARTER} 80 3c 00 {QUARTER} 80 3c 00 {END_OF_TRACK}")
    assert notes_of(song_from_bytes(data)) == [(0.0, 2.0, 60), (1.0, 3.0, 60)]


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
        pytest.param(b"RIFF....", NotMidiError, "begins with b'RIFF'", id="riff"),
        pytest.param(b"<html></html>", NotMidiError, r"begins with b'<htm', not with b'MThd'", id="html"),
        pytest.param(b"MThd\0\0\0\6\0\1", TruncatedMidiError, "ends after 10 bytes, inside its header", id="header"),
        pytest.param(tune([60])[:24], TruncatedMidiError, "ends before its first note", id="truncated"),
        pytest.param(smf(NOTE, NOTE, kind=2), UnsupportedMidiError, "type 2 .*save it as type 0 or 1", id="type 2"),
        pytest.param(smf(NOTE, division=0xE700), CorruptMidiError, "0 ticks per frame", id="no ticks per frame"),
        pytest.param(smf(END_OF_TRACK, division=0), CorruptMidiError, "0 ticks per quarter", id="no ticks"),
        pytest.param(smf(END_OF_TRACK, kind=7), CorruptMidiError, "damaged header: type 7", id="type 7"),
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
    data = smf(f"00 90 3c 90 {QUARTER} 80 3c 00 00 f4 00 {END_OF_TRACK}")
    with pytest.raises(CorruptMidiError, match=r"is damaged: byte \d+ is 0xf4"):
        song_from_bytes(data)


def test_messages_that_are_for_wires_are_passed_over() -> None:
    wires = "00 f1 00 00 f2 00 00 00 f3 00 00 f6 00 f8 00 fa 00 fe"
    assert notes_of(song_from_bytes(smf(f"{wires} {NOTE}"))) == [(0.0, 1.0, 60)]


def test_running_status_goes_on_after_a_meta_event_and_a_message_of_the_maker() -> None:
    data = smf(f"00 90 3c 50 00 ff 01 01 61 {QUARTER} 3c 00 00 f0 01 f7 00 3e 50 {QUARTER} 3e 00 {END_OF_TRACK}")
    assert notes_of(song_from_bytes(data)) == [(0.0, 1.0, 60), (1.0, 2.0, 62)]


def kinds(song: Song) -> list[str]:
    return [getattr(notice, "kind", "") for notice in song.notices]


MELODY = [60, 62, 64, 65, 67, 65, 64, 62] * 4
WHOLE = [(float(index), index + 1.0, pitch) for index, pitch in enumerate(MELODY)]


def test_a_cut_file_gives_the_notes_that_are_there() -> None:
    cut = song_from_bytes(tune(MELODY)[:150])
    notes = notes_of(cut)
    assert 8 < len(notes) < len(MELODY)
    assert notes[:-1] == WHOLE[: len(notes) - 1]
    assert kinds(cut)[0] == "cut"


@pytest.mark.parametrize("error", [-40, -4, -1, 1, 9, 100_000])
def test_a_wrong_chunk_length_loses_no_note_of_any_track(error: int) -> None:
    data = bytearray(smf(*(tune(MELODY)[22:].hex() for _ in range(2))))
    for track in (14, data.index(b"MTrk", 20)):
        length = int.from_bytes(data[track + 4 : track + 8], "big") + error
        damaged = bytes(data[: track + 4]) + length.to_bytes(4, "big") + bytes(data[track + 8 :])
        song = song_from_bytes(damaged)
        assert [len(part) for part in song.parts] == [len(MELODY)] * 2
        assert set(kinds(song)) <= {"chunk_length"}
        assert song.notices or error == -4  # an end of track less is forgiven in silence


def test_riff_around_the_file_is_taken_off() -> None:
    inside = tune(MELODY)
    riff = b"RIFF" + (len(inside) + 12).to_bytes(4, "little") + b"RMIDdata" + len(inside).to_bytes(4, "little")
    song = song_from_bytes(riff + inside + b"LIST....")
    assert notes_of(song) == WHOLE
    assert kinds(song) == ["riff"]


def test_type_2_with_one_track_is_read_as_type_0() -> None:
    song = song_from_bytes(smf(tune(MELODY)[22:].hex(), kind=2))
    assert notes_of(song) == WHOLE
    assert kinds(song) == ["type_2"]


def test_film_frames_are_read_by_seconds_and_the_tempo_lays_bars_over_them() -> None:
    frames_25_of_40 = 0xE728  # 1,000 ticks per second
    half, note = "83 74", "00 90 3c 50 {0} 80 3c 00 00 90 3e 50 {0} 80 3e 00"  # half: 500 ticks
    song = song_from_bytes(smf(f"{note.format(half)} {END_OF_TRACK}", division=frames_25_of_40))
    assert notes_of(song) == [(0.0, 1.0, 60), (1.0, 2.0, 62)]
    assert kinds(song) == ["frames"]
    slow = "00 ff 51 03 0f 42 40"  # a quarter is a second
    song = song_from_bytes(smf(f"{slow} {note.format(half)} {END_OF_TRACK}", division=frames_25_of_40))
    assert notes_of(song) == [(0.0, 0.5, 60), (0.5, 1.0, 62)]


def test_key_signatures_are_read() -> None:
    song = song_from_bytes(smf(f"00 ff 59 02 fd 01 {QUARTER} ff 59 02 02 00 00 ff 59 02 40 00 {NOTE}"))
    assert song.key_signatures == (KeySignature(0.0, -3, True), KeySignature(1.0, 2, False))


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int, int, int]]]:
    """The bytes of a track, and the time and bytes of each of its channel messages."""
    data, tick, running = bytearray(), 0, 0
    expected = []
    for _ in range(draw(st.integers(1, 60))):
        delta = draw(st.sampled_from([0, 1, 127, 128, 480, 16_383, 16_384, 2_097_152]))
        tick += delta
        groups = [delta >> shift & 0x7F for shift in (21, 14, 7, 0)]
        while len(groups) > 1 and groups[0] == 0:
            groups.pop(0)
        data += bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])
        if draw(st.integers(0, 9)) == 0:
            data += bytes.fromhex("ff 01 02 80 41")
            continue
        status = draw(st.sampled_from([running or 0x90, 0x80, 0x95, 0xB0, 0xC1, 0xD0, 0xEF]))
        content = draw(st.binary(min_size=2, max_size=2))[: 1 if status & 0xE0 == 0xC0 else 2]
        content = bytes(value & 0x7F for value in content)
        if status != running or draw(st.booleans()):
            data.append(status)
        data += content
        running = status
        expected.append((tick, status, content[0], content[1] if len(content) > 1 else 0))
    return bytes(data), expected


@settings(max_examples=300, deadline=None)
@given(messages(), st.sampled_from([0, 1_000_000]))
def test_every_channel_message_is_taken_as_it_is_written(
    track: tuple[bytes, list[tuple[int, int, int, int]]], min_run: int
) -> None:
    # Long runs are taken apart at once, short ones message by message: here every run in one way, then in the other.
    written, expected = track
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("melodyvae.reading.smf.MIN_RUN_BYTES", min_run)
        (read,), forgiven = read_tracks(smf(written.hex()), 14)
    statuses = (read.statuses | read.channels).tolist()
    columns = zip(read.ticks.tolist(), statuses, read.first.tolist(), read.second.tolist(), strict=True)
    assert list(columns) == expected
    assert not forgiven


def test_more_events_than_any_music_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("melodyvae.reading.smf.MAX_EVENTS", 50)
    with pytest.raises(FileTooLargeError, match=r"song has more than 50 events; a piece of music has fewer"):
        song_from_bytes(tune(MELODY), "song")


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


def test_the_end_of_tracks_is_where_the_piece_ends_in_whole_bars() -> None:
    note = f"00 90 3c 50 {QUARTER} 80 3c 00"  # one quarter
    ends = {"00": 1.0, "01": 1.0, "83 60": 1.0, "8b 20": 4.0, "8b 21": 4.0, "a9 60": 12.0}  # after 0, 1, 480, 1440 ...
    for delta, end in ends.items():
        assert song_from_bytes(smf(f"{note} {delta} ff 2f 00")).end_quarters == end, delta
    in_three_four = smf(f"00 {time_signature(3, 4)} 00 ff 2f 00", f"{note} 87 40 ff 2f 00")
    assert song_from_bytes(in_three_four).end_quarters == 3.0
    assert song_from_bytes(smf("00 ff 2f 00", f"{note} a9 60 ff 2f 00", f"{note} 00 ff 2f 00")).end_quarters == 12.0


@pytest.mark.parametrize(
    "event",
    ["f0 03 01 02 f7", "ff 01 02 c3 a9", "a0 3c 10 00 3c 20 00 d0 10 00 20", "e0 00 40"],
    ids=["exclusive", "text in UTF-8", "running status of pressure", "bend"],
)
def test_the_end_of_a_track_is_found_after_any_event(event: str) -> None:
    assert song_from_bytes(smf(f"00 90 3c 50 {QUARTER} 80 3c 00 00 {event} 8b 20 ff 2f 00")).end_quarters == 4.0
    assert song_from_bytes(smf(f"00 90 3c 50 {QUARTER} 80 3c 00 00 {event} 00 ff 2f 00")).end_quarters == 1.0


def test_an_end_of_track_beyond_any_music_is_no_end() -> None:
    assert song_from_bytes(smf(f"00 90 3c 50 {QUARTER} 80 3c 00 ff ff ff 7f ff 2f 00")).end_quarters == 1.0


def test_the_places_of_the_syllables_are_read():
    syllables = f"{QUARTER} ff 05 02 6c 61 {QUARTER} ff 05 02 6c 61"
    note = f"00 90 3c 50 {QUARTER} 80 3c 00"
    data = smf(f"{syllables} {END_OF_TRACK}", f"{note} {END_OF_TRACK}")
    assert song_from_bytes(data).lyric_quarters == (1.0, 2.0)
    assert song_from_bytes(smf(f"{note} {END_OF_TRACK}")).lyric_quarters == ()


def test_a_note_without_length_at_the_very_end_has_a_bar() -> None:
    song = song_from_bytes(smf(f"00 90 3c 50 {END_OF_TRACK}"))
    assert len(song.parts[0]) == len(song.bars()) == 1

"""MIDI file <-> notes: reading with symusic, writing with pretty_midi, and the errors a file can raise.

Readers differ in what they let pass; here the chunks are checked first, so that what is refused does not depend on the
reader. Forgiven, since players forgive it: a wrong count of tracks, bytes after the last chunk, chunks of other kinds,
a missing end of track; left out: a tempo of zero, a note that is never ended. The file format: "Standard MIDI Files
1.0" (MIDI Manufacturers Association, 1988), https://midi.org/standard-midi-files
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_prep.errors import UserError
from data_prep.files import whole_file
from data_prep.reading.clipping import clip_data_bytes
from data_prep.reading.notes import Meter, Part, Song, Tempo, printable

if TYPE_CHECKING:
    import pretty_midi

HEADER_BYTES = 14
CHUNK_HEADER_BYTES = 8
AUDIO_STARTS = {b"ID3": "MP3", b"fLaC": "FLAC", b"OggS": "Ogg"}
MAX_FILE_BYTES = 64 * 2**20
VOLUME = 7  # MIDI controller
MAX_QUARTERS = 100_000  # 14 hours at 120 a minute; times beyond are damage, and would cost memory for their bars
MAX_BARS = 100_000
MAX_NOTES = 1_000_000


class MidiError(UserError, ValueError):
    """A file that cannot be read as music; each kind has a ``reason`` for ledgers to count."""

    reason = "unreadable"


class EmptyFileError(MidiError):
    """The file holds no byte."""

    reason = "empty_file"


class NotMidiError(MidiError):
    """The file does not begin as a MIDI file does."""

    reason = "not_midi"


class NotAFileError(MidiError):
    """It is a pipe or a device, which may never end."""

    reason = "not_a_file"


class AudioFileError(NotMidiError):
    """The file holds sound, not notes."""

    reason = "audio"


class TruncatedMidiError(MidiError):
    """The file ends before what it announces."""

    reason = "truncated"


class CorruptMidiError(MidiError):
    """The file breaks the rules of MIDI in its inside."""

    reason = "corrupt"


class UnsupportedMidiError(MidiError):
    """The file is MIDI of a kind that has no common bars: type 2, or clocked in frames of film."""

    reason = "unsupported"


class FileTooLargeError(MidiError):
    """The file is larger than any piece of music."""

    reason = "too_large"


def read_midi(path: str | Path) -> Song:
    """The piece in a MIDI file.

    Raises:
        MidiError: one of its kinds, naming the file.
        OSError: if the file cannot be opened.
    """
    return song_from_bytes(file_bytes(path), str(path))


def file_bytes(path: str | Path) -> bytes:
    """The content of a file of no more than 64 MiB.

    Raises:
        FileTooLargeError: if it is larger.
        NotAFileError: if it is a pipe or a device.
        OSError: if it cannot be opened.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise NotAFileError(f"{path} is no regular file but a pipe or a device; save what it gives, and give that")
    if found.st_size > MAX_FILE_BYTES:
        raise FileTooLargeError(f"{path} is {found.st_size / 2**20:.0f} MiB; a piece of music in MIDI is under 64")
    with open(path, "rb") as file:
        return file.read()


def song_from_bytes(data: bytes, name: str = "the file") -> Song:
    """The piece in the bytes of a MIDI file; ``name`` is what errors call it."""
    _check_chunks(data, name)
    notices: tuple[str, ...] = ()
    try:
        score = _parsed(data)
    except (RuntimeError, ValueError) as error:
        score, count = _read_clipped(data)
        if score is None:
            said = str(error).removeprefix("MiniMidi: ").removesuffix(": iostream error")
            cause = "it ends in the middle of an event" if "EOF" in said else said
            raise CorruptMidiError(
                f"{name} is damaged: {cause}. Export it again from the program that made it."
            ) from error
        values = "1 value" if count == 1 else f"{count} values"
        notices = (f"{values} over 127, which MIDI does not have, {'is' if count == 1 else 'are'} taken as 127",)
    return within_limits(replace(_song(score, name), notices=notices), name)


def _parsed(data: bytes) -> Any:
    import symusic  # only now: it takes a tenth of a second, and who reads a score needs none of it

    return symusic.Score.from_midi(data)


def _read_clipped(data: bytes) -> tuple[Any, int]:
    """What is read, and how many data bytes had to be clipped; None and 0 of a file that is damaged otherwise."""
    found = clip_data_bytes(data)
    if found is None or not found[1]:
        return None, 0
    try:
        return _parsed(found[0]), found[1]
    except (RuntimeError, ValueError):
        return None, 0


def within_limits(song: Song, name: str) -> Song:
    """``song`` itself, if it has no more notes and bars than any piece of music.

    Raises:
        FileTooLargeError: if it has.
        CorruptMidiError: if a bar of it is longer than any piece of music.
    """
    notes, bars = sum(map(len, song.parts)), sum(section.bars for section in song.sections)
    for count, limit, what in ((notes, MAX_NOTES, "notes"), (bars, MAX_BARS, "bars")):
        if count > limit:
            raise FileTooLargeError(f"{name} has {count} {what}; a piece of more than {limit} is not read. Split it.")
    if any(meter.bar_quarters > MAX_QUARTERS for meter in song.meters):
        raise CorruptMidiError(f"{name} is damaged: a bar of it is longer than {MAX_QUARTERS} quarter notes")
    return song


def write_midi(midi: pretty_midi.PrettyMIDI, path: str | Path) -> None:
    """Write a MIDI file, whole or not at all; names are in UTF-8, as they are read.

    Raises:
        OSError: if the place cannot be written to.
    """
    with utf8_names(midi), whole_file(path) as temporary:
        midi.write(str(temporary))


@contextmanager
def utf8_names(midi: pretty_midi.PrettyMIDI) -> Iterator[None]:
    """While the block lasts, ``midi`` is written with its names in UTF-8; pretty_midi writes Latin-1, byte by byte."""
    names = [instrument.name for instrument in midi.instruments]
    try:
        for instrument, name in zip(midi.instruments, names, strict=True):
            instrument.name = name.encode("utf-8", "replace").decode("latin-1")
        yield
    finally:
        for instrument, name in zip(midi.instruments, names, strict=True):
            instrument.name = name


def _check_chunks(data: bytes, name: str) -> None:
    if not data:
        raise EmptyFileError(f"{name} is empty (0 bytes)")
    if not data.startswith(b"MThd"):
        audio = _audio_format(data)
        if audio:
            raise AudioFileError(
                f"{name} is audio ({audio}), not MIDI: it holds sound, not notes. Turn it into notes with a program "
                "that transcribes audio to MIDI, such as Basic Pitch, and give the .mid file."
            )
        hint = " (it is a RIFF file: save the MIDI inside it as .mid)" if data.startswith(b"RIFF") else ""
        raise NotMidiError(f"{name} is not a MIDI file: it begins with {data[:4]!r}, not with b'MThd'{hint}")
    if len(data) < HEADER_BYTES:
        raise TruncatedMidiError(f"{name} ends after {len(data)} bytes, inside its header")
    header_length, kind, _, division = struct.unpack(">IHHH", data[4:HEADER_BYTES])
    if kind == 2:
        raise UnsupportedMidiError(
            f"{name} is a MIDI file of type 2 (independent patterns with no common time); save it as type 0 or 1"
        )
    if kind > 2 or header_length < 6:
        raise CorruptMidiError(f"{name} has a damaged header: type {kind}, header length {header_length}")
    if division & 0x8000:
        raise UnsupportedMidiError(
            f"{name} counts time in film frames (SMPTE), not in beats, so it has no bars; save it with beats"
        )
    if division == 0:
        raise CorruptMidiError(f"{name} has a damaged header: 0 ticks per quarter")
    position = CHUNK_HEADER_BYTES + header_length
    tracks = 0
    while position + CHUNK_HEADER_BYTES <= len(data):
        kind_of_chunk = data[position : position + 4]
        (length,) = struct.unpack(">I", data[position + 4 : position + 8])
        if kind_of_chunk != b"MTrk" and tracks:
            return  # bytes after the last track
        end = position + CHUNK_HEADER_BYTES + length
        if end > len(data):
            raise TruncatedMidiError(
                f"{name} is truncated: the chunk at byte {position} announces {length} bytes, "
                f"{len(data) - position - CHUNK_HEADER_BYTES} are left"
            )
        tracks += kind_of_chunk == b"MTrk"
        position = end


def _audio_format(data: bytes) -> str:
    """The name of the kind of audio that a file begins as; empty if it is none."""
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "WAV"
    if data.startswith(b"FORM") and data[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if data[4:8] == b"ftyp":
        return "MPEG-4"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2:  # MPEG frame sync, layer III
        return "MP3"
    return next((name for start, name in AUDIO_STARTS.items() if data.startswith(start)), "")


def _song(score: Any, name: str) -> Song:
    ticks = score.ticks_per_quarter
    parts = tuple(_part(track, ticks, name) for track in score.tracks if len(track.notes))
    ends = [float(part.ends.max()) for part in parts]
    controls = [track.controls.numpy()["time"] for track in score.tracks if len(track.controls)]
    ends += [float(time) / ticks for times in controls for time in (times.min(), times.max())]
    ends += [signature.time / ticks for signature in score.time_signatures]
    if any(not 0 <= end <= MAX_QUARTERS for end in ends) or any(part.starts[0] < 0 for part in parts):
        raise CorruptMidiError(
            f"{name} is damaged: an event lies outside 0..{MAX_QUARTERS} quarter notes, so a time in it is wrong. "
            "Export it again from the program that made it."
        )
    return Song(
        parts=parts,
        tempi=tuple(Tempo(tempo.time / ticks, 6e7 / tempo.mspq) for tempo in score.tempos if tempo.mspq > 0),
        meters=_meters(score, ticks),
        end_quarters=max(ends, default=0.0),
        lyric_quarters=tuple(sorted({lyric.time / ticks for track in score.tracks for lyric in track.lyrics})),
    )


def _part(track: Any, ticks: int, name: str) -> Part:
    columns = track.notes.numpy()
    pitches, velocities = columns["pitch"].astype(np.int16), columns["velocity"].astype(np.int16)
    if pitches.min() < 0 or velocities.min() < 0:
        raise CorruptMidiError(
            f"{name} is damaged: a note has a data byte over 127. Export it again from the program that made it."
        )
    times = columns["time"].astype(np.int64)
    ends = times + columns["duration"]
    key = 128 * times + pitches  # by time, then pitch
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        times, ends, pitches, velocities = times[order], ends[order], pitches[order], velocities[order]
    return Part(
        name=printable(track.name),
        program=int(track.program),
        is_drum=bool(track.is_drum),
        starts=times / ticks,
        ends=times / ticks + (ends - times) / ticks,
        pitches=pitches,
        velocities=velocities,
        volume=_volume(track, int(times[0])),
    )


def _volume(track: Any, time: int) -> int | None:
    """The channel's volume at a time, in ticks, or its first setting after that."""
    if not len(track.controls):
        return None
    columns = track.controls.numpy()
    is_volume = columns["number"] == VOLUME
    times, values = columns["time"][is_volume], columns["value"][is_volume]
    if not len(times):
        return None
    order = np.argsort(times, kind="stable")
    before = int(np.searchsorted(times[order], time, "right"))
    return int(values[order][max(before - 1, 0)])


def _meters(score: Any, ticks: int) -> tuple[Meter, ...]:
    """The signatures by time; of several at one time the last counts. A numerator of 0 is no signature."""
    by_time: dict[int, Meter] = {}
    for signature in score.time_signatures:
        if signature.numerator > 0 and signature.denominator > 0:
            start = signature.time / ticks
            by_time[signature.time] = Meter(start, int(signature.numerator), int(signature.denominator))
    return tuple(by_time[time] for time in sorted(by_time))

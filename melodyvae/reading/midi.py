"""MIDI file -> notes, and the errors a file can raise. :mod:`melodyvae.writing.midi` is the inverse.

A part is a line: the notes of one player, on any channels and with any programs. Forgiven with a notice, since
players forgive it: a last note without its end, data bytes over 127, wrong chunk lengths, a file that is cut, RIFF
around the file, type 2 with one track, time in film frames. Forgiven without: a wrong count of tracks, bytes after the
last chunk, chunks of other kinds, a missing end of track. Left out: a tempo of zero. The file format: "Standard MIDI
Files 1.0" (MIDI Manufacturers Association, 1988), https://midi.org/standard-midi-files
"""

from __future__ import annotations

import os
import stat
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from melodyvae.music.notes import (
    DRUM_CHANNEL,
    MAX_NAME,
    TIME_RESOLUTION,
    KeySignature,
    Meter,
    Notice,
    Part,
    Song,
    Tempo,
    printable,
)
from melodyvae.reading.drums import are_drums_by_notes, are_named_drums, drum_channels
from melodyvae.reading.lines import Notes, is_mpe, lines_of, notes_of, with_pedal
from melodyvae.reading.smf import (
    CHUNK_HEADER_BYTES,
    CONTROL,
    INSTRUMENT,
    KEY,
    LYRIC,
    METER,
    NAME,
    PROGRAM,
    TEMPO,
    TEXT,
    BrokenTrackError,
    TooManyEventsError,
    Track,
    read_tracks,
)
from melodyvae.reading.texts import decode_all
from melodyvae.system.errors import UserError

if TYPE_CHECKING:
    import pretty_midi

HEADER_BYTES = 14
AUDIO_STARTS = {b"ID3": "MP3", b"fLaC": "FLAC", b"OggS": "Ogg"}
MAX_FILE_BYTES = 64 * 2**20
VOLUME = 7  # MIDI controller
DEFAULT_MICROSECONDS = 500_000  # per quarter, until the file says otherwise
FRAMES_PER_SECOND = {29: 30_000 / 1001}  # "29" drops frames
MAX_FIFTHS = 7
MIN_OTHERS = 3  # channels beside number 10, that make it a member of a zone of MPE
MAX_QUARTERS = 100_000  # 14 hours at 120 a minute; times beyond are damage, and would cost memory for their bars
MAX_BARS = 100_000
MIN_KARAOKE_TEXTS = 32  # a few texts are titles and remarks
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
    """The path is a pipe or a device, which may never end."""

    reason = "not_a_file"


class AudioFileError(NotMidiError):
    """The file holds sound, not notes."""

    reason = "audio"


class TruncatedMidiError(MidiError):
    """The file ends before what it announces."""

    reason = "truncated"


class CorruptMidiError(MidiError):
    """The file breaks the rules of MIDI."""

    reason = "corrupt"


class UnsupportedMidiError(MidiError):
    """The file is MIDI of a kind that has no common bars: type 2 of several tracks."""

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
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise NotAFileError(f"{path} is not a regular file but a pipe or a device; save what it gives, and give that")
    if status.st_size > MAX_FILE_BYTES:
        raise FileTooLargeError(f"{path} is {status.st_size / 2**20:.0f} MiB; a piece of music in MIDI is under 64")
    with open(path, "rb") as file:
        return file.read()


def song_from_bytes(data: bytes, name: str = "the file") -> Song:
    """The piece in the bytes of a MIDI file; ``name`` is what errors call it."""
    data, notices = _without_riff(data)
    header = _header(data, name)
    try:
        tracks, forgiven = read_tracks(data, header.end)
    except BrokenTrackError as error:
        raise CorruptMidiError(f"{name} is damaged: {error}. Export it again from the program that made it.") from error
    except TooManyEventsError as error:
        raise FileTooLargeError(f"{name} has {error}; a piece of music has fewer. Split it.") from error
    if forgiven["cut"] and not any(len(track.ticks) for track in tracks):
        raise TruncatedMidiError(f"{name} is truncated: it ends before its first note")
    notes = [notes_of(track) for track in tracks]
    if header.kind == 2:
        if sum(map(bool, map(len, notes))) > 1:
            raise UnsupportedMidiError(
                f"{name} is a MIDI file of type 2 (independent patterns with no common time); save it as type 0 or 1"
            )
        notices += (Notice("a file of type 2 with one track, read as one of type 0", "type_2"),)
    notices += _notices(forgiven, sum(int(part.has_no_end.sum()) for part in notes))
    if header.frames_per_second:
        notices += (Notice("its time is in film frames; bars are laid over its seconds by its tempo", "frames"),)
    return within_limits(_song(tracks, notes, _Clock(header, tracks), notices, name), name)


def _notices(forgiven: Counter[str], without_end: int) -> tuple[Notice, ...]:
    notices = []
    count = forgiven["clipped"]
    if count:
        values = "1 value" if count == 1 else f"{count} values"
        are = "is" if count == 1 else "are"
        notices.append(Notice(f"{values} over 127, which MIDI does not have, {are} taken as 127", "clipped"))
    if forgiven["cut"]:
        notices.append(Notice("the file ends too early; the notes that are there are read", "cut"))
    if forgiven["chunk_length"]:
        notices.append(Notice("a track is longer or shorter than the file says; its events are read", "chunk_length"))
    if without_end:
        held = "1 note without an end is" if without_end == 1 else f"{without_end} notes without an end are"
        notices.append(Notice(f"{held} held to the next note or the end of the track", "no_end"))
    return tuple(notices)


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


class _Header(NamedTuple):
    """Header of a file; ``end`` is the offset of its first track chunk."""

    end: int
    kind: int
    ticks_per_quarter: int  # 0 where time is in frames
    frames_per_second: float = 0.0  # 0 where time is in quarters
    ticks_per_frame: int = 0


def _without_riff(data: bytes) -> tuple[bytes, tuple[Notice, ...]]:
    """The MIDI file in a RIFF file of kind RMID; of others, the file as it is."""
    start = data.find(b"MThd", 12)
    if not (data.startswith(b"RIFF") and data[8:12] == b"RMID" and start >= 0):
        return data, ()
    return data[start:], (Notice("taken out of a RIFF file", "riff"),)


def _header(data: bytes, name: str) -> _Header:
    if not data:
        raise EmptyFileError(f"{name} is empty (0 bytes)")
    if not data.startswith(b"MThd"):
        audio = _audio_format(data)
        if audio:
            raise AudioFileError(
                f"{name} is audio ({audio}), not MIDI: it holds sound, not notes. Turn it into notes with a program "
                "that transcribes audio to MIDI, such as Basic Pitch, and give the .mid file."
            )
        raise NotMidiError(f"{name} is not a MIDI file: it begins with {data[:4]!r}, not with b'MThd'")
    if len(data) < HEADER_BYTES:
        raise TruncatedMidiError(f"{name} ends after {len(data)} bytes, inside its header")
    header_length, kind, _, division = struct.unpack(">IHHH", data[4:HEADER_BYTES])
    if kind > 2 or header_length < 6:
        raise CorruptMidiError(f"{name} has a damaged header: type {kind}, header length {header_length}")
    end = CHUNK_HEADER_BYTES + header_length
    if division & 0x8000:
        frames, ticks_per_frame = 256 - (division >> 8), division & 0xFF
        if not ticks_per_frame:
            raise CorruptMidiError(f"{name} has a damaged header: 0 ticks per frame")
        return _Header(end, kind, 0, FRAMES_PER_SECOND.get(frames, frames), ticks_per_frame)
    if division == 0:
        raise CorruptMidiError(f"{name} has a damaged header: 0 ticks per quarter")
    return _Header(end, kind, division)


class _Clock:
    """Ticks -> quarters, and the tempi. Where ticks are seconds, the tempo says how many quarters these are."""

    def __init__(self, header: _Header, tracks: Sequence[Track]) -> None:
        changes = {0: DEFAULT_MICROSECONDS}
        has_first = False
        for tick, content in _metas(tracks, TEMPO, 3):
            microseconds = int.from_bytes(content[:3], "big")
            if microseconds > 0:
                changes[tick] = microseconds
                has_first |= tick == 0
        ticks = np.array(list(changes))
        self._ticks_per_quarter = header.ticks_per_quarter
        if not header.ticks_per_quarter:
            seconds_per_tick = 1 / (header.frames_per_second * header.ticks_per_frame)
            rates = np.array([seconds_per_tick * 1e6 / microseconds for microseconds in changes.values()])
            self._rates, self._ticks = rates, ticks
            self._quarters = np.append(0.0, np.cumsum(np.diff(ticks) * rates[:-1]))
        starts = self.quarters(ticks).tolist()
        tempi = [Tempo(start, 6e7 / value) for start, value in zip(starts, changes.values(), strict=True)]
        self.tempi = tuple(tempi if has_first else tempi[1:])

    def quarters(self, ticks: np.ndarray) -> np.ndarray:
        """The times in quarters, ``(N,)``."""
        if self._ticks_per_quarter:
            return np.asarray(ticks / self._ticks_per_quarter)
        at = np.searchsorted(self._ticks, ticks, "right") - 1
        return np.asarray(self._quarters[at] + (ticks - self._ticks[at]) * self._rates[at])


def _metas(tracks: Sequence[Track], kind: int, least_bytes: int) -> list[tuple[int, bytes]]:
    """The tick and content of each meta event of a kind, by time."""
    metas = [
        (tick, content)
        for track in tracks
        for tick, of_kind, content in track.metas
        if of_kind == kind and len(content) >= least_bytes
    ]
    return sorted(metas, key=lambda meta: meta[0])


def _lyric_quarters(tracks: Sequence[Track], clock: _Clock) -> tuple[float, ...]:
    """When each syllable is sung: by the lyrics or, in a karaoke file without any, by its many texts."""
    ticks = sorted({tick for tick, _ in _metas(tracks, LYRIC, 1)})
    if not ticks:
        texts = sorted({tick for tick, text in _metas(tracks, TEXT, 1) if not text.startswith(b"@")})
        ticks = texts if len(texts) >= MIN_KARAOKE_TEXTS else []
    return tuple(clock.quarters(np.array(ticks)).tolist()) if ticks else ()


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


def _song(
    tracks: Sequence[Track], notes: Sequence[Notes], clock: _Clock, notices: tuple[Notice, ...], name: str
) -> Song:
    parts = _parts(tracks, notes, clock)
    ends = [int(track.ticks[track.statuses == CONTROL].max(initial=0)) for track in tracks]
    ends += [tick for tick, content in _metas(tracks, METER, 2) if content[0]]
    end_quarters = float(clock.quarters(np.array([max(ends, default=0)]))[0])
    end_quarters = max([end_quarters, *(float(part.ends.max()) for part in parts)])
    if end_quarters > MAX_QUARTERS:
        raise CorruptMidiError(
            f"{name} is damaged: an event lies outside 0..{MAX_QUARTERS} quarter notes, so a time in it is wrong. "
            "Export it again from the program that made it."
        )
    song = Song(
        parts=parts,
        tempi=clock.tempi,
        meters=_meters(tracks, clock),
        end_quarters=end_quarters,
        notices=notices,
        key_signatures=_key_signatures(tracks, clock),
        lyric_quarters=_lyric_quarters(tracks, clock),
    )
    last_tick = max((track.end_tick for track in tracks), default=0)
    return _with_its_end(song, float(clock.quarters(np.array([last_tick]))[0]))


def _with_its_end(song: Song, end_of_tracks: float) -> Song:
    """The piece, not shorter than the whole bars before its tracks' end; beyond :data:`MAX_QUARTERS` that is damage.

    Programs end tracks a tick or a beat after the last note, so a part of a bar is not counted.
    """
    if not song.end_quarters < end_of_tracks <= MAX_QUARTERS:
        return song
    last = replace(song, end_quarters=end_of_tracks).sections[-1].meter
    whole_bars = (end_of_tracks - last.start_quarters) / last.bar_quarters + TIME_RESOLUTION
    end = last.start_quarters + int(whole_bars) * last.bar_quarters
    return replace(song, end_quarters=max(end, song.end_quarters))


def _parts(tracks: Sequence[Track], notes: Sequence[Notes], clock: _Clock) -> tuple[Part, ...]:
    names = decode_all([_name(track) for track in tracks])
    drums, others = drum_channels(tracks)
    is_alone = sum(map(bool, map(len, notes))) == 1
    titles = {name for name, count in Counter(names).items() if count > 2}
    settings = _Settings(tracks)
    parts: list[Part] = []
    for track, own, name in zip(tracks, notes, names, strict=True):
        if not len(own):
            continue
        programs = settings.programs(track, own)
        evidence = "" if name in titles else name
        for channels, are_drums in _lines(track, own, programs, drums, others, is_alone):
            chosen = np.isin(own.channels, channels) if len(channels) < len(own.own_channels) else slice(None)
            of_line = own.where(chosen)
            of_line = of_line if are_drums else with_pedal(of_line, track)
            volume = settings.volume(track, int(of_line.channels[0]), int(of_line.starts[0]))
            parts.append(_part(of_line, programs[chosen], name, evidence, are_drums, volume, clock))
    return tuple(parts)


def _lines(
    track: Track, notes: Notes, programs: np.ndarray, drums: set[int], others: set[int], is_alone: bool
) -> list[tuple[list[int], bool]]:
    """The channels of each line of a track, and whether they are drums'."""
    channels = notes.own_channels
    of_drums = [c for c in channels if c in drums or (c % 16 == DRUM_CHANNEL and c not in others)]
    if len(channels) == 1:
        return [(channels, bool(of_drums))]
    if of_drums and len(channels) > MIN_OTHERS and is_mpe(track, channels, programs):
        of_drums = [channel for channel in of_drums if channel in drums]
    is_pitched = ~np.isin(notes.channels, of_drums)
    lines = [(of_drums, True)] if of_drums else []
    if is_pitched.any():
        pitched = notes.where(is_pitched)
        lines += [(line, False) for line in lines_of(pitched, programs[is_pitched], track, is_alone)]
    return sorted(lines)


def _part(
    notes: Notes, programs: np.ndarray, name: str, evidence: str, are_drums: bool, volume: int | None, clock: _Clock
) -> Part:
    """A line as a part; ``evidence`` is what its name says of it alone."""
    starts = clock.quarters(notes.starts)
    lengths = clock.quarters(notes.ends) - starts
    is_drum = (
        are_drums
        or are_named_drums(evidence, int(programs[0]), notes.pitches)
        or are_drums_by_notes(lengths, notes.starts, notes.pitches)
    )
    changes = np.flatnonzero(programs[1:] != programs[:-1]) + 1
    return Part(
        name=printable(name),
        program=int(programs[0]),
        is_drum=is_drum,
        starts=starts,
        ends=starts + lengths,
        pitches=notes.pitches.astype(np.int16),
        velocities=notes.velocities.astype(np.int16),
        volume=volume,
        program_changes=tuple((float(starts[index]), int(programs[index])) for index in changes),
    )


class _Settings:
    """The programs and volumes of channels: from the track itself, or else from other tracks."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._by_track = {id(track): _settings_of(track) for track in tracks}
        self._all: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for settings in self._by_track.values():
            for kind, values in settings.items():
                self._all.setdefault(kind, []).extend(values)
        for values in self._all.values():
            values.sort(key=lambda value: value[0])

    def programs(self, track: Track, notes: Notes) -> np.ndarray:
        """The program of each note, ``(N,)``; that of a first change, too, for a first note that sounds already."""
        programs = np.zeros(len(notes), np.int64)
        for channel in notes.own_channels:
            own = notes.channels == channel
            starts = notes.starts[own]
            values = self._values(track, (PROGRAM, channel), int(starts[0]))
            if len(values) == 1 and values[0][0] <= starts[0]:
                programs[own] = values[0][1]
            elif values:
                ticks, numbers = np.array(values).T
                is_first_late = ticks[0] > notes.ends[own][0]
                in_force = np.searchsorted(ticks, starts, "right")
                programs[own] = np.append(0 if is_first_late else numbers[0], numbers)[in_force]
        return programs

    def volume(self, track: Track, channel: int, tick: int) -> int | None:
        """The channel's volume at a time, or its first setting after that."""
        values = self._values(track, (VOLUME, channel), tick)
        before = [value for at, value in values if at <= tick]
        return before[-1] if before else values[0][1] if values else None

    def _values(self, track: Track, kind: tuple[int, int], tick: int) -> list[tuple[int, int]]:
        own = self._by_track[id(track)].get(kind, [])
        return own if own and own[0][0] <= tick else self._all.get(kind, [])


def _settings_of(track: Track) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """The time and value of each program and volume, by kind and channel."""
    settings: dict[tuple[int, int], list[tuple[int, int]]] = {}
    is_volume = (track.statuses == CONTROL) & (track.first == VOLUME)
    for kind, chosen, values in (
        (PROGRAM, track.statuses == PROGRAM, track.first),
        (VOLUME, is_volume, track.second),
    ):
        rows = np.flatnonzero(chosen)
        if len(rows):
            triples = zip(track.channels[rows].tolist(), track.ticks[rows].tolist(), values[rows].tolist(), strict=True)
            for channel, tick, value in triples:
                settings.setdefault((kind, channel), []).append((tick, value))
    return settings


def _name(track: Track) -> bytes:
    """The track's name, or else its instrument's."""
    names = {kind: content for _, kind, content in track.metas if kind in (NAME, INSTRUMENT) and content.strip()}
    return names.get(NAME, names.get(INSTRUMENT, b""))[: 8 * MAX_NAME]


def _meters(tracks: Sequence[Track], clock: _Clock) -> tuple[Meter, ...]:
    """The signatures by time; of several at one time the last counts. A numerator of 0 is no signature."""
    by_time = {tick: content for tick, content in _metas(tracks, METER, 2) if content[0] and content[1] < 16}
    starts = clock.quarters(np.array(list(by_time), np.int64)).tolist()
    return tuple(
        Meter(start, content[0], 2 ** content[1]) for start, content in zip(starts, by_time.values(), strict=True)
    )


def _key_signatures(tracks: Sequence[Track], clock: _Clock) -> tuple[KeySignature, ...]:
    """The key signatures by time; of several at one time the last counts."""
    signatures = [
        (tick, int.from_bytes(content[:1], "big", signed=True), content[1] == 1)
        for tick, content in _metas(tracks, KEY, 2)
    ]
    by_time = {tick: (fifths, is_minor) for tick, fifths, is_minor in signatures if abs(fifths) <= MAX_FIFTHS}
    starts = clock.quarters(np.array(list(by_time), np.int64)).tolist()
    return tuple(KeySignature(start, *value) for start, value in zip(starts, by_time.values(), strict=True))

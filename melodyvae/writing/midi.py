"""A piece -> a MIDI file: the inverse of :func:`melodyvae.reading.midi.read_midi`.

The file has type 1: one track of tempi, signatures and markers, then one track per part. Every track ends where the
piece ends, so that a program that loops the file loops whole bars. The format: "Standard MIDI Files 1.0" (MIDI
Manufacturers Association, 1988), https://midi.org/standard-midi-files

Conventions: times are in quarters, in the file in ticks, 480 per quarter.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from melodyvae.music.notes import DEFAULT_QUARTERS_PER_MINUTE, DRUM_CHANNEL, Part, Song, Tempo
from melodyvae.system.files import whole_file

TICKS_PER_QUARTER = 480
MICROSECONDS_PER_MINUTE = 60e6
MAX_MICROSECONDS_PER_QUARTER = 2**24 - 1
MAX_NUMERATOR = 255
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0  # upper half of a status byte
VOLUME = 7  # controller
TEXT, NAME, MARKER, END_OF_TRACK, TEMPO, METER, KEY = 0x01, 0x03, 0x06, 0x2F, 0x51, 0x58, 0x59  # meta events
PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)

Event = tuple[int, int, bytes]  # tick, place among the events of one tick, bytes


def write_midi(song: Song, path: str | Path, markers: Sequence[tuple[float, str]] = (), text: str = "") -> None:
    """Write the bytes of :func:`midi_bytes`, whole or not at all.

    Raises:
        ValueError: as :func:`midi_bytes`.
        OSError: if the place cannot be written to.
    """
    data = midi_bytes(song, markers, text)
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def midi_bytes(song: Song, markers: Sequence[tuple[float, str]] = (), text: str = "") -> bytes:
    """A piece as a MIDI file; names are in UTF-8, and notes end with the piece at the latest.

    Args:
        song: the piece.
        markers: quarters and text of each.
        text: what stands at the file's beginning, such as what made it.

    Raises:
        ValueError: if a meter does not fit into MIDI.
    """
    end = _ticks(song.end_quarters)
    channels = count()
    tracks = [_conductor(song, markers, text)]
    for part in song.parts:
        channel = DRUM_CHANNEL if part.is_drum else PITCHED_CHANNELS[next(channels) % len(PITCHED_CHANNELS)]
        tracks.append(_track(part, channel, end))
    chunks = [struct.pack(">HHH", 1, len(tracks), TICKS_PER_QUARTER), *(_encoded(track, end) for track in tracks)]
    kinds = [b"MThd", *[b"MTrk"] * len(tracks)]
    return b"".join(kind + struct.pack(">I", len(chunk)) + chunk for kind, chunk in zip(kinds, chunks, strict=True))


def _conductor(song: Song, markers: Sequence[tuple[float, str]], text: str) -> list[Event]:
    """Text, meters, keys, tempi and markers."""
    events: list[Event] = [(0, 0, _meta(TEXT, _utf8(text)))] if text else []
    for meter in song.meters:
        power = meter.denominator.bit_length() - 1
        if meter.denominator != 1 << power or not 1 <= meter.numerator <= MAX_NUMERATOR:
            raise ValueError(
                f"a MIDI file cannot hold the meter {meter.numerator}/{meter.denominator}: the lower number must be a "
                f"power of 2, and the upper one at most {MAX_NUMERATOR}"
            )
        events.append((_ticks(meter.start_quarters), 0, _meta(METER, bytes([meter.numerator, power, 24, 8]))))
    for key in song.key_signatures:
        data = struct.pack("bB", key.fifths, key.is_minor)
        events.append((_ticks(key.start_quarters), 1, _meta(KEY, data)))
    for tempo in song.tempi or (Tempo(0.0, DEFAULT_QUARTERS_PER_MINUTE),):
        microseconds = round(MICROSECONDS_PER_MINUTE / tempo.quarters_per_minute)
        data = min(max(microseconds, 1), MAX_MICROSECONDS_PER_QUARTER).to_bytes(3, "big")
        events.append((_ticks(tempo.start_quarters), 2, _meta(TEMPO, data)))
    events += [(_ticks(quarters), 3, _meta(MARKER, _utf8(text))) for quarters, text in markers]
    return events


def _track(part: Part, channel: int, end: int) -> list[Event]:
    """The notes of a part, with its name, programs and volume; ends of notes come before new notes."""
    events: list[Event] = [(0, 0, _meta(NAME, _utf8(part.name)))] if part.name else []
    programs = [(0.0, part.program), *part.program_changes]
    events += [(_ticks(quarters), 2, bytes([PROGRAM | channel, program])) for quarters, program in programs]
    if part.volume is not None:
        events.append((0, 2, bytes([CONTROL | channel, VOLUME, part.volume])))
    columns = (part.starts, part.ends, part.pitches, part.velocities)
    for start, finish, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
        first = min(_ticks(start), max(end - 1, 0))
        last = min(max(_ticks(finish), first + 1), max(end, 1))
        events.append((first, 3, bytes([NOTE_ON | channel, pitch, max(velocity, 1)])))
        events.append((last, 1, bytes([NOTE_OFF | channel, pitch, 0])))
    return events


def _encoded(events: Iterable[Event], end: int) -> bytes:
    """The content of a track that ends at ``end`` ticks; later events are left out."""
    data = bytearray()
    now = 0
    for tick, _, event in sorted(events, key=lambda event: event[:2]):
        if tick <= end:
            data += _variable_length(tick - now) + event
            now = tick
    return bytes(data + _variable_length(end - now) + _meta(END_OF_TRACK, b""))


def _ticks(quarters: float) -> int:
    return max(round(quarters * TICKS_PER_QUARTER), 0)


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + _variable_length(len(data)) + data


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _variable_length(value: int) -> bytes:
    """A quantity in seven bits a byte; all bytes but the last have the eighth bit set."""
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(0x80 | value & 0x7F)
    return bytes(reversed(encoded))

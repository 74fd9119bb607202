"""Standard MIDI files and songs made in code, small enough to read."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from melodyvae.music.notes import Meter, Part, Song

END_OF_TRACK = "00 ff 2f 00"
QUARTER = "83 60"  # 480 ticks as a variable-length quantity


def smf(*tracks: str, kind: int = 1, division: int = 480) -> bytes:
    """A MIDI file of tracks written in hexadecimal; ``END_OF_TRACK`` is for the caller to add."""
    data = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division)
    for track in map(bytes.fromhex, tracks):
        data += b"MTrk" + struct.pack(">I", len(track)) + track
    return data


def time_signature(numerator: int, denominator: int) -> str:
    """The event, without the time before it."""
    return f"ff 58 04 {numerator:02x} {denominator.bit_length() - 1:02x} 18 08"


def tune(pitches: Sequence[int], quarters: float = 1.0, meter: tuple[int, int] = (4, 4), channel: int = 0) -> bytes:
    """A file of one track, its notes one after the other, each ``quarters`` long."""
    ticks = round(quarters * 480)
    length = bytes([0x80 | ticks >> 7, ticks & 0x7F]).hex()
    notes = "".join(f"00 9{channel:x} {pitch:02x} 50 {length} 8{channel:x} {pitch:02x} 00" for pitch in pitches)
    return smf(f"00 {time_signature(*meter)} {notes} {END_OF_TRACK}")


def part(notes: Sequence[tuple[float, float, int]], name: str = "", is_drum: bool = False, program: int = 0) -> Part:
    """A part of ``(start, end, pitch)`` in quarters."""
    ordered = sorted(notes, key=lambda note: (note[0], note[2]))
    return Part(
        name=name,
        program=program,
        is_drum=is_drum,
        starts=np.array([start for start, _, _ in ordered], dtype=np.float64),
        ends=np.array([end for _, end, _ in ordered], dtype=np.float64),
        pitches=np.array([pitch for _, _, pitch in ordered], dtype=np.int16),
        velocities=np.full(len(ordered), 80, dtype=np.int16),
    )


def song(*parts: Part, meters: Sequence[tuple[float, int, int]] = (), end: float | None = None) -> Song:
    """A piece of parts and of ``(start, numerator, denominator)``; it ends with its last note if not told."""
    last = max((float(part.ends.max()) for part in parts if len(part)), default=0.0)
    return Song(parts, (), tuple(Meter(*meter) for meter in meters), last if end is None else end)

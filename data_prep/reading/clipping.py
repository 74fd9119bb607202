"""A MIDI file with data bytes over 127 -> the same file with these set to 127.

Data bytes are 0 to 127, but some programs have written velocities and controller values up to 255, and players take
them. The events are walked through as the format says they follow each other ("Standard MIDI Files 1.0", MIDI
Manufacturers Association, 1988, https://midi.org/standard-midi-files); only if each track then ends exactly where it
should, the file is whole otherwise.
"""

from __future__ import annotations

import struct

HEADER_BYTES = 8
MAX_DATA_BYTE = 127
META, SYSEX, SYSEX_CONTINUED = 0xFF, 0xF0, 0xF7
DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # by the upper half of the status byte


def clip_data_bytes(data: bytes) -> tuple[bytes, int] | None:
    """The bytes of a file with every data byte 127 at most, and how many were over; None if it is broken otherwise."""
    clipped = bytearray(data)
    count, position = 0, 0
    try:
        while data[position : position + 4] in (b"MThd", b"MTrk"):
            (length,) = struct.unpack_from(">I", data, position + 4)
            first, end = position + HEADER_BYTES, position + HEADER_BYTES + length
            if data[position : position + 4] == b"MTrk":
                count += _clip_track(clipped, first, end)
            position = end
    except (IndexError, ValueError, struct.error):
        return None
    return bytes(clipped), count


def _clip_track(data: bytearray, position: int, end: int) -> int:
    """How many bytes of a track were set to 127.

    Raises:
        IndexError, ValueError: if the events do not end where the track does, or one of them is unknown.
    """
    count, status = 0, 0
    while position < end:
        _, position = _variable_length(data, position)
        if data[position] > MAX_DATA_BYTE:
            status = data[position]
            position += 1
        if status in (META, SYSEX, SYSEX_CONTINUED):
            length, position = _variable_length(data, position + (status == META))
            position += length
        elif status & 0xF0 in DATA_BYTES:
            for place in range(position, position + DATA_BYTES[status & 0xF0]):
                count += data[place] > MAX_DATA_BYTE
                data[place] = min(data[place], MAX_DATA_BYTE)
            position += DATA_BYTES[status & 0xF0]
        else:
            raise ValueError(f"unknown status {status}")
    if position != end:
        raise ValueError("the last event lasts beyond the track")
    return count


def _variable_length(data: bytearray, position: int) -> tuple[int, int]:
    """A quantity of seven bits a byte, and the position after it."""
    value = 0
    while True:
        value = value << 7 | data[position] & 0x7F
        position += 1
        if data[position - 1] < 0x80:
            return value, position

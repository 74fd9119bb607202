"""The bytes of a MIDI file -> where its tracks end, by their events "end of track".

symusic leaves these events out, but nothing else in a file says how long a silent end is. The events are walked through
as the format says they follow each other ("Standard MIDI Files 1.0", MIDI Manufacturers Association, 1988,
https://midi.org/standard-midi-files). That takes time, so it is only done where a track ends after its last event.
"""

from __future__ import annotations

import struct

CHUNK_HEADER_BYTES = 8
META, SYSEX, SYSEX_CONTINUED, END_OF_TRACK = 0xFF, 0xF0, 0xF7, 0x2F
ENDS_AT_ONCE = (b"\x00\xff\x2f\x00", b"\x01\xff\x2f\x00")  # after no time, or after the tick that some programs add


def end_of_tracks(data: bytes) -> int:
    """The tick of the latest end of track that comes some time after its track's last event; 0 if there is none."""
    end, position = 0, 0
    while position + CHUNK_HEADER_BYTES <= len(data):
        (length,) = struct.unpack_from(">I", data, position + 4)
        first, after = position + CHUNK_HEADER_BYTES, position + CHUNK_HEADER_BYTES + length
        if data[position : position + 4] == b"MTrk" and not _ends_at_once(data[max(after - 5, first) : after]):
            end = max(end, _end_of_track(data[first:after]))
        position = after
    return end


def _ends_at_once(tail: bytes) -> bool:
    """Whether the last five bytes of a track are, beyond doubt, its end within a tick of the event before."""
    return tail.endswith(ENDS_AT_ONCE) and tail[0] < 0x80


def _end_of_track(track: bytes) -> int:
    """The tick of a track's end; 0 if there is none, or it is damaged."""
    tick, position, status = 0, 0, 0
    try:
        while True:
            delta = 0
            while True:
                byte = track[position]
                position += 1
                delta = delta << 7 | byte & 0x7F
                if byte < 0x80:
                    break
            tick += delta
            byte = track[position]
            if byte >= 0x80:
                status = byte
                position += 1
            if 0x80 <= status < SYSEX:
                position += 1 if 0xC0 <= status < 0xE0 else 2
            elif status in (META, SYSEX, SYSEX_CONTINUED):
                if status == META:
                    if track[position] == END_OF_TRACK:
                        return tick
                    position += 1
                length = 0
                while True:
                    byte = track[position]
                    position += 1
                    length = length << 7 | byte & 0x7F
                    if byte < 0x80:
                        break
                position += length
            else:
                return 0
    except IndexError:
        return 0

"""The bytes of a Standard MIDI File -> the events of its tracks, in arrays.

Positions are bytes, times are ticks from the start of the track. Channels are 0 to 15, plus 16 for each port: a file
with two ports has two channels 10. Runs of channel messages are found by a pattern and taken apart at once, since there
are thousands of them; the few other events are read one by one. "Standard MIDI Files 1.0" (MIDI Manufacturers
Association, 1988), https://midi.org/standard-midi-files

Forgiven, since players forgive it: data bytes over 127, chunk lengths that are wrong, a file that is cut, a missing end
of track, chunks of other kinds.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from melodyvae.system.errors import UserError

CHUNK_HEADER_BYTES = 8
MAX_DATA_BYTE = 127
MAX_EVENTS = 3_000_000
MAX_TRACKS = 2**16  # the header has two bytes for their number
MAX_ROWS = 2**16  # that are kept as they are; in an array they take a fifth of the memory
MIN_RUN_BYTES = 100  # below, to take one message after the other is quicker
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, PRESSURE, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xD0, 0xE0
META, SYSEX, SYSEX_CONTINUED = 0xFF, 0xF0, 0xF7
TEXT, NAME, INSTRUMENT, LYRIC, PORT = 0x01, 0x03, 0x04, 0x05, 0x21  # meta events
END_OF_TRACK, TEMPO, METER, KEY = 0x2F, 0x51, 0x58, 0x59
KEPT_METAS = {TEXT, NAME, INSTRUMENT, LYRIC, PORT, TEMPO, METER, KEY}
MAX_PORTS = 16
MAX_SYSEX_BYTES = 64  # those that set a mode are shorter
DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # by the upper half of the status byte
# Of messages that are for wires, and have no place in a file; players pass over them.
SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0} | dict.fromkeys((0xF8, 0xFA, 0xFB, 0xFC, 0xFE), 0)

_DELTA = rb"[\x80-\xff]{0,3}[\x00-\x7f]"
_STATUSES = {1: rb"[\xc0-\xdf]", 2: rb"[\x80-\xbf\xe0-\xef]"}  # by the number of data bytes


def _run_pattern(data_bytes: int, optional: bytes) -> re.Pattern[bytes]:
    """Channel messages of so many data bytes; ``optional`` is ? where the first may lack its status byte."""
    status, data = _STATUSES[data_bytes], rb"[\x00-\x7f]{%d}" % data_bytes
    return re.compile(_DELTA + status + optional + data + b"(?:" + _DELTA + status + b"?" + data + b")*+")


_RUNS = {data_bytes: _run_pattern(data_bytes, b"") for data_bytes in (1, 2)}
_RUNS_THAT_GO_ON = {data_bytes: _run_pattern(data_bytes, b"?") for data_bytes in (1, 2)}


class BrokenTrackError(UserError, ValueError):
    """A track is not a sequence of MIDI events; the message says why."""


class TooManyEventsError(UserError, ValueError):
    """There are more events than any piece of music has."""


@dataclass(frozen=True, eq=False)
class Track:
    """The events of one track.

    Attributes:
        ticks, statuses, channels, first, second: of the channel messages, int64 ``(N,)``: the time, the kind (0x80,
            0x90 to 0xE0), the channel and the data bytes; ``second`` is 0 where there is one only.
        metas: tick, type and content of each meta event of ``KEPT_METAS``.
        sysexes: the contents of the shorter exclusive messages.
        port: of the track, from 0.
        end_tick: of the last event.
    """

    ticks: np.ndarray
    statuses: np.ndarray
    channels: np.ndarray
    first: np.ndarray
    second: np.ndarray
    metas: list[tuple[int, int, bytes]]
    sysexes: list[bytes]
    port: int
    end_tick: int


@dataclass
class _Walk:
    """State of reading a track."""

    position: int
    tick: int = 0
    status: int = 0  # the running status
    has_ended: bool = False
    columns: list[np.ndarray] = field(default_factory=list)  # of messages: tick, status, data bytes; int64 ``(4, N)``
    rows: list[tuple[int, int, int, int]] = field(default_factory=list)  # the messages after those
    metas: list[tuple[int, int, bytes]] = field(default_factory=list)
    sysexes: list[bytes] = field(default_factory=list)
    clipped: int = 0
    events: int = 0


def read_tracks(data: bytes, position: int) -> tuple[list[Track], Counter[str]]:
    """The tracks from a position on, and the number of forgiven faults by kind.

    The kinds are ``clipped`` (data bytes), ``chunk_length`` (tracks) and ``cut`` (the file).

    Raises:
        BrokenTrackError: if a track has an event that MIDI does not have.
        TooManyEventsError: if there are more than three million, or more tracks than a header can count.
    """
    events = 0
    tracks: list[Track] = []
    forgiven: Counter[str] = Counter()
    while position + CHUNK_HEADER_BYTES <= len(data):
        kind, length = struct.unpack_from(">4sI", data, position)
        start = position + CHUNK_HEADER_BYTES
        end = start + length
        if kind != b"MTrk":
            if tracks:
                break  # bytes after the last track
            position = end
            continue
        walk = _Walk(start, events=events)
        is_whole = _go_on(walk, data, min(end, len(data)))
        if not walk.has_ended and not _begins_track(data, end):
            longer = _longer(data, start, events, is_whole)
            if longer is not None:
                walk, is_whole = longer, True
        is_cut = not is_whole or (end > len(data) and not walk.has_ended)
        position = end
        if walk.has_ended and end != walk.position and (end > len(data) or not _begins_track(data, end)):
            following = data.find(b"MTrk", walk.position)
            forgiven["chunk_length"] += end > len(data) or following >= 0 or end < walk.position
            position = following if following >= 0 else len(data)
        forgiven["cut"] += is_cut
        forgiven["clipped"] += walk.clipped
        tracks.append(_track(walk))
        if len(tracks) >= MAX_TRACKS:
            raise TooManyEventsError(f"{MAX_TRACKS} tracks or more")
        events = walk.events
    return tracks, +forgiven


def _longer(data: bytes, start: int, events: int, is_whole: bool) -> _Walk | None:
    """The track from ``start`` on as far as its end-of-track event, if it is there beyond the chunk; None if not.

    Raises:
        BrokenTrackError: if it has an event that there is not, unless it ``is_whole``: then other bytes follow it.
    """
    walk = _Walk(start, events=events)
    try:
        _go_on(walk, data, len(data))
    except BrokenTrackError:
        if not is_whole:
            raise
    return walk if walk.has_ended else None


def _begins_track(data: bytes, position: int) -> bool:
    return position >= len(data) or data.startswith(b"MTrk", position)


def _go_on(walk: _Walk, data: bytes, end: int) -> bool:
    """Read events up to ``end``; False if one of them lasts beyond it.

    Raises:
        BrokenTrackError: of an event that there is not.
        TooManyEventsError: if there are more than three million.
    """
    while walk.position < end and not walk.has_ended:
        running = DATA_BYTES.get(walk.status & 0xF0, 0)
        for data_bytes in (1, 2) if running == 1 else (2, 1):
            patterns = _RUNS_THAT_GO_ON if data_bytes == running else _RUNS
            run = patterns[data_bytes].match(data, walk.position, end)
            if run is not None:
                break
        if run is not None and run.end() - walk.position >= MIN_RUN_BYTES:
            _take_run(walk, data, run.end(), data_bytes)
        elif run is not None:
            while walk.position < run.end():
                _take_event(walk, data, end)
        elif not _take_event(walk, data, end):
            return False
    return True


def _take_run(walk: _Walk, data: bytes, end: int, data_bytes: int) -> None:
    """Take channel messages of equal length.

    In each, exactly the last byte of its delta time and its data bytes are below 128, which shows where it begins.
    """
    run = np.frombuffer(data, np.uint8, end - walk.position, walk.position)
    is_low = run < 0x80
    _count(walk, int(np.count_nonzero(is_low)) // (1 + data_bytes))
    low = np.flatnonzero(is_low).reshape(-1, 1 + data_bytes)
    delta_ends, firsts = low[:, 0], low[:, 1]
    deltas = run[delta_ends].astype(np.int64)
    lengths = delta_ends.copy()
    lengths[1:] -= low[:-1, -1] + 1
    for place in range(1, int(lengths.max()) + 1):
        longer = np.flatnonzero(lengths >= place)
        deltas[longer] |= (run[delta_ends[longer] - place] & 0x7F).astype(np.int64) << 7 * place
    messages = np.zeros((4, len(deltas)), np.int64)
    np.cumsum(deltas, out=messages[0])
    messages[0] += walk.tick
    statuses = run[firsts - 1]  # or the end of the delta time, where the status goes on
    if statuses.min() < 0x80:
        rows = np.maximum.accumulate(np.where(statuses < 0x80, -1, np.arange(len(firsts))))
        statuses = np.where(rows < 0, np.uint8(walk.status), statuses[rows])
    messages[1] = statuses
    messages[2] = run[firsts]
    if data_bytes == 2:
        messages[3] = run[low[:, 2]]
    _flush(walk)
    walk.columns.append(messages)
    walk.tick, walk.status, walk.position = int(messages[0, -1]), int(statuses[-1]), end


def _take_event(walk: _Walk, data: bytes, end: int) -> bool:
    """Take one event of any kind; False, and nothing is taken, if it lasts beyond ``end``."""
    try:
        delta, position = variable_length(data, walk.position)
        status = data[position]
        position += status > MAX_DATA_BYTE
        if status <= MAX_DATA_BYTE:
            status = walk.status
        if status in (META, SYSEX, SYSEX_CONTINUED):
            kind = data[position] if status == META else 0
            length, position = variable_length(data, position + (status == META))
            content = data[position : position + length]
            position += length
        elif 0x80 <= status < SYSEX:
            length = DATA_BYTES[status & 0xF0]
            content = data[position : position + length]
            position += length
        elif status in SYSTEM_DATA_BYTES:
            position += SYSTEM_DATA_BYTES[status]
        elif walk.status == status:
            raise BrokenTrackError(f"byte {position} is data before any status (running status)")
        else:
            raise BrokenTrackError(f"byte {position - 1} is {status:#x}, which begins no event of a file")
    except IndexError:
        return False
    if position > end:
        return False
    _count(walk, 1)
    walk.position = position
    walk.tick += delta
    if status == META:
        if kind in KEPT_METAS:
            walk.metas.append((walk.tick, kind, content))
        walk.has_ended = kind == END_OF_TRACK
    elif status in (SYSEX, SYSEX_CONTINUED):
        if len(content) <= MAX_SYSEX_BYTES:
            walk.sysexes.append(content)
    elif status < SYSEX:
        first, second = content if len(content) == 2 else (content[0], 0)
        if first > MAX_DATA_BYTE or second > MAX_DATA_BYTE:
            walk.clipped += (first > MAX_DATA_BYTE) + (second > MAX_DATA_BYTE)
            first, second = min(first, MAX_DATA_BYTE), min(second, MAX_DATA_BYTE)
        walk.status = status
        walk.rows.append((walk.tick, status, first, second))
        if len(walk.rows) >= MAX_ROWS:
            _flush(walk)
    return True


def _count(walk: _Walk, events: int) -> None:
    walk.events += events
    if walk.events > MAX_EVENTS:
        raise TooManyEventsError(f"more than {MAX_EVENTS} events")


def _flush(walk: _Walk) -> None:
    if walk.rows:
        walk.columns.append(np.array(walk.rows, np.int64).T)
        walk.rows = []


def _track(walk: _Walk) -> Track:
    _flush(walk)
    columns = walk.columns or [np.empty((4, 0), np.int64)]
    ticks, statuses, first, second = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    port = next((content[0] % MAX_PORTS for _, kind, content in walk.metas if kind == PORT and content), 0)
    channels = (statuses & 0x0F) + 16 * port
    return Track(ticks, statuses & 0xF0, channels, first, second, walk.metas, walk.sysexes, port, walk.tick)


def variable_length(data: bytes, position: int) -> tuple[int, int]:
    """A quantity of seven bits per byte, and the position after it.

    Raises:
        IndexError: if the data end within it.
        BrokenTrackError: if it has more than the four bytes that the format allows.
    """
    value = 0
    for place in range(position, position + 4):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    raise BrokenTrackError(f"the quantity at byte {position} has more than four bytes")

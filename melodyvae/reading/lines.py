"""The notes of a MIDI file's tracks -> lines: the notes of one player, on any channels and programs.

Times are ticks. A note-off ends the oldest note of its pitch and channel. Where a pitch has fewer ends than beginnings,
each of its notes ends with the next event of that pitch instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from melodyvae.reading.smf import BEND, CONTROL, NOTE_ON, PRESSURE, Track

PITCHES = 128
PEDAL, PEDAL_IS_DOWN = 64, 64  # controller, and its least value
SILENCES = (120, 123)  # controllers: all sound off, all notes off
RPN_MSB, RPN_LSB, MPE_ZONE = 101, 100, 6  # the registered parameter that opens a zone of MPE
HARDLY_SHARE = 0.1  # of the shorter line's sounding time, in which lines hardly overlap
RING_SHARE = 0.5  # strings of one guitar ring on over each other
MIN_MEMBERS = 3  # channels


@dataclass(frozen=True, eq=False)
class Notes:
    """Notes of one track, sorted by start, then pitch: int64 ``(N,)`` each.

    ``ends`` is at least ``starts``; where ``has_no_end``, the file has none, and it is the next note's start in the
    channel, or the end of the track.
    """

    starts: np.ndarray
    ends: np.ndarray
    pitches: np.ndarray
    velocities: np.ndarray
    channels: np.ndarray
    has_no_end: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def own_channels(self) -> list[int]:
        """The channels that they are on, sorted."""
        first = int(self.channels[0]) if len(self) else 0
        return [first] if (self.channels == first).all() else np.unique(self.channels).tolist()

    def where(self, chosen: np.ndarray | slice) -> Notes:
        """Some of them, by mask or order."""
        return Notes(
            self.starts[chosen],
            self.ends[chosen],
            self.pitches[chosen],
            self.velocities[chosen],
            self.channels[chosen],
            self.has_no_end[chosen],
        )


def notes_of(track: Track) -> Notes:
    """The notes of a track."""
    rows = np.flatnonzero(track.statuses <= NOTE_ON)
    key = (track.channels[rows] * PITCHES + track.first[rows]).astype(np.uint16)  # few bits are sorted quickly
    order = np.argsort(key, kind="stable")  # by channel and pitch, then time
    rows, key = rows[order], key[order]
    is_on = (track.statuses[rows] == NOTE_ON) & (track.second[rows] > 0)
    ons = np.flatnonzero(is_on)
    ticks, on_rows = track.ticks[rows], rows[ons]
    if 2 * len(ons) == len(rows) and not (ons & 1).any() and (key[::2] == key[1::2]).all():
        ends, has_no_end = ticks[1::2], np.zeros(len(ons), bool)  # each beginning has its end behind it
    else:
        ends, has_no_end, is_kept = _ends(ticks, key, is_on, track.end_tick)
        on_rows, ends, has_no_end = on_rows[is_kept], ends[is_kept], has_no_end[is_kept]
    starts, pitches = track.ticks[on_rows], track.first[on_rows]
    order = np.argsort(starts * PITCHES + pitches, kind="stable")
    on_rows = on_rows[order]
    notes = Notes(
        starts[order], ends[order], pitches[order], track.second[on_rows], track.channels[on_rows], has_no_end[order]
    )
    return _until_next(notes, track) if has_no_end.any() else notes


def _ends(
    ticks: np.ndarray, key: np.ndarray, is_on: np.ndarray, end_tick: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The end of each note that begins, whether the file has none, and whether the note is to be kept, ``(notes,)``.

    The events are note ons and note offs, sorted by key: their times, a key for channel and pitch, and whether they
    are note ons, ``(N,)`` each.
    """
    begins = np.ones(len(key), bool)
    begins[1:] = key[1:] != key[:-1]
    group = np.cumsum(begins) - 1
    ons, offs = np.flatnonzero(is_on), np.flatnonzero(~is_on & ~_ends_nothing(is_on, begins, group))
    own = group[ons]
    on_counts, off_counts = (np.bincount(group[events], minlength=group[-1] + 1) for events in (ons, offs))
    rank = np.arange(len(ons)) - (np.cumsum(on_counts) - on_counts)[own]
    is_full = (on_counts == off_counts)[own]
    ends = np.empty(len(ons), np.int64)
    ends[is_full] = ticks[offs[((np.cumsum(off_counts) - off_counts)[own] + rank)[is_full]]]
    # Where ends are missing, a note lasts to the next later event of its pitch; of those begun at once one is kept.
    starts = ticks[ons]
    span = int(ticks.max()) + 1
    following = np.searchsorted(group * span + ticks, own * span + starts, "right")
    has_next = following < len(ticks)
    has_next[has_next] = group[following[has_next]] == own[has_next]
    next_ticks = np.append(ticks, end_tick)[np.where(has_next, following, -1)]
    ends = np.where(is_full, ends, next_ticks)
    is_again = np.zeros(len(ons), bool)
    is_again[1:] = ~is_full[1:] & (own[1:] == own[:-1]) & (starts[1:] == starts[:-1])
    return ends, ~is_full & ~has_next, ~is_again


def _ends_nothing(is_on: np.ndarray, begins: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Mask ``(N,)`` of the note offs while nothing sounds: those at which the count of open notes of their group
    would fall to a new depth below 0.
    """
    count = np.cumsum(np.where(is_on, 1, -1))
    before = count - np.where(is_on, 1, -1)
    count -= before[begins][group]
    apart = group * (2 * len(count) + 1)  # so that each group's depths lie below those of all groups before
    depth = np.minimum(np.minimum.accumulate(count - apart) + apart, 0)
    depth_before = np.zeros_like(depth)
    depth_before[1:] = depth[:-1]
    depth_before[begins] = 0
    return np.asarray(depth < depth_before)


def _until_next(notes: Notes, track: Track) -> Notes:
    """The notes; those without an end last until the next later one in their channel, or until all are off."""
    ends = notes.ends.copy()
    is_silence = (track.statuses == CONTROL) & np.isin(track.first, SILENCES)
    for channel in np.unique(notes.channels[notes.has_no_end]):
        own = notes.channels == channel
        silences = track.ticks[is_silence & (track.channels == channel)]
        limits = np.unique(np.concatenate([notes.starts[own], silences]))
        open_ones = np.flatnonzero(own & notes.has_no_end)
        following = np.searchsorted(limits, notes.starts[open_ones], "right")
        ends[open_ones] = np.minimum(ends[open_ones], np.append(limits, ends.max())[following])
    return Notes(notes.starts, ends, notes.pitches, notes.velocities, notes.channels, notes.has_no_end)


def lines_of(notes: Notes, programs: np.ndarray, track: Track, is_alone: bool) -> list[list[int]]:
    """The lines among the notes of a track: the channels of each, sorted by their first one.

    Channels of one program are one line. Where a track is the whole file (``is_alone``: type 0), it holds all players,
    and they are one line only if they hardly overlap, ring on like the strings of a guitar, or are a zone of MPE. Lines
    of different programs are one if they hardly overlap; of a whole file, if none overlap.

    Args:
        notes: pitched.
        programs: ``(N,)``, of each note.
        track: its events.
        is_alone: whether no other track has notes.
    """
    channels = notes.own_channels
    if len(channels) < 2 or is_mpe(track, channels, programs):
        return [channels]
    spans = {channel: _span(notes, channel) for channel in channels}
    by_program: dict[int, list[int]] = {}
    for channel in spans:
        by_program.setdefault(int(programs[notes.channels == channel][0]), []).append(channel)
    lines: list[list[int]] = []
    for same in by_program.values():
        together = not is_alone or _overlap([spans[channel] for channel in same]) <= RING_SHARE
        lines += [same] if together else [[channel] for channel in same]
    if _overlap([_joined([spans[channel] for channel in line]) for line in lines]) <= HARDLY_SHARE:
        lines = [sorted(spans)]
    elif not is_alone:
        lines = _joined_where_apart(lines, spans)
    return sorted(sorted(line) for line in lines)


def is_mpe(track: Track, channels: Sequence[int], programs: np.ndarray) -> bool:
    """Whether channels are a zone of MPE: it is opened by a message, or each of them bends or is pressed by itself.

    "MIDI Polyphonic Expression" (MIDI Manufacturers Association, 2018), https://midi.org/mpe-midi-polyphonic-expression
    """
    is_control = track.statuses == CONTROL
    lsb = is_control & (track.first == RPN_LSB) & (track.second == MPE_ZONE)
    if lsb.any():
        msb = is_control & (track.first == RPN_MSB) & (track.second == 0)
        if np.isin(track.channels[lsb], track.channels[msb]).any():
            return True
    if len(channels) < MIN_MEMBERS or len(np.unique(programs)) > 1:
        return False
    moved = (track.statuses == BEND) | (track.statuses == PRESSURE)
    return bool(np.isin(channels, track.channels[moved]).all())


def with_pedal(notes: Notes, track: Track) -> Notes:
    """The notes of a line, held by the sustain pedal to its end, but not beyond the next note of the line."""
    pedals = (track.statuses == CONTROL) & (track.first == PEDAL)
    if not pedals.any():
        return notes
    ends = notes.ends.copy()
    for channel in notes.own_channels:
        rows = np.flatnonzero(pedals & (track.channels == channel))
        own = notes.channels == channel
        if not len(rows):
            continue
        ticks, is_down = track.ticks[rows], track.second[rows] >= PEDAL_IS_DOWN
        releases = np.append(ticks[~is_down], max(track.end_tick, int(notes.ends.max())))
        before = np.searchsorted(ticks, ends[own], "left") - 1  # a pedal at the end itself comes too late, or is up
        is_held = (before >= 0) & is_down[np.maximum(before, 0)]
        released = releases[np.searchsorted(releases[:-1], ends[own], "left")]
        ends[own] = np.where(is_held, released, ends[own])
    starts = np.append(np.unique(notes.starts), ends.max())
    next_start = starts[np.searchsorted(starts[:-1], notes.starts, "right")]
    ends = np.maximum(notes.ends, np.minimum(ends, next_start))
    return Notes(notes.starts, ends, notes.pitches, notes.velocities, notes.channels, notes.has_no_end)


_Span = tuple[np.ndarray, np.ndarray]  # starts and ends


def _span(notes: Notes, channel: int) -> _Span:
    own = notes.channels == channel
    return notes.starts[own], notes.ends[own]


def _joined(spans: Sequence[_Span]) -> _Span:
    return np.concatenate([starts for starts, _ in spans]), np.concatenate([ends for _, ends in spans])


def _sounding(span: _Span) -> int:
    """The time in which anything sounds."""
    starts, ends = span
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    return int((ends - np.maximum(starts, np.append(starts[0], ends[:-1]))).clip(0).sum())


def _overlap(spans: Sequence[_Span]) -> float:
    """The share of the time in which several of some spans sound at once, of that in which the fewest can: 0 to 1."""
    if len(spans) < 2:
        return 0.0
    own = [_sounding(span) for span in spans]
    shared = sum(own) - _sounding(_joined(spans))
    return shared / max(sum(own) - max(own), 1)


def _joined_where_apart(lines: Sequence[list[int]], spans: dict[int, _Span]) -> list[list[int]]:
    """The lines, with those joined that hardly overlap; the first one first."""
    joined: list[list[int]] = []
    for line in lines:
        own = _joined([spans[channel] for channel in line])
        for other in joined:
            if _overlap([own, _joined([spans[channel] for channel in other])]) <= HARDLY_SHARE:
                other += line
                break
        else:
            joined.append(list(line))
    return joined

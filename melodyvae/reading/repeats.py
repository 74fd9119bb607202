"""Written bars with repeat marks -> the order in which they are played, and a piece laid out in that order.

A repeat goes from the last ``starts`` (or the end of the repeat before it, or the first bar) to the first ``ends``, and
over the endings that follow it. In pass n the bars of endings without n are left out. After a jump (da capo, dal segno)
repeats are not played again, and the last ending is taken. Times are exact fractions of quarter notes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal, NamedTuple

from melodyvae.music.notes import DEFAULT_QUARTERS_PER_MINUTE, Event, KeySignature, Meter, Tempo
from melodyvae.reading.written import NO_MARKS, WrittenBar, WrittenNote, count_bars
from melodyvae.system.errors import UserError

__all__ = ["PlayedTooLongError", "Repeats", "WrittenPiece", "in_order", "lay_out", "playing_order"]

Repeats = Literal["written", "play"]
MAX_PASSES = 100
MAX_PLAYED_BARS = 100_000
MAX_PLAYED_NOTES = 1_000_000


class PlayedTooLongError(UserError, ValueError):
    """With its repeats played out, the piece is longer than any piece of music."""


class WrittenPiece(NamedTuple):
    """Notes by part, bars of all parts, and events by time, before they become a song."""

    parts: Sequence[Sequence[WrittenNote]]
    bars: Sequence[WrittenBar]
    tempi: Sequence[Tempo] = ()
    key_signatures: Sequence[KeySignature] = ()


class _Section(NamedTuple):
    """Bars ``first`` to ``stop`` (exclusive), played ``passes`` times."""

    first: int
    stop: int
    passes: int


def in_order(piece: WrittenPiece, order: Sequence[int], repeats: Repeats) -> tuple[WrittenPiece, tuple[str, ...]]:
    """The piece as written, or with its bars in this order, and a sentence for the user if that is not the same.

    Raises:
        PlayedTooLongError: if there are more than a million notes.
    """
    if list(order) == list(range(len(piece.bars))):
        return piece, ()
    played = lay_out(piece if repeats == "play" else WrittenPiece([], piece.bars), order)
    written_bars, played_bars = count_bars(piece.bars), count_bars(played.bars)
    if repeats == "play":
        return played, (f"repeats are played out: {_bars(written_bars)} as written, {played_bars} as played",)
    return piece, (f"repeats are taken once: {_bars(written_bars)} as written, {played_bars} if they were played",)


def _bars(count: int) -> str:
    return f"{count} {'bar' if count == 1 else 'bars'}"


def playing_order(bars: Sequence[WrittenBar]) -> list[int]:
    """The indices of the bars in the order in which they are played; without repeat marks each once.

    Raises:
        PlayedTooLongError: if there are more than 100,000.
    """
    order: list[int] = []
    for index in _playing(bars, list(_sections(bars))):
        order.append(index)
        if len(order) > MAX_PLAYED_BARS:
            raise PlayedTooLongError(f"with its repeats played out it has more than {MAX_PLAYED_BARS} bars")
    return order


def lay_out(piece: WrittenPiece, order: Sequence[int]) -> WrittenPiece:
    """The piece with its bars in another order: notes of all parts, tempi and key signatures go with their bars.

    A tie holds over a seam only where the notes on both sides say so; a note that lasts beyond its bar ends at a seam.

    Raises:
        PlayedTooLongError: if there are more than a million notes.
    """
    bars: list[WrittenBar] = []
    all_tempi = _from_the_start(piece.tempi, Tempo(0.0, DEFAULT_QUARTERS_PER_MINUTE))
    all_keys = _from_the_start(piece.key_signatures, KeySignature(0.0, 0))
    parts: list[list[WrittenNote]] = [[] for _ in piece.parts]
    tempi: list[Tempo] = []
    keys: list[KeySignature] = []
    sorted_parts = [sorted(part, key=lambda note: note.start) for part in piece.parts]
    starts = [[note.start for note in part] for part in sorted_parts]
    now, count = Fraction(0), 0
    for first, stop in _runs(order):
        begin, end = piece.bars[first].start, piece.bars[stop - 1].start + piece.bars[stop - 1].length
        is_last = stop == len(piece.bars)
        shift = now - begin
        bars += [bar._replace(start=bar.start + shift, marks=NO_MARKS) for bar in piece.bars[first:stop]]
        for laid, part, times in zip(parts, sorted_parts, starts, strict=True):
            own_notes = part[bisect_left(times, begin) : len(part) if is_last else bisect_left(times, end)]
            count += len(own_notes)
            if count > MAX_PLAYED_NOTES:
                raise PlayedTooLongError(f"with its repeats played out it has more than {MAX_PLAYED_NOTES} notes")
            laid += [
                note._replace(
                    start=note.start + shift, length=note.length if is_last else min(note.length, end - note.start)
                )
                for note in own_notes
            ]
        _lay_out_events(tempi, all_tempi, begin, end, now)
        _lay_out_events(keys, all_keys, begin, end, now)
        now += end - begin
    return WrittenPiece(parts, bars, tempi, keys)


def _sections(bars: Sequence[WrittenBar]) -> Iterator[_Section]:
    """The bars cut into what is played once and what is repeated."""
    begin, count = 0, len(bars)
    while begin < count:
        end = next((index for index in range(begin, count) if bars[index].marks.ends), None)
        if end is None:  # endings without a repeat sign: from one to the next the repeat is meant
            numbered = [index for index in range(begin, count) if bars[index].marks.endings]
            if not numbered or _last_pass(bars[begin:]) == 1:
                yield _Section(begin, count, 1)
                return
            end = numbered[-1]
        first = next((index for index in range(end, begin, -1) if bars[index].marks.starts), begin)
        if first > begin:
            yield _Section(begin, first, 1)
        stop = end + 1
        while stop < count and not bars[stop].marks.starts and min(bars[stop].marks.endings, default=0) > 1:
            stop += 1
        yield _Section(first, stop, max(bars[end].marks.ends, _last_pass(bars[first:stop])))
        begin = stop


def _last_pass(bars: Sequence[WrittenBar]) -> int:
    return max((number for bar in bars for number in bar.marks.endings), default=1)


def _playing(bars: Sequence[WrittenBar], sections: Sequence[_Section]) -> Iterator[int]:
    for section in sections:
        passes = min(section.passes, MAX_PASSES)
        for number in range(1, passes + 1):
            for index in range(section.first, section.stop):
                if not _is_played(bars[index], number, passes):
                    continue
                yield index
                if bars[index].marks.jump and number == min(max(bars[index].marks.endings, default=passes), passes):
                    yield from _after_jump(bars, sections, bars[index].marks.jump)
                    return


def _after_jump(bars: Sequence[WrittenBar], sections: Sequence[_Section], jump: str) -> Iterator[int]:
    """The bars from the beginning or the sign on, to the fine or the end, or over to the coda."""
    segno = next((index for index, bar in enumerate(bars) if bar.marks.segno), 0)
    coda = next((index for index, bar in enumerate(bars) if bar.marks.coda), len(bars))
    from_index = segno if jump == "dal segno" else 0
    for section in sections:
        for index in range(section.first, section.stop):
            if index >= from_index and _is_played(bars[index], section.passes, section.passes):
                yield index
                if bars[index].marks.fine:
                    return
                if bars[index].marks.to_coda and coda > index:
                    from_index = coda


def _is_played(bar: WrittenBar, number: int, passes: int) -> bool:
    return passes == 1 or not bar.marks.endings or number in bar.marks.endings


def _start(event: Tempo | Meter | KeySignature) -> float:
    return event.start_quarters


def _runs(order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Stretches of bars in written order: the index of the first and of the one after the last."""
    first = 0
    for place in range(1, len(order) + 1):
        if place == len(order) or order[place] != order[place - 1] + 1:
            yield order[first], order[place - 1] + 1
            first = place


def _from_the_start(events: Sequence[Event], default: Event) -> Sequence[Event]:
    return [default] + list(events) if events and events[0].start_quarters > 0 else events  # noqa: RUF005


def _lay_out_events(laid: list[Event], events: Sequence[Event], begin: Fraction, end: Fraction, now: Fraction) -> None:
    """Add the events of one stretch, and at its beginning the one that is in force there."""
    after = bisect_right(events, float(begin), key=_start)
    for event in events[max(after - 1, 0) : bisect_left(events, float(end), key=_start)]:
        start = max(event.start_quarters - float(begin), 0.0) + float(now)
        if not laid or replace(laid[-1], start_quarters=start) != replace(event, start_quarters=start):
            laid.append(replace(event, start_quarters=start))

"""A written score -> a song: repeats taken as asked for, ties joined, times checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from melodyvae.music.notes import Event, Song
from melodyvae.reading.faults import CorruptScoreError, FileTooLargeError
from melodyvae.reading.midi import MAX_QUARTERS, within_limits
from melodyvae.reading.repeats import (
    MAX_PLAYED_BARS,
    PlayedTooLongError,
    Repeats,
    WrittenPiece,
    in_order,
    playing_order,
)
from melodyvae.reading.written import MAX_QUARTERS_PER_MINUTE, MIN_QUARTERS_PER_MINUTE, meters_of, part_of

__all__ = ["WrittenPart", "WrittenScore", "song_of"]


class WrittenPart(NamedTuple):
    """Data of a score's part, beside its notes."""

    name: str = ""
    program: int = 0
    is_drum: bool = False


class WrittenScore(NamedTuple):
    """A piece, what is said of each of its parts, and the order of its bars if it is not by their marks."""

    piece: WrittenPiece
    parts: Sequence[WrittenPart]
    order: Sequence[int] | None = None


def song_of(score: WrittenScore, name: str, repeats: Repeats = "written") -> Song:
    """The song of a written score; parts without notes are left out; ``name`` is what errors call its file.

    Raises:
        CorruptScoreError: if it lasts longer than any piece of music.
        FileTooLargeError: if it has too many notes or bars, or has when its repeats are played.
    """
    try:
        order = playing_order(score.piece.bars) if score.order is None else score.order
        if len(order) > MAX_PLAYED_BARS:
            raise PlayedTooLongError(f"with its repeats played out it has more than {MAX_PLAYED_BARS} bars")
        piece, notices = in_order(score.piece, order, repeats)
    except PlayedTooLongError as error:
        if repeats == "play":
            raise FileTooLargeError(f"{name} is too long: {error}") from error
        piece, notices = score.piece, ("repeats are taken once",)
    parts = [part_of(notes, *part) for notes, part in zip(piece.parts, score.parts, strict=True)]
    ends = [float(part.ends.max()) for part in parts if len(part)]
    end = max([*ends, *(float(bar.start + bar.length) for bar in piece.bars)], default=0.0)
    if not end <= MAX_QUARTERS:
        raise CorruptScoreError(
            f"{name} cannot be read: it is {end:g} quarter notes long, so a time in it is wrong. Export it again."
        )
    song = Song(
        parts=tuple(part for part in parts if len(part)),
        tempi=_by_time(
            [
                tempo
                for tempo in piece.tempi
                if MIN_QUARTERS_PER_MINUTE <= tempo.quarters_per_minute <= MAX_QUARTERS_PER_MINUTE
            ]
        ),
        meters=meters_of(piece.bars),
        end_quarters=end,
        notices=notices,
        key_signatures=_by_time(piece.key_signatures),
    )
    return within_limits(song, name)


def _by_time(events: Sequence[Event]) -> tuple[Event, ...]:
    """Sorted by time; of several at one time the first."""
    first = {event.start_quarters: event for event in reversed(events)}
    return tuple(first[time] for time in sorted(first))

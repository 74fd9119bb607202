"""Any source of a piece -> its melody."""

from __future__ import annotations

from dataclasses import replace

from melodyvae.music.regions import ReadMelody, melody_of
from melodyvae.music.voice import AUTO, MelodyError, choose_part, close_call
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.sources import PieceSource, song_of_source
from melodyvae.system.limits import Limits


def read_melody(
    source: PieceSource,
    track: str = AUTO,
    meter: tuple[int, int] | None = None,
    steps_per_quarter: int = 4,
    limits: Limits | None = None,
    repeats: Repeats = "written",
) -> ReadMelody:
    """The melody of any piece, from its first bar to its last: of its likeliest part, in bars of one meter.

    Bars of another meter, pickups, and bars that a signature cuts are made up to whole bars as
    :mod:`melodyvae.music.layout` says; the description tells how many. A piece in 6/8, 9/8 or 12/8 of which bars of
    4/4 are asked for is read beat on beat, as a shuffle: see :mod:`melodyvae.music.beats`.

    Args:
        source: a file (of several tunes the first, or as ``book.abc#12``), its bytes, an object of another package (see
            :mod:`melodyvae.reading.sources`), or what was read of one.
        track: ``auto``, a track's number (from 1) or its name.
        meter: bars of this meter; None takes that of the piece in which most of the part's notes are.
        steps_per_quarter: the grid.
        limits: of the time and memory that reading a score may take; see :mod:`melodyvae.reading.limited`.
        repeats: of a score: ``written`` takes every bar once, ``play`` as often as it is played.

    Raises:
        MidiError: if the piece cannot be read.
        SourceError: if ``source`` is nothing that holds a piece.
        MelodyError: if there is no melody in it.
    """
    name, song = song_of_source(source, limits, repeats)
    try:
        part_index = choose_part(song, track)
    except MelodyError as error:
        raise type(error)(f"{name}: {error}") from error
    read = melody_of(song, part_index, meter, steps_per_quarter)
    return replace(read, close_call=close_call(song)) if track == AUTO else read

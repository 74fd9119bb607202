"""Scores that are not MIDI -> notes: MusicXML, ABC and kern.

Grace notes, chord symbols and words are left out; transposing instruments are at sounding pitch. Ties and bar lines are
as in :mod:`~melodyvae.reading.written`, repeats as in :mod:`~melodyvae.reading.repeats`. The three readers are imported
when a file of their kind comes: most files are MIDI.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from melodyvae.music.notes import Song, printable
from melodyvae.reading.assembling import song_of
from melodyvae.reading.faults import FileTooLargeError, NotAScoreError
from melodyvae.reading.midi import EmptyFileError, MidiError, file_bytes
from melodyvae.reading.repeats import Repeats
from melodyvae.reading.tunes import (
    MANY_TUNES_SUFFIXES,
    TooMuchTextError,
    Tune,
    count_tunes,
    is_called,
    split_tune,
    text_of,
    tunes_in,
)

SCORE_SUFFIXES = frozenset({".musicxml", ".xml", ".mxl", ".abc", ".krn"})


class NoSuchTuneError(MidiError):
    """The file holds no tune of this number or title."""

    reason = "no_such_tune"


def is_score(path: str | Path) -> bool:
    """Whether a file is a score by its name."""
    return split_tune(path)[0].suffix.lower() in SCORE_SUFFIXES


def read_scores(path: str | Path, repeats: Repeats = "written") -> Iterator[tuple[str, Song]]:
    """Each tune in a score file: its name (the file's, and ``#NUMBER`` if there are several) and its notes.

    Raises:
        MidiError: one of its kinds, naming the file.
        OSError: if the file cannot be opened.
    """
    path = Path(path)
    data = file_bytes(path)
    if path.suffix.lower() not in MANY_TUNES_SUFFIXES:
        yield path.name, song_from_score_bytes(data, str(path), repeats)
        return
    for tune in tunes_of(data, path.suffix, str(path)):
        number = f"#{tune.number}" if tune.number else ""
        yield path.name + number, song_from_tune(tune.text, path.suffix, f"{path}{number}", tune.line_in_file, repeats)


def tunes_of(data: bytes, suffix: str, name: str) -> Iterator[Tune]:
    """The tunes in the bytes of a ``.abc`` or ``.krn`` file, as they are asked for; ``name`` is what errors call it.

    Raises:
        FileTooLargeError: if there are too many, or one is too long.
    """
    try:
        yield from tunes_in(text_of(data), suffix)
    except TooMuchTextError as error:
        raise FileTooLargeError(f"{name} is too large: {error}") from error


def read_score(path: str | Path, repeats: Repeats = "written") -> Song:
    """One tune of a score file, named by a path such as ``book.abc#12`` or ``book.abc#Drowsy Maggie``.

    Without a name, a file of several tunes gives its first one and a notice.

    Raises:
        MidiError: one of its kinds, naming the file.
        OSError: if the file cannot be opened.
    """
    file, number_or_title = split_tune(path)
    if file.suffix.lower() not in MANY_TUNES_SUFFIXES:
        return next(read_scores(file, repeats))[1]
    data = file_bytes(file)
    tunes = tunes_of(data, file.suffix, str(file))
    tune = next((tune for tune in tunes if not number_or_title or is_called(tune, number_or_title)), None)
    count = count_tunes(text_of(data), file.suffix) if not number_or_title or tune is None else 0
    if tune is None:
        raise NoSuchTuneError(
            f"{file} has no tune {printable(number_or_title)}: it holds {count}; give a number or a title"
        )
    number = f"#{tune.number}" if tune.number else ""
    song = song_from_tune(tune.text, file.suffix, f"{file}{number}", tune.line_in_file, repeats)
    if count > 1:
        notice = f"the first of {count} tunes in the file; add #NUMBER or #TITLE to its name for another"
        song = replace(song, notices=(notice, *song.notices))
    return song


def song_from_score_bytes(data: bytes, name: str, repeats: Repeats = "written") -> Song:
    """The only tune in the bytes of a MusicXML file; ``name`` is the file's, and what errors call it."""
    from melodyvae.reading.musicxml import read_musicxml

    return song_of(read_musicxml(data, name), name, repeats)


def song_from_tune(
    text: str, suffix: str, name: str, line_in_file: Callable[[int], int] = int, repeats: Repeats = "written"
) -> Song:
    """The notes of one tune's text of a ``.abc`` or ``.krn`` file; ``name`` is what errors call it.

    ``line_in_file`` gives the line of the file that errors name for a line of the text; both are from 1.
    """
    if not text.strip():
        raise EmptyFileError(f"{name} is empty")
    if suffix.lower() == ".krn":
        from melodyvae.reading.kern import read_kern

        return song_of(read_kern(text, name), name, repeats)
    if not re.search(r"^K:", text, re.M):
        raise NotAScoreError(f"{name} is not ABC: it has no key (K:), with which every tune in ABC begins")
    from melodyvae.reading.abc import read_abc

    return song_of(read_abc(text, name, line_in_file), name, repeats)

"""Scores that are not MIDI -> notes: MusicXML, ABC and kern.

Grace notes, chord symbols and words are left out; transposing instruments are at sounding pitch. Ties and bar lines are
as in :mod:`~data_prep.reading.written`, repeats as in :mod:`~data_prep.reading.repeats`.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from data_prep.reading.abc_lines import MAX_QUARTERS_PER_MINUTE, MIN_QUARTERS_PER_MINUTE, first_doubt, first_fault
from data_prep.reading.assembling import song_of
from data_prep.reading.faults import MAX_SCORE_NOTES, CorruptScoreError, NotAScoreError
from data_prep.reading.kern import read_kern
from data_prep.reading.midi import (
    MAX_QUARTERS,
    EmptyFileError,
    FileTooLargeError,
    MidiError,
    file_bytes,
    within_limits,
)
from data_prep.reading.musicxml import read_musicxml
from data_prep.reading.notes import Part, Song, Tempo
from data_prep.reading.plain_abc import abc_version, plain_abc
from data_prep.reading.repeats import Repeats
from data_prep.reading.tunes import MANY_TUNES_SUFFIXES, TooMuchTextError, Tune, text_of, tunes_in
from data_prep.reading.written import WrittenBar, WrittenNote, meters_of, part_of

SCORE_SUFFIXES = frozenset({".musicxml", ".xml", ".mxl", ".abc", ".krn"})
MAX_TUNE_CHARACTERS = 400_000  # of ABC that notes depend on
CARRIES_ACCIDENTALS = (2, 0, 0)  # the version of ABC from which on music21 does so by itself


class _WrongTimeError(ValueError):
    """Its message says which time in the piece cannot be."""


def is_score(path: str | Path) -> bool:
    """Whether a file is a score by its name."""
    return Path(path).suffix.lower() in SCORE_SUFFIXES


def read_scores(path: str | Path) -> Iterator[tuple[str, Song]]:
    """Each tune in a score file: its name (the file's, and ``#NUMBER`` if there are several) and its notes.

    Raises:
        MidiError: one of its kinds, naming the file.
        OSError: if the file cannot be opened.
    """
    path = Path(path)
    data = file_bytes(path)
    if path.suffix.lower() not in MANY_TUNES_SUFFIXES:
        yield path.name, song_from_score_bytes(data, str(path))
        return
    for tune in tunes_of(data, path.suffix, str(path)):
        number = f"#{tune.number}" if tune.number else ""
        yield path.name + number, song_from_tune(tune.text, path.suffix, f"{path}{number}", tune.line_in_file)


def tunes_of(data: bytes, suffix: str, name: str) -> Iterator[Tune]:
    """The tunes in the bytes of a ``.abc`` or ``.krn`` file, as they are asked for; ``name`` is what errors call it.

    Raises:
        FileTooLargeError: if there are too many, or one is too long.
    """
    try:
        yield from tunes_in(text_of(data), suffix)
    except TooMuchTextError as error:
        raise FileTooLargeError(f"{name} is too large: {error}") from error


def read_first_score(path: str | Path) -> Song:
    """The only tune in a score file, or the first one."""
    return next(read_scores(path))[1]


def song_from_score_bytes(data: bytes, name: str, repeats: Repeats = "written") -> Song:
    """The only tune in the bytes of a MusicXML file; ``name`` is the file's, and what errors call it."""
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
        return song_of(read_kern(text, name), name, repeats)
    if not re.search(r"^K:", text, re.M):
        raise NotAScoreError(f"{name} is no ABC: it has no key (K:), with which every tune in ABC begins")
    if fault := first_fault(text):
        raise CorruptScoreError(f"{name}, line {line_in_file(fault.line)}: {fault.sentence}")
    plain = plain_abc(text)
    if (notes := len(re.findall("[A-Ga-g]", plain))) > MAX_SCORE_NOTES:
        raise FileTooLargeError(f"{name} has {notes} notes; a tune of more than {MAX_SCORE_NOTES} is not read")
    if len(plain) > MAX_TUNE_CHARACTERS:
        raise FileTooLargeError(
            f"{name} has {len(plain)} characters of music; a tune has at most {MAX_TUNE_CHARACTERS}"
        )
    try:
        return _song_by_music21(_read_abc, text, name)
    except CorruptScoreError as error:
        if doubt := first_doubt(text):
            raise CorruptScoreError(f"{name}, line {line_in_file(doubt.line)}: {doubt.sentence}") from error
        raise


def _read_abc(text: str) -> Song:
    """A tune from music21's tokens, every accidental held until the bar's end.

    music21 holds them only for ABC 2.0 and newer. But older ABC was written with the same habit as all written music,
    and has it for the note in its own octave: it changes pitches in 13% of the Essen folk songs. The tokens are taken,
    not the streams that music21 makes of them: these lose changes of meter and bar lines.
    """
    from music21.abcFormat import ABCHandler

    version = abc_version(text)
    handler = ABCHandler(abcVersion=max(version, CARRIES_ACCIDENTALS))
    if version < CARRIES_ACCIDENTALS:
        handler.abcDirectives["propagate-accidentals"] = "octave"
    handler.process(plain_abc(text))
    head, *voices = handler.splitByVoice()
    lines = [_abc_line(tokens.tokens) for tokens in ([head + voice for voice in voices] or [head])]
    parts = [part_of(notes) for notes, _, _ in lines]
    return _song(parts, lines[0][1], lines[0][2])


def _abc_line(tokens: Sequence[Any]) -> tuple[list[WrittenNote], list[WrittenBar], list[Tempo]]:
    """The notes, bars and tempi of one voice."""
    from music21.abcFormat import ABCBar, ABCChord, ABCMetadata, ABCNote

    notes: list[WrittenNote] = []
    bars: list[WrittenBar] = []
    tempi: list[Tempo] = []
    now = bar_start = Fraction(0)
    signature: tuple[int, int] | None = None
    semitones = 0
    for token in [*tokens, ABCBar("|")]:
        is_meter = isinstance(token, ABCMetadata) and token.isMeter()
        if (is_meter or isinstance(token, ABCBar)) and now > bar_start:
            bars.append(WrittenBar(bar_start, now - bar_start, signature))
            bar_start = now
        if is_meter:
            signature = _signature(token.getTimeSignatureObject())
        elif isinstance(token, ABCMetadata) and token.isKey():
            semitones = token.getClefObject()[1] or 0
        elif isinstance(token, ABCMetadata) and token.isTempo():
            tempi += _tempo(float(now), token.getMetronomeMarkObject())
        elif isinstance(token, ABCNote) and not token.inGrace:
            length = Fraction(token.quarterLength)
            if token.activeTuplet is not None:
                length *= Fraction(token.activeTuplet.tupletMultiplier())
            for note in token.subTokens if isinstance(token, ABCChord) else [token]:
                if isinstance(note, ABCNote) and note.pitchName is not None:
                    tie = note.tie or token.tie
                    notes.append(_abc_note(note, now, length, tie, semitones))
            now += length
    return notes, bars, tempi


def _abc_note(note: Any, start: Fraction, length: Fraction, tie: str | None, semitones: int) -> WrittenNote:
    from music21.pitch import Pitch

    pitch = Pitch(note.pitchName)
    has_own_accidental = note.accidentalDisplayStatus is True
    return WrittenNote(
        start, length, round(pitch.ps) + semitones, f"{pitch.step}{pitch.octave}", has_own_accidental, tie
    )


def _song_by_music21(read: Callable[[str], Song], text: str, name: str) -> Song:
    try:
        with _silence():
            return within_limits(read(text), name)
    except (MidiError, MemoryError):
        raise  # the memory limit of a process is its own reason
    except Exception as error:  # music21 raises whatever its hundred classes run into
        raise CorruptScoreError(f"{name} cannot be read: {_cause(error)}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing be printed: music21 warns of layout and beams, which nobody here looks at."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _cause(error: Exception) -> str:
    """Why music21 gave up, in a sentence: in its own words if it knows why, never by the name of an error of Python."""
    lines = str(error).strip().splitlines()
    said = lines[0][:200] if lines else ""
    if isinstance(error, ParseError):
        return f"it is no well-formed XML: {said}"
    if isinstance(error, _WrongTimeError):
        return said
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if said and type(error).__module__.startswith("music21"):
        return f"music21 says: {said}"
    return "music21, which reads it, does not understand it. It may be damaged: export it again, or export it as MIDI"


def _song(parts: Sequence[Part], bars: Sequence[WrittenBar], tempi: Sequence[Tempo]) -> Song:
    if any((part.ends < part.starts).any() for part in parts):
        raise _WrongTimeError("a note in it ends before it begins, so a time in it is wrong")
    ends = [float(part.ends.max()) for part in parts if len(part)]
    end = max([*ends, *(float(bar.start + bar.length) for bar in bars)], default=0.0)
    if not end <= MAX_QUARTERS:
        raise _WrongTimeError(f"it is {end:g} quarter notes long, so a time in it is wrong")
    by_time = {tempo.start_quarters: tempo for tempo in reversed(tempi)}  # of several at one time the first counts
    return Song(
        parts=tuple(part for part in parts if len(part)),
        tempi=tuple(by_time[time] for time in sorted(by_time)),
        meters=meters_of(bars),
        end_quarters=end,
    )


def _signature(sign: Any) -> tuple[int, int] | None:
    return None if sign is None else (int(sign.numerator), int(sign.denominator))


def _tempo(start_quarters: float, mark: Any) -> list[Tempo]:
    """The tempo that a mark gives as a number; none for a mere word, nor of a number that no music has."""
    if mark is None or mark.number is None or mark.numberImplicit:
        return []
    tempo = float(mark.getQuarterBPM())
    is_possible = MIN_QUARTERS_PER_MINUTE <= tempo <= MAX_QUARTERS_PER_MINUTE
    return [Tempo(start_quarters, tempo)] if is_possible else []

"""Scores that are not MIDI -> notes: MusicXML, ABC and kern, read by music21, which is imported only when used.

What is written is read, not what is played: repeats are not played again. Grace notes, chord symbols and words are left
out; transposing instruments are at sounding pitch. Ties and bar lines are as in :mod:`~data_prep.reading.written`.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from data_prep.reading.abc import read_abc
from data_prep.reading.abc_fields import MAX_QUARTERS_PER_MINUTE, MIN_QUARTERS_PER_MINUTE
from data_prep.reading.assembling import song_of
from data_prep.reading.faults import MAX_SCORE_NOTES, CorruptScoreError, NotAScoreError
from data_prep.reading.midi import (
    MAX_FILE_BYTES,
    MAX_QUARTERS,
    EmptyFileError,
    FileTooLargeError,
    MidiError,
    file_bytes,
    within_limits,
)
from data_prep.reading.notes import Part, Song, Tempo, printable
from data_prep.reading.repeats import Repeats
from data_prep.reading.tunes import (
    MANY_TUNES_SUFFIXES,
    TooMuchTextError,
    Tune,
    count_tunes,
    is_called,
    split_tune,
    text_of,
    tunes_in,
)
from data_prep.reading.written import DEFAULT_VELOCITY, WrittenBar, WrittenNote, meters_of, part_of

SCORE_SUFFIXES = frozenset({".musicxml", ".xml", ".mxl", ".abc", ".krn"})
DRUM_CHANNEL = 9
MAX_PARTS = 512
MAX_SPINES = 256
MAX_KERN_TOKENS = 400_000
ENCODINGS = re.compile(
    r"utf-?8|utf-?16([-_]?[lb]e)?|(us-)?ascii|(iso[-_]?8859|windows|cp)[-_]?\d{1,4}|latin-?1|mac-?roman|macintosh|"
    r"koi8[-_][ru]|shift[-_]?jis|euc[-_](jp|kr)|gb2312|gbk|gb18030|big5",
    re.I,
)

_BEATS = re.compile(r"<beats>\s*0*(\d+)")
_ROOT_FILE = re.compile(rb"<rootfile\s[^>]*full-path\s*=\s*[\"']([^\"']+)[\"']")


class NoSuchTuneError(MidiError):
    """The file holds no tune of this number or title."""

    reason = "no_such_tune"


class _WrongTimeError(ValueError):
    """Its message says which time in the piece cannot be."""


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
    """One tune of a score file: the one that a path such as ``book.abc#12`` or ``book.abc#Drowsy Maggie`` names.

    Of a file of several tunes the first one is taken otherwise, and a notice says so.

    Raises:
        MidiError: one of its kinds, naming the file.
        OSError: if the file cannot be opened.
    """
    file, wanted = split_tune(path)
    if file.suffix.lower() not in MANY_TUNES_SUFFIXES:
        return next(read_scores(file, repeats))[1]
    data = file_bytes(file)
    tunes = tunes_of(data, file.suffix, str(file))
    tune = next((tune for tune in tunes if not wanted or is_called(tune, wanted)), None)
    count = count_tunes(text_of(data), file.suffix) if not wanted or tune is None else 0
    if tune is None:
        raise NoSuchTuneError(f"{file} has no tune {printable(wanted)}: it holds {count}; give a number or a title")
    number = f"#{tune.number}" if tune.number else ""
    song = song_from_tune(tune.text, file.suffix, f"{file}{number}", tune.line_in_file, repeats)
    if count > 1:
        notice = f"the first of {count} tunes; give {file.name}#NUMBER or {file.name}#TITLE for another"
        song = replace(song, notices=(notice, *song.notices))
    return song


def song_from_score_bytes(data: bytes, name: str, repeats: Repeats = "written") -> Song:
    """The only tune in the bytes of a MusicXML file; ``name`` is the file's, and what errors call it."""
    if not data:
        raise EmptyFileError(f"{name} is empty (0 bytes)")
    xml = _unpacked(data, name) if data.startswith(b"PK") else data
    text = _xml_text(xml, name)
    if not re.search(r"<score-(partwise|timewise)\b", text):
        raise NotAScoreError(f"{name} is no MusicXML: it has no <score-partwise>")
    if "<!ENTITY" in text:
        raise NotAScoreError(f"{name} is no MusicXML: it defines entities, which no score needs")
    if (notes := text.count("<note")) > MAX_SCORE_NOTES:
        raise FileTooLargeError(
            f"{name} has {notes} notes; a score of more than {MAX_SCORE_NOTES} is not read. Export it as MIDI."
        )
    if (parts := len(re.findall(r"<part\s", text))) > MAX_PARTS:
        raise FileTooLargeError(f"{name} has {parts} parts; a score has at most {MAX_PARTS}")
    absurd = next((beats for beats in _BEATS.findall(text) if len(beats) > 3), None)
    if absurd is not None:
        raise CorruptScoreError(f"{name} is damaged: {absurd[:20]} beats to a bar are no meter. Export it again.")
    return _song_by_music21(_read_musicxml, text, name)


def song_from_tune(
    text: str, suffix: str, name: str, line_in_file: Callable[[int], int] = int, repeats: Repeats = "written"
) -> Song:
    """The notes of one tune's text of a ``.abc`` or ``.krn`` file; ``name`` is what errors call it.

    ``line_in_file`` gives the line of the file that errors name for a line of the text; both are from 1.
    """
    if not text.strip():
        raise EmptyFileError(f"{name} is empty")
    if suffix.lower() == ".krn":
        return _song_of_kern(text, name)
    if not re.search(r"^K:", text, re.M):
        raise NotAScoreError(f"{name} is no ABC: it has no key (K:), with which every tune in ABC begins")
    return song_of(read_abc(text, name, line_in_file), name, repeats)


def _song_of_kern(text: str, name: str) -> Song:
    if not re.search(r"^\*\*kern\b|\t\*\*kern\b", text, re.M):
        raise NotAScoreError(f"{name} is no kern: no spine of it is **kern")
    spines = 1 + max(line.count("\t") for line in text.split("\n"))
    tokens = text.count("\t") + text.count("\n") + text.count(" ")
    if spines > MAX_SPINES:
        raise FileTooLargeError(f"{name} has {spines} spines side by side; a score in kern has at most {MAX_SPINES}")
    if tokens > MAX_KERN_TOKENS:
        raise FileTooLargeError(f"{name} has {tokens} tokens; a score in kern has at most {MAX_KERN_TOKENS}")
    return _song_by_music21(_read_kern, text, name)


def _unpacked(data: bytes, name: str) -> bytes:
    """The score in a compressed MusicXML file: the one that its container names, or the first there is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            container = _member(archive, "META-INF/container.xml", name) if "META-INF/container.xml" in names else b""
            found = _ROOT_FILE.search(container)
            root = found[1].decode() if found else ""
            if root not in names:
                scores = [
                    entry
                    for entry in names
                    if entry.lower().endswith((".xml", ".musicxml")) and not entry.startswith("META-INF/")
                ]
                if not scores:
                    raise NotAScoreError(f"{name} is no compressed MusicXML: there is no score in it")
                root = scores[0]
            return _member(archive, root, name)
    except MidiError:
        raise
    except Exception as error:  # zipfile raises half a dozen kinds, zlib and struct their own
        said = str(error) if isinstance(error, zipfile.BadZipFile | RuntimeError | NotImplementedError) else ""
        why = said or "what is in it cannot be unpacked"
        raise CorruptScoreError(f"{name} is damaged: {why}. Export it again.") from error


def _member(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    with archive.open(member) as file:  # what the archive says of its sizes may be a lie
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise FileTooLargeError(f"{name} unpacks to more than {MAX_FILE_BYTES / 2**20:.0f} MiB")
    return data


def _xml_text(data: bytes, name: str) -> str:
    """XML as text without its declaration, whose encoding would no longer be true."""
    is_wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    declared = re.match(rb"\s*<\?xml[^>]{1,200}encoding\s*=\s*[\"']([\w.-]{1,40})", data[:1000])
    encoding = "utf-16" if is_wide else declared[1].decode() if declared else "utf-8-sig"
    if declared and not ENCODINGS.fullmatch(encoding):
        raise NotAScoreError(f"{name} is no MusicXML: its encoding is declared as {encoding!r}; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig" if re.fullmatch("utf-?8", encoding, re.I) else encoding)
    except LookupError as error:
        raise NotAScoreError(f"{name} is no MusicXML: there is no encoding {encoding!r}; save it as UTF-8") from error
    except UnicodeError as error:
        raise NotAScoreError(f"{name} is no MusicXML: it is no text in {encoding.removesuffix('-sig')}") from error
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text)


def _read_musicxml(text: str) -> Song:
    from music21.musicxml.xmlToM21 import MusicXMLImporter

    importer = MusicXMLImporter()
    importer.xmlText = text
    importer.parseXMLText()
    importer.stream.toSoundingPitch(inPlace=True)
    return _song_of_stream(importer.stream)


def _read_kern(text: str) -> Song:
    from music21.humdrum.spineParser import HumdrumDataCollection

    collection = HumdrumDataCollection(text)
    collection.parse()
    return _song_of_stream(collection.stream)


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


def _song_of_stream(score: Any) -> Song:
    streams = list(score.parts) or [score]
    flats = [stream.flatten() for stream in streams]
    parts = [_part(stream, flat) for stream, flat in zip(streams, flats, strict=True)]
    bars = next((bars for bars in map(_bars, streams) if bars), None) or _bars_by_signatures(flats[0])
    return _song(parts, bars, [tempo for flat in flats for tempo in _tempi(flat)])


def _part(stream: Any, flat: Any) -> Part:
    from music21.instrument import Instrument
    from music21.note import Unpitched

    instruments = list(flat.getElementsByClass(Instrument))
    program = next((i.midiProgram for i in instruments if i.midiProgram is not None), 0)
    is_drum = bool(flat.getElementsByClass(Unpitched)) or any(i.midiChannel == DRUM_CHANNEL for i in instruments)
    return part_of(_stream_notes(flat), getattr(stream, "partName", None) or "", program, is_drum)


def _stream_notes(flat: Any) -> Iterator[WrittenNote]:
    """The notes of a part but grace notes and chord symbols."""
    from music21.harmony import Harmony

    for element in flat.notes:
        length = Fraction(element.quarterLength)
        if isinstance(element, Harmony) or element.duration.isGrace or not length:
            continue
        start = Fraction(flat.elementOffset(element))
        for note in getattr(element, "notes", (element,)):
            pitch = note.pitch if hasattr(note, "pitch") else note.displayPitch()
            tie = note.tie.type if note.tie is not None else None
            # A score says every pitch in full, so only the same pitch is tied.
            yield WrittenNote(start, length, pitch.midi, f"{pitch.step}{pitch.octave}", True, tie, _velocity(element))


def _velocity(element: Any) -> int:
    velocity = element.volume.velocity if element.hasVolumeInformation() else None
    return DEFAULT_VELOCITY if velocity is None else min(max(int(velocity), 1), 127)


def _bars(stream: Any) -> list[WrittenBar]:
    """The measures of a part, as long as what is in them."""
    from music21.stream import Measure

    measures = [(Fraction(stream.elementOffset(bar)), bar) for bar in stream.getElementsByClass(Measure)]
    if not measures:
        return []
    last_start, last = measures[-1]
    ends = [*(start for start, _ in measures[1:]), last_start + Fraction(last.duration.quarterLength)]
    bars: list[WrittenBar] = []
    signature = None
    for (start, measure), end in zip(measures, ends, strict=True):
        signature = _signature(measure.timeSignature) or signature
        if end > start:
            bars.append(WrittenBar(start, end - start, signature))
    return bars


def _bars_by_signatures(flat: Any) -> list[WrittenBar]:
    """For a part without bar lines: what lies between two signatures as one long bar."""
    from music21.meter import TimeSignature

    found = [(Fraction(flat.elementOffset(sign)), _signature(sign)) for sign in flat.getElementsByClass(TimeSignature)]
    starts = found if found and found[0][0] == 0 else [(Fraction(0), None), *found]
    ends = [*(start for start, _ in starts[1:]), Fraction(flat.highestTime)]
    return [
        WrittenBar(start, end - start, signature)
        for (start, signature), end in zip(starts, ends, strict=True)
        if end > start
    ]


def _signature(sign: Any) -> tuple[int, int] | None:
    return None if sign is None else (int(sign.numerator), int(sign.denominator))


def _tempi(flat: Any) -> list[Tempo]:
    from music21.tempo import MetronomeMark

    marks = flat.getElementsByClass(MetronomeMark)
    return [tempo for mark in marks for tempo in _tempo(float(flat.elementOffset(mark)), mark)]


def _tempo(start_quarters: float, mark: Any) -> list[Tempo]:
    """The tempo that a mark gives as a number; none for a mere word, nor of a number that no music has."""
    if mark is None or mark.number is None or mark.numberImplicit:
        return []
    tempo = float(mark.getQuarterBPM())
    is_possible = MIN_QUARTERS_PER_MINUTE <= tempo <= MAX_QUARTERS_PER_MINUTE
    return [Tempo(start_quarters, tempo)] if is_possible else []

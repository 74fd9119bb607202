"""MusicXML -> written notes and bars.

A part with several staves is one part for each staff. Measures of all parts are as long as the longest content of any
of them, those without content as long as their signature says. Grace notes, cue notes and chord symbols are silent;
transposing instruments are at sounding pitch. Times within a measure are in whole ticks, of which a quarter has as many
as all divisions of the score need. The format: "MusicXML 4.0" (W3C, 2021), https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import floor, lcm
from typing import Literal, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from melodyvae.music.notes import DEFAULT_VELOCITY, DRUM_CHANNEL, SEMITONES, KeySignature, Tempo
from melodyvae.reading.assembling import WrittenPart, WrittenScore
from melodyvae.reading.faults import MAX_SCORE_NOTES, CorruptScoreError, FileTooLargeError, NotAScoreError
from melodyvae.reading.midi import MAX_BARS, MAX_FILE_BYTES, EmptyFileError, MidiError
from melodyvae.reading.repeats import WrittenPiece
from melodyvae.reading.written import Marks, WrittenBar, WrittenNote, transposed_fifths

__all__ = ["read_musicxml"]

MAX_PARTS = 512
MAX_TICKS_PER_QUARTER = 2**40
MAX_BEATS = 999
MAX_BEAT_TYPE = 1024
ROUNDING = 32  # a measure that lacks less than a quarter's 32nd part, or has so much too much, is whole
FORTE = 90  # the velocity of which MusicXML's dynamics are per cent
ENCODINGS = re.compile(
    r"utf-?8|utf-?16([-_]?[lb]e)?|(us-)?ascii|(iso[-_]?8859|windows|cp)[-_]?\d{1,4}|latin-?1|mac-?roman|macintosh|"
    r"koi8[-_][ru]|shift[-_]?jis|euc[-_](jp|kr)|gb2312|gbk|gb18030|big5",
    re.I,
)
SIGNS = {"sharp": "1", "flat": "-1", "double-sharp": "2", "flat-flat": "-2"}
BEAT_UNITS = {"breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 1 / 2, "16th": 1 / 4, "32nd": 1 / 8}

_ROOT = re.compile(r"<(?:[\w.-]+:)?score-(?:partwise|timewise)\b")
_NOTE = re.compile(r"<(?:[\w.-]+:)?note[\s>]")
_DECIMALS = re.compile(r"<(?:[\w.-]+:)?duration>\s*\d*\.(\d{1,3}?)0*\s*<")
_DIVISIONS = re.compile(r"<(?:[\w.-]+:)?divisions>\s*0*(\d{1,12})")
_ROOT_FILE = re.compile(rb"<(?:[\w.-]+:)?rootfile\s[^>]*full-path\s*=\s*[\"']([^\"']+)[\"']")
_NUMBER = re.compile(r"\s*[-+]?\d{1,9}(\.\d{0,9})?\s*")
_DA_CAPO = re.compile(r"\s*(d\. ?c\.?|da capo)(\s.*)?", re.I | re.S)
_DAL_SEGNO = re.compile(r"\s*(d\. ?s\.?|dal segno)(\s.*)?", re.I | re.S)
_FINE = re.compile(r"\s*fine\.?\s*", re.I)
_TO_CODA = re.compile(r"\s*(to|alla) coda(\s.*)?", re.I | re.S)


class _Note(NamedTuple):
    """A note in its measure, in ticks."""

    start: int
    length: int
    pitch: int
    tie: str | None
    velocity: int
    is_unpitched: bool


@dataclass
class _Measure:
    """A measure as all parts together describe it; times are in ticks from its start."""

    length: int = 0
    signature: tuple[int, int] | None = None
    is_implicit: bool = False
    starts: bool = False
    ends: int = 0
    endings: frozenset[int] = frozenset()
    segno: bool = False
    coda: bool = False
    coda_sign: bool = False  # by its looks alone
    fine: bool = False
    to_coda: bool = False
    jump: Literal["", "da capo", "dal segno"] = ""
    cuts: dict[int, tuple[int, bool]] = field(default_factory=dict)  # time -> how often it ends there, if one starts
    tempi: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class _Staff:
    """The notes of one staff of a part by measure."""

    notes: dict[int, list[_Note]] = field(default_factory=lambda: defaultdict(list))
    transposed_by: int = 0
    repeats: dict[int, int] = field(default_factory=dict)  # measure -> how many measures before it is what it repeats


@dataclass
class _Instrument:
    name: str = ""
    programs: dict[str, int] = field(default_factory=dict)
    drum_pitches: dict[str, int] = field(default_factory=dict)
    is_drum: bool = False


@dataclass
class _Score:
    name: str
    ticks: int
    measures: list[_Measure] = field(default_factory=list)
    keys: list[tuple[int, int, KeySignature]] = field(default_factory=list)  # measure, ticks, signature
    where: str = ""

    def fault(self, sentence: str) -> CorruptScoreError:
        return CorruptScoreError(f"{self.name} cannot be read: {self.where}{sentence}. Export it again.")

    def number(self, text: str | None, what: str) -> float:
        """The number in an element's text."""
        if text is None or not _NUMBER.fullmatch(text):
            raise self.fault(f"{what} of {(text or '').strip()[:20]!r} is not a number that music has")
        return float(text)


def read_musicxml(data: bytes, name: str) -> WrittenScore:
    """The score in the bytes of a MusicXML file, plain or compressed; ``name`` is what errors call it.

    Raises:
        EmptyFileError, NotAScoreError: if it is none.
        FileTooLargeError: if it has more than 100,000 notes, 512 parts or 100,000 measures.
        CorruptScoreError: if it is damaged.
    """
    if not data:
        raise EmptyFileError(f"{name} is empty (0 bytes)")
    text = _xml_text(_unpacked(data, name) if data.startswith(b"PK") else data, name)
    if not _ROOT.search(text):
        raise NotAScoreError(f"{name} is not MusicXML: it has no <score-partwise>")
    if "<!ENTITY" in text:
        raise NotAScoreError(f"{name} is not MusicXML: it defines entities, which no score needs")
    if (notes := sum(1 for _ in _NOTE.finditer(text))) > MAX_SCORE_NOTES:
        raise FileTooLargeError(
            f"{name} has {notes} notes; a score of more than {MAX_SCORE_NOTES} is not read. Export it as MIDI."
        )
    scale = ticks = 10 ** max((len(decimals) for decimals in _DECIMALS.findall(text)), default=0)
    for divisions in set(_DIVISIONS.findall(text)):
        ticks = lcm(ticks, scale * (int(divisions) or 1))
        if ticks > MAX_TICKS_PER_QUARTER:
            raise CorruptScoreError(f"{name} is damaged: no music divides its quarter notes so. Export it again.")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise CorruptScoreError(f"{name} cannot be read: it is not well-formed XML: {error}") from error
    if root.tag.startswith("{"):
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    return _read(root, _Score(name, ticks))


def _read(root: Element, score: _Score) -> WrittenScore:
    parts = _measures_of_parts(root)
    if not parts:
        raise score.fault("there is no part in it")
    if len(parts) > MAX_PARTS:
        raise FileTooLargeError(f"{score.name} has {len(parts)} parts; a score has at most {MAX_PARTS}")
    count = max(map(len, parts.values()))
    if count > MAX_BARS:
        raise FileTooLargeError(
            f"{score.name} has {count} bars; a piece of more than {MAX_BARS} is not read. Split it."
        )
    score.measures = [_Measure() for _ in range(count)]
    instruments = {part.get("id", ""): _instrument(part, score) for part in root.iterfind("part-list/score-part")}
    staves: list[_Staff] = []
    infos: list[WrittenPart] = []
    for part_id, measures in parts.items():
        instrument = instruments.get(part_id, _Instrument())
        reader = _PartReader(score, instrument)
        for index, measure in enumerate(measures):
            reader.read(index, measure)
        for _, staff in sorted(reader.staves.items()):
            staves.append(staff)
            infos.append(_info(staff, instrument, reader.first_instrument))
    _repeat_measures(staves, count, score.name)
    starts = _measure_starts(score)
    notes = [_written(staff, starts, score.ticks, info.is_drum) for staff, info in zip(staves, infos, strict=True)]
    tempi = [
        Tempo(float(starts[index] + Fraction(at, score.ticks)), tempo)
        for index, measure in enumerate(score.measures)
        for at, tempo in measure.tempi
    ]
    keys = [
        KeySignature(float(starts[index] + Fraction(at, score.ticks)), key.fifths, key.is_minor)
        for index, at, key in score.keys
    ]
    return WrittenScore(WrittenPiece(notes, list(_bars(score, starts)), sorted(tempi, key=_start), keys), infos)


def _start(event: Tempo) -> float:
    return event.start_quarters


def _measures_of_parts(root: Element) -> dict[str, list[Element]]:
    """The measures of each part by its id, in the order of the parts; an id that comes again gets a number."""
    parts: dict[str, list[Element]] = {}
    if root.tag == "score-timewise":
        for measure in root.iterfind("measure"):
            for part in measure.iterfind("part"):
                part.attrib = {**measure.attrib, **part.attrib}
                parts.setdefault(part.get("id", ""), []).append(part)
        return parts
    for number, part in enumerate(root.iterfind("part")):
        part_id = part.get("id", "")
        parts[f"{part_id} {number}" if part_id in parts else part_id] = part.findall("measure")
    return parts


def _instrument(part: Element, score: _Score) -> _Instrument:
    """Name and instruments of a part, from the list of parts."""
    instrument = _Instrument(name=part.findtext("part-name") or "")
    for midi in part.iterfind("midi-instrument"):
        instrument_id = midi.get("id", "")
        for tag, numbers in (("midi-program", instrument.programs), ("midi-unpitched", instrument.drum_pitches)):
            if (text := midi.findtext(tag)) is not None:
                numbers[instrument_id] = min(max(int(score.number(text, f"a {tag}")) - 1, 0), 127)
        if (text := midi.findtext("midi-channel")) is not None:
            instrument.is_drum = instrument.is_drum or score.number(text, "a midi-channel") - 1 == DRUM_CHANNEL
    return instrument


def _info(staff: _Staff, instrument: _Instrument, first_instrument: str) -> WrittenPart:
    """A part is drums by its channel, or if most of its notes have no pitch."""
    unpitched = [note.is_unpitched for notes in staff.notes.values() for note in notes]
    programs = instrument.programs
    program = programs.get(first_instrument, next(iter(programs.values()), 0))
    return WrittenPart(instrument.name, program, instrument.is_drum or 2 * sum(unpitched) > len(unpitched))


class _PartReader:
    """The measures of one part, one after the other."""

    def __init__(self, score: _Score, instrument: _Instrument) -> None:
        self.score = score
        self.instrument = instrument
        self.staves: dict[int, _Staff] = defaultdict(_Staff)
        self.transposed_by = 0
        self.first_instrument = ""
        self.scale = score.ticks  # ticks for each of its divisions
        self.signature: tuple[int, int] | None = None
        self.endings: frozenset[int] = frozenset()
        self.repeated: dict[int | None, int] = {}  # staff, None for all -> how many measures a sign repeats
        self.index = self.now = self.chord_start = 0

    def read(self, index: int, element: Element) -> None:
        """Read one measure."""
        self.index, self.now, self.chord_start = index, 0, 0
        self.score.where = f"measure {element.get('number', index + 1)}: "[:60]
        measure = self.measure
        measure.is_implicit = measure.is_implicit or element.get("implicit") == "yes"
        end = 0
        for child in element:
            if child.tag == "note":
                self._note(child)
            elif child.tag in ("backup", "forward"):
                ticks = self._ticks(child)
                self.now = max(self.now - ticks, 0) if child.tag == "backup" else self.now + ticks
            elif child.tag == "attributes":
                self._attributes(child)
            elif child.tag == "direction":
                self._direction(child)
            elif child.tag == "sound":
                self._sound(child)
            elif child.tag == "barline":
                self._barline(child)
            end = max(end, self.now)
        measure.length = max(measure.length, end)
        measure.signature = measure.signature or self.signature
        measure.endings |= self.endings
        if any(ending.get("type") != "start" for ending in element.iterfind("barline/ending")):
            self.endings = frozenset()
        for number, staff in self.staves.items():
            size = self.repeated.get(number, self.repeated.get(None, 0))
            if size and not staff.notes.get(index):
                staff.repeats[index] = size

    @property
    def measure(self) -> _Measure:
        return self.score.measures[self.index]

    def _ticks(self, element: Element) -> int:
        text = element.findtext("duration")
        if text is None:
            return 0
        if (quick := text.strip()).isdecimal() and len(quick) < 10:
            return int(quick) * self.scale
        ticks = round(self.score.number(text, "a duration") * self.scale)
        if ticks < 0:
            raise self.score.fault(f"a duration of {text.strip()[:20]} is less than nothing")
        return ticks

    def _note(self, element: Element) -> None:
        if element.find("grace") is not None:
            return
        length = self._ticks(element)
        rest = element.find("rest")
        is_whole = rest is not None and rest.get("measure") == "yes"
        if is_whole and self.signature is not None and self.now == 0:
            length = min(length, self._whole)
        if element.find("chord") is None:
            self.chord_start = self.now
            self.now += length
        if rest is not None or element.find("cue") is not None or not length:
            return
        used = element.find("instrument")
        instrument_id = "" if used is None else used.get("id", "")
        self.first_instrument = self.first_instrument or instrument_id
        staff = self.staves[self._staff(element.findtext("staff"))]
        pitch, is_unpitched = self._pitch(element, instrument_id, staff.transposed_by + self.transposed_by)
        staff.notes[self.index].append(
            _Note(self.chord_start, length, pitch, _tie(element), _velocity(element.get("dynamics")), is_unpitched)
        )

    @property
    def _whole(self) -> int:
        """The ticks of a whole measure; of four quarters without a signature."""
        beats, beat_type = self.signature or (4, 4)
        return 4 * beats * self.score.ticks // beat_type

    def _staff(self, text: str | None) -> int:
        return 1 if text is None else int(self.score.number(text, "a staff"))

    def _pitch(self, element: Element, instrument_id: str, transposed_by: int) -> tuple[int, bool]:
        """The sounding pitch of a note, and whether it is a drum's."""
        pitch, unpitched = element.find("pitch"), element.find("unpitched")
        try:
            if pitch is not None:
                alter = pitch.findtext("alter")
                if alter is None:  # needed for an altered note, but some files have it as a sign alone
                    alter = SIGNS.get(element.findtext("accidental", ""), "0")
                return _midi_pitch(pitch.findtext("step"), pitch.findtext("octave"), alter) + transposed_by, False
            if instrument_id in self.instrument.drum_pitches:
                return self.instrument.drum_pitches[instrument_id], True
            step, octave = ("display-step", "display-octave")
            step_and_octave = (
                (None, None) if unpitched is None else (unpitched.findtext(step), unpitched.findtext(octave))
            )
            return _midi_pitch(step_and_octave[0] or "B", step_and_octave[1] or "4", "0"), True
        except ValueError as error:
            raise self.score.fault(str(error)) from error

    def _attributes(self, element: Element) -> None:
        number = self.score.number
        if (text := element.findtext("divisions")) is not None:
            divisions = number(text, "divisions")
            if divisions < 1 or self.score.ticks % divisions:
                raise self.score.fault(f"{text.strip()[:20]} divisions of a quarter note are none")
            self.scale = self.score.ticks // int(divisions)
        for transpose in element.iterfind("transpose"):
            semitones = number(transpose.findtext("chromatic", "0"), "a transposition")
            semitones += 12 * number(transpose.findtext("octave-change", "0"), "a transposition")
            if (staff_text := transpose.get("number")) is None:
                self.transposed_by = int(semitones)
            else:
                self.staves[self._staff(staff_text)].transposed_by = int(semitones)
        if (key := element.find("key")) is not None and (text := key.findtext("fifths")) is not None:
            fifths = min(max(transposed_fifths(int(number(text, "a key")), self.transposed_by), -7), 7)
            is_minor = key.findtext("mode", "").strip() in ("minor", "aeolian")
            self.score.keys.append((self.index, self.now, KeySignature(0.0, fifths, is_minor)))
        if (time := element.find("time")) is not None:
            self.signature = self._signature(time)
        for style in element.iterfind("measure-style"):
            if (sign := style.find("measure-repeat")) is not None:
                number_of_staff = style.get("number")
                staff = None if number_of_staff is None else self._staff(number_of_staff)
                is_start = sign.get("type") == "start"
                self.repeated[staff] = int(number(sign.text or "1", "a repeated measure")) if is_start else 0

    def _signature(self, time: Element) -> tuple[int, int] | None:
        """Beats and beat type, additive ones summed; None without a measure."""
        beats, types = time.findall("beats"), time.findall("beat-type")
        if not beats or len(beats) != len(types):
            return None
        total, unit = Fraction(0), 1
        for over, under in zip(beats, types, strict=True):
            terms = [int(self.score.number(term, "a meter")) for term in (over.text or "").split("+")]
            beat_type = int(self.score.number(under.text, "a meter"))
            if not 0 < sum(terms) <= MAX_BEATS or not 0 < beat_type <= MAX_BEAT_TYPE:
                raise CorruptScoreError(
                    f"{self.score.name} is damaged: {(over.text or '').strip()[:20]} beats to a bar of "
                    f"1/{beat_type} are not a meter. Export it again."
                )
            total, unit = total + Fraction(sum(terms), beat_type), lcm(unit, beat_type)
            if unit > MAX_BEAT_TYPE:
                return None
        return int(total * unit), unit

    def _direction(self, element: Element) -> None:
        measure = self.measure
        sound = element.find("sound")
        says_order = sound is not None and self._sound(sound)
        if sound is None or sound.get("tempo") is None:
            for metronome in element.iterfind("direction-type/metronome"):
                self._tempo(_metronome_tempo(metronome))
        if says_order:
            return
        measure.segno = measure.segno or element.find("direction-type/segno") is not None
        measure.coda_sign = measure.coda_sign or element.find("direction-type/coda") is not None
        for words in element.iterfind("direction-type/words"):
            text = words.text or ""
            if _DA_CAPO.fullmatch(text):
                measure.jump = "da capo"
            elif _DAL_SEGNO.fullmatch(text):
                measure.jump = "dal segno"
            measure.fine = measure.fine or bool(_FINE.fullmatch(text))
            measure.to_coda = measure.to_coda or bool(_TO_CODA.fullmatch(text))

    def _sound(self, sound: Element) -> bool:
        """Whether it says anything of the order of measures."""
        measure = self.measure
        if (tempo := sound.get("tempo")) is not None and _NUMBER.fullmatch(tempo):
            self._tempo(float(tempo))
        measure.starts = measure.starts or sound.get("forward-repeat") == "yes"
        measure.segno = measure.segno or "segno" in sound.attrib
        measure.coda = measure.coda or "coda" in sound.attrib
        measure.fine = measure.fine or "fine" in sound.attrib
        measure.to_coda = measure.to_coda or "tocoda" in sound.attrib
        if sound.get("dacapo") == "yes":
            measure.jump = "da capo"
        elif "dalsegno" in sound.attrib:
            measure.jump = "dal segno"
        return not {"segno", "coda", "fine", "tocoda", "dacapo", "dalsegno"}.isdisjoint(sound.attrib)

    def _tempo(self, quarters_per_minute: float | None) -> None:
        if quarters_per_minute is not None:
            self.measure.tempi.append((self.now, quarters_per_minute))

    def _barline(self, element: Element) -> None:
        measure = self.measure
        where = element.get("location", "right")
        if (repeat := element.find("repeat")) is not None:
            is_end = repeat.get("direction") == "backward"
            times = repeat.get("times", "2")
            count = min(max(int(times), 1), 100) if times.isdecimal() and len(times) < 4 else 2
            if where == "middle" and self.now:
                ends, starts = measure.cuts.get(self.now, (0, False))
                measure.cuts[self.now] = (count, starts) if is_end else (ends, True)
            elif is_end:
                measure.ends = max(measure.ends, count)
            else:
                measure.starts = True
        if (ending := element.find("ending")) is not None and ending.get("type") == "start":
            self.endings = frozenset(map(int, re.findall(r"\d{1,3}", ending.get("number", "")))) or frozenset({1})
        if where == "left":
            measure.segno = measure.segno or element.find("segno") is not None
            measure.coda = measure.coda or element.find("coda") is not None


@lru_cache(4096)
def _midi_pitch(step: str | None, octave: str | None, alter: str) -> int:
    """MIDI's number of a pitch; quarter tones are rounded up.

    Raises:
        ValueError: if it is none.
    """
    letter = (step or "").strip().upper()
    if letter not in SEMITONES or not _NUMBER.fullmatch(octave or "") or not _NUMBER.fullmatch(alter):
        raise ValueError(f"a pitch of {letter[:10]!r} in octave {(octave or '').strip()[:10]!r} is none")
    return 12 * (int(float(octave or "0")) + 1) + SEMITONES[letter] + floor(float(alter) + 0.5)


def _tie(note: Element) -> str | None:
    """The end of a tie that a note is; ``tie`` (sound) counts before ``tied`` (notation)."""
    types = [tie.get("type") for tie in note.findall("tie") or note.findall("notations/tied")]
    is_start, is_stop = "start" in types, "stop" in types
    return "continue" if is_start and is_stop else "start" if is_start else "stop" if is_stop else None


def _velocity(dynamics: str | None) -> int:
    """MIDI velocity of a loudness in per cent of forte."""
    if dynamics is None or not _NUMBER.fullmatch(dynamics):
        return DEFAULT_VELOCITY
    return min(max(round(FORTE * float(dynamics) / 100), 1), 127)


def _metronome_tempo(metronome: Element) -> float | None:
    """Quarters per minute of a mark with a number; None of one that compares two notes."""
    units = metronome.findall("beat-unit")
    number = re.search(r"\d{1,5}(\.\d{1,5})?", metronome.findtext("per-minute", ""))
    quarters = BEAT_UNITS.get((units[0].text or "").strip()) if len(units) == 1 else None
    if number is None or quarters is None:
        return None
    return float(number[0]) * quarters * (2 - 0.5 ** len(metronome.findall("beat-unit-dot")[:4]))


def _repeat_measures(staves: Sequence[_Staff], count: int, name: str) -> None:
    """Fill measures that a sign says to be those before them.

    Raises:
        FileTooLargeError: if they make too many notes.
    """
    total = 0
    for staff in staves:
        for index, size in sorted(staff.repeats.items()):
            if size <= index < count:
                staff.notes[index] = staff.notes.get(index - size, [])
                total += len(staff.notes[index])
                if total > MAX_SCORE_NOTES:
                    raise FileTooLargeError(
                        f"{name} has more than {MAX_SCORE_NOTES} notes in repeated measures. Export it as MIDI."
                    )


def _measure_starts(score: _Score) -> list[Fraction]:
    """Start of each measure and end of the last one, in quarters; sets the lengths that are rounded."""
    now = 0
    starts = [Fraction(0)]
    signature = None
    for measure in score.measures:
        signature = measure.signature = measure.signature or signature
        whole = 4 * score.ticks * (signature or (4, 4))[0] // (signature or (4, 4))[1]
        is_empty = measure.length == 0 and not measure.is_implicit
        if is_empty or (signature is not None and abs(measure.length - whole) * ROUNDING < score.ticks):
            measure.length = whole
        now += measure.length
        starts.append(Fraction(now, score.ticks))
    return starts


def _written(staff: _Staff, starts: Sequence[Fraction], ticks: int, is_drum: bool) -> list[WrittenNote]:
    """The notes of a staff in the order of time; without a pitch only in a part of drums."""
    lengths: dict[int, Fraction] = {}
    written = []
    for index, notes in sorted(staff.notes.items()):
        for note in sorted(notes):
            if note.is_unpitched and not is_drum:
                continue
            for time in (note.start, note.length):
                if time not in lengths:
                    lengths[time] = Fraction(time, ticks)
            start = starts[index] + lengths[note.start] if note.start else starts[index]
            written.append(WrittenNote(start, lengths[note.length], note.pitch, tie=note.tie, velocity=note.velocity))
    return written


def _bars(score: _Score, starts: Sequence[Fraction]) -> Iterator[WrittenBar]:
    """The measures that last, cut where a repeat stands within one."""
    signs = [measure for measure in score.measures if measure.coda_sign]
    has_to_coda = any(measure.to_coda for measure in score.measures)
    for place, measure in enumerate(signs):
        if not has_to_coda and place == 0 and len(signs) > 1:
            measure.to_coda = True
        else:
            measure.coda = True
    for measure, start in zip(score.measures, starts[:-1], strict=True):
        if not measure.length:
            continue
        cuts = {time: cut for time, cut in sorted(measure.cuts.items()) if time < measure.length}
        edges = [0, *cuts, measure.length]
        for first, stop in pairwise(edges):
            is_first, is_last = first == 0, stop == measure.length
            marks = Marks(
                starts=measure.starts if is_first else cuts[first][1],
                ends=measure.ends if is_last else cuts[stop][0],
                endings=measure.endings,
                segno=measure.segno and is_first,
                coda=measure.coda and is_first,
                fine=measure.fine and is_last,
                to_coda=measure.to_coda and is_last,
                jump=measure.jump if is_last else "",
            )
            at, length = start + Fraction(first, score.ticks), Fraction(stop - first, score.ticks)
            yield WrittenBar(at, length, measure.signature, marks)


def _unpacked(data: bytes, name: str) -> bytes:
    """The score in a compressed MusicXML file: the one that its container names, or the first there is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            container = _member(archive, "META-INF/container.xml", name) if "META-INF/container.xml" in names else b""
            match = _ROOT_FILE.search(container)
            root = match[1].decode() if match else ""
            if root not in names:
                scores = [
                    entry
                    for entry in names
                    if entry.lower().endswith((".xml", ".musicxml")) and not entry.startswith("META-INF/")
                ]
                if not scores:
                    raise NotAScoreError(f"{name} is not compressed MusicXML: there is no score in it")
                root = scores[0]
            return _member(archive, root, name)
    except MidiError:
        raise
    except Exception as error:  # zipfile raises half a dozen kinds, zlib and struct their own
        message = str(error) if isinstance(error, zipfile.BadZipFile | RuntimeError | NotImplementedError) else ""
        why = message or "what is in it cannot be unpacked"
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
        raise NotAScoreError(f"{name} is not MusicXML: its encoding is declared as {encoding!r}; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig" if re.fullmatch("utf-?8", encoding, re.I) else encoding)
    except LookupError as error:
        raise NotAScoreError(f"{name} is not MusicXML: there is no encoding {encoding!r}; save it as UTF-8") from error
    except UnicodeError as error:
        raise NotAScoreError(f"{name} is not MusicXML: it is not text in {encoding.removesuffix('-sig')}") from error
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text)

"""One tune in ABC -> notes: every voice from its first bar to its last, overlays, bars, repeats, keys and tempi.

The text is gone through once, sign by sign, so that reading takes time in proportion to its length. An accidental holds
to the end of its bar for the note in its own octave, as in all written music and whatever the version of ABC, unless
``propagate-accidentals`` says otherwise; a tie over a bar line carries it. Grace notes, chord symbols, annotations,
decorations and words are silent. Times are exact fractions of quarter notes. The format: "ABC music standard 2.1",
https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from melodyvae.music.notes import DRUM_CHANNEL, SEMITONES, KeySignature, Tempo
from melodyvae.reading.abc_fields import (
    MAX_DENOMINATOR,
    QUOTED,
    SIGNS,
    FieldError,
    Key,
    clef_octaves,
    key_of,
    meter_of,
    options_of,
    parts_order,
    short,
    tempo_of,
    unit_of,
)
from melodyvae.reading.assembling import WrittenPart, WrittenScore
from melodyvae.reading.faults import MAX_SCORE_NOTES, CorruptScoreError, FileTooLargeError
from melodyvae.reading.repeats import MAX_PASSES, PlayedTooLongError, WrittenPiece, playing_order
from melodyvae.reading.written import NO_MARKS, Marks, WrittenBar, WrittenNote, transposed_fifths

__all__ = ["read_abc"]

MAX_CHARACTERS = 400_000  # of music and of fields that notes depend on
MAX_VOICES = 64
MAX_BARS = 100_000
MAX_FIELD = 500  # characters of a key, a voice or an instruction
MAX_LABELS = 1000
MAX_DIGITS = 5
MAX_SLASHES = 10
MAX_TUPLET = 64
MAX_BROKEN = 3  # signs of broken rhythm in a row
FREE_BAR = Fraction(4)  # quarters that a rest of a whole bar lasts in free time

TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # 5, 7 and 9 depend on the meter

BODY_FIELD = re.compile(r"([IKLMmNPQRrsTUVWw+]):(?![|:])(.*)")  # A: to G: at a line's start are notes and a repeat
HEAD_FIELD = re.compile(r"([A-Za-z+]):(.*)")
COMMENT = re.compile(r"(?<!\\)%.*")
BLOCK = re.compile(r"%%begin(\w+)")
LENGTH = r"(\d*)(/*)(\d*)"
TOKEN = re.compile(
    rf"""(?P<note>(\^\^?|__?|=)?(?:/\d?)?([A-Ga-g])([,']*){LENGTH})
    | (?P<rest>[zxy]{LENGTH})
    | (?P<bars_rest>[ZX](\d*))
    | (?P<field>\[[A-Za-z]:[^\[\]]*\])
    | (?P<bar>(:{{0,9}})(?:\[\||\.?\|)[|\]]*(:{{0,9}}(?![:|]))(?:(?:\s*\[)?(\d[\d,.-]{{0,30}})(?![\d/]))?
             | (::{{1,8}})(?:(?:\s*\[)?(\d[\d,.-]{{0,30}}))?)
    | (?P<ending>\[(\d[\d,.-]{{0,30}}))
    | (?P<close>\]{LENGTH})
    | (?P<open>\[)
    | (?P<broken>>+|<+)
    | (?P<tie>-)
    | (?P<tuplet>\((\d+)(?::(\d*))?(?::(\d*))?)
    | (?P<words>"[^"]*")
    | (?P<overlay>&\)|\(?&+)
    | (?P<grace>[{{}}])
    | (?P<old_chord>\+(?!f+\+)(?:(?:\^\^?|__?|=)?[A-Ga-g][,']*[\d/]{{0,9}}){{2,9}}\+)
    | (?P<named>![\w.()<>+/-]{{1,40}}!|\+[^+|\s\d]{{1,40}}\+)
    """,
    re.X,
)
NOTE_GROUPS, REST_GROUPS, BAR_GROUPS, CLOSE_GROUPS, TUPLET_GROUPS = (
    range(TOKEN.groupindex[name] + 1, TOKEN.groupindex[name] + 1 + count)
    for name, count in (("note", 6), ("rest", 3), ("bar", 5), ("close", 3), ("tuplet", 3))
)  # those within
BARS_REST = TOKEN.groupindex["bars_rest"] + 1
NOTE_LETTER = re.compile("[A-Ga-g]")
ENDING_AT_START = re.compile(r"\d[\d,.-]{0,30}(?=\s)")
SIMPLE_BAR = re.compile(r"\.?\|(?![|\]:])")
ENDING_RANGE = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")
READ_FIELDS = frozenset("KLMQVPI")
COUNTED_FIELDS = frozenset({"", *"KLMQVP"})
JUMPS = {
    "d.c.": "da capo",
    "dacapo": "da capo",
    "d.c.alfine": "da capo",
    "d.c.alcoda": "da capo",
    "d.s.": "dal segno",
    "d.s.alfine": "dal segno",
    "d.s.alcoda": "dal segno",
}


class _TooLongError(ValueError):
    """The tune is longer than any music; its message goes on after the file's name."""


@dataclass
class _Voice:
    """A voice as it is read: what has been read of it, and what is in force at the place that has been reached.

    ``now`` is that place, ``bar_start`` where its bar begins, ``bar_end`` where the longest layer of the bar ends.
    An event (a note, a chord or a rest) waits in ``event`` until it is known that no sign of broken rhythm follows.
    """

    name: str = ""
    program: int = 0
    is_drum: bool = False
    unit: Fraction = Fraction(1, 2)
    signature: tuple[int, int] | None = None
    key: Key = field(default_factory=Key)
    octaves: int = 0
    clef_octaves: int = 0
    semitones: int = 0
    midi_semitones: int = 0
    notes: list[WrittenNote] = field(default_factory=list)
    bars: list[WrittenBar] = field(default_factory=list)
    key_signatures: list[KeySignature] = field(default_factory=list)
    double_bars: list[int] = field(default_factory=list)  # the bars that begin after them
    labels: list[tuple[int, str]] = field(default_factory=list)  # of P: fields, with the bars that they stand before
    now: Fraction = Fraction(0)
    bar_start: Fraction = Fraction(0)
    bar_end: Fraction = Fraction(0)
    accidentals: dict[str, int] = field(default_factory=dict)  # in force until the bar line
    marks: Marks = NO_MARKS  # of the bar that is open
    endings: frozenset[int] = frozenset()
    layer: int = 0
    ties: dict[int, dict[str, int]] = field(default_factory=dict)  # by layer: pitches by name
    event: list[_Head] = field(default_factory=list)
    event_length: Fraction | None = None  # None: no event waits
    next_factor: Fraction = Fraction(1)
    tuplet_left: int = 0
    tuplet_factor: Fraction = Fraction(1)

    def fresh(self) -> _Voice:
        """Another voice that begins with the same settings."""
        keys, labels = list(self.key_signatures), list(self.labels)
        return replace(
            self,
            notes=[],
            bars=[],
            double_bars=[],
            labels=labels,
            key_signatures=keys,
            accidentals={},
            ties={},
            event=[],
        )

    def flush(self) -> None:
        """Write the event that waits, and go on to its end."""
        if self.event_length is None:
            return
        tied = self.ties.get(self.layer)
        pitches = set(tied.values()) if tied else ()
        for head in self.event:
            is_continued = head.pitch in pitches
            tie = ("continue" if is_continued else "start") if head.is_tied else "stop" if is_continued else None
            self.notes.append(WrittenNote(self.now, self.event_length, head.pitch, tie=tie))
        if tied or self.event:
            self.ties[self.layer] = {head.name: head.pitch for head in self.event if head.is_tied}
        self.now += self.event_length
        self.event, self.event_length = [], None

    def add(self, heads: list[_Head], length: Fraction) -> None:
        """Let an event of so many units wait."""
        self.flush()
        quarters = self.unit * length
        if self.tuplet_left:
            quarters *= self.tuplet_factor
            self.tuplet_left -= 1
        if self.next_factor != 1:
            quarters *= self.next_factor
            self.next_factor = Fraction(1)
        self.event, self.event_length = heads, quarters

    def close_bar(self) -> None:
        """End the bar here, unless it has not begun."""
        self.flush()
        end = max(self.bar_end, self.now)
        if end > self.bar_start:
            if len(self.bars) >= MAX_BARS:
                raise _TooLongError(f"has more than {MAX_BARS} bars")
            marks = self.marks._replace(endings=self.endings) if self.endings else self.marks
            self.bars.append(WrittenBar(self.bar_start, end - self.bar_start, self.signature, marks))
            self.marks = NO_MARKS
        self.now = self.bar_start = self.bar_end = end
        self.layer = 0

    def mark_bar(self, **marks: Any) -> None:
        """Add marks to the open bar, or to the one before if it has not begun."""
        if self.event_length is not None or self.now > self.bar_start or not self.bars:
            self.marks = self.marks._replace(**marks)
        else:
            self.bars[-1] = self.bars[-1]._replace(marks=self.bars[-1].marks._replace(**marks))

    def pitch_of(self, name: str, semitones: int) -> int:
        """MIDI's number of a note such as ``C``, ``c'`` or ``D,``, altered by so many semitones."""
        letter = name[0]
        octaves = self.octaves + self.clef_octaves + letter.islower() + name.count("'") - name.count(",")
        return 60 + SEMITONES[letter.upper()] + 12 * octaves + semitones + self.semitones + self.midi_semitones


@dataclass(slots=True)
class _Head:
    """A note head of an event: its name without accidental."""

    name: str
    pitch: int
    is_tied: bool = False


def read_abc(text: str, name: str, line_in_file: Callable[[int], int] = int) -> WrittenScore:
    """The tune in a text; ``name`` is what errors call it, and ``line_in_file`` gives the lines that they name.

    Raises:
        CorruptScoreError: if a line holds what no music has, such as a meter of 4/0.
        FileTooLargeError: if it is longer than any music.
    """
    lines = list(_lines(text))
    reader = _Reader()
    try:
        _check_length(lines)
        for line in lines:
            try:
                reader.read(line)
            except FieldError as error:
                raise CorruptScoreError(f"{name}, line {line_in_file(line.number)}: {error}") from error
        return reader.score()
    except _TooLongError as error:
        raise FileTooLargeError(f"{name} {error}") from error
    except PlayedTooLongError as error:
        raise FileTooLargeError(f"{name} is too long: {error}") from error


def _check_length(lines: Sequence[_Line]) -> None:
    characters = sum(len(line.whole) + 1 for line in lines if line.field in COUNTED_FIELDS)
    if characters > MAX_CHARACTERS:
        raise _TooLongError(f"has {characters} characters of music; a tune has at most {MAX_CHARACTERS}")
    notes = sum(len(NOTE_LETTER.findall(QUOTED.sub("", line.whole))) for line in lines if not line.field)
    if notes > MAX_SCORE_NOTES:
        raise _TooLongError(f"has {notes} notes; a tune of more than {MAX_SCORE_NOTES} is not read")


class _Line(NamedTuple):
    """A line, from 1, without its comment; ``field`` is the letter of a field, and empty for music."""

    number: int
    whole: str
    field: str = ""
    value: str = ""


def _lines(text: str) -> Iterator[_Line]:
    """The lines that notes may depend on; without blocks of text, and without what is no field before ``K:``."""
    ends_with, in_body = "", False
    for number, line in enumerate(text.split("\n"), start=1):
        if ends_with:
            ends_with = "" if line.startswith(ends_with) else ends_with
            continue
        if block := BLOCK.match(line):
            ends_with = f"%%end{block[1]}"
            continue
        if line.startswith("%%"):
            yield _Line(number, "", "I", line[2:])
            continue
        stripped = (COMMENT.sub("", line) if "%" in line else line).strip()
        field = (BODY_FIELD if in_body else HEAD_FIELD).match(stripped)
        if field is not None:
            in_body = in_body or field[1] == "K"
            if field[1] in READ_FIELDS:
                yield _Line(number, stripped, field[1], field[2])
        elif in_body and stripped:
            yield _Line(number, stripped)


class _Reader:
    """Reads lines one after the other."""

    def __init__(self) -> None:
        self.template = _Voice()  # what voices begin with
        self.voice = self.template
        self.voices: dict[str, _Voice] = {}
        self.tempi: list[Tempo] = []
        self.tempo_fields: list[str] = []
        self.has_unit = self.in_body = False
        self.parts_order = ""
        self.carry = "octave"
        self.in_grace = False
        self.chord: list[_Head] | None = None
        self.chord_length = Fraction(1)
        self.handlers: dict[str, Callable[[re.Match[str]], None]] = {
            "note": self._note,
            "rest": self._rest,
            "bars_rest": self._bars_rest,
            "field": self._inline_field,
            "bar": self._bar,
            "ending": self._ending,
            "open": self._open_chord,
            "close": self._close_chord,
            "old_chord": self._old_chord,
            "broken": self._broken,
            "tie": self._tie,
            "tuplet": self._tuplet,
            "overlay": self._overlay,
            "grace": self._grace,
            "named": self._named,
        }
        self.fields: dict[str, Callable[[str], None]] = {
            "K": self._key,
            "L": self._unit,
            "M": self._meter,
            "Q": self._tempo,
            "V": self._voice,
            "P": self._part,
            "I": self._instruction,
        }

    def read(self, line: _Line) -> None:
        """Read a line."""
        if line.field:
            self.fields[line.field](line.value)
            return
        if self.voice is self.template:
            self._choose(next(iter(self.voices), "1"))
        if ending := ENDING_AT_START.match(line.whole):  # the bar line is at the end of the line before
            self._begin_ending(ending[0])
        for token in TOKEN.finditer(line.whole):
            kind = token.lastgroup
            if kind is not None and kind != "words" and (not self.in_grace or kind in ("grace", "bar")):
                self.handlers[kind](token)
        self._end_chord(Fraction(1))
        self.in_grace = False

    def score(self) -> WrittenScore:
        """The tune, after its last line."""
        voices = list(self.voices.values())
        for voice in voices:
            voice.close_bar()
            voice.notes.sort(key=lambda note: float(note.start))  # an overlay goes back in time
        first = next((voice for voice in voices if any(bar.marks != NO_MARKS for bar in voice.bars)), None)
        first = first or next((voice for voice in voices if voice.bars), self.template)
        bars = _with_implied_starts(_with_codas(first.bars), first.double_bars)
        tempi = sorted(self.tempi, key=lambda tempo: tempo.start_quarters)
        piece = WrittenPiece([voice.notes for voice in voices], bars, tempi, first.key_signatures)
        parts = [WrittenPart(voice.name, voice.program, voice.is_drum) for voice in voices]
        return WrittenScore(piece, parts, _order_of_parts(bars, first.labels, self.parts_order))

    def _choose(self, name: str) -> None:
        if name not in self.voices:
            if len(self.voices) >= MAX_VOICES:
                raise _TooLongError(f"has more than {MAX_VOICES} voices")
            self.voices[name] = self.template.fresh()
        self.voice = self.voices[name]

    def _voices_in_question(self) -> list[_Voice]:
        """The voices that a field sets: the current one, or all before the first one is chosen."""
        return [self.template, *self.voices.values()] if self.voice is self.template else [self.voice]

    def _key(self, value: str) -> None:
        value = value[:MAX_FIELD]
        key, options, clef = key_of(value), options_of(value), clef_octaves(value)
        for voice in self._voices_in_question():
            voice.flush()
            _set_up(voice, options, clef)
            if key is not None:
                voice.key = key
                if key.fifths is not None:
                    start = float(voice.now)
                    if voice.key_signatures and voice.key_signatures[-1].start_quarters == start:
                        voice.key_signatures.pop()
                    fifths = transposed_fifths(key.fifths, voice.semitones + voice.midi_semitones)
                    voice.key_signatures.append(KeySignature(start, fifths, key.is_minor))
        if not self.in_body:
            self._begin_body()

    def _begin_body(self) -> None:
        self.in_body = True
        if not self.has_unit:
            signature = self.template.signature
            is_short = signature is not None and 4 * signature[0] < 3 * signature[1]
            for voice in self._voices_in_question():
                voice.unit = Fraction(1, 4) if is_short else Fraction(1, 2)
        for value in self.tempo_fields:
            self._tempo(value)

    def _unit(self, value: str) -> None:
        unit = unit_of(value)
        self.has_unit = True
        for voice in self._voices_in_question():
            voice.flush()
            voice.unit = unit

    def _meter(self, value: str) -> None:
        signature = meter_of(value)
        for voice in self._voices_in_question():
            voice.close_bar()
            voice.signature = signature

    def _tempo(self, value: str) -> None:
        if not self.in_body:
            tempo_of(value, Fraction(1, 2))  # what is wrong with it is said of its line
            self.tempo_fields.append(value)
            return
        self.voice.flush()
        tempo = tempo_of(value, self.voice.unit)
        if tempo is not None:
            self.tempi.append(Tempo(float(self.voice.now), tempo))

    def _voice(self, value: str) -> None:
        words = value[:MAX_FIELD].split(None, 1)
        if not words:
            return
        before, self.chord, self.in_grace = self.voice, None, False
        self._choose(words[0])
        if len(words) > 1:
            options = options_of(words[1])
            _set_up(self.voice, options, clef_octaves(words[1]))
            self.voice.name = options.get("name", options.get("nm", self.voice.name))
        if not self.in_body:
            self.voice = before

    def _part(self, value: str) -> None:
        if not self.in_body:
            self.parts_order = parts_order(value)
        elif (label := value.strip()[:1]) and len(self.template.labels) < MAX_LABELS:
            for voice in (self.template, *self.voices.values()):
                voice.close_bar()
                voice.labels.append((len(voice.bars), label))
                voice.double_bars.append(len(voice.bars))

    def _instruction(self, value: str) -> None:
        words = value[:MAX_FIELD].replace("=", " ").split(None, 4)
        numbers = [int(word) for word in words[2:4] if re.fullmatch(r"-?\d{1,3}", word)]
        if len(words) > 1 and words[0] == "propagate-accidentals":
            self.carry = words[1]
        if not words or words[0] != "MIDI" or not numbers:
            return
        for voice in self._voices_in_question():
            if words[1] == "program" and not voice.notes and 0 <= numbers[-1] <= 127:
                voice.program = numbers[-1]
            elif words[1] == "channel" and not voice.notes:
                voice.is_drum = numbers[0] - 1 == DRUM_CHANNEL
            elif words[1] == "transpose":
                voice.flush()
                voice.midi_semitones = numbers[0]

    def _inline_field(self, token: re.Match[str]) -> None:
        name, value = token[0][1], token[0][3:-1]
        if name in self.fields:
            self._end_chord(Fraction(1))
            self.fields[name](value)

    def _note(self, token: re.Match[str]) -> None:
        sign, letter, octave, *length = token.group(*NOTE_GROUPS)
        units, voice = _units(*length, token[0]), self.voice
        if len(octave) > 11:
            raise FieldError(f"{short(token[0])} is not an octave")
        name = letter + octave
        key = letter.upper() if self.carry == "pitch" else name
        if self.chord is None:
            voice.flush()
        if sign:
            semitones = SIGNS[sign]
            if self.carry != "not":
                voice.accidentals[key] = semitones
            pitch = voice.pitch_of(name, semitones)
        else:
            tied = voice.ties.get(voice.layer)
            if tied and name in tied:
                pitch = tied[name]
            else:
                semitones = voice.accidentals.get(key, voice.key.semitones.get(letter.upper(), 0))
                pitch = voice.pitch_of(name, semitones)
        if self.chord is None:
            voice.add([_Head(name, pitch)], units)
        else:
            if not self.chord:
                self.chord_length = units
            self.chord.append(_Head(name, pitch))

    def _rest(self, token: re.Match[str]) -> None:
        if token[0][0] != "y" and self.chord is None:
            units = _units(*token.group(*REST_GROUPS), "")
            if units:
                self.voice.add([], units)

    def _bars_rest(self, token: re.Match[str]) -> None:
        count = _number(token[BARS_REST] or "1", token[0])
        voice = self.voice
        voice.flush()
        if len(voice.bars) + count > MAX_BARS:
            raise _TooLongError(f"has more than {MAX_BARS} bars")
        signature = voice.signature
        quarters = FREE_BAR if signature is None else Fraction(4 * signature[0], signature[1])
        voice.ties.pop(voice.layer, None)
        for place in range(count):
            if place:
                voice.close_bar()
            voice.now += quarters

    def _open_chord(self, _token: re.Match[str]) -> None:
        self._end_chord(Fraction(1))
        self.voice.flush()
        self.chord, self.chord_length = [], Fraction(1)

    def _close_chord(self, token: re.Match[str]) -> None:
        if self.chord is not None:
            self._end_chord(_units(*token.group(*CLOSE_GROUPS), token[0]))

    def _old_chord(self, token: re.Match[str]) -> None:
        """Read a chord as ABC 1.6 wrote it: ``+CEG+``."""
        self._open_chord(token)
        for note in TOKEN.finditer(token[0][1:-1]):
            self._note(note)
        self._end_chord(Fraction(1))

    def _end_chord(self, factor: Fraction) -> None:
        heads, self.chord = self.chord, None
        if heads:
            self.voice.add(heads, self.chord_length * factor)

    def _tie(self, _token: re.Match[str]) -> None:
        for head in self.voice.event if self.chord is None else self.chord[-1:]:
            head.is_tied = True

    def _broken(self, token: re.Match[str]) -> None:
        voice = self.voice
        if voice.event_length is not None:
            small = Fraction(1, 2 ** min(len(token[0]), MAX_BROKEN))
            mine, following = (2 - small, small) if token[0][0] == ">" else (small, 2 - small)
            voice.event_length *= mine
            voice.next_factor = following

    def _tuplet(self, token: re.Match[str]) -> None:
        notes, time, count = token.group(*TUPLET_GROUPS)
        values = [_number(text, token[0]) if text else None for text in (notes, time, count)]
        if any(value is not None and not 0 < value <= MAX_TUPLET for value in values):
            raise FieldError(f"{short(token[0])} is not a tuplet")
        signature, of = self.voice.signature, values[0] or 1
        is_compound = signature is not None and signature[0] % 3 == 0 and signature[0] > 3
        self.voice.flush()
        if of > 1:
            self.voice.tuplet_factor = Fraction(values[1] or TUPLET_TIME.get(of, 3 if is_compound else 2), of)
            self.voice.tuplet_left = values[2] or of

    def _overlay(self, token: re.Match[str]) -> None:
        if token[0][0] == "(" or token[0][-1] == ")":
            return
        self._end_chord(Fraction(1))
        voice = self.voice
        voice.flush()
        voice.bar_end = max(voice.bar_end, voice.now)
        voice.now, voice.layer, voice.accidentals = voice.bar_start, voice.layer + 1, {}
        voice.next_factor, voice.tuplet_left = Fraction(1), 0

    def _grace(self, token: re.Match[str]) -> None:
        self.in_grace = token[0] == "{"

    def _bar(self, token: re.Match[str]) -> None:
        self._end_chord(Fraction(1))
        self.in_grace = False
        before, after, numbers, colons, more_numbers = token.group(*BAR_GROUPS)
        ends = len(colons) // 2 if colons else len(before)
        voice = self.voice
        voice.close_bar()
        voice.accidentals = {}
        if ends and voice.bars:
            voice.mark_bar(ends=ends + 1)
        if not SIMPLE_BAR.match(token[0]):
            voice.endings = frozenset()
            voice.double_bars.append(len(voice.bars))
        if colons or after:
            voice.marks = voice.marks._replace(starts=True)
        if numbers or more_numbers:
            voice.endings = _passes(numbers or more_numbers)

    def _ending(self, token: re.Match[str]) -> None:
        self._begin_ending(token[0][1:])

    def _begin_ending(self, numbers: str) -> None:
        self.voice.close_bar()
        self.voice.endings = _passes(numbers)

    def _named(self, token: re.Match[str]) -> None:
        name = token[0].strip("!+").lower()
        if name in JUMPS:
            self.voice.mark_bar(jump=JUMPS[name])
        elif name == "fine":
            self.voice.mark_bar(fine=True)
        elif name in ("dacoda", "tocoda"):
            self.voice.mark_bar(to_coda=True)
        elif name in ("segno", "coda"):
            self.voice.close_bar()
            marks = self.voice.marks
            self.voice.marks = marks._replace(segno=True) if name == "segno" else marks._replace(coda=True)


def _set_up(voice: _Voice, options: dict[str, str], clef: tuple[int, bool] | None) -> None:
    """Set what a ``K:`` or ``V:`` field says beside the key."""
    if clef is not None:
        voice.clef_octaves, voice.is_drum = clef[0], clef[1] or voice.is_drum
    for name, value in options.items():
        if re.fullmatch(r"[+-]?\d{1,2}", value):
            if name == "octave":
                voice.octaves = int(value)
            elif name in ("transpose", "t"):
                voice.semitones = int(value)


def _with_codas(bars: list[WrittenBar]) -> list[WrittenBar]:
    """The bars, where of two signs of a coda the first is the place from which to jump."""
    places = [index for index, bar in enumerate(bars) if bar.marks.coda]
    if len(places) == 2 and places[0] and not any(bar.marks.to_coda for bar in bars):
        first = places[0]
        bars[first] = bars[first]._replace(marks=bars[first].marks._replace(coda=False))
        bars[first - 1] = bars[first - 1]._replace(marks=bars[first - 1].marks._replace(to_coda=True))
    return bars


def _with_implied_starts(bars: list[WrittenBar], double_bars: Sequence[int]) -> list[WrittenBar]:
    """The bars, where a repeat that has no beginning goes back to the double bar before it, the last part's end."""
    begin, has_start, index = 0, False, 0
    while index < len(bars):
        marks = bars[index].marks
        has_start = has_start or marks.starts
        if marks.ends:
            place = bisect_right(double_bars, index)
            if not has_start and place and double_bars[place - 1] > begin:
                first = double_bars[place - 1]
                bars[first] = bars[first]._replace(marks=bars[first].marks._replace(starts=True))
            while index + 1 < len(bars) and min(bars[index + 1].marks.endings, default=0) > 1:
                index += 1
            begin, has_start = index + 1, False
        index += 1
    return bars


def _order_of_parts(bars: list[WrittenBar], labels: list[tuple[int, str]], played_labels: str) -> list[int] | None:
    """The bars part after part, if the tune says an order of its parts."""
    starts = {label: start for start, label in reversed(labels)}
    if not played_labels or not set(played_labels) <= set(starts):
        return None
    places = [*sorted(starts.values()), len(bars)]
    orders: dict[str, list[int]] = {}
    for label, start in starts.items():
        stop = places[places.index(start) + 1]
        orders[label] = [start + index for index in playing_order(bars[start:stop])]
    order = list(range(places[0]))
    for label in played_labels:
        order += orders[label]
        if len(order) > MAX_BARS:
            raise PlayedTooLongError(f"with its parts in the order of P: it has more than {MAX_BARS} bars")
    return order


def _passes(text: str) -> frozenset[int]:
    """The numbers of an ending: ``1``, ``1,3`` or ``1-3``."""
    passes: set[int] = set()
    for first, last in ENDING_RANGE.findall(text):
        passes.update(range(int(first), min(int(last or first), MAX_PASSES) + 1))
    return frozenset(passes) - {0}


def _number(text: str, whole: str) -> int:
    if len(text) > MAX_DIGITS:
        raise FieldError(f"{short(whole)} is not a number of music")
    return int(text)


@lru_cache(maxsize=4096)
def _units(over: str, slashes: str, under: str, whole: str) -> Fraction:
    """The length of a note in units: ``3/2``, ``/``, ``//``; ``whole`` is what errors call it, empty for a rest."""
    if len(over) > MAX_DIGITS or len(under) > MAX_DIGITS or len(slashes) > MAX_SLASHES:
        raise FieldError(f"{short(whole or over + slashes + under)} is not a note's length")
    divisor = int(under) * 2 ** (len(slashes) - 1) if under and slashes else 2 ** len(slashes)
    numerator = int(over or 1)
    if whole and not (numerator and divisor):
        raise FieldError(f"{short(whole)} is not a note: its length is zero")
    if divisor > MAX_DENOMINATOR:
        raise FieldError(f"{short(whole or over + slashes + under)} is not a note's length")
    return Fraction(numerator, divisor) if divisor else Fraction(0)

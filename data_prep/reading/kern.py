"""kern -> written notes and bars.

Every line of data is one moment. A spine's clock goes on by the length of each of its tokens; spines that have a token
in the same line must have come to the same time, and at a bar line all parts must. A part is a spine and all into which
it splits; a voice that has split off may be silent without rests. Pitches in kern are sounding ones. The format:
"Humdrum User's Guide" (David Huron), https://www.humdrum.org/guide/ and https://www.humdrum.org/rep/kern/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import groupby

from data_prep.reading.faults import CorruptScoreError, NotAScoreError
from data_prep.reading.midi import FileTooLargeError
from data_prep.reading.notes import KeySignature, Tempo
from data_prep.reading.repeats import MAX_PLAYED_BARS, PlayedTooLongError, WrittenPiece
from data_prep.reading.written import Marks, WrittenBar, WrittenNote, WrittenPart, WrittenScore

__all__ = ["read_kern"]

MAX_SPINES = 256
MAX_TOKENS = 400_000
MAX_DENOMINATOR = 2**64  # of a time in quarters
SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
PROGRAMS = {  # by the codes of *I; MIDI's General MIDI programs, from 0
    **{"piano": 0, "forte": 0, "cemba": 6, "clavi": 7, "celst": 8, "vibra": 11, "organ": 19, "accor": 21, "guitr": 24},
    **{"violn": 40, "viola": 41, "cello": 42, "cbass": 43, "harp": 46, "timpa": 47, "trmpt": 56, "tromb": 57},
    **{"tuba": 58, "cor": 60, "sax": 65, "oboe": 68, "cangl": 69, "fagot": 70, "clars": 71, "picco": 72, "flt": 73},
    **{"recor": 74, "panpi": 75, "liedr": 53, "voice": 53, "vox": 53, "canto": 53, "cant": 53, "sopra": 53},
    **{"mezzo": 53, "alto": 53, "calto": 53, "tenor": 53, "barit": 53, "bass": 53},
}

_RECIPROCAL = re.compile(r"(\d{1,6})(?:%(\d{1,6}))?(\.*)")
_PITCH = re.compile(r"(([a-gA-G])\2*)(#+|-+)?")
_METER = re.compile(r"\*M(\d{1,3}(?:\+\d{1,3})*)/(\d{1,4})")
_TEMPO = re.compile(r"\*MM(\d{1,5}(?:\.\d+)?)")
_KEY_SIGNATURE = re.compile(r"\*k\[((?:[a-g](?:#+|-+|n))*)\]")
_KEY = re.compile(r"\*([A-Ga-g])[#-]*:(\w*)")
_EXPANSION = re.compile(r"\*>\[([^\]]*)\]")
_LABEL = re.compile(r"\*>([^\[\]]+)")


@dataclass
class _Spine:
    """A column: the place of its part, or None if it is not kern, and the time to which its tokens have come."""

    part: int | None = None
    origin: int = 0
    end: Fraction = Fraction(0)
    has_split: bool = False  # and had no token since


@dataclass
class _Reading:
    """All that was read so far."""

    name: str
    line: int = 0
    spines: list[_Spine] = field(default_factory=list)
    parts: list[WrittenPart] = field(default_factory=list)
    notes: list[list[WrittenNote]] = field(default_factory=list)
    bars: list[WrittenBar] = field(default_factory=list)
    tempi: list[Tempo] = field(default_factory=list)
    keys: list[KeySignature] = field(default_factory=list)
    signature: tuple[int, int] | None = None
    bar_start: Fraction = Fraction(0)
    time: Fraction = Fraction(0)
    starts_repeat: bool = False
    labels: dict[str, int] = field(default_factory=dict)  # name -> the place of its first bar
    expansion: Sequence[str] = ()
    origins: int = 0

    def fault(self, sentence: str) -> CorruptScoreError:
        return CorruptScoreError(f"{self.name} cannot be read: line {self.line}: {sentence}")

    @property
    def in_kern(self) -> Iterator[_Spine]:
        return (spine for spine in self.spines if spine.part is not None)


def read_kern(text: str, name: str) -> WrittenScore:
    """The score in the text of one tune in kern; ``name`` is what errors call it.

    Raises:
        NotAScoreError: if no spine is kern.
        FileTooLargeError: if it has more than 256 spines or 400,000 tokens.
        CorruptScoreError: if its spines do not fit together, or a token has no length.
    """
    if not re.search(r"^\*\*kern\b|\t\*\*kern\b", text, re.M):
        raise NotAScoreError(f"{name} is no kern: no spine of it is **kern")
    spines = 1 + max(line.count("\t") for line in text.split("\n"))
    tokens = text.count("\t") + text.count("\n") + text.count(" ")
    if spines > MAX_SPINES:
        raise FileTooLargeError(f"{name} has {spines} spines side by side; a score in kern has at most {MAX_SPINES}")
    if tokens > MAX_TOKENS:
        raise FileTooLargeError(f"{name} has {tokens} tokens; a score in kern has at most {MAX_TOKENS}")
    reading = _Reading(name)
    for line in text.split("\n"):
        reading.line += 1
        if line.strip() and not line.startswith("!"):
            _read_line(reading, line.split("\t"))
    _end_bar(reading)
    piece = WrittenPiece(reading.notes, reading.bars, reading.tempi, reading.keys)
    return WrittenScore(piece, reading.parts, _expanded(reading))


def _read_line(reading: _Reading, tokens: list[str]) -> None:
    if not reading.spines and all(token.startswith("**") for token in tokens):
        reading.spines = [_Spine(end=reading.time) for _ in tokens]
    if len(tokens) != len(reading.spines):
        raise reading.fault(f"it has {len(tokens)} columns, but there are {len(reading.spines)} spines")
    if tokens[0].startswith("*"):
        _interpret(reading, tokens)
        return
    in_kern = [(spine, token) for spine, token in zip(reading.spines, tokens, strict=True) if spine.part is not None]
    if in_kern and in_kern[0][1].startswith("="):
        _bar_line(reading, in_kern[0][1])
    else:
        _sound(reading, [(spine, token) for spine, token in in_kern if token not in (".", "")])


def _sound(reading: _Reading, tokens: Sequence[tuple[_Spine, str]]) -> None:
    """Let the tokens of one line sound, at the time to which the spines that have one have come."""
    try:
        chords = [(spine, *_chord(token)) for spine, token in tokens]
    except ValueError as error:
        raise reading.fault(str(error)) from error
    chords = [chord for chord in chords if chord[1]]  # grace notes take no time
    if not chords:
        return
    voices = [spine.part for spine in reading.in_kern]
    strict = [spine for spine, _, _ in chords if voices.count(spine.part) == 1]
    time = max(spine.end for spine in strict or [spine for spine, _, _ in chords])
    for spine, length, notes in chords:
        is_late = spine.end > time and not spine.has_split
        if is_late or time < reading.time or (spine in strict and spine.end < time):
            raise reading.fault(
                f"its spines do not fit: column {reading.spines.index(spine) + 1} has come to "
                f"{_quarters(spine.end - reading.bar_start)} of its bar, others to "
                f"{_quarters(max(time, reading.time) - reading.bar_start)}"
            )
        if spine.part is not None:
            reading.notes[spine.part] += [
                WrittenNote(time, length_of_note, pitch, tie=tie) for length_of_note, pitch, tie in notes
            ]
        spine.end, spine.has_split = time + length, False
        if spine.end.denominator > MAX_DENOMINATOR:
            raise reading.fault("no music has a note of such a length")
    reading.time = time


@lru_cache(2**14)
def _chord(token: str) -> tuple[Fraction, tuple[tuple[Fraction, int, str | None], ...]]:
    """How long a token lasts, 0 for a grace note, and its notes: the length, the pitch and the tie of each.

    Raises:
        ValueError: if it has no length.
    """
    lasts: Fraction | None = None
    notes = []
    for sign in token.split(" "):
        if "q" in sign or "Q" in sign or not sign:
            continue
        length = _length(sign) or lasts
        if length is None:
            raise ValueError(f"the token {token[:20]!r} has no length, such as 4 for a quarter note")
        lasts = lasts or length
        pitch = _PITCH.search(sign)
        if "r" in sign or pitch is None:
            continue
        letters, accidental = pitch[1], pitch[3] or ""
        octave = 3 + len(letters) if letters.islower() else 4 - len(letters)
        semitones = SEMITONES[pitch[2].lower()] + accidental.count("#") - accidental.count("-")
        tie = "continue" if "_" in sign else "start" if "[" in sign else "stop" if "]" in sign else None
        notes.append((length, 12 * (octave + 1) + semitones, tie))
    return lasts or Fraction(0), tuple(notes)


def _length(sign: str) -> Fraction | None:
    """In quarters: 4 is a quarter, 0 a breve, 00 a long, 3%2 two thirds of a whole note."""
    found = _RECIPROCAL.search(sign)
    if found is None:
        return None
    number, over, dots = found.groups()
    if len(dots) > 10 or (over is not None and not int(over)) or (len(number) > 3 and not int(number)):
        raise ValueError(f"{sign[:20]!r} has no length that music has")
    whole = Fraction(int(over or 1), int(number)) if int(number) else Fraction(2 ** len(number))
    return 4 * whole * (2 - Fraction(1, 2 ** len(dots)))


def _bar_line(reading: _Reading, token: str) -> None:
    """End a bar. ``:|`` before a line or ``|:`` after it repeats."""
    style = token.lstrip("=").lstrip("0123456789abcdefghijklmnopqrstuvwxyz")
    _end_bar(reading)
    if style.startswith(":") and reading.bars:
        reading.bars[-1] = reading.bars[-1]._replace(marks=reading.bars[-1].marks._replace(ends=2))
    reading.starts_repeat = reading.starts_repeat or style.rstrip(";,/\\yY").endswith(":")


def _end_bar(reading: _Reading) -> None:
    """Add the bar that all parts have come through.

    Raises:
        CorruptScoreError: if one has come further than another.
    """
    ends: dict[int, Fraction] = {}
    for spine in reading.in_kern:
        if spine.part is not None:
            ends[spine.part] = max(ends.get(spine.part, spine.end), spine.end)
    end = max([*ends.values(), reading.bar_start])
    for part, at in ends.items():
        if reading.bar_start < at < end:  # one without any token is silent
            raise reading.fault(
                f"in the bar before it part {part + 1} has {_quarters(at - reading.bar_start)}, another part "
                f"{_quarters(end - reading.bar_start)}"
            )
    for spine in reading.spines:
        spine.end = end
    if end > reading.bar_start:
        marks = Marks(starts=reading.starts_repeat)
        reading.bars.append(WrittenBar(reading.bar_start, end - reading.bar_start, reading.signature, marks))
        reading.bar_start, reading.starts_repeat = end, False


def _interpret(reading: _Reading, tokens: Sequence[str]) -> None:
    """Split, join, exchange, add, begin and end spines, and read what a line says of meter, key and instrument."""
    spines: list[_Spine] = []
    exchanged: int | None = None
    columns = list(zip(reading.spines, tokens, strict=True))
    for (token, _), group in groupby(columns, lambda column: (column[1], column[0].origin)):
        same = [spine for spine, _ in group]
        if token == "*v":
            spines.append(replace(same[0], end=max(spine.end for spine in same)))
            continue
        for spine in same:
            if token.startswith("**"):
                _begin(reading, spine, token)
            elif token == "*x":
                if exchanged is None:
                    exchanged = len(spines)
                else:
                    spines.append(spines[exchanged])
                    spines[exchanged], exchanged = spine, None
                    continue
            elif token == "*^":
                spine.has_split = True
                spines.append(replace(spine))
            elif token != "*" and spine.part is not None:
                _tandem(reading, spine, token)
            if token == "*-":
                continue
            spines.append(spine)
            if token == "*+":
                spines.append(_Spine(end=spine.end))
    if len(spines) > MAX_SPINES:
        raise FileTooLargeError(f"{reading.name} has more than {MAX_SPINES} spines side by side")
    if not spines:
        _end_bar(reading)
    reading.spines = spines


def _begin(reading: _Reading, spine: _Spine, token: str) -> None:
    reading.origins += 1
    spine.origin = reading.origins
    if token == "**kern":
        spine.part = len(reading.parts)
        reading.parts.append(WrittenPart())
        reading.notes.append([])


def _tandem(reading: _Reading, spine: _Spine, token: str) -> None:
    """Read what a token of one spine says of the notes that follow."""
    part = spine.part
    assert part is not None  # for mypy
    is_first = spine is next(reading.in_kern)
    if found := _METER.match(token):
        beats, unit = sum(map(int, found[1].split("+"))), int(found[2])
        signature = (beats, unit) if unit else (2 * beats, 1)
        if not 0 < beats < 1000 or unit > 1024:
            raise reading.fault(f"{token[:20]} is no meter; write it such as *M4/4")
        if signature != reading.signature:
            _cut_bar(reading)
            reading.signature = signature
    elif found := _TEMPO.match(token):
        reading.tempi.append(Tempo(float(spine.end), float(found[1])))
    elif is_first and (found := _KEY_SIGNATURE.fullmatch(token)):
        fifths = sum(1 if sign == "#" else -1 for sign in found[1] if sign in "#-")
        reading.keys.append(KeySignature(float(spine.end), min(max(fifths, -7), 7)))
    elif is_first and (found := _KEY.match(token)):
        if reading.keys:
            is_minor = found[1].islower() and found[2] in ("", "aeo")
            reading.keys.append(replace(reading.keys[-1], start_quarters=float(spine.end), is_minor=is_minor))
    elif is_first and (found := _EXPANSION.fullmatch(token)):
        reading.expansion = [label.strip() for label in found[1].split(",")]
    elif is_first and (found := _LABEL.fullmatch(token)):
        _cut_bar(reading)
        reading.labels.setdefault(found[1], len(reading.bars))
    elif token.startswith('*I"'):
        reading.parts[part] = reading.parts[part]._replace(name=token[3:])
    elif token.startswith("*clefX"):
        reading.parts[part] = reading.parts[part]._replace(is_drum=True)
    elif token.startswith("*I") and token[2:] in PROGRAMS:
        reading.parts[part] = reading.parts[part]._replace(program=PROGRAMS[token[2:]])


def _cut_bar(reading: _Reading) -> None:
    """End a bar without a bar line, where all parts have come to one time."""
    ends = {spine.end for spine in reading.in_kern}
    if len(ends) == 1 and reading.bar_start < max(ends):
        _end_bar(reading)


def _expanded(reading: _Reading) -> list[int] | None:
    """The order of the bars that an expansion list gives; None without one."""
    if not all(label in reading.labels for label in reading.expansion) or not reading.expansion:
        return None
    starts = sorted({*reading.labels.values(), len(reading.bars)})
    order = list(range(starts[0]))
    for label in reading.expansion:
        first = reading.labels[label]
        order += range(first, next((start for start in starts if start > first), first))
        if len(order) > MAX_PLAYED_BARS:
            raise PlayedTooLongError(f"with its repeats played out it has more than {MAX_PLAYED_BARS} bars")
    return order


def _quarters(time: Fraction) -> str:
    return f"{float(time):g} quarter notes" if time != 1 else "1 quarter note"

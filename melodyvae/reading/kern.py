"""kern -> written notes and bars.

Every line of data is one moment. A spine's clock goes on by the length of each of its tokens; spines that have a token
in the same line must have come to the same time, and at a bar line all parts must. A part is a spine and all into which
it splits; a voice that has split off may be silent without rests. Pitches in kern are sounding ones. Clocks count in
whole ticks, of which a quarter has as many as the lengths of all tokens need. The format: "Humdrum User's Guide" (David
Huron), https://www.humdrum.org/guide/ and https://www.humdrum.org/rep/kern/
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from math import lcm

from melodyvae.music.notes import SEMITONES, KeySignature, Tempo
from melodyvae.reading.assembling import WrittenPart, WrittenScore
from melodyvae.reading.faults import CorruptScoreError, FileTooLargeError, NotAScoreError
from melodyvae.reading.repeats import MAX_PLAYED_BARS, WrittenPiece
from melodyvae.reading.written import Marks, WrittenBar, WrittenNote

__all__ = ["read_kern"]

MAX_SPINES = 256
MAX_TOKENS = 400_000
MAX_DOTS = 10
MAX_TICKS_PER_QUARTER = 2**40
INSTRUMENTS = {  # by the codes of *I: General MIDI programs, from 0, and names
    **{"piano": (0, "Piano"), "forte": (0, "Fortepiano"), "cemba": (6, "Harpsichord"), "clavi": (7, "Clavichord")},
    **{"organ": (19, "Organ"), "guitr": (24, "Guitar"), "violn": (40, "Violin"), "viola": (41, "Viola")},
    **{"cello": (42, "Violoncello"), "cbass": (43, "Contrabass"), "harp": (46, "Harp"), "timpa": (47, "Timpani")},
    **{"trmpt": (56, "Trumpet"), "tromb": (57, "Trombone"), "tuba": (58, "Tuba"), "cor": (60, "Horn")},
    **{"oboe": (68, "Oboe"), "cangl": (69, "English Horn"), "fagot": (70, "Bassoon"), "clars": (71, "Clarinet")},
    **{"picco": (72, "Piccolo"), "flt": (73, "Flute"), "recor": (74, "Recorder"), "vox": (53, "Voice")},
    **{"soprn": (53, "Soprano"), "cant": (53, "Soprano"), "mezzo": (53, "Mezzo-soprano"), "calto": (53, "Alto")},
    **{"alto": (53, "Alto"), "tenor": (53, "Tenor"), "barit": (53, "Baritone"), "bass": (53, "Bass")},
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
    end: int = 0
    voices: int = 1  # of its part
    has_split: bool = False  # and had no token since


@dataclass
class _Reading:
    """All that was read so far."""

    name: str
    ticks: int
    line: int = 0
    spines: list[_Spine] = field(default_factory=list)
    parts: list[WrittenPart] = field(default_factory=list)
    notes: list[list[WrittenNote]] = field(default_factory=list)
    bars: list[WrittenBar] = field(default_factory=list)
    tempi: list[Tempo] = field(default_factory=list)
    keys: list[KeySignature] = field(default_factory=list)
    signature: tuple[int, int] | None = None
    bar_start: int = 0
    time: int = 0
    starts_repeat: bool = False
    labels: dict[str, int] = field(default_factory=dict)  # name -> the place of its first bar
    expansion: Sequence[str] = ()
    origins: int = 0
    times: dict[int, Fraction] = field(default_factory=dict)

    def fault(self, sentence: str) -> CorruptScoreError:
        return CorruptScoreError(f"{self.name} cannot be read: line {self.line}: {sentence}")

    def quarters(self, ticks: int) -> Fraction:
        if ticks not in self.times:
            self.times[ticks] = Fraction(ticks, self.ticks)
        return self.times[ticks]

    def so_far(self, ticks: int) -> str:
        """A time in the bar, for the user."""
        quarters = self.quarters(ticks - self.bar_start)
        return "1 quarter note" if quarters == 1 else f"{float(quarters):g} quarter notes"


def read_kern(text: str, name: str) -> WrittenScore:
    """The score in the text of one tune in kern; ``name`` is what errors call it.

    Raises:
        NotAScoreError: if no spine is kern.
        FileTooLargeError: if it has more than 256 spines or 400,000 tokens.
        CorruptScoreError: if its spines do not fit together, or a token has no length.
    """
    if not re.search(r"^\*\*kern\b|\t\*\*kern\b", text, re.M):
        raise NotAScoreError(f"{name} is not kern: no spine of it is **kern")
    spines = 1 + max(line.count("\t") for line in text.split("\n"))
    tokens = text.count("\t") + text.count("\n") + text.count(" ")
    if spines > MAX_SPINES:
        raise FileTooLargeError(f"{name} has {spines} spines side by side; a score in kern has at most {MAX_SPINES}")
    if tokens > MAX_TOKENS:
        raise FileTooLargeError(f"{name} has {tokens} tokens; a score in kern has at most {MAX_TOKENS}")
    reading = _Reading(name, _ticks_per_quarter(text, name))
    for line in text.split("\n"):
        reading.line += 1
        if line.strip() and not line.startswith("!"):
            _read_line(reading, line.split("\t"))
    _end_bar(reading)
    piece = WrittenPiece(reading.notes[::-1], reading.bars, reading.tempi, reading.keys)  # the lowest part is first
    return WrittenScore(piece, reading.parts[::-1], _expanded(reading))


def _ticks_per_quarter(text: str, name: str) -> int:
    music = "\n".join(line for line in text.split("\n") if not line.startswith(("!", "*", "=")))
    ticks = 1
    for number, _, dots in set(_RECIPROCAL.findall(music)):
        ticks = lcm(ticks, (int(number) or 1) << min(len(dots), MAX_DOTS))
        if ticks > MAX_TICKS_PER_QUARTER:
            raise CorruptScoreError(f"{name} cannot be read: no music has notes of so many different lengths")
    return ticks


def _read_line(reading: _Reading, tokens: list[str]) -> None:
    if not reading.spines and all(token.startswith("**") for token in tokens):
        reading.spines = [_Spine(end=reading.time) for _ in tokens]
    if len(tokens) != len(reading.spines):
        raise reading.fault(f"it has {len(tokens)} columns, but there are {len(reading.spines)} spines")
    if tokens[0].startswith("*"):
        _interpret(reading, tokens)
        return
    for spine, token in zip(reading.spines, tokens, strict=True):
        if spine.part is not None:
            if token.startswith("="):
                _bar_line(reading, token)
                return
            break
    sounding = [(spine, token) for spine, token in zip(reading.spines, tokens, strict=True) if token not in (".", "")]
    _sound(reading, [(spine, token) for spine, token in sounding if spine.part is not None])


def _sound(reading: _Reading, tokens: Sequence[tuple[_Spine, str]]) -> None:
    """Let the tokens of one line sound, at the time to which the spines that have one have come."""
    try:
        chords = [(spine, *_chord(token)) for spine, token in tokens]
    except ValueError as error:
        raise reading.fault(str(error)) from error
    chords = [chord for chord in chords if chord[1]]  # grace notes take no time
    if not chords:
        return
    strict = [spine.end for spine, _, _ in chords if spine.voices == 1]
    time = max(strict or [spine.end for spine, _, _ in chords])
    start = reading.quarters(time)
    for spine, length, notes in chords:
        is_early = spine.end < time and spine.voices == 1
        if is_early or (spine.end > time and not spine.has_split) or time < reading.time:
            raise reading.fault(
                f"its spines do not fit: column {reading.spines.index(spine) + 1} has come to "
                f"{reading.so_far(spine.end)} of its bar, others to {reading.so_far(max(time, reading.time))}"
            )
        if spine.part is not None:
            reading.notes[spine.part] += [WrittenNote(start, length, pitch, tie=tie) for pitch, tie in notes]
        spine.end, spine.has_split = time + length.numerator * (reading.ticks // length.denominator), False
    reading.time = time


@lru_cache(2**14)
def _chord(token: str) -> tuple[Fraction, tuple[tuple[int, str | None], ...]]:
    """The quarters that a token lasts, 0 for a grace note, and the pitch and the tie of each of its notes.

    Raises:
        ValueError: if it has no length.
    """
    signs = [sign for sign in token.split(" ") if sign and "q" not in sign and "Q" not in sign]
    if not signs:
        return Fraction(0), ()
    notes = []
    for sign in signs:
        pitch = _PITCH.search(sign)
        if "r" in sign or pitch is None:
            continue
        letters, accidental = pitch[1], pitch[3] or ""
        octave = 3 + len(letters) if letters.islower() else 4 - len(letters)
        semitones = SEMITONES[pitch[2].upper()] + accidental.count("#") - accidental.count("-")
        tie = "continue" if "_" in sign else "start" if "[" in sign else "stop" if "]" in sign else None
        notes.append((12 * (octave + 1) + semitones, tie))
    return _length(signs[0]), tuple(notes)


def _length(sign: str) -> Fraction:
    """In quarters: 4 is a quarter, 0 a breve, 00 a long, 3%2 two thirds of a whole note."""
    match = _RECIPROCAL.search(sign)
    if match is None:
        raise ValueError(f"the token {sign[:20]!r} has no length, such as 4 for a quarter note")
    number, over, dots = match.groups()
    if len(dots) > MAX_DOTS or over == "0" or (len(number) > 3 and not int(number)):
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
    ends: dict[int, int] = {}
    for spine in reading.spines:
        if spine.part is not None:
            ends[spine.part] = max(ends.get(spine.part, 0), spine.end)
    start, end = reading.bar_start, max([*ends.values(), reading.bar_start])
    for part, at in ends.items():
        if start < at < end:  # one without any token is silent
            raise reading.fault(
                f"the bar before it has {reading.so_far(at)} in spine {part + 1}, {reading.so_far(end)} in another"
            )
    for spine in reading.spines:
        spine.end = end
    if end > start:
        marks = Marks(starts=reading.starts_repeat)
        length = reading.quarters(end - start)
        reading.bars.append(WrittenBar(reading.quarters(start), length, reading.signature, marks))
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
    voices = Counter(spine.part for spine in spines)
    for spine in spines:
        spine.voices = voices[spine.part]


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
    is_first = spine.part == 0
    now = float(reading.quarters(spine.end))
    if match := _METER.match(token):
        beats, unit = sum(map(int, match[1].split("+"))), int(match[2])
        signature = (beats, unit) if unit else (2 * beats, 1)
        if not 0 < beats < 1000 or unit > 1024:
            raise reading.fault(f"{token[:20]} is not a meter; write it such as *M4/4")
        if signature != reading.signature:
            _cut_bar(reading)
            reading.signature = signature
    elif match := _TEMPO.match(token):
        reading.tempi.append(Tempo(now, float(match[1])))
    elif is_first and (match := _KEY_SIGNATURE.fullmatch(token)):
        fifths = sum(1 if sign == "#" else -1 for sign in match[1] if sign in "#-")
        reading.keys.append(KeySignature(now, min(max(fifths, -7), 7)))
    elif is_first and (match := _KEY.match(token)):
        if reading.keys:
            is_minor = match[1].islower() and match[2] in ("", "aeo")
            reading.keys[-1] = replace(reading.keys[-1], is_minor=is_minor)
    elif is_first and (match := _EXPANSION.fullmatch(token)):
        reading.expansion = [label.strip() for label in match[1].split(",")]
    elif is_first and (match := _LABEL.fullmatch(token)):
        _cut_bar(reading)
        reading.labels.setdefault(match[1], len(reading.bars))
    elif token.startswith('*I"'):
        reading.parts[part] = reading.parts[part]._replace(name=token[3:])
    elif token.startswith("*clefX"):
        reading.parts[part] = reading.parts[part]._replace(is_drum=True)
    elif token[:2] == "*I" and token[2:] in INSTRUMENTS:
        program, name = INSTRUMENTS[token[2:]]
        reading.parts[part] = reading.parts[part]._replace(program=program, name=reading.parts[part].name or name)


def _cut_bar(reading: _Reading) -> None:
    """End a bar without a bar line, where all parts have come to one time."""
    ends = {spine.end for spine in reading.spines if spine.part is not None}
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
        order += range(first, starts[min(bisect_right(starts, first), len(starts) - 1)])
        if len(order) > MAX_PLAYED_BARS:  # which is for who plays it to refuse
            break
    return order

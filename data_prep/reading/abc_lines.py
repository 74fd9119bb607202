"""What is wrong in the lines of an ABC tune, found before music21 reads them, or after it gave up.

Fields and numbers as "ABC music standard 2.1" has them: https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Fault", "first_doubt", "first_fault"]

MAX_METER_NUMERATOR = 128
MAX_DENOMINATOR = 1024
MAX_LENGTH_NUMERATOR = 64
MIN_QUARTERS_PER_MINUTE, MAX_QUARTERS_PER_MINUTE = 4, 10_000  # MIDI holds none below 3.58

_COMMENT = re.compile(r"(?<!\\)%.*")
_HEAD_FIELD = re.compile(r"([LMQ]):(.*)")
_INLINE_FIELD = re.compile(r"\[([LMQ]):([^\[\]\n]*)\]")
_FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)")
_METER = re.compile(r"(C\|?|none|\(?\s*\d+(\s*\+\s*\d+)*\s*\)?\s*/\s*\d+)?", re.I)
_LENGTH = re.compile(r"\d+(/\d+)?")
_TEMPO = re.compile(r'("[^"]*")?\s*(\d+(/\d+)?(\s+\d+/\d+)*\s*=\s*\d+(\.\d+)?|\d+(\.\d+)?)?\s*("[^"]*")?')
_QUOTED = re.compile(r'"[^"]*"')
_LONG_NUMBER = re.compile(r"\d{6,}")
_MANY_SLASHES = re.compile(r"/{11,}")
_MANY_OCTAVES = re.compile(r"[,']{12,}")
_NO_NOTES_IN_TUPLET = re.compile(r"\(0|\(\d:0")
_ZERO_LENGTH = re.compile(r"[A-Ga-gxz][,']*(\d*/0+(?!\d)|0+(?![\d/]))")

HOW = {"M": "such as M:4/4", "L": "such as L:1/8", "Q": "such as Q:1/4=120"}
WHAT = {"M": "meter", "L": "note length", "Q": "tempo"}


class Fault(NamedTuple):
    """A line, from 1, and what is wrong in it, in a sentence without its full stop."""

    line: int
    sentence: str


def first_fault(text: str) -> Fault | None:
    """The first line with a number that no music has, such as ``M:4/0``; None if there is none."""
    return next(_faults(text), None)


def first_doubt(text: str) -> Fault | None:
    """The first field, of those that notes depend on, that is written in a way unknown to the standard; or None."""
    for number, line in _lines(text):
        for name, value in _fields(line):
            pattern = {"M": _METER, "L": _LENGTH, "Q": _TEMPO}[name]
            if not pattern.fullmatch(value.strip()):
                return Fault(number, _no_such(name, value))
    return None


def _faults(text: str) -> Iterator[Fault]:
    in_music = False
    for number, line in _lines(text):
        for name, value in _fields(line):
            if not _is_possible(name, value):
                yield Fault(number, _no_such(name, value))
        if in_music and not re.match(r"[A-Za-z+]:", line):
            yield from (Fault(number, sentence) for sentence in _faults_in_music(_QUOTED.sub("", line)))
        in_music = in_music or line.startswith("K:")


def _faults_in_music(line: str) -> Iterator[str]:
    for pattern, what in (
        (_LONG_NUMBER, "is no note's length"),
        (_MANY_SLASHES, "is no note's length"),
        (_MANY_OCTAVES, "is no octave"),
        (_NO_NOTES_IN_TUPLET, "is no tuplet"),
        (_ZERO_LENGTH, "is no note: its length is zero"),
    ):
        found = pattern.search(line)
        if found:
            yield f"{_short(found[0])} {what}"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, _COMMENT.sub("", line).strip()


def _fields(line: str) -> Iterator[tuple[str, str]]:
    """The fields in a line: its own, or those within the music."""
    found = _HEAD_FIELD.match(line)
    if found:
        yield found[1], found[2]
    elif "[" in line:
        yield from _INLINE_FIELD.findall(line)


def _is_possible(name: str, value: str) -> bool:
    value = _QUOTED.sub("", value)
    if any(len(number) > 9 for number in re.findall(r"\d+", value)):
        return False
    fractions = [(int(over), int(under)) for over, under in _FRACTION.findall(value)]
    if any(not 0 < under <= MAX_DENOMINATOR for _, under in fractions):
        return False
    if name != "Q" and re.search(r"-\s*\d", value):  # a tempo may be a range, such as 100-120
        return False
    if name == "M":
        terms = [int(number) for number in re.findall(r"\d+", value.rpartition("/")[0])]
        return not terms or 0 < sum(terms) <= MAX_METER_NUMERATOR
    if name == "L":
        return all(0 < over <= MAX_LENGTH_NUMERATOR for over, _ in fractions)
    rate = re.search(r"=\s*(\d+)", value) or re.fullmatch(r"\s*(\d+)(\.\d*)?\s*", value)
    return all(over > 0 for over, _ in fractions) and (rate is None or 0 < int(rate[1]) <= MAX_QUARTERS_PER_MINUTE)


def _no_such(name: str, value: str) -> str:
    return f"{name}:{_short(value.strip())} is no {WHAT[name]}; write it {HOW[name]}"


def _short(value: str) -> str:
    return value if len(value) <= 40 else f"{value[:30]}... ({len(value)} characters)"

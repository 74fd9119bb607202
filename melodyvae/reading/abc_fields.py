"""Values of the fields of ABC: keys, meters, note lengths, tempi, orders of parts.

"ABC music standard 2.1", https://abcnotation.com/wiki/abc:standard:v2.1; numbers that no music has are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from melodyvae.reading.written import MAX_QUARTERS_PER_MINUTE, MIN_QUARTERS_PER_MINUTE
from melodyvae.system.errors import UserError

__all__ = [
    "FieldError",
    "Key",
    "clef_octaves",
    "key_of",
    "meter_of",
    "options_of",
    "parts_order",
    "tempo_of",
    "unit_of",
]

MAX_METER_NUMERATOR = 128
MAX_DENOMINATOR = 1024
MAX_LENGTH_NUMERATOR = 64
MAX_PARTS_PLAYED = 1000
MAX_VALUE = 200  # characters

NUMBER = re.compile(r"\d+")
FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)")
METER = re.compile(r"\(?\s*(\d+(?:\s*\+\s*\d+)*)\s*\)?\s*/\s*(\d+)")
TEMPO_RATE = re.compile(r"=\s*(\d+(?:\.\d+)?)")
QUOTED = re.compile(r'"[^"]*"')
TONIC = re.compile(r"([A-Ga-g])([#b]?)(?![a-z]*\s*=)\s*(.*)", re.S)
MODE = re.compile(r"(maj|ion|min|aeo|mix|dor|phr|lyd|loc|m(?![a-z])|exp)[a-z]*", re.I)
ACCIDENTAL = re.compile(r"(\^\^?|__?|=)([A-Ga-g])")
OPTION = re.compile(r'([A-Za-z]+)\s*=\s*("[^"]*"|\S+)')
CLEF = re.compile(r"(?:treble|bass|alto|tenor|baritone|mezzo|soprano|perc)[1-5]?([+^_-]8)?(?!\w)", re.I)
CLEF_SHIFT = re.compile(r"[+^_-](?=8)")
PART_SIGN = re.compile(r"[A-Z]|[()]|\d{1,3}")

SIGNS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
SHARPS_IN_ORDER = "FCGDAEB"
FIFTHS_OF_MAJOR = {letter: place - 1 for place, letter in enumerate(SHARPS_IN_ORDER)}
FIFTHS_OF_MODE = {
    "maj": 0,
    "ion": 0,
    "mix": -1,
    "dor": -2,
    "min": -3,
    "aeo": -3,
    "m": -3,
    "phr": -4,
    "loc": -5,
    "lyd": 1,
}
MINOR_MODES = frozenset({"min", "aeo", "m"})


class FieldError(UserError, ValueError):
    """A field whose value no music has; its message is a sentence without its full stop."""


@dataclass(frozen=True)
class Key:
    """Semitones by letter (A to G); ``fifths`` is None where they are no key signature."""

    semitones: Mapping[str, int] = field(default_factory=dict)
    fifths: int | None = None
    is_minor: bool = False


def key_of(value: str) -> Key | None:
    """The key in a ``K:`` field; None if it says nothing of it, as ``K:clef=bass``.

    Anything that is no key is none: tunes are full of remarks there.
    """
    value = value.strip()
    if value[:2] in ("HP", "Hp"):
        return Key(_signature(2), 2)
    if not value or value.lower().startswith("none"):
        return Key()
    tonic = None if CLEF.match(value) else TONIC.match(value)
    if tonic is None:
        marks = _marks(value)
        return Key(marks) if marks else None
    rest = tonic[3]
    mode = MODE.match(rest)
    name = mode[1].lower() if mode else "maj"
    marks = _marks(rest[mode.end() :] if mode else rest)
    if name == "exp":
        return Key(marks)
    fifths = FIFTHS_OF_MAJOR[tonic[1].upper()] + 7 * ((tonic[2] == "#") - (tonic[2] == "b")) + FIFTHS_OF_MODE[name]
    return Key({**_signature(fifths), **marks}, fifths if -7 <= fifths <= 7 else None, name in MINOR_MODES)


def _marks(value: str) -> dict[str, int]:
    return {letter.upper(): SIGNS[sign] for sign, letter in ACCIDENTAL.findall(OPTION.sub("", value))}


def _signature(fifths: int) -> dict[str, int]:
    """Semitones by letter of so many sharps, or flats below 0; double ones beyond seven."""
    letters = SHARPS_IN_ORDER if fifths >= 0 else SHARPS_IN_ORDER[::-1]
    alterations = dict.fromkeys(letters[: abs(fifths)], 0)
    for place in range(abs(fifths)):
        alterations[letters[place % 7]] += 1 if fifths > 0 else -1
    return alterations


def options_of(value: str) -> dict[str, str]:
    """The ``name=value`` pairs in a ``K:`` or ``V:`` field; names in lower case, values without quotation marks."""
    return {name.lower(): text.strip('"') for name, text in OPTION.findall(value)}


def clef_octaves(value: str) -> tuple[int, bool] | None:
    """Octaves by which a clef in a ``K:`` or ``V:`` field moves its notes, and whether it is of drums; or None."""
    named = re.search(r"clef\s*=\s*\"?(\S+)", value)
    words = QUOTED.sub("", value).split()
    clef = named[1] if named else next((word for word in words if CLEF.match(word)), None)
    if clef is None:
        return None
    shift = CLEF_SHIFT.search(clef)
    return (0 if shift is None else -1 if shift[0] in "-_" else 1), clef.lower().startswith("perc")


def meter_of(value: str) -> tuple[int, int] | None:
    """The signature in an ``M:`` field, with additive ones as their sums; None for free time.

    Raises:
        FieldError: if it is none.
    """
    value = value.strip()
    if value in ("C", "c"):
        return 4, 4
    if value in ("C|", "c|"):
        return 2, 2
    if not value or value.lower().startswith(("none", "free", "frei")):  # the last in the Essen collection
        return None
    error = FieldError(f"M:{short(value)} is not a meter; write it such as M:4/4")
    match = None if _is_absurd(value) else METER.match(value)
    if match is None:
        raise error
    numerator, denominator = sum(map(int, NUMBER.findall(match[1]))), int(match[2])
    if not 0 < numerator <= MAX_METER_NUMERATOR or not 0 < denominator <= MAX_DENOMINATOR:
        raise error
    return numerator, denominator


def unit_of(value: str) -> Fraction:
    """The note length in an ``L:`` field, in quarters.

    Raises:
        FieldError: if it is none.
    """
    match = None if _is_absurd(value) else re.match(r"(\d+)(?:\s*/\s*(\d+))?", value.strip())
    if match is not None:
        over, under = int(match[1]), int(match[2] or 1)
        if 0 < over <= MAX_LENGTH_NUMERATOR and 0 < under <= MAX_DENOMINATOR:
            return Fraction(4 * over, under)
    raise FieldError(f"L:{short(value.strip())} is not a note length; write it such as L:1/8")


def tempo_of(value: str, unit: Fraction) -> float | None:
    """Quarters per minute of a ``Q:`` field; ``unit`` is the note length in quarters. None for a word, or too slow.

    A number alone counts quarters, as programs play it; ``C3=40`` counts three units.

    Raises:
        FieldError: if it is none.
    """
    plain = QUOTED.sub("", value).strip()
    error = FieldError(f"Q:{short(value.strip())} is not a tempo; write it such as Q:1/4=120")
    if _is_absurd(plain):
        raise error
    beats, equals, _ = plain.partition("=")
    rate = TEMPO_RATE.search(plain) if equals else re.match(r"(\d+(?:\.\d+)?)", plain)
    if rate is None:
        if plain:
            raise error
        return None
    quarters = Fraction(1)
    if equals:
        fractions = [(int(over), int(under)) for over, under in FRACTION.findall(beats)]
        if any(not over or not 0 < under <= MAX_DENOMINATOR for over, under in fractions):
            raise error
        quarters = sum((Fraction(4 * over, under) for over, under in fractions), Fraction(0))
        if not fractions:
            count = NUMBER.search(beats)
            quarters = unit * int(count[0] if count else 1)
    number = float(rate[1])
    if not 0 < number <= MAX_QUARTERS_PER_MINUTE or not quarters:
        raise error
    tempo = number * float(quarters)
    return tempo if MIN_QUARTERS_PER_MINUTE <= tempo <= MAX_QUARTERS_PER_MINUTE else None


def parts_order(value: str) -> str:
    """The letters of a ``P:`` field of a header in the order in which they are played: ``(AB)2C`` is ``ABABC``.

    Empty if it is no such order, or a longer one than 1000.
    """
    stack: list[list[str]] = [[]]
    for sign in PART_SIGN.findall(value[: 2 * MAX_PARTS_PLAYED]):
        if sign == "(":
            stack.append([])
        elif sign == ")":
            if len(stack) == 1:
                return ""
            group = stack.pop()
            stack[-1].append("".join(group))
        elif sign.isdigit():
            if stack[-1]:
                stack[-1][-1] *= int(sign)
        else:
            stack[-1].append(sign)
        if sum(map(len, stack[-1])) > MAX_PARTS_PLAYED:
            return ""
    return "".join(stack[0]) if len(stack) == 1 else ""


def short(value: str) -> str:
    """A value as messages show it."""
    return value if len(value) <= 40 else f"{value[:30]}... ({len(value)} characters)"


def _is_absurd(value: str) -> bool:
    return (
        len(value) > MAX_VALUE
        or re.search(r"\d{10}", value) is not None
        or re.search(r"-\s*\d", value.partition("=")[0]) is not None
    )

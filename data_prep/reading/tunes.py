"""The tunes in a text file: ABC and kern files may hold one or thousands, and each is a source of its own.

A tune's text is all that its notes depend on: in ABC the fields of the file's head come first, since every tune
inherits them. In ABC a tune goes from its ``X:`` to the first empty line after its ``K:``, or to the next ``X:``; what
stands between tunes is text for people. In kern a tune goes to where all its spines end ("ABC music standard 2.1",
https://abcnotation.com/wiki/abc:standard:v2.1; "Humdrum User's Guide", https://www.humdrum.org/guide/).

Contents: :class:`Tune`, :func:`tunes_in`, :func:`text_of`; :data:`MANY_TUNES_SUFFIXES`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MANY_TUNES_SUFFIXES = frozenset({".abc", ".krn"})

_ABC_NUMBER = re.compile(r"\s*X:\s*(\S*)")
_ABC_INHERITED = re.compile(r"[A-Za-z]:|%%|%abc")
_KERN_END = re.compile(r"\*-(\t\*-)*\s*$")
_KERN_START = re.compile(r"\*\*|!!!!SEGMENT")


@dataclass(frozen=True)
class Tune:
    """A tune's number in its file, as the file has it, and its own text; the number of an only tune is empty."""

    number: str
    text: str


def tunes_in(text: str, suffix: str) -> list[Tune]:
    """The tunes in the text of a ``.abc`` or ``.krn`` file, in its order; numbers that repeat get a second number.

    A text without any beginning of a tune is one tune: it is for its reader to say what is wrong with it.
    """
    tunes = _abc_tunes(text) if suffix.lower() == ".abc" else _kern_tunes(text)
    return [Tune("", tunes[0].text)] if len(tunes) == 1 else _with_unique_numbers(tunes)


def text_of(data: bytes) -> str:
    """The text in bytes: UTF-8 or, as old files have it, Latin-1; lines end in ``\\n``."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _abc_tunes(text: str) -> list[Tune]:
    head: list[str] = []
    bodies: list[tuple[str, list[str]]] = []
    is_open, has_key = False, False
    for line in text.split("\n"):
        found = _ABC_NUMBER.match(line)
        if found:
            bodies.append((found[1], []))
            is_open, has_key = True, False
        elif not line.strip() and has_key:
            is_open = False
        if is_open and line.strip():
            has_key = has_key or line.startswith("K:")
            bodies[-1][1].append(line.rstrip())
        elif not bodies and _ABC_INHERITED.match(line):
            head.append(line.rstrip())
    if not bodies:
        return [Tune("", text)]
    return [Tune(number or str(place), _text([*head, *lines])) for place, (number, lines) in enumerate(bodies, start=1)]


def _kern_tunes(text: str) -> list[Tune]:
    tunes: list[list[str]] = [[]]
    has_ended = False
    for line in text.split("\n"):
        if has_ended and _KERN_START.match(line):
            tunes.append([])
            has_ended = False
        has_ended = has_ended or bool(_KERN_END.match(line))
        tunes[-1].append(line.rstrip("\r"))
    return [Tune(str(place), _text(lines)) for place, lines in enumerate(tunes, start=1)]


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _with_unique_numbers(tunes: Iterable[Tune]) -> list[Tune]:
    seen: Counter[str] = Counter()
    unique = []
    for tune in tunes:
        seen[tune.number] += 1
        again = f"{tune.number}-{seen[tune.number]}" if seen[tune.number] > 1 else tune.number
        unique.append(Tune(again, tune.text))
    return unique

"""ABC text -> ABC text that music21 reads right: what its reader stumbles over, and no note depends on, is taken out.

music21 loses a broken rhythm (``A>B``) where anything stands between its sign and the note, takes inline fields for
chords, and ends at a title or a reference number that it cannot parse. So only the fields that notes depend on stay,
and of the music only notes, rests, chords, ties, tuplets, broken rhythms and bar lines; grace notes, slurs, chord
symbols, annotations, decorations and words go. The format: "ABC music standard 2.1",
https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NEWEST_WITHOUT_VERSION = (1, 3, 0)

_VERSION = re.compile(r"^(?:%abc-|I:\s*abc-version\s+)(\d+)\.(\d+)(?:\.(\d+))?", re.M)
_FIELD = re.compile(r"([A-Za-z+]):(.*)")
_BODY_FIELD = re.compile(r"([IKLMmNPQRrsTUVWw+]):(?![|:])(.*)")  # A: to G: at a line's start are notes and a repeat
_FIELDS_FOR_NOTES = frozenset("KLMQV")
_INLINE_FIELD = re.compile(r"\[([A-Za-z]:[^\[\]]*)\]")
_NOT_NOTES = re.compile(
    r"""\{[^{}]*\}           # grace notes
    | ![^!\s]{1,20}!         # decorations with names
    | \((?!\d) | \)          # slurs, but not tuplets
    | [.~HLMOPSTJRuv]{1,20}(?=[\^=_]*[A-Ga-gxz\[])  # decorations of one sign
    """,
    re.X,
)


def abc_version(text: str) -> tuple[int, int, int]:
    """The version of ABC that a tune says it is in; 1.3 if it says none."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else NEWEST_WITHOUT_VERSION


def plain_abc(text: str) -> str:
    """The same tune with nothing but what its notes depend on."""
    return "\n".join(_plain_lines(text)) + "\n"


def _plain_lines(text: str) -> Iterator[str]:
    lines = [re.sub(r"(?<!\\)%.*", "", line).strip() for line in text.split("\n")]
    heads = [line[:2] for line in lines]
    if "L:" not in heads and not any(re.match(r"M:\s*[\dCc]", line) for line in lines):
        yield "L:1/8"  # the standard's unit where no meter gives one
    in_body = False
    for line in lines:
        field = (_BODY_FIELD if in_body else _FIELD).match(line)
        if field:
            in_body = in_body or field[1] == "K"
            if field[1] in _FIELDS_FOR_NOTES:
                yield line
        elif in_body and line:
            yield from _plain_music(line)


def _plain_music(line: str) -> Iterator[str]:
    """A line of music, inline fields on lines of their own."""
    without_words = re.sub(r'"[^"]*"', "", line)
    for place, piece in enumerate(_INLINE_FIELD.split(without_words)):
        if place % 2:
            if piece[0] in _FIELDS_FOR_NOTES:
                yield piece
        elif piece.strip():
            yield _NOT_NOTES.sub("", piece).strip()

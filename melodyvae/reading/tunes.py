"""The tunes in a text file: ABC and kern files may hold one or thousands, and each is a source of its own.

A tune's text is all that its notes depend on: in ABC the fields of the file's head come first, since every tune
inherits them. In ABC a tune goes from its ``X:`` to the first empty line after its ``K:``, or to the next ``X:``; what
stands between tunes is text for people. In kern a tune goes to where all its spines end ("ABC music standard 2.1",
https://abcnotation.com/wiki/abc:standard:v2.1; "Humdrum User's Guide", https://www.humdrum.org/guide/).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from melodyvae.system.errors import UserError

__all__ = [
    "MANY_TUNES_SUFFIXES",
    "TooMuchTextError",
    "Tune",
    "count_tunes",
    "is_called",
    "split_tune",
    "text_of",
    "tunes_in",
]

MANY_TUNES_SUFFIXES = frozenset({".abc", ".krn"})
MAX_TUNES = 100_000  # in a file
MAX_TUNE_CHARACTERS = 4_000_000  # comments and words told in
MAX_HEAD_CHARACTERS = 2**28  # of all tunes of a file together: each begins with the file's head

_ABC_START = re.compile(r"^[^\S\n]*X:[^\S\n]*(\S*)", re.M)
_NUMBER_FIELD = re.compile(r"^X:[^\S\n]*(\S+)", re.M)
_TITLE = re.compile(r"^(?:T:|!!!OTL[^:\n]*:)[^\S\n]*(.*)", re.M)
_WITH_TUNE = re.compile(r"(.+?\.(?:abc|krn))#(.+)", re.I | re.S)
_ABC_INHERITED = re.compile(r"^(?:[A-Za-z]:|%%|%abc).*", re.M)
_KERN_END_OR_START = re.compile(r"^(?:(?P<end>\*-(?:\t\*-)*[^\S\n]*$)|\*\*|!!!!SEGMENT)", re.M)


class TooMuchTextError(UserError, ValueError):
    """A file holds more tunes, longer ones, or a longer head for each, than a collection of tunes has."""


@dataclass(frozen=True)
class Tune:
    """A tune's number in its file, as the file has it, and its own text; the number of an only tune is empty.

    ``head_lines`` lines of the file's head come first; line ``first_line`` of the file, from 1, is the next one.
    """

    number: str
    text: str
    head_lines: int = 0
    first_line: int = 1

    def line_in_file(self, line: int) -> int:
        """The line of the file that holds line ``line``, from 1, of the text; of a field of the head that in it."""
        return line if line <= self.head_lines else self.first_line + line - self.head_lines - 1


def tunes_in(text: str, suffix: str) -> Iterator[Tune]:
    """The tunes in the text of a ``.abc`` or ``.krn`` file, in its order; numbers that repeat get a second number.

    The iterator is lazy. A text without any beginning of a tune is one tune: its reader reports what is wrong with it.

    Raises:
        TooMuchTextError: if there are more than 100,000, or one is too long.
    """
    tunes = _abc_tunes(text) if suffix.lower() == ".abc" else _kern_tunes(text)
    first_two = list(islice(tunes, 2))
    if len(first_two) == 1:
        only = first_two[0]
        yield Tune("", only.text, only.head_lines, only.first_line)
        return
    seen: Counter[str] = Counter()
    for count, tune in enumerate(chain(first_two, tunes)):
        if count >= MAX_TUNES:
            raise TooMuchTextError(f"it holds more than {MAX_TUNES} tunes; split it into several files")
        seen[tune.number] += 1
        again = f"{tune.number}-{seen[tune.number]}" if seen[tune.number] > 1 else tune.number
        yield Tune(again, tune.text, tune.head_lines, tune.first_line)


def split_tune(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Split a path into file and tune: ``book.abc#12`` is tune 12 of ``book.abc``; the tune is empty without ``#``.

    An existing file of that whole name comes first.
    """
    match = _WITH_TUNE.fullmatch(os.fspath(path))
    if match is None or os.path.lexists(path):
        return Path(path), ""
    return Path(match[1]), match[2].strip()


def count_tunes(text: str, suffix: str) -> int:
    """The number of tunes in the text of a ``.abc`` or ``.krn`` file, at most 100,000."""
    if suffix.lower() == ".abc":
        return max(sum(1 for _ in islice(_ABC_START.finditer(text), MAX_TUNES)), 1)
    return sum(1 for _ in islice(_kern_tunes(text), MAX_TUNES))


def is_called(tune: Tune, number_or_title: str) -> bool:
    """Whether a tune has this number, or a title that equals or contains this; case is ignored."""
    if number_or_title in (tune.number, "1" if not tune.number else None):
        return True
    own = _NUMBER_FIELD.search(tune.text) if not tune.number else None
    if number_or_title.isdigit():
        return own is not None and own[1] == number_or_title
    return any(number_or_title.casefold() in title.casefold() for title in _TITLE.findall(tune.text))


def text_of(data: bytes) -> str:
    """The text in bytes: UTF-8 or, as old files have it, Latin-1; lines end in ``\\n``."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _abc_tunes(text: str) -> Iterator[Tune]:
    starts = _ABC_START.finditer(text)
    start_match = next(starts, None)
    if start_match is None:
        yield Tune("", text)
        return
    head = [line[0].rstrip() for line in _ABC_INHERITED.finditer(text, 0, start_match.start())]
    head_characters = sum(map(len, head))
    line, counted_to, place = 1, 0, 0
    while start_match is not None:
        following = next(starts, None)
        place += 1
        if place * head_characters > MAX_HEAD_CHARACTERS:
            raise TooMuchTextError(f"its head of {head_characters} characters is part of each of its tunes; shorten it")
        line += text.count("\n", counted_to, start_match.start())
        counted_to = start_match.start()
        body = _abc_body(text, start_match.start(), following.start() if following else len(text))
        yield Tune(start_match[1] or str(place), _text([*head, *body]), len(head), line)
        start_match = following


def _abc_body(text: str, start: int, end: int) -> Iterator[str]:
    """The lines of a tune from its ``X:`` on, without empty ones; the first empty one after ``K:`` ends it."""
    has_key, first = False, start
    while start < end:
        if start - first > MAX_TUNE_CHARACTERS:
            raise TooMuchTextError(f"a tune in it has more than {MAX_TUNE_CHARACTERS} characters")
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        line = text[start:stop].rstrip()
        start = stop + 1
        if line:
            has_key = has_key or line.startswith("K:")
            yield line
        elif has_key:
            return


def _kern_tunes(text: str) -> Iterator[Tune]:
    """The text cut where a spine begins after all have ended; line ends are as they were."""
    start, line, has_ended, place = 0, 1, False, 1
    for match in _KERN_END_OR_START.finditer(text):
        if match["end"] is not None:
            has_ended = True
        elif has_ended:
            yield Tune(str(place), text[start : match.start()], 0, line)
            line += text.count("\n", start, match.start())
            start, has_ended, place = match.start(), False, place + 1
    yield Tune(str(place), text[start:] + "\n", 0, line)


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"

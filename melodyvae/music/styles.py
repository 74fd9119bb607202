"""Styles: kinds of tunes that a composing model can be asked for, and that a dataset says of each window.

Conventions: a style's code is its place in :data:`STYLES` plus 1; code 0 is an unknown style, or an open wish. The
order is part of the format of datasets and checkpoints: new styles are added at the end.
"""

from __future__ import annotations

import re

from melodyvae.system.errors import UserError

STYLES = (
    "reel",
    "jig",
    "slip jig",
    "hornpipe",
    "polka",
    "waltz",
    "strathspey",
    "march",
    "air",
    "hymn",
    "song",
    "art song",
    "pop",
    "part",
)
OPEN = 0
_WORDS = (  # in names of files, titles and the rhythm field of ABC; the first that fits counts
    ("slip jig", r"slip ?jig|hop ?jig"),
    ("jig", r"jig|^slide$"),
    ("hornpipe", r"hornpipe|^clog$"),
    ("reel", r"reel"),
    ("polka", r"polka"),
    ("waltz", r"waltz|valse"),
    ("strathspey", r"strathspey|fling"),
    ("march", r"march"),
    ("hymn", r"hymn"),
    ("air", r"^air$"),
)


class StyleError(UserError, ValueError):
    """There is no such style."""


def style_code(name: str | None) -> int:
    """The code of a style by its name; 0 for None.

    Raises:
        StyleError: if there is none of that name.
    """
    if name is None:
        return OPEN
    if name not in STYLES:
        raise StyleError(f"the style is {name!r}; choose one of {', '.join(STYLES)}")
    return STYLES.index(name) + 1


def style_in(text: str) -> int:
    """The code of the style that a title, a file's name or a rhythm field names; 0 if it names none."""
    lower = text.strip().lower()
    return next((style_code(style) for style, words in _WORDS if re.search(words, lower)), OPEN)

"""Decisions and measurements of a verb, as values; :mod:`melodyvae.verbs.sentences` has the words.

Conventions: bars and the numbers of tunes are counted from 1; tempi are in quarters per minute, shifts in semitones, up
above 0. ``label`` is what a tune is called: ``A``, or ``the tune``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from melodyvae.music.arrangement import Accompaniment
from melodyvae.music.keys import Key
from melodyvae.music.scales import Scale

if TYPE_CHECKING:
    from melodyvae.verbs.sources import Taken


@dataclass(frozen=True)
class NewSeed:
    """A seed that was drawn, with which the same melodies come again."""

    seed: int


@dataclass(frozen=True)
class KeyMissed:
    """A key that was asked for, and the tunes in others: the number and key of each, None of one without notes."""

    key: Key
    others: tuple[tuple[int, Key | None], ...]
    count: int


@dataclass(frozen=True)
class DensityMissed:
    """Notes per bar that were wanted and reached; of a tune that goes on, ``wanted`` is its own density."""

    wanted: float
    reached: tuple[float, ...]
    is_asked_for: bool = True


@dataclass(frozen=True)
class Written:
    """The style of each new tune, empty if it has none, and its form in letters, empty if it is short."""

    styles: tuple[str, ...]
    forms: tuple[str, ...]


@dataclass(frozen=True)
class FewerFound:
    """Fewer distinct tunes than asked for; ``option`` is the one that finds more, if there is one."""

    asked: int
    found: int
    option: str = ""


@dataclass(frozen=True)
class SameTune:
    """A and B are one tune in one key."""


@dataclass(frozen=True)
class TakenOfBoth:
    """Number of bars taken of both tunes, since ``label`` has fewer than asked for.

    ``matched`` is the other one, if its bars are those most like it.
    """

    label: str
    bars: int
    taken: int
    matched: str = ""


@dataclass(frozen=True)
class BarsAdded:
    """New bars after the last one with a note."""

    bars: int
    after_bar: int


@dataclass(frozen=True)
class MovedToScale:
    """The tunes of ``labels`` got the notes of a scale; none stands for all."""

    scale: Scale
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moved:
    """A tune was moved to A's key and register."""

    label: str
    semitones: int


@dataclass(frozen=True)
class KeyPlan:
    """The keys of A and B, how far B was moved for the walk (None: it could not be), and the key asked for."""

    keys: tuple[Key | None, Key | None]
    semitones: int | None
    plan: str | Key


@dataclass(frozen=True)
class TempoPlan:
    """The tempi of A and B, and the one asked for."""

    tempi: tuple[float, float]
    plan: str | float


@dataclass(frozen=True)
class FittedToHarmony:
    """Number of B's notes moved to the nearest degree of the scale of A's accompaniment."""

    moved: int
    notes: int
    scale: Scale


@dataclass(frozen=True)
class ScaleKept:
    """The scale of the new bars or of the tunes between: of the first and of the last of these."""

    first: Scale
    last: Scale
    is_of_bars: bool = False
    is_of_accompaniment: bool = False


@dataclass(frozen=True)
class CameBack:
    """On how many steps a melody came back.

    Attributes:
        label: A and so on, or the file.
        right, steps: how many steps are as they were, and how many there are.
        steps_per_quarter: the melody's.
        notes: it has.
        lost, moved: how many the grid could not hold, and how many it moved.
        is_walked: came back as an end of a walk or the corner of a grid.
    """

    label: str
    right: int
    steps: int
    steps_per_quarter: int
    notes: int = 0
    lost: int = 0
    moved: int = 0
    is_walked: bool = True


@dataclass(frozen=True)
class Distinct:
    """Number of melodies that differ from all before them, and the distance to the next, from 0 (the same) to 1."""

    distinct: int
    count: int
    distances: tuple[float, ...] = ()


@dataclass(frozen=True)
class Changed:
    """On how many of its steps each melody differs from the tune."""

    steps_changed: tuple[int, ...]
    steps: int
    steps_per_quarter: int


@dataclass(frozen=True)
class Novelty:
    """Beats that each melody shares with the most similar training window, in any key.

    Attributes:
        beats_known: of each melody; None if it is unknown.
        beats: how many are compared.
        near_copies: how many melodies are near-copies.
        is_near_one: whether the tune that they are near is a near-copy itself.
    """

    beats_known: tuple[int, ...] | None
    beats: int = 0
    near_copies: int = 0
    is_near_one: bool = False


@dataclass(frozen=True)
class Measured:
    """Four values per attribute: the tune, the first melody, the last melody, the request (None: to stay)."""

    attributes: Mapping[str, tuple[float, float, float, float | None]]


Fact: TypeAlias = (
    "Taken | Accompaniment | NewSeed | KeyMissed | DensityMissed | Written "
    "| FewerFound | SameTune | TakenOfBoth | BarsAdded | MovedToScale | Moved | KeyPlan | TempoPlan | FittedToHarmony "
    "| ScaleKept | CameBack | Distinct | Changed | Novelty | Measured"
)

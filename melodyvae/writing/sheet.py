"""Melodies to write, draw, play and join, as plain values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from melodyvae.music.feel import NO_SWING, Feel, parse_feel
from melodyvae.music.frame import Frame
from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody
from melodyvae.music.notes import Part


@dataclass(frozen=True)
class Roll:
    """A melody, what it is called, and how it is played and drawn.

    Attributes:
        melody: on the grid.
        title: stands beside its piano roll.
        file: the name of its MIDI file; empty if it is drawn and not written.
        feel: how it is played (see :mod:`melodyvae.music.feel`); None is as it is written.
        key: for its signature; None if it is unknown.
        frame: its place in the piece that it is from (see :mod:`melodyvae.music.frame`); None of a new melody.
        backing: what plays with it, times in quarters from its start; None if it is alone.
        is_highlighted: drawn in another colour, such as the ends of a walk.
        is_joined: is in the file that has melodies in a row.
    """

    melody: Melody
    title: str = ""
    file: str = ""
    feel: Feel | None = None
    key: Key | None = None
    frame: Frame | None = None
    backing: tuple[Part, ...] | None = None
    is_highlighted: bool = False
    is_joined: bool = True


@dataclass(frozen=True)
class Sheet:
    """Melodies in the order in which they are drawn.

    Attributes:
        title: the heading.
        rolls: at least one to be written.
        columns: how many stand side by side; None draws one above the other.
        made_by: what made the melodies, in a line; it stands on the page and in each MIDI file.
    """

    title: str
    rolls: tuple[Roll, ...]
    columns: int | None = None
    made_by: str = ""

    @property
    def written(self) -> tuple[Roll, ...]:
        """The rolls that get a file each."""
        return tuple(roll for roll in self.rolls if roll.file)

    @property
    def joined(self) -> tuple[Roll, ...]:
        """The rolls that are put in a row."""
        return tuple(roll for roll in self.rolls if roll.is_joined)

    @property
    def melodies(self) -> list[Melody]:
        """Rolls to draw."""
        return [roll.melody for roll in self.rolls]

    def played(self, feel: str) -> Sheet:
        """The same, played with a feel.

        ``keep`` leaves the rolls as they are, ``straight`` lays them on the grid, with their loudness, and a swing such
        as ``swing=0.62`` is given to all.

        Raises:
            FeelError: if there is no such feel.
        """
        swing = parse_feel(feel)
        if swing is None:
            return self
        plain = None if swing == NO_SWING else Feel.straight(swing)
        rolls = (
            dataclasses.replace(roll, feel=plain if roll.feel is None else roll.feel.on_the_grid(swing))
            for roll in self.rolls
        )
        return dataclasses.replace(self, rolls=tuple(rolls))

"""Bars of any meter in the bars of a model, which have more steps: 3/4 in the first 12 of 16 places.

Conventions: ``places`` is how many steps a bar of the tokens has, ``room`` how many a bar of the model has, at least as
many. The places that are left over hold no event: what sounds at a bar's end goes on through them, and so do rests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.music.beats import is_compound
from melodyvae.music.tokens import NO_EVENT


def lay(tokens: np.ndarray, places: int, room: int) -> np.ndarray:
    """Tokens ``(..., bars * places)``, each bar in the first places of a longer one: ``(..., bars * room)``.

    Legal tokens stay legal. :func:`lift` is the inverse.

    Raises:
        ValueError: if the tokens are not whole bars, or a bar has more places than there is room.
    """
    if not 1 <= places <= room:
        raise ValueError(f"a bar of {places} steps does not fit a bar of {room}")
    laid = np.full((*_bars(tokens, places), room), NO_EVENT, tokens.dtype)
    laid[..., :places] = tokens.reshape(*laid.shape[:-1], places)
    return laid.reshape(*tokens.shape[:-1], laid.shape[-2] * room)


def lift(tokens: np.ndarray, places: int, room: int) -> np.ndarray:
    """Tokens ``(..., bars * room)`` without the places that :func:`lay` leaves over: ``(..., bars * places)``.

    Raises:
        ValueError: as :func:`lay`.
    """
    if not 1 <= places <= room:
        raise ValueError(f"a bar of {places} steps does not fit a bar of {room}")
    bars = tokens.reshape(*_bars(tokens, room), room)
    return np.ascontiguousarray(bars[..., :places]).reshape(*tokens.shape[:-1], bars.shape[-2] * places)


@dataclass(frozen=True)
class Room:
    """The place of a bar of a meter in bars of a model.

    Attributes:
        steps: of the bar.
        bars: how many of the model's it takes.
        places: that are used of each of these, the last one's perhaps not all.
        room: steps of a bar of the model.
    """

    steps: int
    bars: int
    places: int
    room: int

    def lay(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens ``(..., T)`` in the bars of the model."""
        return lay(lay(tokens, self.steps, self.bars * self.places), self.places, self.room)

    def lift(self, tokens: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`lay`."""
        return lift(lift(tokens, self.places, self.room), self.steps, self.bars * self.places)

    @property
    def is_open(self) -> np.ndarray:
        """In which steps of so many bars of the model there may be an event, booleans ``(bars * room,)``."""
        return self.lay(np.ones(self.steps, bool))


def find_room(meter: tuple[int, int], steps_per_quarter: int, room: int, unit: int) -> Room | None:
    """The place of a bar of ``meter`` in bars of ``room`` steps; None if it fits none.

    It takes the first places of one bar: 12 of 16 for 3/4. A longer one takes as few bars as hold it, whole beats of it
    each and no fewer than the next: 12 and 6 for 9/8, 12 and 12 for 12/8, 12 and 8 for 5/4. Equal halves of 9 steps
    cost a model 12 bits more, and 16 and 2 or 16 and 8 steps are drawn less well.

    Args:
        meter: of the bar.
        steps_per_quarter: the grid.
        room: steps of a bar of the model.
        unit: a number of bars of the model that a whole number of bars must fill.
    """
    steps, rest = divmod(4 * meter[0] * steps_per_quarter, meter[1])
    beat = max(3 * steps // meter[0] if is_compound(meter) else steps_per_quarter, 1)
    for bars in range(1, unit + 1):
        places = steps if bars == 1 else -(-steps // (bars * beat)) * beat
        if not (rest or unit % bars) and 1 <= places <= room:
            return Room(steps, bars, places, room)
    return None


def _bars(tokens: np.ndarray, steps: int) -> tuple[int, ...]:
    """The shape of tokens ``(..., T)`` by bar, but for the steps of a bar: ``(..., bars)``."""
    *rows, length = tokens.shape
    if length % steps:
        raise ValueError(f"{length} steps are no whole number of bars of {steps}")
    return (*rows, length // steps)


def bar_within(meter: tuple[int, int], steps_per_quarter: int, room: int) -> tuple[tuple[int, int], int] | None:
    """The bar in which a meter is laid into a bar of ``room`` steps, and its grid; None if there is none.

    A bar that fits is taken as it is. A longer one of beats in threes is halved if there is an even number of them
    (12/8 is two bars of 6/8); of an odd number it is read on half the grid (9/8 in eighths).
    """
    numerator, denominator = meter
    choices = [((numerator, denominator), steps_per_quarter)]
    if numerator % 6 == 0:
        choices.append(((numerator // 2, denominator), steps_per_quarter))
    elif numerator % 3 == 0:
        choices.append(((numerator, denominator), steps_per_quarter // 2))
    for (count, unit), grid in choices:
        steps, rest = divmod(4 * count * grid, unit)
        if rest == 0 and 1 <= steps <= room:
            return (count, unit), grid
    return None

"""Bars of few steps in the bars of a model that has more: 3/4 in the first 12 of 16 places.

Conventions: ``places`` is how many steps a bar of the tokens has, ``room`` how many a bar of the model has, at least as
many. The places that are left over hold no event: what sounds at a bar's end goes on through them, and so do rests.
"""

from __future__ import annotations

import numpy as np

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


def _bars(tokens: np.ndarray, steps: int) -> tuple[int, ...]:
    """The shape of tokens ``(..., T)`` by bar, but for the steps of a bar: ``(..., bars)``."""
    *rows, length = tokens.shape
    if length % steps:
        raise ValueError(f"{length} steps are no whole number of bars of {steps}")
    return (*rows, length // steps)


def bar_within(meter: tuple[int, int], steps_per_quarter: int, room: int) -> tuple[tuple[int, int], int] | None:
    """The bar in which a meter is laid into a bar of ``room`` steps, and its grid; None if there is none.

    A bar that fits is taken as it is. A longer one of beats in threes is halved if there is an even number of them (12/8
    is two bars of 6/8); of an odd number it is read on half the grid (9/8 in eighths).
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

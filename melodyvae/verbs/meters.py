"""The meter in which several tunes are taken, and the shipped models by what they are for.

A model takes bars of every meter that its own have room for (:func:`melodyvae.music.bars.find_room`); others get its
own bars laid over them.
"""

from __future__ import annotations

from collections.abc import Sequence

from melodyvae.music.beats import counts_quarters, is_compound
from melodyvae.music.layout import alike

AUTO_MODEL = "auto"  # the name that asks for the model of the purpose
TWO_BAR_MODEL = "melody-2bar"
LONG_MODEL = "melody-16bar"
COMPOSED_BARS = 8  # of a new tune, unless others are asked for: a phrase and its answer
COMPOSING_MODEL = "melody-compose"

Meter = tuple[int, int]


def common_meter(meters: Sequence[Meter]) -> Meter:
    """The meter in which tunes in these meters are taken together: the first one's, 4/4 without any.

    Where tunes in 6/8, 9/8 or 12/8 stand beside tunes that count quarters, in 2/4, 4/4 or 5/4, it is 4/4, in which a
    dotted beat is a quarter. The others are fitted into bars of it beat on beat.
    """
    compound = [is_compound(meter) for meter in meters]
    if any(compound) and all(is_compound(meter) or counts_quarters(alike(meter)) for meter in meters):
        return meters[0] if all(compound) else (4, 4)
    return meters[0] if meters else (4, 4)


def model_for_windows(bars: int, meter: Meter) -> str:
    """The name of the shipped model that windows of so many bars of a meter are measured with."""
    return LONG_MODEL if (bars, alike(meter)) == (16, (4, 4)) else TWO_BAR_MODEL

"""Choose the shipped model that fits the meter of a tune.

There are two: bars of 4/4, and bars of twelve sixteenths, which are those of 3/4 and of 6/8. Beats in threes are all
taken by the second: bars of 9/8 and 12/8 are then cut into windows of four dotted beats. Everything else is taken by
the first: two bars of 2/4 as one of 4/4, and 5/4 or 7/8 with bars of 4/4 laid over them. Beside a tune in 4/4 a tune in
12/8 is a shuffle, and two bars of 6/8 are one of its bars: all are then taken by the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from melodyvae.music.beats import is_compound, is_triple
from melodyvae.music.layout import alike
from melodyvae.music.melody import Melody
from melodyvae.music.regions import ReadMelody
from melodyvae.reading.melodies import read_melody
from melodyvae.system.limits import Limits
from melodyvae.verbs.facts import Fact, FittedIntoBars, ModelByMeter
from melodyvae.verbs.sources import MelodySource

BY_METER = "auto"  # the name that asks for the choice
DUPLE_MODEL = "melody-2bar"
TRIPLE_MODEL = "melody-2bar-triple"
LONG_MODEL = "melody-16bar"
COMPOSED_BARS = 8  # of a new tune, unless others are asked for: a phrase and its answer
COMPOSING_MODEL = "melody-compose"

Meter = tuple[int, int]


@dataclass(frozen=True)
class ModelChoice:
    """A shipped model for some tunes.

    Attributes:
        name: the model's.
        facts: which it is and why, and how tunes of other bars are fitted into its bars; none if all are in 4/4.
    """

    name: str
    facts: tuple[Fact, ...] = ()


def model_for(meter: Meter, duple: str = DUPLE_MODEL) -> str:
    """The name of the shipped model for a meter, ``duple`` if it is not in threes."""
    return TRIPLE_MODEL if is_triple(meter) else duple


def model_for_windows(bars: int, meter: Meter) -> str:
    """The name of the shipped model whose windows are of so many bars of a meter.

    The 2-bar model for the meter if there is none: it says in what the windows do not fit.
    """
    bar = 16 * meter[0] / meter[1]
    return LONG_MODEL if (bars, bar) == (16, 16) else model_for(meter)


def choose_model(meters: Sequence[Meter], labels: Sequence[str] = (), duple: str = DUPLE_MODEL) -> ModelChoice:
    """The model of the first tune's meter, into whose bars the other tunes are fitted.

    For tunes in 6/8, 9/8 and 12/8 beside tunes that are not in threes it is the model of 4/4, where their beats meet.

    Args:
        meters: of each tune; without any it is the default model.
        labels: what the tunes are called: ``A``, ``B``.
        duple: the model of tunes that are not in threes.
    """
    if not meters:
        return ModelChoice(duple)
    labels = list(labels) or (["it"] if len(meters) == 1 else [f"tune {number + 1}" for number in range(len(meters))])
    threes = [meter for meter in meters if is_triple(meter)]
    are_joined = 0 < len(threes) < len(meters) and all(map(is_compound, threes))
    name = duple if are_joined else model_for(meters[0], duple)
    if all(alike(meter) == (4, 4) for meter in meters):
        return ModelChoice(name)
    other = None
    if are_joined and is_triple(meters[0]):
        index = next(index for index, meter in enumerate(meters) if not is_triple(meter))
        other = labels[index], meters[index]
    into_triple = is_triple(meters[0]) and not are_joined
    fitted = (FittedIntoBars(label, meter, into_triple) for label, meter in zip(labels, meters, strict=True))
    return ModelChoice(name, (ModelByMeter(name, labels[0], meters[0], other), *fitted))


def choose_model_for(
    tunes: Sequence[tuple[MelodySource, str]],
    labels: Sequence[str] = (),
    limits: Limits | None = None,
    duple: str = DUPLE_MODEL,
) -> ModelChoice:
    """:func:`choose_model` by the meters of tunes, each given as a source and its track.

    Raises:
        MidiError, MelodyError: as :func:`melodyvae.reading.melodies.read_melody`.
    """
    return choose_model([_meter_of(source, track, limits) for source, track in tunes], labels, duple)


def _meter_of(source: MelodySource, track: str, limits: Limits | None) -> Meter:
    if isinstance(source, Melody):
        return source.meter
    found = source if isinstance(source, ReadMelody) else read_melody(source, track, limits=limits)
    return found.melody.meter

"""Options that several verbs share, and what they have to do with sources, keys and draws."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Annotated, TypeVar

from melodyvae.music.keys import Key
from melodyvae.music.melody import Melody
from melodyvae.music.scales import Scale, ScaleChoice, parse_choice, parse_key, parse_tempo
from melodyvae.options import Option, OptionError
from melodyvae.verbs.alignment import AlignedTunes
from melodyvae.verbs.facts import BarsAdded
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.sources import MelodySource, Taken, in_one_meter, sounding_bars, take, with_window

Kind = TypeVar("Kind")

MAX_COUNT = 100_000
MAX_NUMERATOR = 64
LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def parse_track(track: str | int) -> str:
    """A track as text: ``auto``, its number (from 1) or its name.

    Raises:
        OptionError: if it is neither a text nor a number from 1 up.
    """
    is_number = isinstance(track, Integral) and not isinstance(track, bool)
    if not isinstance(track, str) and not (is_number and int(track) >= 1):
        raise OptionError(f"track is {track!r}; it must be auto, a number from 1 up, or a name")
    return str(track)


def parse_meter(meter: str) -> tuple[int, int]:
    """The upper and lower number of a meter such as ``3/4``.

    Raises:
        OptionError: if it is none.
    """
    numerator, slash, denominator = meter.partition("/") if isinstance(meter, str) else ("", "", "")
    is_meter = slash and numerator.isdecimal() and denominator in ("1", "2", "4", "8", "16", "32")
    if not is_meter or not 1 <= int(numerator) <= MAX_NUMERATOR:
        raise OptionError(f"meter is {meter!r}; it must be such as 4/4, 3/4 or 6/8")
    return int(numerator), int(denominator)


Tunes = Annotated[int, Option("Tunes.", low=1, high=MAX_COUNT, flags=("n",))]
TRACK = Option("Track{of}: auto, a number (from 1) or a name.", parse=parse_track)
FIRST_BAR = Option("First bar to take{of}, from 1.", low=1, flags=("bar",), default="a phrase")
Track = Annotated[str | int, TRACK]
FirstBar = Annotated[int | None, FIRST_BAR]
TrackOfEach = Annotated[str | int | tuple[str | int, ...], TRACK]  # one for all sources, or one for each
FirstBarOfEach = Annotated[int | tuple[int | None, ...] | None, FIRST_BAR]
Bars = Annotated[int | None, Option("Bars to take of each.", low=1, high=10_000, default="the model's: 2")]
KeyName = Annotated[
    str,
    Option(
        "a or b: all in the key of A or B; glide: from A's on; or a key such as C or Am; none: as they are.",
        parse=parse_key,
    ),
]
Tempo = Annotated[str | float, Option("a or b: that of A or B; glide; or quarters per minute.", parse=parse_tempo)]
ScaleName = Annotated[
    str | Scale,
    Option(
        "auto: in the scale of the tunes; none: any notes; or a scale such as G:major, Am or F#:dorian.",
        parse=parse_choice,
    ),
]
Temperature = Annotated[float, Option("0 takes the most probable notes; 1 draws them.", low=0)]
Novel = Annotated[bool, Option("Draw near-copies of training melodies again.")]
Seed = Annotated[int, Option("The same seed, the same files.", low=0, high=2**32 - 1)]


def for_each(value: Kind | tuple[Kind, ...], count: int, name: str) -> list[Kind]:
    """One value for each of ``count`` sources."""
    if not isinstance(value, tuple):
        return [value] * count
    if len(value) != count:
        raise OptionError(f"{name} has {len(value)} values for {count} sources; give one for all, or one for each")
    return list(value)


def take_all(vae: HeldModel, source: MelodySource, track: str | int, label: str = "") -> Taken:
    """The melody of a source, with all its bars."""
    return take(source, vae.config, label, str(track), vae.limits, vae.repeats, vae.tunes_read)


def take_bars(vae: HeldModel, source: MelodySource, track: str | int, first_bar: int | None, label: str = "") -> Taken:
    """Some bars of a source, as many as a window of the model has."""
    return with_window(take_all(vae, source, track, label), vae.config, first_bar)


def take_all_of_each(
    vae: HeldModel, sources: Sequence[MelodySource], track: str | int | tuple[str | int, ...]
) -> list[Taken]:
    """The melody of each source, with all its bars, in one meter; the sources are called A, B and so on."""
    tracks: list[str | int] = for_each(track, len(sources), "track")
    taken = [take_all(vae, source, tracks[index], LABELS[index % len(LABELS)]) for index, source in enumerate(sources)]
    return in_one_meter(taken, sources, vae.config)


def take_bars_of_each(
    vae: HeldModel,
    sources: Sequence[MelodySource],
    track: str | int | tuple[str | int, ...],
    first_bar: int | tuple[int | None, ...] | None,
    bars: int | None,
) -> tuple[Taken, ...]:
    """Some bars of each source, in one meter, a window of the model by default."""
    first_bars: list[int | None] = for_each(first_bar, len(sources), "first_bar")
    taken = take_all_of_each(vae, sources, track)
    return tuple(with_window(one, vae.config, first, bars) for one, first in zip(taken, first_bars, strict=True))


def in_one_key(taken: Sequence[Taken], key: str, tempo: str | float, scale: Scale | ScaleChoice) -> AlignedTunes:
    """Bring the tunes into the key and register of the first, and plan the key and tempo of the results."""
    keys = [one.found.key for one in taken]
    return AlignedTunes.of([one.melody for one in taken], keys, key, tempo, scale)


def kept_key(taken: Taken, scale: Scale | ScaleChoice) -> Key | None:
    """The key of what is made of one tune: its piece's or that of the scale; None if it may have any notes."""
    if scale == "none":
        return None
    return scale.key if isinstance(scale, Scale) else taken.found.key


def until_its_end(taken: Taken) -> Melody:
    """The melody from the first bar of its piece to the bar of its last note."""
    return taken.found.window(0, max(sounding_bars(taken.found.melody)[1], 1))


def added_bars(taken: Taken, melody: Melody, bars: int) -> BarsAdded:
    """After which bar of its piece a melody gets so many bars more."""
    last_step = int(melody.line[-1, 1]) - 1 if len(melody.line) else 0
    return BarsAdded(bars, taken.found.layout.piece_bar_of_step(last_step))

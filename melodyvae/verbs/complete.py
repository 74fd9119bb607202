"""``complete``: hidden bars of a melody filled in, or bars added."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Annotated

from melodyvae.music.scales import parse_choice
from melodyvae.options import Option, OptionError, Options
from melodyvae.verbs.both_sides import complete_from_both_sides
from melodyvae.verbs.common import (
    ScaleName,
    Seed,
    Temperature,
    Track,
    Tunes,
    added_bars,
    kept_key,
    take_all,
    until_its_end,
)
from melodyvae.verbs.doubts import can_hear
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.hidden_bars import InpaintingError
from melodyvae.verbs.results import Completion, signed
from melodyvae.verbs.sources import MelodySource, Taken

MAX_HIDDEN_BARS = 10_000


def parse_bars(bars: str | Collection[int]) -> list[int]:
    """The bars, from 1, of a list such as ``2,7-8``, or of numbers.

    Raises:
        OptionError: if it is none.
    """
    if not isinstance(bars, str):
        numbers = list(bars) if isinstance(bars, Collection) else [0]
        if not all(isinstance(bar, Integral) and not isinstance(bar, bool) and bar >= 1 for bar in numbers):
            raise OptionError(f"hide is {bars!r}; it must be bars from 1, such as [3, 4] or 3-4")
        return [int(bar) for bar in numbers]
    numbers = []
    for part in bars.split(",") if bars else []:
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise OptionError(f"hide is {bars!r}; give bars such as 3, or 3-4, or 2,7-8")
        span = range(int(first), int(last or first) + 1)
        if not 0 < len(span) <= MAX_HIDDEN_BARS:
            told = "from the lower to the higher" if not span else f"at most {MAX_HIDDEN_BARS} at a time"
            raise OptionError(f"hide names bars {part.strip()}; give them {told}")
        numbers += span
    return numbers


@dataclass(frozen=True, kw_only=True)
class CompleteOptions(Options):
    """Options for filling in bars."""

    hide: Annotated[
        str | Sequence[int],
        Option("Bars to fill in, from 1 as in the file: 3, or 3-4, or 2,7-8.", parse=parse_bars, metavar="BARS"),
    ] = ""
    extend: Annotated[
        int, Option("Go on for so many bars after the end.", low=0, high=10_000, flags=("extend", "bars"))
    ] = 0
    count: Tunes = 4
    track: Track = "auto"
    scale: ScaleName = "auto"
    temperature: Temperature = 1.0
    seed: Seed = 0

    @property
    def hidden_bars(self) -> list[int]:
        """The bars to fill in, from 1."""
        return parse_bars(self.hide)


@signed
def complete(
    vae: HeldModel,
    source: MelodySource,
    options: CompleteOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Completion:
    """Write ``source`` with bars of it filled in anew, or with bars added after its last note.

    ``melody-compose`` hears both sides of them, whatever model this is, unless it looks back itself; see
    :mod:`melodyvae.verbs.both_sides`. ``progress`` is called with how many of the bars are filled in, and how many
    there are.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> a, b = vae.sample(2, seed=1)
    >>> (completed,) = vae.complete(a + b, 1, hide=[3])
    >>> completed.window(0, 2).notes == a.notes
    True

    Raises:
        MidiError, MelodyError: if the source cannot be read, or has no melody.
        InpaintingError: if there is nothing to fill in or to go by, or no such bar.
    """
    scale = parse_choice(options.scale)
    taken = take_all(vae, source, options.track)
    if not can_hear(vae.composer, taken.melody):
        upper, lower = taken.melody.meter
        raise InpaintingError(f"the model that fills in bars does not take {upper}/{lower} on this grid")
    melody = until_its_end(taken)
    hidden = _hidden(taken, options.hidden_bars) | {melody.bars + index for index in range(options.extend)}
    melodies = complete_from_both_sides(
        vae.composer.in_meter(melody.meter),
        melody,
        hidden,
        options.count,
        options.temperature,
        vae.draws(options.seed),
        scale=scale,
        progress=progress,
    )
    return Completion(
        melodies=tuple(melodies),
        sources=(taken,),
        decisions=(added_bars(taken, melody, options.extend),) if options.extend else (),
        seed=options.seed,
        keys=(kept_key(taken, "auto"),) * len(melodies),
        original=melody,
        hidden=tuple(sorted(bar + 1 for bar in hidden)),
    )


def _hidden(taken: Taken, bars: Iterable[int]) -> set[int]:
    """The bars of a melody, from 0, that bars of its piece, from 1, are.

    Raises:
        InpaintingError: if the piece has no such bar.
    """
    layout, hidden = taken.found.layout, set()
    count = len(layout.bar_starts)
    for bar in bars:
        if not 1 <= bar <= count:
            raise InpaintingError(f"there is no bar {bar}: the piece has bars 1 to {count}")
        first = layout.grid_bar(bar)
        end = layout.grid_bar(bar + 1) if bar < count else layout.bars
        hidden |= set(range(first, max(end, first + 1)))
    return hidden

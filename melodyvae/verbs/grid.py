"""``grid``: rows of melodies between four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from melodyvae.music.scales import parse_choice
from melodyvae.options import Option, OptionError, Options
from melodyvae.verbs import variation
from melodyvae.verbs.codec import matching_steps
from melodyvae.verbs.common import (
    Bars,
    FirstBarOfEach,
    KeyName,
    ScaleName,
    Tempo,
    TrackOfEach,
    in_one_key,
    take_bars_of_each,
)
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.results import Grid, signed
from melodyvae.verbs.sources import MelodySource

CORNERS = 4


@dataclass(frozen=True, kw_only=True)
class GridOptions(Options):
    """Options for filling a grid; nothing in it is drawn by chance."""

    count: Annotated[int, Option("Rows, and columns.", low=2, high=100, flags=("n",))] = 5
    ends: Annotated[
        Literal["exact", "model"],
        Option("exact: the four come back note for note; model: as the model remembers them."),
    ] = "exact"
    first_bar: FirstBarOfEach = None
    track: TrackOfEach = "auto"
    bars: Bars = None
    key: KeyName = "a"
    tempo: Tempo = "a"
    scale: ScaleName = "auto"


@signed
def grid(vae: HeldModel, sources: Sequence[MelodySource], options: GridOptions) -> Grid:
    """Fill rows of melodies between four: top left, top right, bottom left, bottom right.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> square = vae.grid(vae.sample(4, seed=1), 3)
    >>> len(square), [len(row) for row in square.rows]
    (9, [3, 3, 3])

    See :func:`melodyvae.verbs.variation.grid`.

    Raises:
        MidiError, MelodyError, WindowError, ScaleError, OptionError: as :meth:`MelodyVAE.interpolate`.
    """
    if len(sources) != CORNERS:
        raise OptionError(f"a grid has {CORNERS} corners: give it {CORNERS} sources, not {len(sources)}")
    scale = parse_choice(options.scale)
    taken = take_bars_of_each(vae, sources, options.track, options.first_bar, options.bars)
    vae = vae.in_meter(taken[0].melody.meter)
    aligned = in_one_key(taken, options.key, options.tempo, scale)
    corners = aligned.melodies
    rows = variation.grid(vae.model, corners, options.count, exact=options.ends == "exact", scale=scale)
    ends = (rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1])
    cells = zip((melody for row in rows for melody in row), variation.grid_shares(options.count), strict=True)
    return Grid(
        melodies=tuple(aligned.plan.placed(melody, share) for melody, share in cells),
        sources=taken,
        decisions=aligned.decisions,
        originals=corners,
        steps_right=tuple(matching_steps(vae.model, *pair) for pair in zip(corners, ends, strict=True)),
    )

"""``arithmetic``: sums and differences of melodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from melodyvae.music.scales import parse_choice
from melodyvae.options import OptionError, Options
from melodyvae.verbs import variation
from melodyvae.verbs.common import (
    Bars,
    FirstBarOfEach,
    KeyName,
    ScaleName,
    Seed,
    Temperature,
    Tempo,
    TrackOfEach,
    in_one_key,
    take_bars_of_each,
)
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.results import Arithmetic, signed
from melodyvae.verbs.sources import MelodySource


@dataclass(frozen=True, kw_only=True)
class ArithmeticOptions(Options):
    """Options for adding melodies up."""

    first_bar: FirstBarOfEach = None
    track: TrackOfEach = "auto"
    bars: Bars = None
    key: KeyName = "a"
    tempo: Tempo = "a"
    scale: ScaleName = "auto"
    temperature: Temperature = 0.0
    seed: Seed = 0


@signed
def arithmetic(
    vae: HeldModel, sources: Sequence[MelodySource], signs: Sequence[int], options: ArithmeticOptions
) -> Arithmetic:
    """Add up the latent means of ``sources``, each with its sign (1 or -1), and decode the sum.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> a, b, c = vae.sample(3, seed=1)
    >>> vae.arithmetic([a, b, c], [1, -1, 1]).melody.bars
    2

    See :func:`melodyvae.verbs.variation.arithmetic`.

    Raises:
        MidiError, MelodyError, WindowError, ScaleError, OptionError: as :meth:`MelodyVAE.interpolate`.
    """
    if not sources or len(sources) != len(signs) or any(sign not in (1, -1) for sign in signs):
        raise OptionError(f"signs is {list(signs)!r}; it must be 1 or -1 for each of the {len(sources)} sources")
    scale = parse_choice(options.scale)
    taken = take_bars_of_each(vae, sources, options.track, options.first_bar, options.bars)
    vae = vae.in_meter(taken[0].melody.meter)
    aligned = in_one_key(taken, options.key, options.tempo, scale)
    terms = aligned.melodies
    total = variation.arithmetic(vae.model, terms, signs, options.temperature, vae.draws(options.seed), scale)
    shares = np.full(len(terms), 1 / len(terms))
    return Arithmetic(
        melodies=(aligned.plan.placed(total, shares),),
        sources=taken,
        decisions=aligned.decisions,
        seed=options.seed,
        terms=terms,
        signs=tuple(signs),
    )

"""``vary``: melodies near a melody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from melodyvae.music.scales import parse_choice, weights_of
from melodyvae.options import Option, Options
from melodyvae.verbs import variation
from melodyvae.verbs.alignment import tunes_in_scale
from melodyvae.verbs.common import (
    FirstBar,
    Novel,
    ScaleName,
    Seed,
    Temperature,
    Track,
    Tunes,
    kept_key,
    take_bars,
)
from melodyvae.verbs.facts import FewerFound
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.in_scale import rules_near
from melodyvae.verbs.novelty import NoveltyError, index_of
from melodyvae.verbs.results import Variations, signed
from melodyvae.verbs.sources import MelodySource


@dataclass(frozen=True, kw_only=True)
class VaryOptions(Options):
    """Options for varying a melody."""

    count: Tunes = 8
    amount: Annotated[float, Option("How far away: 0 is the tune itself, 1 a new one.", low=0, high=1)] = (
        variation.AMOUNT
    )
    first_bar: FirstBar = None
    track: Track = "auto"
    scale: ScaleName = "auto"
    novel: Novel = False
    temperature: Temperature = 0.0
    seed: Seed = 0


@signed
def vary(vae: HeldModel, source: MelodySource, options: VaryOptions) -> Variations:
    """Write melodies near some bars of ``source``; see :func:`melodyvae.verbs.variation.vary`.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> (melody,) = vae.sample(1, seed=1)
    >>> vae.vary(melody, 4, amount=0.2)
    <Variations of 4 melodies, seed 0>

    Raises:
        MidiError, MelodyError, WindowError, ScaleError, OptionError: as :meth:`MelodyVAE.interpolate`.
        NoveltyError: if ``novel`` is asked of a model without the index of its training melodies, or nothing but
            near-copies is found.
    """
    scale = parse_choice(options.scale)
    taken = take_bars(vae, source, options.track, options.first_bar, "the tune")
    vae = vae.in_meter(taken.melody.meter)
    model = vae.model
    (tune,), _, decisions = tunes_in_scale([taken.melody], [taken.found.key], scale, (taken.label,))
    melodies = variation.vary(
        model,
        tune,
        options.count,
        options.amount,
        options.temperature,
        vae.draws(options.seed),
        rules_near(tune, scale, weights_of(taken.found.melody)),
        index_of(model).is_near_copy if options.novel else None,
    )
    if not melodies:
        raise NoveltyError(
            f"at amount {options.amount:g} only near-copies of training melodies were found; "
            "a larger amount goes further away"
        )
    if len(melodies) < options.count:
        decisions.append(FewerFound(options.count, len(melodies), option="amount"))
    return Variations(
        melodies=tuple(melodies),
        sources=(taken,),
        decisions=tuple(decisions),
        seed=options.seed,
        known=vae.novelty,
        keys=(kept_key(taken, scale),) * len(melodies),
        original=tune,
        steps_changed=tuple(variation.steps_changed(model, melody, tune) for melody in melodies),
    )

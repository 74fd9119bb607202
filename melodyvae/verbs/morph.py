"""``morph``: a melody with its character moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from melodyvae.music.scales import Scale, parse_choice
from melodyvae.options import Option, OptionError, Options
from melodyvae.verbs.alignment import tunes_in_scale
from melodyvae.verbs.attribute_vectors import AttributeVectors
from melodyvae.verbs.attributes import ATTRIBUTES, measure
from melodyvae.verbs.common import FirstBar, ScaleName, Seed, Temperature, Track, kept_key, take_bars
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.morph_search import CANDIDATES, MAX_AMOUNT, wanted_amounts
from melodyvae.verbs.morph_search import morph as moved
from melodyvae.verbs.results import Morph, signed
from melodyvae.verbs.sources import MelodySource

AMOUNT = {"low": -MAX_AMOUNT, "high": MAX_AMOUNT, "metavar": "AMOUNT"}
AMOUNTS = ("density", "range", "interval", "syncopation", "syncopation_8", "syncopation_16", "diatonic")


@dataclass(frozen=True, kw_only=True)
class MorphOptions(Options):
    """Options for moving the attributes of a melody; amounts are in standard deviations over the training windows."""

    density: Annotated[float, Option("More notes (+) or fewer (-).", **AMOUNT)] = 0.0
    range: Annotated[float, Option("More semitones from lowest to highest note, or fewer.", **AMOUNT)] = 0.0
    interval: Annotated[float, Option("Wider steps from note to note, or smaller ones.", **AMOUNT)] = 0.0
    syncopation: Annotated[float, Option("Both of the following.", **AMOUNT)] = 0.0
    syncopation_8: Annotated[
        float, Option("More or fewer notes on weak eighths without one on the beat before.", **AMOUNT)
    ] = 0.0
    syncopation_16: Annotated[float, Option("The same of sixteenths.", **AMOUNT)] = 0.0
    diatonic: Annotated[float, Option("More or fewer of the notes in the major scale that fits best.", **AMOUNT)] = 0.0
    scale: ScaleName = "auto"
    count: Annotated[int, Option("Tunes.", low=2, high=1000, flags=("n", "steps"))] = 5
    first_bar: FirstBar = None
    track: Track = "auto"
    candidates: Annotated[
        int, Option("Tunes tried for each one written; more come nearer to what is asked.", low=1, high=100_000)
    ] = CANDIDATES
    temperature: Temperature = 0.0
    seed: Seed = 0

    @property
    def amounts(self) -> dict[str, float]:
        """The amounts that are not 0, by the name of the attribute."""
        pairs = ((name.replace("_", "-"), getattr(self, name)) for name in AMOUNTS)
        return {name: amount for name, amount in pairs if amount}

    def check_together(self) -> None:
        """Raise :class:`OptionError` if nothing is to move."""
        if not self.amounts and not isinstance(parse_choice(self.scale), Scale):
            raise OptionError("there is nothing to move; give an amount, such as density +1, or a scale")


@signed
def morph(vae: HeldModel, source: MelodySource, options: MorphOptions) -> Morph:
    """Write some bars of ``source`` as they are, and to these with their character moved; the rest stays if it can.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> (melody,) = vae.sample(1, seed=1)
    >>> denser = vae.morph(melody, 3, density=+1, candidates=24)
    >>> tune, before, after, asked = denser.measures["density"]
    >>> after > before
    True

    See :func:`melodyvae.verbs.morph_search.morph`.

    Raises:
        MidiError, MelodyError, WindowError, ScaleError, OptionError: as :meth:`MelodyVAE.interpolate`.
        AttributeVectorsError: if the model has no attribute vectors.
    """
    amounts, scale = wanted_amounts(options.amounts), parse_choice(options.scale)
    taken = take_bars(vae, source, options.track, options.first_bar, "the tune")
    vae = vae.in_meter(taken.melody.meter)
    model = vae.model
    (start,), _, decisions = tunes_in_scale([taken.melody], [taken.found.key], scale, (taken.label,))
    melodies = moved(
        model,
        start,
        options.amounts,
        options.count,
        options.temperature,
        vae.draws(options.seed),
        scale,
        options.candidates,
    )
    ends = [taken.melody, melodies[0], melodies[-1]]
    tune, before, after = measure(np.stack([model.vocabulary.encode(melody) for melody in ends]), vae.config).tolist()
    deviations = AttributeVectors.from_extras(model.extras, vae.config.latent_size).deviations.tolist()
    asked = [
        value + amount * deviation if amount else None
        for value, amount, deviation in zip(before, amounts.tolist(), deviations, strict=True)
    ]
    return Morph(
        melodies=tuple(melodies),
        sources=(taken,),
        decisions=tuple(decisions),
        seed=options.seed,
        keys=(kept_key(taken, scale),) * len(melodies),
        original=taken.melody,
        measures=dict(zip(ATTRIBUTES, zip(tune, before, after, asked, strict=True), strict=True)),
    )

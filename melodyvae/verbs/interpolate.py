"""``interpolate``: the melodies between two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from melodyvae.music.arrangement import Accompaniment, accompaniment_of, transposed
from melodyvae.music.harmony import harmony_under, parts_in_scale
from melodyvae.music.scales import Scale, parse_choice
from melodyvae.options import Option, Options
from melodyvae.verbs.common import (
    Bars,
    FirstBarOfEach,
    KeyName,
    ScaleName,
    Seed,
    Temperature,
    Tempo,
    TrackOfEach,
    for_each,
    take_all_of_each,
)
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.results import Interpolation, signed
from melodyvae.verbs.sources import MelodySource
from melodyvae.verbs.walk import pick_ends, walk


@dataclass(frozen=True, kw_only=True)
class InterpolateOptions(Options):
    """Options for the walk from one tune to another."""

    count: Annotated[int, Option("Tunes, ends included.", low=2, high=10_000, flags=("n",))] = 8
    first_bar: FirstBarOfEach = None
    track: TrackOfEach = "auto"
    ends: Annotated[
        Literal["exact", "model", "original"],
        Option(
            "exact: A and B come back note for note; model: as the model remembers them; original: A and B themselves."
        ),
    ] = "exact"
    spacing: Annotated[
        Literal["even", "latent"],
        Option("even: evenly far apart to the ear; latent: in equal steps of the model's space."),
    ] = "even"
    bars: Bars = None
    key: KeyName = "a"
    tempo: Tempo = "a"
    scale: ScaleName = "auto"
    keep_accompaniment: Annotated[bool, Option("Let A's other tracks play under each tune, B too.")] = False
    temperature: Temperature = 0.0
    seed: Seed = 0


@signed
def interpolate(vae: HeldModel, start: MelodySource, end: MelodySource, options: InterpolateOptions) -> Interpolation:
    """Walk from ``start`` to ``end``, both included; see :mod:`melodyvae.verbs.walk`.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> a, b = vae.sample(2, seed=1)
    >>> walk = vae.interpolate(a, b, 5)
    >>> len(walk), walk.exact
    (5, (True, True))
    >>> walk[0].notes == a.notes
    True

    Raises:
        OptionError: for an option with a value that it does not take.
        MidiError, MelodyError: if a source cannot be read, or has no melody.
        WindowError: if there is no such bar, or no note in the bars.
        ScaleError: if there is no such scale or key.
    """
    bars: list[int | None] = for_each(options.first_bar, 2, "first_bar")
    read = take_all_of_each(vae, (start, end), options.track)
    vae = vae.in_meter(read[0].melody.meter)
    picked = pick_ends(vae.model, (read[0].found, read[1].found), (bars[0], bars[1]), options.bars)
    sources = tuple(replace(taken, window=window) for taken, window in zip(read, picked.windows, strict=True))
    start_melody, end_melody = (taken.melody for taken in sources)
    accompaniment, harmony = Accompaniment(()), None
    if options.keep_accompaniment:
        accompaniment = accompaniment_of(read[0].found, picked.windows[0].grid_bar, start_melody.bars)
        scale = parse_choice(options.scale)
        if isinstance(scale, Scale):
            moved = parts_in_scale(accompaniment.parts, start_melody, scale, picked.keys[0])
            accompaniment = replace(accompaniment, parts=moved)
        harmony = harmony_under(accompaniment.parts, start_melody, picked.pieces[0])
    way = walk(
        vae.model, start_melody, end_melody, options, vae.draws(options.seed), picked.keys, picked.pieces, harmony
    )
    decisions = [*picked.decisions, *way.decisions]
    backings = None
    if options.keep_accompaniment:
        backings = tuple(transposed(accompaniment.parts, shift) for shift in way.key_shifts)
        decisions.append(accompaniment)
    return Interpolation(
        melodies=way.melodies,
        sources=sources,
        decisions=tuple(decisions),
        seed=options.seed,
        keys=way.keys,
        distances=way.distances,
        distinct=way.distinct,
        originals=way.ends,
        steps_right=way.steps_right,
        key_shifts=way.key_shifts,
        backings=backings,
    )

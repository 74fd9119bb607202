"""``continue``: a melody that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from melodyvae.music.scales import parse_choice
from melodyvae.options import Option, Options
from melodyvae.verbs import composing
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
from melodyvae.verbs.facts import DensityMissed, Fact, ScaleKept
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.results import Completion, signed
from melodyvae.verbs.sources import MelodySource


@dataclass(frozen=True, kw_only=True)
class ContinueOptions(Options):
    """Options for continuing a melody."""

    bars: Annotated[int, Option("Bars to add.", low=1, high=10_000)] = 8
    count: Tunes = 4
    track: Track = "auto"
    scale: ScaleName = "auto"
    temperature: Temperature = 1.0
    seed: Seed = 0


@signed
def continue_(vae: HeldModel, source: MelodySource, options: ContinueOptions) -> Completion:
    """Write ``source`` and some bars more after its last note; see :func:`melodyvae.verbs.composing.go_on`.

    >>> from melodyvae import MelodyVAE
    >>> composer = MelodyVAE.from_pretrained("melody-compose")
    >>> (tune,) = composer.sample(1, seed=1)
    >>> (longer,) = composer.continue_(tune, 1, bars=2, seed=1)
    >>> longer.bars - tune.bars
    2

    Raises:
        MidiError, MelodyError: if the source cannot be read, or has no melody.
        ComposingError: if the model does not look back, or the melody has no note.
        ScaleError: if there is no such scale.
    """
    composing.check_composes(vae.model)
    scale = parse_choice(options.scale)
    taken = take_all(vae, source, options.track)
    vae = vae.in_meter(taken.melody.meter)
    melody, draws = until_its_end(taken), vae.draws(options.seed)
    melodies = composing.go_on(vae.model, melody, options.bars, options.count, options.temperature, draws, scale)
    decisions: list[Fact] = [added_bars(taken, melody, options.bars)]
    kept = composing.scale_after(melody, scale)
    if kept is not None:
        decisions.append(ScaleKept(kept, kept, is_of_bars=True))
    usual = composing.usual_density(melody)
    reached = [composing.density_of(longer.window(melody.bars, options.bars)) for longer in melodies]
    if not all(composing.is_near_density(density, usual) for density in reached):
        decisions.append(DensityMissed(usual, tuple(reached), is_asked_for=False))
    return Completion(
        melodies=tuple(melodies),
        sources=(taken,),
        decisions=tuple(decisions),
        seed=options.seed,
        keys=(kept_key(taken, scale),) * len(melodies),
        original=melody,
        hidden=tuple(range(melody.bars + 1, melody.bars + options.bars + 1)),
    )

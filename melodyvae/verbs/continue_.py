"""``continue``: a melody that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from melodyvae.generation import composing
from melodyvae.generation.results import Completion
from melodyvae.generation.sources import MelodySource
from melodyvae.options import Option, Options
from melodyvae.verbs.common import Seed, Temperature, Track, Tunes, kept_key, take_all
from melodyvae.verbs.held import HeldModel


@dataclass(frozen=True, kw_only=True)
class ContinueOptions(Options):
    """How a melody goes on."""

    bars: Annotated[int, Option("Bars to add.", low=1, high=10_000)] = 8
    count: Tunes = 4
    track: Track = "auto"
    temperature: Temperature = 1.0
    seed: Seed = 0


def continue_(vae: HeldModel, source: MelodySource, options: ContinueOptions) -> Completion:
    """Write ``source`` and some bars more; see :func:`melodyvae.generation.composing.go_on`.

    >>> from melodyvae import MelodyVAE
    >>> composer = MelodyVAE.from_pretrained("melody-compose")
    >>> (tune,) = composer.sample(1, seed=1)
    >>> (longer,) = composer.continue_(tune, 1, bars=2, seed=1)
    >>> longer.bars - tune.bars
    2

    Raises:
        MidiError, MelodyError: if the source cannot be read, or has no melody.
        ComposingError: if the model does not look back, or the last bars have no note.
    """
    composing.check_composes(vae.model)
    taken = take_all(vae, source, options.track)
    generator = vae.draws(options.seed)
    melodies = composing.go_on(vae.model, taken.melody, options.bars, options.count, options.temperature, generator)
    last = len(taken.found.layout.bar_starts)
    added = "1 bar is" if options.bars == 1 else f"{options.bars} bars are"
    return Completion(
        melodies=tuple(melodies),
        sources=(taken,),
        decisions=(f"{added} added after bar {last}",),
        seed=options.seed,
        key=kept_key(taken, "auto"),
        original=taken.melody,
        hidden=tuple(range(last + 1, last + options.bars + 1)),
    )

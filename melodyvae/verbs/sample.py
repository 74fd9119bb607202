"""``sample``: new melodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from secrets import randbits
from typing import Annotated, Any, Literal

from melodyvae.music.melody import Melody
from melodyvae.music.scales import key_named, parse_choice
from melodyvae.options import Option, Options
from melodyvae.verbs import composing, sampling
from melodyvae.verbs.common import Novel, ScaleName, Temperature, Tunes
from melodyvae.verbs.facts import NewSeed
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.meters import COMPOSED_BARS
from melodyvae.verbs.novelty import index_of, redraw_near_copies
from melodyvae.verbs.prior import PriorError
from melodyvae.verbs.results import Samples, signed


@dataclass(frozen=True, kw_only=True)
class SampleOptions(Options):
    """Options for drawing new melodies; all but count, tempo, scale and draws is for models that look back."""

    count: Tunes = 8
    bars: Annotated[int | None, Option("How long.", low=1, high=10_000, default="the model's")] = None
    key: Annotated[
        str | None, Option("In this key, such as G:major or A:minor: chosen and transposed.", parse=key_named)
    ] = None
    density: Annotated[float | None, Option("Notes per bar: the nearest are chosen.", low=0.1)] = None
    pitches: Annotated[
        tuple[int, int] | None,
        Option(
            "Lowest and highest MIDI pitch: chosen and transposed.",
            low=0,
            high=127,
            flags=("range",),
        ),
    ] = None
    form: Annotated[
        Literal["song", "any"] | None,
        Option(
            "song: tunes are chosen that close and take a bar up again; any: not.",
            default="song of a model that looks back",
        ),
    ] = None
    tempo: Annotated[float, Option("Quarters per minute.", low=10, high=400)] = 120.0
    scale: ScaleName = "auto"
    prior: Annotated[
        Literal["fitted", "normal"] | None,
        Option("For melody-2bar: z from a Gaussian fitted to the training melodies (its default), or from N(0, I)."),
    ] = None
    novel: Novel = False
    temperature: Temperature = 1.0
    seed: Annotated[
        int | None, Option("The same seed, the same files.", low=0, high=2**32 - 1, default="a new one")
    ] = None

    def wish(self, is_song: bool = False) -> composing.Wish:
        """The wish for the tunes."""
        low, high = self.pitches or (None, None)
        key = None if self.key is None else key_named(self.key)
        return composing.Wish(key, self.density, low, high, is_song)

    def check_together(self) -> None:
        """Raise :class:`~.composing.ComposingError` if no tune can meet key, scale, range and density together."""
        self.wish().check(parse_choice(self.scale), self.bars or COMPOSED_BARS)


@signed
def sample(vae: HeldModel, options: SampleOptions) -> Samples:
    """Write new melodies.

    >>> from melodyvae import MelodyVAE
    >>> vae = MelodyVAE.from_pretrained("melody-2bar")
    >>> vae.sample(3, scale="G:major", seed=1)
    <Samples of 3 melodies, seed 1>

    Raises:
        PriorError: if the fitted prior is asked of a model that has none.
        NoveltyError: if ``novel`` is asked of a model without the index of its training melodies.
        ScaleError: if there is no such scale or key.
        ComposingError: if no tune can be as asked for, or what only a model that looks back can do is asked of another.
    """
    composes = vae.config.look_back
    wish = options.wish(is_song=options.form == "song" or (options.form is None and composes))
    if not composes:
        _check_needs_no_composer(vae, options)
    elif options.prior == "fitted":
        raise PriorError("the model draws from the prior that it has learned; prior fitted is of melody-2bar")
    scale = parse_choice(options.scale)
    wish.check(scale, options.bars or vae.config.bars, vae.config.steps_per_bar, vae.model.vocabulary)
    is_new = options.seed is None
    seed = randbits(32) if options.seed is None else options.seed
    how: dict[str, Any] = {
        "temperature": options.temperature,
        "draws": vae.draws(seed),
        "quarters_per_minute": options.tempo,
        "scale": scale,
    }
    draw: Callable[[int], list[Melody]]
    if composes:
        draw = partial(composing.compose, vae.model, bars=options.bars, wish=wish, **how)
    else:
        draw = partial(sampling.sample, vae.model, prior=options.prior, **how)
    if options.novel:
        melodies = redraw_near_copies(draw, options.count, index_of(vae.model), vae.model.vocabulary)
    else:
        melodies = draw(options.count)
    again = (NewSeed(seed),) if is_new else ()
    return Samples(
        melodies=tuple(melodies),
        decisions=(*again, *replace(wish, is_song=options.form == "song").shortfalls(melodies)),
        seed=seed,
        known=vae.novelty,
        vocabulary=vae.model.vocabulary,
    )


def _check_needs_no_composer(vae: HeldModel, options: SampleOptions) -> None:
    """Raise :class:`~.composing.ComposingError` naming the options that only a model that looks back has."""
    asked = {
        "bars": options.bars not in (None, vae.config.bars),
        "key": options.key is not None,
        "density": options.density is not None,
        "range": options.pitches is not None,
        "form": options.form == "song",
    }
    if any(asked.values()):
        composing.check_composes(vae.model, *(name for name, is_asked in asked.items() if is_asked))

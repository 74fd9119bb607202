"""``sample``: new melodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from secrets import randbits
from typing import Annotated, Any

from melodyvae.music.melody import Melody
from melodyvae.music.scales import key_named, parse_choice
from melodyvae.music.styles import STYLES, style_code
from melodyvae.network.network import MelodyNetwork
from melodyvae.options import Option, Options
from melodyvae.verbs import composing, sampling
from melodyvae.verbs.common import Novel, ScaleName, Temperature, Tunes, parse_meter
from melodyvae.verbs.facts import NewSeed
from melodyvae.verbs.form import Form
from melodyvae.verbs.held import HeldModel
from melodyvae.verbs.meters import COMPOSED_BARS
from melodyvae.verbs.novelty import index_of, redraw_near_copies
from melodyvae.verbs.prior import Prior, PriorError
from melodyvae.verbs.results import Samples, signed

STYLE_METERS = {"jig": "6/8", "slip jig": "9/8", "polka": "2/4", "waltz": "3/4"}


def parse_style(name: str) -> str:
    """The name of a style, checked.

    Raises:
        StyleError: if there is none of that name.
    """
    style_code(name)
    return name


@dataclass(frozen=True, kw_only=True)
class SampleOptions(Options):
    """Options for drawing new melodies; length, key, density, range and form are for models that look back."""

    count: Tunes = 8
    meter: Annotated[
        str | None, Option("Such as 3/4 or 6/8.", parse=parse_meter, metavar="METER", default="the style's, or 4/4")
    ] = None
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
    style: Annotated[
        str | None, Option("Their kind: reel, jig, hornpipe, waltz, hymn, song, ...", parse=parse_style)
    ] = None
    form: Annotated[
        Form,
        Option(
            "How phrases come back: as in tunes of the style (auto), as the letters say, never (through); any leaves "
            "it to the model and chooses nothing.",
        ),
    ] = "auto"
    tempo: Annotated[float, Option("Quarters per minute.", low=10, high=400)] = 120.0
    program: Annotated[int, Option("MIDI instrument, from 0: 0 is a piano, 73 a flute.", low=0, high=127)] = 0
    scale: ScaleName = "auto"
    prior: Annotated[
        Prior | None,
        Option("For melody-2bar: z from a Gaussian fitted to the training melodies (its default), or from N(0, I)."),
    ] = None
    novel: Novel = False
    temperature: Temperature = 1.0
    seed: Annotated[
        int | None, Option("The same seed, the same files.", low=0, high=2**32 - 1, default="a new one")
    ] = None

    def wish(self, closes: bool = False) -> composing.Wish:
        """The wish for the tunes."""
        low, high = self.pitches or (None, None)
        key = None if self.key is None else key_named(self.key)
        return composing.Wish(key, self.density, low, high, closes)

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
        ConfigError: if the model's bars have no room for those of the meter.
        ComposingError: if no tune can be as asked for, or what only a model that looks back can do is asked of another.
    """
    meter = options.meter or STYLE_METERS.get(options.style or "")
    if meter is not None:
        vae = vae.in_meter(parse_meter(meter), vae.model.room.composed_grid(parse_meter(meter)))
    composes = vae.config.look_back
    wish, model = options.wish(closes=composes and options.form != "any"), vae.model
    if not composes:
        _check_needs_no_composer(vae, options)
    elif options.prior == "fitted":
        raise PriorError("the model draws from the prior that it has learned; prior fitted is of melody-2bar")
    scale = parse_choice(options.scale)
    wish.check(scale, options.bars or model.config.bars, model.config.steps_per_bar)
    is_new = options.seed is None
    seed = randbits(32) if options.seed is None else options.seed
    how: dict[str, Any] = {
        "temperature": options.temperature,
        "draws": vae.draws(seed),
        "quarters_per_minute": options.tempo,
        "program": options.program,
        "scale": scale,
    }
    draw: Callable[[int], list[Melody]]
    styles: dict[Melody, str] = {}
    if composes:
        how |= {"bars": options.bars, "wish": wish, "style": options.style, "form": options.form}
        draw = partial(_composed, model, styles, **how)
    else:
        draw = partial(sampling.sample, model, prior=options.prior, **how)
    if options.novel:
        melodies = redraw_near_copies(draw, options.count, index_of(model))
    else:
        melodies = draw(options.count)
    again = (NewSeed(seed),) if is_new else ()
    return Samples(
        melodies=tuple(melodies),
        decisions=(*again, *wish.shortfalls(melodies)),
        seed=seed,
        known=vae.novelty,
        styles=tuple(styles[melody] for melody in melodies) if composes else (),
    )


def _composed(model: MelodyNetwork, styles: dict[Melody, str], count: int, **how: Any) -> list[Melody]:
    """New tunes, whose styles are noted among ``styles``."""
    composed = composing.compose(model, count, **how)
    names = [STYLES[code - 1] if code else "" for code in composed.styles]
    styles |= zip(composed.melodies, names, strict=True)
    return composed.melodies


def _check_needs_no_composer(vae: HeldModel, options: SampleOptions) -> None:
    """Raise :class:`~.composing.ComposingError` naming the options that only a model that looks back has."""
    asked = {
        "bars": options.bars not in (None, vae.config.bars),
        "key": options.key is not None,
        "density": options.density is not None,
        "range": options.pitches is not None,
        "style": options.style is not None,
        "form": options.form != "auto",
    }
    if any(asked.values()):
        composing.check_composes(vae.model, *(name for name, is_asked in asked.items() if is_asked))

"""A trained model -> new melodies, and long melodies as it remembers them."""

from __future__ import annotations

from typing import Any

from melodyvae.music.melody import Melody
from melodyvae.music.scales import Scale, ScaleChoice
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.codec import (
    decode_melodies,
    decode_tokens,
    fields_of,
    posterior_means,
    tied_like,
)
from melodyvae.verbs.in_scale import rules_of, rules_of_each
from melodyvae.verbs.prior import Prior, draw_latents
from melodyvae.verbs.sources import windows_of


def sample(
    model: MelodyNetwork,
    count: int,
    temperature: float = 1.0,
    draws: Draws | None = None,
    scale: Scale | ScaleChoice = "none",
    prior: Prior | None = None,
    **fields: Any,
) -> list[Melody]:
    """``count`` new melodies: z drawn from a prior, tokens drawn at ``temperature``.

    Args:
        model: the model.
        count: how many, at least 1.
        temperature: of the tokens' draw; 0 takes the most probable token.
        draws: the source of all draws.
        scale: ``auto`` writes each melody a second time, in the scale that fits it best; ``none`` does not; a scale
            keeps all to it.
        prior: ``fitted`` to the codes of the training windows or ``normal``; None takes the fitted one if there is one.
        fields: what else the melodies carry, such as ``quarters_per_minute`` or ``program``.

    Raises:
        PriorError: if the fitted prior is asked of a model that has none.
    """
    rules = rules_of(scale) if isinstance(scale, Scale) else None
    z = draw_latents(model, count, prior, draws, rules)
    if scale == "auto":
        rules = rules_of_each(decode_tokens(model, z, temperature, draws))
    return decode_melodies(model, z, temperature, draws, rules, **fields)


def reconstruct(model: MelodyNetwork, melody: Melody, temperature: float, draws: Draws) -> Melody:
    """``melody`` as the model remembers it: window by window through the posterior means, joined, at its own length.

    A note held across the border of two windows is held there again if the same pitch comes back on both sides. The
    last window is padded for the model and cut again afterwards.
    """
    means = posterior_means(model, windows_of(model, melody))
    remembered = Melody.join(decode_melodies(model, means, temperature, draws, **fields_of(melody)))
    whole = remembered.window(0, melody.bars) if remembered.bars > melody.bars else remembered
    return tied_like(whole, melody, model.config.bars)

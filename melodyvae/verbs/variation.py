"""More walks through the latent space: near a tune, between four tunes, and sums of tunes.

Conventions: a *window* is a melody of exactly the model's bars; everything drawn comes from the ``Draws``
that is passed in. All results have the tempo and the instrument of the first melody given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.scales import Scale, ScaleChoice
from melodyvae.network.draws import Draws
from melodyvae.network.latent import slerp
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.verbs.codec import (
    decode_tokens,
    exact_latents,
    fields_of,
    posterior_means,
    whole_melody,
)
from melodyvae.verbs.in_scale import NEAR_MARGIN, Surroundings
from melodyvae.verbs.sources import windows_of

MAX_DRAWS = 20
# Half of the neighbours of a two-bar tune differ from it on 7 sixteenths of 32 or more, and 7% on one or two (24 tunes,
# pop songs and folk songs, eight neighbours each); at 0.3 it was 2 sixteenths, and 54%.
AMOUNT = 0.45


def vary(
    model: MelodyNetwork,
    window: Melody,
    count: int = 8,
    amount: float = AMOUNT,
    temperature: float = 0.0,
    draws: Draws | None = None,
    rules: TokenRules | None = None,
    is_refused: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[Melody]:
    """Near neighbours of a window, each different from it and from the others: ``count``, or as many as there are.

    z = sqrt(1 - amount^2) * mean + amount * draw, with the posterior mean and a draw from the model's prior: where both
    are distributed as N(0, I), so is z. Amount 0 is the window as the model remembers it, 1 a new melody.

    Args:
        model: the model.
        window: the melody.
        count: how many, at least 1.
        amount: 0 to 1.
        temperature: of the tokens' draw; 0 takes the most probable melody at each z.
        draws: the source of all draws.
        rules: what keeps them in a scale (see :func:`~melodyvae.verbs.in_scale.rules_near`); None allows all.
        is_refused: which token windows of ``(N, T)`` are drawn again, booleans ``(N,)``; with it the window itself does
            not stand in for neighbours that are not found.
    """
    mean = posterior_means(model, [window])
    known = {model.vocabulary.encode(window).tobytes()}
    found: list[np.ndarray] = []
    spare: list[np.ndarray] = []
    for _ in range(MAX_DRAWS if amount > 0 or temperature > 0 else 1):
        wanted = count - len(found)
        z = math.sqrt(1 - amount**2) * mean + amount * model.prior(wanted).sample(draws)
        rows = decode_tokens(model, z, temperature, draws, rules)
        refused = np.zeros(len(rows), bool) if is_refused is None else is_refused(rows)
        for row in rows[~refused]:
            (spare if row.tobytes() in known else found).append(row)
            known.add(row.tobytes())
        if len(found) == count:
            break
    kept = found or (spare[:1] if is_refused is None else [])  # the window itself, if nothing else is to be had
    grid = {"steps_per_quarter": model.config.steps_per_quarter, **fields_of(window)}
    return [model.vocabulary.decode(row, **grid) for row in kept]


def grid(
    model: MelodyNetwork,
    corners: Sequence[Melody],
    count: int = 5,
    *,
    exact: bool = True,
    scale: Scale | ScaleChoice = "none",
) -> list[list[Melody]]:
    """``count`` rows of ``count`` melodies between four: first and last of the first row, then of the last.

    Along the left and the right edge, and then along each row, the way is the great arc. Longer melodies than the
    model's windows are decoded window by window.

    Args:
        model: the model.
        corners: four melodies of one length, in one key: top left, top right, bottom left, bottom right.
        count: at least 2.
        exact: refine the latents of the corners until they come back; otherwise they are as the model remembers them.
        scale: ``auto`` keeps what lies between to the scale of the four; ``none`` does not; a scale keeps all to it.
    """
    tunes = [windows_of(model, corner) for corner in corners]
    latents = [exact_latents(model, tune) if exact else posterior_means(model, tune) for tune in tunes]
    along = np.linspace(0, 1, count)
    paths = []
    for a, b, c, d in zip(*latents, strict=True):
        left, right = slerp(a, c, along), slerp(b, d, along)
        paths.append(np.concatenate([slerp(start, end, along) for start, end in zip(left, right, strict=True)]))
    around = Surroundings.of(tunes, scale)
    rows = around.decode(model, np.stack(paths, axis=1), grid_shares(count))
    melodies = [whole_melody(model, row, corners[0]) for row in rows]
    return [melodies[start : start + count] for start in range(0, count**2, count)]


def grid_shares(count: int) -> np.ndarray:
    """Weights of the corners in each melody of a grid, row by row: ``(count ** 2, 4)``."""
    down, across = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count), indexing="ij")
    corners = [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across]
    return np.stack([corner.ravel() for corner in corners], axis=1)


def arithmetic(
    model: MelodyNetwork,
    melodies: Sequence[Melody],
    signs: Sequence[int],
    temperature: float = 0.0,
    draws: Draws | None = None,
    scale: Scale | ScaleChoice = "none",
) -> Melody:
    """The melody at the sum of the posterior means of melodies of one length, each times its sign, 1 or -1.

    ``scale`` is that of the melodies that are added (``auto``), no scale (``none``), or any other.
    """
    tunes = [windows_of(model, melody) for melody in melodies]
    means = np.stack([posterior_means(model, tune) for tune in tunes])  # (terms, W, Z)
    z = (means * np.array(signs, means.dtype)[:, None, None]).sum(axis=0)
    added = [tune for tune, sign in zip(tunes, signs, strict=True) if sign > 0] or tunes
    around = Surroundings.of(added, scale)
    shares = np.full((1, len(added)), 1 / len(added))
    row = around.decode(model, z[None], shares, temperature, draws, free_ends=False, margin=NEAR_MARGIN)[0]
    return whole_melody(model, row, melodies[0])


def steps_changed(model: MelodyNetwork, melody: Melody, window: Melody) -> int:
    """On how many steps two melodies of one length have different tokens."""
    return int((model.vocabulary.encode(melody) != model.vocabulary.encode(window)).sum())

"""More walks through the latent space: near a tune, between four tunes, and sums of tunes.

Conventions: a *window* is a melody of exactly the model's bars; everything drawn comes from the ``torch.Generator``
that is passed in. All results have the tempo and the instrument of the first melody given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from data_prep.melody import Melody
from melodyvae.generation.codec import (
    check_count,
    decode_melodies,
    decode_tokens,
    exact_latents,
    fields_of,
    posterior_means,
)
from melodyvae.models.latent import slerp

if TYPE_CHECKING:
    from melodyvae.models.melody import MelodyModel

MOST_DRAWS = 20


def vary(
    model: MelodyModel,
    window: Melody,
    count: int = 8,
    amount: float = 0.3,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> list[Melody]:
    """``count`` near neighbours of a window, each different from it and from the others while that is to be had.

    z = sqrt(1 - amount^2) * mean + amount * draw, with the posterior mean and a draw from the model's prior: where both
    are distributed as N(0, I), so is z. Amount 0 is the window as the model remembers it, 1 a new melody.

    Args:
        model: the model.
        window: the melody.
        count: how many, at least 1.
        amount: 0 to 1.
        temperature: of the tokens' draw; 0 takes the most probable melody at each z.
        generator: the source of all draws.

    Raises:
        ValueError: if the count or the amount is out of range.
    """
    check_count(count, 1)
    if not 0 <= amount <= 1:
        raise ValueError(f"amount is {amount}; it must lie between 0 and 1")
    mean = posterior_means(model, [window])
    known = {model.vocabulary.encode(window).tobytes()}
    found: list[np.ndarray] = []
    spare: list[np.ndarray] = []
    for _ in range(MOST_DRAWS if amount > 0 or temperature > 0 else 1):
        wanted = count - len(found)
        z = math.sqrt(1 - amount**2) * mean + amount * model.prior(wanted).sample(generator)
        for row in decode_tokens(model, z, temperature, generator):
            (spare if row.tobytes() in known else found).append(row)
            known.add(row.tobytes())
        if len(found) == count:
            break
    rows = [*found, *spare][:count]
    return [model.vocabulary.decode(row, **_grid_of(model), **fields_of(window)) for row in rows]


def grid(model: MelodyModel, corners: Sequence[Melody], count: int = 5, *, exact: bool = True) -> list[list[Melody]]:
    """``count`` rows of ``count`` melodies between four windows: first and last of the first row, then of the last.

    Along the left and the right edge, and then along each row, the way is the great arc.

    Args:
        model: the model.
        corners: four windows: top left, top right, bottom left, bottom right.
        count: at least 2.
        exact: refine the latents of the corners until they come back; otherwise they are as the model remembers them.

    Raises:
        ValueError: if there are not four corners, or the count is too low.
    """
    check_count(count, 2)
    if len(corners) != 4:
        raise ValueError(f"a grid has 4 corners, not {len(corners)}")
    latents = exact_latents(model, corners) if exact else posterior_means(model, corners)
    weights = torch.linspace(0, 1, count, device=latents.device)
    left, right = slerp(latents[0], latents[2], weights), slerp(latents[1], latents[3], weights)
    rows = torch.cat([slerp(start, end, weights) for start, end in zip(left, right, strict=True)])
    melodies = decode_melodies(model, rows, 0.0, None, **fields_of(corners[0]))
    return [melodies[start : start + count] for start in range(0, count**2, count)]


def arithmetic(
    model: MelodyModel,
    windows: Sequence[Melody],
    signs: Sequence[int],
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Melody:
    """The melody at the sum of the windows' posterior means, each times its sign, 1 or -1.

    Raises:
        ValueError: if there are not as many signs as windows, or none.
    """
    if not windows or len(windows) != len(signs):
        raise ValueError(f"{len(windows)} windows and {len(signs)} signs; there must be as many, and at least one")
    means = posterior_means(model, windows)
    z = (means * torch.tensor(signs, dtype=means.dtype, device=means.device)[:, None]).sum(dim=0, keepdim=True)
    return decode_melodies(model, z, temperature, generator, **fields_of(windows[0]))[0]


def steps_changed(model: MelodyModel, melody: Melody, window: Melody) -> int:
    """On how many steps two melodies of one length have different tokens."""
    return int((model.vocabulary.encode(melody) != model.vocabulary.encode(window)).sum())


def _grid_of(model: MelodyModel) -> dict[str, int]:
    return {"steps_per_quarter": model.config.steps_per_quarter}

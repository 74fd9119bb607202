"""A melody with its character moved: denser, narrower, more syncopated, the rest of it kept.

Moving z straight along an attribute's direction, as the MusicVAE paper does (see
:mod:`melodyvae.verbs.attribute_vectors`), has two faults in a latent space that holds melodies exactly: nothing
happens for a stretch, and what then changes is more than the attribute (pitches leave the key, the range widens, in
whichever direction one goes). So the directions only propose: of many points around the straight move, the one is taken
whose melody, decoded and measured, comes nearest to what was asked for in the attribute that is moved, to what it was
in the others, and to the melody itself. With one candidate the straight move is left as it is.

Conventions: amounts are in standard deviations of the attribute over the training windows; A, Z and the order of the
attributes as in :mod:`melodyvae.verbs.attribute_vectors`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.scales import Scale, ScaleChoice
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.token_rules import TokenRules
from melodyvae.verbs.attribute_vectors import AttributeVectors
from melodyvae.verbs.attributes import ATTRIBUTES, measure
from melodyvae.verbs.codec import decode_tokens, exact_latents, fields_of
from melodyvae.verbs.in_scale import rules_near, rules_of

CANDIDATES = 192
ROUNDS = 6  # of candidates, each around the best found so far
MOVED_WEIGHT = 4.0  # of what is asked for, against 1 for each attribute that is to stay
STEPS_WEIGHT = 0.5  # of the share of steps that differ from the melody as it is
OVERSHOOT = 3.0  # the longest straight move that is tried, in times of what is missing
SIDEWAYS = 0.4  # standard deviation of the moves along the other directions
NOISE = (0.0, 0.2, 0.4)  # of the spread of z over the training windows
MAX_AMOUNT = 5.0  # standard deviations of the training tunes
FREE_MARGIN = 24  # semitones beyond the tune's range, which is one of the attributes
SHORTHANDS = {"syncopation": ("syncopation-8", "syncopation-16")}


def morph(
    model: MelodyNetwork,
    melody: Melody,
    amounts: Mapping[str, float],
    count: int = 5,
    temperature: float = 0.0,
    draws: Draws | None = None,
    scale: Scale | ScaleChoice = "none",
    candidates: int = CANDIDATES,
) -> list[Melody]:
    """``count`` melodies, from ``melody`` itself to the one with its attributes moved by ``amounts``.

    An attribute cannot be moved beyond what it can be (no less than no syncopation): the nearest found is taken.

    Args:
        model: a trained model with directions.
        melody: a window (see :func:`melodyvae.verbs.sources.pick_window`).
        amounts: by attribute, or ``syncopation`` for both of its grids; what is not named is to stay.
        count: how many melodies, at least 2; the amounts grow evenly.
        temperature: 0 takes the most probable melody at each point.
        draws: the source of all draws; None draws the same every time.
        scale: ``auto`` keeps the melodies to the scale that fits ``melody`` best, and to the notes of its own; ``none``
            does not; a scale keeps them to it, in which ``melody`` must be.
        candidates: how many melodies are tried for each one; 1 takes the straight move.

    Raises:
        AttributeVectorsError: if the model has no directions.
        ValueError: on an amount out of range.
    """
    wanted = wanted_amounts(amounts)
    directions = AttributeVectors.from_extras(model.extras, model.config.latent_size)
    draws = draws or Draws(0)
    rules = rules_of(scale) if isinstance(scale, Scale) else rules_near(melody, scale, margin=FREE_MARGIN)
    z = exact_latents(model, [melody])
    tokens = (
        model.vocabulary.encode(melody)[None]
        if temperature == 0
        else decode_tokens(model, z, temperature, draws, rules)
    )
    start, rows = (z, tokens), [tokens[0]]
    for index in range(1, count):
        part = wanted * index / (count - 1)
        z, tokens = move(model, directions, start, (z, tokens), part, candidates, temperature, draws, rules)
        rows.append(tokens[0])
    grid = {"steps_per_quarter": model.config.steps_per_quarter, **fields_of(melody)}
    return [model.vocabulary.decode(row, **grid) for row in rows]


def wanted_amounts(amounts: Mapping[str, float]) -> np.ndarray:
    """The amount of each attribute ``(A,)``, 0 of those not named; an attribute named twice gets the sum.

    Raises:
        ValueError: on an amount beyond :data:`MAX_AMOUNT`.
    """
    names = list(ATTRIBUTES)
    wanted = np.zeros(len(names))
    for name, amount in amounts.items():
        for one in SHORTHANDS.get(name, (name,)):
            wanted[names.index(one)] += amount
    for name, amount in zip(names, wanted.tolist(), strict=True):
        if not -MAX_AMOUNT <= amount <= MAX_AMOUNT:
            raise ValueError(f"{name} is {amount:g}; it must lie between {-MAX_AMOUNT:g} and {MAX_AMOUNT:g}")
    return wanted


def move(
    model: MelodyNetwork,
    directions: AttributeVectors,
    start: tuple[np.ndarray, np.ndarray],
    here: tuple[np.ndarray, np.ndarray],
    amounts: np.ndarray,
    candidates: int = CANDIDATES,
    temperature: float = 0.0,
    draws: Draws | None = None,
    rules: TokenRules | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Latent vectors ``(N, Z)`` and their token windows ``(N, T)`` with the attributes of ``start`` moved.

    Args:
        model: the model.
        directions: of that model.
        start: latent vectors and token windows before any move, as :func:`decode_tokens` gives them.
        here: where the search begins: ``start``, or what a smaller move gave.
        amounts: of each attribute, ``(A,)``; with 0 throughout, ``start`` is what is nearest to it, and stays.
        candidates: how many points are tried; 1 adds the directions and looks no further.
        temperature: of the tokens' draw.
        draws: the source of all draws.
        rules: which tokens may come, the same for all; None allows all.
    """
    if not amounts.any():
        return start
    vectors = directions.vectors
    if candidates == 1:
        z = start[0] + amounts.astype(vectors.dtype) @ vectors
        return z, decode_tokens(model, z, temperature, draws, rules)
    deviations = deviations_of(directions)
    target = measure(start[1], model.config) / deviations + amounts
    weights = np.where(amounts != 0, MOVED_WEIGHT, 1.0)

    best_z, best_tokens = here
    for size in _rounds(candidates):
        gap = target - measure(best_tokens, model.config) / deviations
        near = _candidates(best_z, gap, amounts, directions, size, draws or Draws())
        tokens = decode_tokens(model, near.reshape(-1, near.shape[-1]), temperature, draws, rules)
        # The best so far stands beside them, so that nothing is lost.
        all_z = np.concatenate([best_z[None], near])
        all_tokens = np.concatenate([best_tokens[None], tokens.reshape(size, *best_tokens.shape)])
        measured = measure(all_tokens.reshape(-1, all_tokens.shape[-1]), model.config).reshape(size + 1, *target.shape)
        cost = (weights * (target - measured / deviations) ** 2).sum(axis=-1)
        cost += STEPS_WEIGHT * (all_tokens != start[1]).mean(axis=-1)
        choice, rows = cost.argmin(axis=0), np.arange(len(target))
        best_z, best_tokens = all_z[choice, rows], all_tokens[choice, rows]
    return best_z, best_tokens


def deviations_of(directions: AttributeVectors) -> np.ndarray:
    """The unit of each attribute's amounts; 1 of an attribute that was the same in all training windows."""
    found = directions.deviations.astype(np.float64)
    return np.where(found > 0, found, 1.0)


def _rounds(candidates: int) -> list[int]:
    """Number of candidates of each round."""
    sizes = [candidates // ROUNDS + (number < candidates % ROUNDS) for number in range(ROUNDS)]
    return [size for size in sizes if size]


def _candidates(
    centre: np.ndarray,
    gap: np.ndarray,
    amounts: np.ndarray,
    directions: AttributeVectors,
    count: int,
    draws: Draws,
) -> np.ndarray:
    """``count`` points near each ``centre`` ``(N, Z)``: ``(count, N, Z)``.

    Each goes some length along the directions of what is missing (``gap``, ``(N, A)``), a little along the others, and
    a little anywhere.
    """
    length = OVERSHOOT * draws.uniform(count, len(centre), 1)
    sideways = SIDEWAYS * draws.normal(count, *gap.shape)
    along = np.where(amounts != 0, length * gap, sideways)
    noise = np.array([NOISE[number % len(NOISE)] for number in range(count)])
    anywhere = directions.spread * draws.normal(count, *centre.shape)
    found = centre + along @ directions.vectors + noise[:, None, None] * anywhere
    return np.asarray(found, np.float32)

"""Directions of the latent space along which a melody's attributes change, fitted to a trained model.

After the attribute vectors of "A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music" (Roberts,
Engel, Raffel, Hawthorne, Eck, 2018), https://arxiv.org/abs/1803.05428: there, the mean latent vector of the training
windows in the highest quarter of an attribute minus that of the lowest quarter, over some 370,000 windows. Such a
difference brings along whatever else the two quarters differ in: dense windows also have wide ranges. Here the means of
z are regressed on all attributes at once, which gives each attribute's share of the difference with the others held.

Both were measured on 500 held-out windows of melody-2bar, each direction added at the same length (``quartiles`` and
``straight`` of ``tests/benchmarks/attribute_effects.py``). In parts of its effect on its own attribute, the joint
regression's range changes density by 0.26 (quartiles: 0.85), its syncopation on eighths changes it by 0.14 (0.51) and
that on sixteenths by 0.11 (0.32); its interval drags syncopation along more than the quartiles' does (0.85 against
-0.30). It is the better of the two on the whole, and what is fitted.

Conventions: A attributes in the order of :data:`~melodyvae.verbs.attributes.ATTRIBUTES`, Z latent dimensions; an
amount of 1 is one standard deviation of the attribute over the training windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from melodyvae.network.checkpoint import Fitted
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.rows import random_places, random_rows
from melodyvae.system.errors import UserError
from melodyvae.verbs.attributes import ATTRIBUTES, measure
from melodyvae.verbs.codec import decode_tokens, posterior_means

MAX_WINDOWS = 20_000  # 8,000 give the same effects; encoding takes most of the time
CALIBRATION_WINDOWS = 128
TRIED_LENGTHS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
FALLBACK_LENGTH = 2.0
MIN_EFFECT = 0.05
RIDGE = 1e-3


class AttributeVectorsError(UserError, ValueError):
    """A model has no attribute directions, or others than this version's."""


@dataclass(frozen=True)
class AttributeVectors(Fitted):
    """Fitted attribute vectors, float32.

    Attributes:
        vectors: ``(A, Z)``; adding one moves its attribute by about 1, or as far as a straight move can.
        means: of each attribute over the training windows, ``(A,)``, in its own unit.
        deviations: the standard deviation of each, ``(A,)``.
        spread: the standard deviation of each latent dimension's posterior mean over the training windows, ``(Z,)``.
    """

    EXTRA: ClassVar[str] = "attributes."

    vectors: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    spread: np.ndarray

    @classmethod
    def from_extras(cls, extras: Mapping[str, np.ndarray], latent_size: int) -> Self:
        """The directions that a checkpoint holds.

        Raises:
            AttributeVectorsError: if there are none, or not for this version's attributes.
            CheckpointError: if they are of another latent size.
        """
        if not cls.is_in(extras):
            raise AttributeVectorsError(
                "the model has no attribute directions, which `melodyvae train` fits at its end; use a model that "
                "was trained with this version of melodyvae"
            )
        count = int(np.prod(extras[cls.EXTRA + "vectors"].shape[:1]))
        if count != len(ATTRIBUTES):
            raise AttributeVectorsError(
                f"the model has directions for {count} attributes, this version of melodyvae has {len(ATTRIBUTES)}; "
                "train the model again"
            )
        shapes = {"vectors": (count, latent_size), "means": (count,), "deviations": (count,), "spread": (latent_size,)}
        return cls.read(extras, shapes)


def fit_attribute_vectors(model: MelodyNetwork, windows: np.ndarray) -> AttributeVectors:
    """The directions of a trained model, from training windows ``(N, T)``, of which at most 20,000 are drawn.

    An attribute that is the same in all windows gets the direction zero.
    """
    chosen = random_rows(windows, MAX_WINDOWS, seed=0)
    measured = measure(chosen, model.config)
    means, deviations = measured.mean(axis=0), measured.std(axis=0)
    z = posterior_means(model, chosen)
    vectors = joint_directions(z.astype(np.float64), (measured - means) / _not_zero(deviations))
    some = random_places(len(chosen), CALIBRATION_WINDOWS, 1)
    lengths = _calibrate(model, z[some], vectors, deviations)
    return AttributeVectors(
        *(found.astype(np.float32) for found in (vectors * lengths[:, None], means, deviations, z.std(axis=0)))
    )


def joint_directions(z: np.ndarray, standardised: np.ndarray) -> np.ndarray:
    """Unit vectors ``(A, Z)``: how z ``(N, Z)`` changes with each of the attributes ``(N, A)``, the others held.

    The coefficients of a ridge regression of z on the attributes, which have mean 0 and standard deviation 1.
    """
    count = standardised.shape[1]
    covariance = standardised.T @ standardised / len(z) + RIDGE * np.eye(count)
    return _unit(np.linalg.solve(covariance, standardised.T @ (z - z.mean(axis=0)) / len(z)))


def _calibrate(model: MelodyNetwork, z: np.ndarray, vectors: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """The least length tried, ``(A,)``, at which adding each unit vector raises its attribute by 1 on average.

    If no length raises an attribute that far, the length that raises it most, or if none does at all
    :data:`FALLBACK_LENGTH`.
    """
    before = measure(decode_tokens(model, z), model.config)
    lengths = np.where(deviations > 0, FALLBACK_LENGTH, 0.0)
    for index in np.flatnonzero(deviations > 0):
        direction = vectors[index].astype(z.dtype)
        best = MIN_EFFECT
        for length in TRIED_LENGTHS:
            after = measure(decode_tokens(model, z + length * direction), model.config)
            effect = (after - before)[:, index].mean() / deviations[index]
            if effect > best:
                best, lengths[index] = effect, length
            if effect >= 1:
                break
    return lengths


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / _not_zero(np.linalg.norm(vectors, axis=1, keepdims=True)))


def _not_zero(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, 1.0)

"""A judge of tunes: the log-odds that a tune is a real one and not a draw of the model, by its statistics.

Drafts are ranked by what tells real tunes from drawn ones: of several drafts the one is kept that a classifier of
training tunes against draws takes for real ("Discriminator Rejection Sampling", Azadi et al., 2019,
https://arxiv.org/abs/1810.06758). The classifier is a logistic regression on the statistics of a tune and on their
squares, so that too much counts against a tune as well as too little.

The best of many drafts may be more regular than real tunes are. So the choice is a draw, with probabilities
proportional to ``exp(sharpness * score)``, and the sharpness is fitted: tunes chosen among eight drafts have the mean
score of real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from melodyvae.music.melody import Melody
from melodyvae.music.statistics import STATISTICS, statistics_of
from melodyvae.network.checkpoint import check_extras
from melodyvae.network.draws import Draws

EXTRA = "judge."  # among a model's extras
# Left out: what others say more finely, and notes outside the scale, which drafts in a scale do not have.
FEATURES = tuple(
    name for name in STATISTICS if name not in ("with_phrases_exact", "with_phrases_rhythm", "out_of_scale")
)
MAX_SPREADS = 3.0  # from the mean; a statistic further away counts as so far
MIN_SPREAD = 1e-3
RIDGE = 30.0  # many statistics say nearly the same: weights stay small, and short tunes are judged as well
NEWTON_STEPS = 30
CANDIDATES = 8  # drafts of which one is chosen
MAX_SHARPNESS = 8.0
BISECTIONS = 24


@dataclass(frozen=True)
class Judge:
    """A classifier of real tunes against drawn ones; F is the number of statistics.

    Attributes:
        table: of each statistic its mean, its spread, and the weights of its distance from the mean in spreads and of
            the square of that, float32 ``(F, 4)``.
        bias: log-odds of a tune with the mean of all statistics.
        sharpness: of the choice among drafts, at most 8.
    """

    table: np.ndarray
    bias: float
    sharpness: float

    def score(self, melodies: Sequence[Melody]) -> np.ndarray:
        """Log-odds that each of N melodies is a real tune, ``(N,)``: 0 is as likely as not."""
        mean, spread, *weights = self.table.T.astype(np.float64)
        return np.asarray(_distances(_features(melodies), mean, spread) @ np.concatenate(weights) + self.bias)

    def drawn_score(self, melodies: Sequence[Melody], draws: Draws) -> np.ndarray:
        """Scores with noise, ``(N,)``: the highest is a draw in proportion to ``exp(sharpness * score)``.

        Gumbel noise does that ("A* Sampling", Maddison et al., 2014, https://arxiv.org/abs/1411.0030).
        """
        return self.score(melodies) + _gumbel(draws, len(melodies)) / self.sharpness

    def to_extras(self) -> dict[str, np.ndarray]:
        """The numbers as a checkpoint holds them."""
        return {EXTRA + "table": self.table, EXTRA + "choice": np.array([self.bias, self.sharpness], np.float32)}

    @classmethod
    def from_extras(cls, extras: Mapping[str, np.ndarray]) -> Self | None:
        """The judge that a checkpoint holds; None of a model that came without.

        Raises:
            CheckpointError: if it is damaged.
        """
        if EXTRA + "table" not in extras:
            return None
        check_extras(extras, {EXTRA + "table": (len(FEATURES), 4), EXTRA + "choice": (2,)})
        bias, sharpness = extras[EXTRA + "choice"].tolist()
        return cls(extras[EXTRA + "table"], bias, min(max(sharpness, MIN_SPREAD), MAX_SHARPNESS))


def fit_judge(real: Sequence[Melody], drawn: Sequence[Melody], seed: int = 0) -> Judge:
    """The judge that tells real tunes of training from drawn ones; both count the same, however many there are.

    It learns from their first halves, too, so that it can judge shorter tunes.

    Raises:
        ValueError: if there are none of either, or fewer than eight drawn ones.
    """
    if not real or len(drawn) < CANDIDATES:
        raise ValueError(f"there are {len(real)} real and {len(drawn)} drawn tunes; 1 and {CANDIDATES} are needed")
    tunes = [*real, *drawn]
    halves = [melody.window(0, max(melody.bars // 2, 1)) for melody in tunes]
    features = _features([*tunes, *halves])
    is_real = np.tile(np.arange(len(tunes)) < len(real), 2)
    shares = np.where(is_real, 0.5 / len(real), 0.5 / len(drawn)) * len(tunes)
    mean = features.mean(axis=0)
    spread = np.maximum(features.std(axis=0), MIN_SPREAD)
    mean, spread = mean.astype(np.float32), spread.astype(np.float32)  # as they are stored
    distances = _distances(features, mean, spread)
    *weights, bias = _logistic_regression(distances, is_real, shares)
    table = np.stack([mean, spread, *np.reshape(weights, (2, -1))], axis=1).astype(np.float32)
    scores = (distances @ np.array(weights) + bias)[: len(tunes)]
    sharpness = _fitting_sharpness(scores[: len(real)].mean(), scores[len(real) :], seed)
    return Judge(table, float(bias), sharpness)


def _features(melodies: Sequence[Melody]) -> np.ndarray:
    """The statistics of N melodies, ``(N, F)``."""
    statistics = statistics_of(melodies)
    return np.stack([statistics[name].of_each for name in FEATURES], axis=1)


def _distances(features: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Distances from the mean in spreads, and their squares: ``(N, 2 F)``."""
    distances = np.clip((features - mean) / spread, -MAX_SPREADS, MAX_SPREADS)
    return np.concatenate([distances, distances**2], axis=1)


def _logistic_regression(inputs: np.ndarray, is_real: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Weights of inputs ``(N, K)``, then the bias, ``(K + 1,)``: Newton's method, with a ridge on the weights."""
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    ridge = np.full(inputs.shape[1], RIDGE)
    ridge[-1] = 1e-6
    weights = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (shares * (chances - is_real)) + ridge * weights
        curvature = (inputs * (shares * chances * (1 - chances))[:, None]).T @ inputs + np.diag(ridge)
        weights = weights - np.linalg.solve(curvature, slope)
    return weights


def _fitting_sharpness(real_score: float, scores: np.ndarray, seed: int) -> float:
    """The sharpness with which one of eight drafts has the mean score of real tunes, the greatest if none has."""
    groups = len(scores) // CANDIDATES
    order = np.random.default_rng(seed).permutation(len(scores))[: groups * CANDIDATES]
    drafts = scores[order].reshape(groups, CANDIDATES)

    def chosen(sharpness: float) -> float:
        """The expected score of a draft so chosen."""
        weights = np.exp(sharpness * (drafts - drafts.max(axis=1, keepdims=True)))
        return float(((weights * drafts).sum(axis=1) / weights.sum(axis=1)).mean())

    low, high = MIN_SPREAD, MAX_SHARPNESS
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if chosen(middle) < real_score else (low, middle)
    return high


def _gumbel(draws: Draws, count: int) -> np.ndarray:
    return np.asarray(-np.log(-np.log(np.clip(draws.uniform(count), 1e-12, 1 - 1e-12))))

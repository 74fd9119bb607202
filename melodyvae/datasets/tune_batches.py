"""Batches for a model that is told conditions: tunes and parts of scores in a chosen proportion, with what is known.

Conventions: tokens are int64 ``(B, T)``, conditions int64 ``(B, 5)`` as in :mod:`melodyvae.network.conditions`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from melodyvae.config import MelodyTrainConfig
from melodyvae.datasets.augmentation import Augmentation
from melodyvae.datasets.batches import TrainingBatches, shuffled
from melodyvae.music.styles import style_code
from melodyvae.music.tokens import held
from melodyvae.network.conditions import Condition, unused_steps
from melodyvae.ranks import ALONE, Ranks

PART, POP = style_code("part"), style_code("pop")
STYLE, CLOSES = Condition._fields.index("style"), Condition._fields.index("closes")


class TuneBatches:
    """Endless batches of windows and their conditions; tunes and parts are shuffled apart.

    A window whose rhythm is changed counts as of style pop. Each condition but the places is left open at times.

    Args:
        windows: ``(N, T)``.
        conditions: ``(N, 5)``.
        config: batch size, seed and changes of the windows.
        steps_per_bar: of the windows.
        ranks: that share the batches.
    """

    def __init__(
        self,
        windows: np.ndarray,
        conditions: np.ndarray,
        config: MelodyTrainConfig,
        steps_per_bar: int,
        ranks: Ranks = ALONE,
    ) -> None:
        self.plain = TrainingBatches(
            windows, config.batch_size, config.seed, config.transpose_down, config.transpose_up, ranks
        )
        self.conditions, self.config, self.steps_per_bar = conditions, config, steps_per_bar
        self.augmentation = Augmentation(config.changed_windows, config.anticipation, config.rests, steps_per_bar)
        is_part, share = conditions[:, STYLE] == PART, config.tune_share
        tunes, parts = np.flatnonzero(~is_part), np.flatnonzero(is_part)
        if share is None or not len(tunes) or not len(parts):
            self._pools = [(np.arange(len(windows)), config.batch_size)]
        else:
            of_tunes = round(config.batch_size * share)
            self._pools = [(tunes, of_tunes), (parts, config.batch_size - of_tunes)]

    def __call__(self, update: int) -> tuple[Tensor, Tensor]:
        """The windows and the conditions of an update; this rank's part of them if there are several."""
        config, plain, size = self.config, self.plain, self.config.batch_size
        rows = np.concatenate(
            [pool[shuffled(update, len(pool), count, config.seed, n)] for n, (pool, count) in enumerate(self._pools)]
        )[plain.part]
        tokens, conditions = plain.windows[rows].astype(np.int64), self.conditions[rows]
        unused = unused_steps(conditions, tokens.shape[1], self.steps_per_bar)
        changed = self.augmentation(tokens, np.random.default_rng((config.seed, 2, update)), plain.ranks, unused)
        is_pop = (changed != tokens).any(axis=1) & (conditions[:, STYLE] != PART)
        conditions[is_pop, STYLE] = POP
        draws = np.random.default_rng((config.seed, 3, update))
        is_open = draws.random((size, conditions.shape[1]))[plain.part] < config.open_conditions
        is_open[:, 0] = False
        conditions[is_open] = 0
        is_halved, is_second = draws.random() < config.half_windows, draws.random(size)[plain.part] < 0.5
        if is_halved:
            changed = halves(changed, is_second)
            conditions[~is_second, CLOSES] = 0
        return plain.transposed(torch.from_numpy(changed), update), torch.from_numpy(conditions)


def halves(tokens: np.ndarray, is_second: np.ndarray) -> np.ndarray:
    """The second half of windows ``(B, T)`` that ``is_second`` ``(B,)`` names, the first of others: ``(B, T / 2)``.

    A note that sounds at the cut starts anew there.
    """
    middle = tokens.shape[1] // 2
    second = tokens[:, middle:].copy()
    second[:, 0] = held(tokens)[:, middle]
    return np.where(is_second[:, None], second, tokens[:, :middle])

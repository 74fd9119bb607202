"""Batches of tunes and parts, with what is known of them."""

import numpy as np
import torch

from melodyvae.config import MelodyTrainConfig
from melodyvae.datasets.tune_batches import PART, POP, TuneBatches, halves
from melodyvae.music.bars import lay
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.conditions import unused_steps
from melodyvae.ranks import Ranks
from tests.windows import random_windows

CONFIG = MelodyTrainConfig(batch_size=20, tune_share=0.75, open_conditions=0.0)


def batches(config: MelodyTrainConfig = CONFIG, ranks: Ranks | None = None) -> TuneBatches:
    windows = lay(random_windows(60, 48), 12, 16)
    conditions = np.tile([12, 1, 3, 1, 1], (60, 1))
    conditions[20:, 1] = PART
    return TuneBatches(windows, conditions, config, 16, *([ranks] if ranks else []))


def test_a_share_of_each_batch_is_of_tunes():
    for update in range(3):
        tokens, conditions = batches()(update)
        assert tokens.shape == (20, 64)
        assert (conditions[:, 1] == 1).sum() == 15


def test_conditions_are_left_open_now_and_then_but_places_never():
    config = MelodyTrainConfig(batch_size=200, open_conditions=0.3)
    _, conditions = batches(config)(0)
    assert (conditions[:, 0] == 12).all()
    assert 0.15 < (conditions[:, 2] == 0).float().mean() < 0.45


def test_changed_tunes_are_pop_and_keep_out_of_unused_places():
    config = MelodyTrainConfig(
        batch_size=200, tune_share=0.5, changed_windows=1.0, anticipation=1.0, rests=1.0, open_conditions=0.0
    )
    tokens, conditions = batches(config)(0)
    assert (conditions[:, 1] == POP).sum() > 90
    assert (conditions[:, 1] == PART).sum() == 100
    assert (tokens[torch.from_numpy(unused_steps(conditions.numpy(), 64, 16))] == 0).all()
    assert Vocabulary().is_legal(tokens.numpy()).all()


def test_halves_know_whether_the_tune_ends():
    config = MelodyTrainConfig(batch_size=100, half_windows=1.0, open_conditions=0.0)
    tokens, conditions = batches(config)(0)
    assert tokens.shape == (100, 32)
    assert 20 < conditions[:, 4].sum() < 80
    held = np.array([[40, 0, 0, 0], [1, 0, 50, 0]])
    assert halves(held, np.array([True, True])).tolist() == [[40, 0], [50, 0]]
    assert halves(held, np.array([False, True])).tolist() == [[40, 0], [50, 0]]


def test_ranks_share_a_batch():
    whole, parts = batches()(2), [batches(ranks=Ranks(rank, 2))(2) for rank in range(2)]
    for place in range(2):
        assert torch.equal(torch.stack([part[place] for part in parts], dim=1).flatten(0, 1), whole[place])

"""Changed windows are legal, keep their notes, and depend on the seed and the update alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodyvae.config import ConfigError, MelodyTrainConfig
from melodyvae.datasets.augmentation import Augmentation, anticipate, shorten
from melodyvae.datasets.batches import TrainingBatches
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF, Vocabulary
from melodyvae.ranks import Ranks
from tests.music.strategies import legal_tokens
from tests.windows import random_windows

EVERYTHING = Augmentation(changed_windows=1.0, anticipation=1.0, rests=1.0)


def notes_in(tokens):
    return [token for token in tokens.tolist() if token >= FIRST_NOTE_ON]


@given(legal_tokens(), st.integers(0, 2**32 - 1))
def test_every_changed_window_is_legal_and_keeps_its_notes_in_order(tokens, seed):
    windows = np.tile(tokens.astype(np.int64), (20, 1))
    changed = EVERYTHING(windows, np.random.default_rng(seed))
    assert changed.shape == windows.shape
    assert Vocabulary().is_legal(changed).all()
    assert all(notes_in(row) == notes_in(tokens) for row in changed)


def test_an_onset_moves_over_steps_without_an_event_only():
    #                   held   rest     too near, and the first
    tokens = np.array([[40, 0, 41, 1, 0, 42, 43, 0, 0, 0, 44]])
    everywhere = np.ones(tokens.shape, dtype=bool)
    one, two = (anticipate(tokens, everywhere, np.full(tokens.shape, steps)) for steps in (1, 2))
    assert one.tolist() == [[40, 41, 0, 1, 42, 0, 43, 0, 0, 44, 0]]
    assert two.tolist() == [[40, 0, 41, 1, 0, 42, 43, 0, 44, 0, 0]]


def test_a_note_is_cut_between_its_second_step_and_its_end():
    tokens = np.array([[40, 0, 0, 0, 41, 42, 0, 0, 1, 0, 43, 0]])
    everywhere = np.ones(tokens.shape, dtype=bool)
    early, late = (shorten(tokens, everywhere, np.full(tokens.shape, share)) for share in (0.0, 0.999))
    assert early.tolist() == [[40, 1, 0, 0, 41, 42, 1, 0, 0, 0, 43, 1]]
    assert late.tolist() == [[40, 0, 0, 1, 41, 42, 0, 1, 0, 0, 43, 1]]
    nowhere = shorten(tokens, ~everywhere, np.zeros(tokens.shape))
    assert nowhere.tolist() == tokens.tolist()


def test_as_many_windows_are_changed_as_asked_for():
    windows = np.tile(np.array([40, 0, 0, 0, 41, 0, 0, 0] * 4), (2000, 1))
    changed = Augmentation(0.5, 0.8, 0.8)(windows, np.random.default_rng(0))
    assert 0.4 < (changed != windows).any(axis=1).mean() < 0.5
    assert (changed == NOTE_OFF).any()
    only_early = Augmentation(1.0, 0.8, 0.0)(windows, np.random.default_rng(0))
    assert (only_early != windows).any()
    assert not (only_early == NOTE_OFF).any()
    assert Augmentation(0.0, 1.0, 1.0)(windows, np.random.default_rng(0)) is windows


def test_a_batch_is_changed_alike_each_time_and_otherwise_at_the_next_visit():
    windows = random_windows(16)
    batches = [TrainingBatches(windows, 16, seed, augmentation=EVERYTHING) for seed in (0, 0, 1)]
    first, again, other_seed = (of(0).numpy() for of in batches)
    assert (first == again).all()
    assert (first != other_seed).any()
    visits = [sorted(map(bytes, batches[0](update).numpy().astype(np.uint8))) for update in (0, 1)]
    assert visits[0] != visits[1]


def test_ranks_together_draw_what_one_would():
    windows = random_windows(16)
    whole = TrainingBatches(windows, 8, augmentation=EVERYTHING)(3)
    parts = [TrainingBatches(windows, 8, augmentation=EVERYTHING, ranks=Ranks(rank, 2))(3) for rank in range(2)]
    assert all((whole[rank::2] == part).all() for rank, part in enumerate(parts))


@pytest.mark.parametrize("name", ["changed_windows", "anticipation", "rests", "look_back_hidden"])
def test_a_share_above_one_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} is 1.5; it is a share, at most 1"):
        MelodyTrainConfig(**{name: 1.5})


def test_silence_stays_silence():
    silent = np.full((3, 32), NO_EVENT)
    assert (EVERYTHING(silent, np.random.default_rng(0)) == silent).all()

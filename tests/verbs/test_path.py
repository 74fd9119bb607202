"""Parts of an interpolation: a distance, evenly spaced places, and ends that come back exactly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.refine import refine_latents
from melodyvae.presets import PRESETS
from melodyvae.verbs.distance import musical_distances, sounding_pitches
from melodyvae.verbs.path import even_places
from tests.windows import random_windows


def tokens_of(*notes: tuple[int, int, int], steps: int = 16) -> np.ndarray:
    return Vocabulary().encode(Melody(tuple(MelodyNote(*note) for note in notes), steps))[None]


def test_what_sounds_on_each_step():
    row = sounding_pitches(tokens_of((1, 3, 60), (3, 4, 62), steps=6))[0]
    c, d = 60 - 21 + 2, 62 - 21 + 2
    assert row.tolist() == [0, c, c, d, 0, 0]


def test_distances_of_known_windows():
    quarters = tokens_of((0, 4, 60), (4, 8, 62), (8, 12, 64), (12, 16, 65))
    other_pitch = tokens_of((0, 4, 60), (4, 8, 62), (8, 12, 64), (12, 16, 67))
    halves = tokens_of((0, 8, 60), (8, 16, 64))
    assert musical_distances(quarters, other_pitch)[0, 0] == pytest.approx(0.5 * 4 / 16)
    assert musical_distances(quarters, halves)[0, 0] == pytest.approx(0.5 * (2 / 4 + 8 / 16))
    silence = tokens_of()
    assert musical_distances(silence, silence)[0, 0] == 0
    assert musical_distances(silence, halves)[0, 0] == 1


def test_it_is_a_metric_that_is_zero_only_for_the_same_notes():
    windows = np.concatenate([random_windows(30), random_windows(5)])
    distances = musical_distances(windows, windows)
    same = (windows[:, None] == windows[None]).all(axis=2)
    assert ((distances == 0) == same).all()
    assert np.allclose(distances, distances.T)
    assert (distances[:, None, :] <= distances[:, :, None] + distances[None] + 1e-6).all()


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=30), st.integers(2, 12))
def test_places_run_from_the_first_to_the_last_in_order(gaps, count):
    line = np.cumsum([0.0, *gaps])
    places = even_places(np.abs(line[:, None] - line), count)
    assert len(places) == count
    assert (places[0], places[-1]) == (0, len(line) - 1)
    assert (np.diff(places) >= 0).all()
    assert (np.diff(places) > 0).all() or count > len(line)


def test_on_a_fine_line_the_places_are_even_whatever_the_speed():
    line = np.linspace(0, 1, 201) ** 3
    places = even_places(np.abs(line[:, None] - line), 6)
    assert np.allclose(np.diff(line[places]), 0.2, atol=0.03)


def test_a_detour_is_not_taken():
    line = np.array([0.0, 1.0, 40.0, 2.0, 3.0])
    assert 2 not in even_places(np.abs(line[:, None] - line), 4)


def test_long_runs_of_one_melody_are_taken_once():
    line = np.array([0.0] * 50 + [1.0] + [2.0] * 50 + [3.0] * 3)
    assert np.diff(line[even_places(np.abs(line[:, None] - line), 4)]).tolist() == [1, 1, 1]


def test_where_all_is_one_melody_it_is_repeated():
    assert even_places(np.zeros((5, 5)), 3).tolist() == [0, 2, 4]


def test_a_poor_start_is_brought_nearer_and_never_away():
    model = MelodyNetwork.read("melody-2bar")
    tokens = random_windows(6)
    start = np.zeros((6, model.config.latent_size), np.float32)

    def right(z):
        return (model.logits(z, tokens).argmax(axis=2) == tokens).sum(axis=1)

    refined = refine_latents(model.gradient, tokens, start)
    assert refined.shape == start.shape
    assert (right(refined) >= right(start)).all()
    assert right(refined).sum() > right(start).sum()


def test_the_last_state_readout_can_be_refined_too():
    torch.manual_seed(0)
    model = MelodyModel(replace(PRESETS["tiny"].model, readout="last-state")).network()
    tokens = random_windows(2)
    assert np.isfinite(refine_latents(model.gradient, tokens, model.encode(tokens).mean)).all()


def test_what_comes_back_already_is_left_where_it_is():
    model = MelodyNetwork.read("melody-2bar")
    tokens = tokens_of((0, 4, 60), (4, 8, 62), (8, 16, 64), (16, 32, 60), steps=32)
    means = model.encode(tokens).mean
    assert (model.decode(means) == tokens).all()
    assert (refine_latents(model.gradient, tokens, means) == means).all()


def test_the_shipped_model_is_refined_to_windows_it_misses():
    """A note on every sixteenth, at random pitches, is unlike any tune: none comes back but after refinement."""
    model = MelodyNetwork.read("melody-2bar")
    tokens = np.random.default_rng(0).integers(30, 70, (24, 32))
    means = model.encode(tokens).mean
    refined = refine_latents(model.gradient, tokens, means)
    before = (model.decode(means) == tokens).all(axis=1).sum()
    after = (model.decode(refined) == tokens).all(axis=1).sum()
    assert before <= 2
    assert after >= 10

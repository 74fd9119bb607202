"""The fitted prior: a density that finds what it is fitted to, and is what samples are drawn from."""

import numpy as np
import pytest

from melodyvae.models.melody import MelodyModel
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.prior import FittedGaussian, PriorError, draw_latents, fit_gaussian, has_fitted_prior
from tests.windows import random_windows


def slanted(count: int = 20_000) -> np.ndarray:
    """Around (1, -2, 0); the second number follows the third."""
    noise = Draws(0).normal(count, 3)
    noise[:, 1] = 0.9 * noise[:, 2] + 0.1 * noise[:, 1]
    return noise + np.array([1.0, -2.0, 0.0])


def test_it_has_the_mean_and_the_covariance_of_the_draws():
    found = fit_gaussian(slanted())
    assert found.mean.tolist() == pytest.approx([1, -2, 0], abs=0.03)
    assert np.allclose(found.factor @ found.factor.T, np.cov(slanted().T), atol=0.01)


def test_its_draws_have_its_moments_and_repeat_with_the_seed():
    found = fit_gaussian(slanted())
    drawn = found.sample(20_000, Draws(1))
    assert drawn.mean(axis=0).tolist() == pytest.approx([1, -2, 0], abs=0.05)
    assert np.allclose(np.cov(drawn.T), np.cov(slanted().T), atol=0.05)
    assert (drawn == found.sample(20_000, Draws(1))).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_draws_are_enough_for_a_density(count):
    found = fit_gaussian(Draws(0).normal(count, 16))
    assert np.isfinite(found.sample(3)).all()


def test_extras_bring_it_back_in_half_precision():
    found = fit_gaussian(slanted())
    extras = found.to_extras()
    assert {value.dtype for value in extras.values()} == {np.dtype(np.float16)}
    again = FittedGaussian.from_extras(extras, len(found.mean))
    assert again.mean.tolist() == pytest.approx(found.mean.tolist(), abs=5e-3)
    assert np.allclose(again.factor, found.factor, atol=5e-3)


def test_a_trained_model_samples_from_it_unless_told_otherwise(run_folder, monkeypatch):
    model = MelodyNetwork.read(run_folder)
    assert has_fitted_prior(model)

    def drawn(prior, steps=2):
        monkeypatch.setattr("melodyvae.verbs.prior.GIBBS_STEPS", steps)
        return draw_latents(model, 6, prior, Draws(3))

    assert (drawn(None) == drawn("fitted")).all()
    assert (drawn("normal") == Draws(3).normal(6, 16).astype(np.float32)).all()
    assert (drawn("fitted") != drawn("fitted", steps=0)).any()
    melodies = MelodyVAE(model).sample(3, seed=0)
    assert melodies == MelodyVAE(model).sample(3, seed=0, prior="fitted")
    assert melodies != MelodyVAE(model).sample(3, seed=0, prior="normal")


def test_gibbs_steps_leave_latents_where_the_encoder_puts_melodies(run_folder):
    model = MelodyNetwork.read(run_folder)
    codes = model.encode(random_windows(400))
    spread = codes.sample(Draws(0)).std(axis=0)
    drawn = draw_latents(model, 400, "fitted", Draws(0)).std(axis=0)
    assert np.abs(np.log(drawn / spread)).mean() < 0.5


def test_it_keeps_to_a_scale_during_gibbs_steps(run_folder):
    model = MelodyNetwork.read(run_folder)
    melodies = MelodyVAE(model).sample(8, seed=0, scale="C:major")
    assert {note.pitch % 12 for melody in melodies for note in melody.notes} <= {0, 2, 4, 5, 7, 9, 11}


def test_a_model_without_one_says_so_and_samples_from_the_normal():
    model = MelodyModel().network()
    assert not has_fitted_prior(model)
    with pytest.raises(PriorError, match="with prior normal"):
        draw_latents(model, 1, "fitted")
    assert draw_latents(model, 5).shape == (5, 256)

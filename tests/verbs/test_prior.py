"""The fitted prior: a density that finds what it is fitted to, and is what samples are drawn from."""

import pytest
import torch

from melodyvae.models.melody import MelodyModel
from melodyvae.vae import MelodyVAE
from melodyvae.verbs.prior import FittedGaussian, PriorError, draw_latents, fit_gaussian, has_fitted_prior
from tests.windows import random_windows


def slanted(count: int = 20_000) -> torch.Tensor:
    """Around (1, -2, 0); the second number follows the third."""
    noise = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    noise[:, 1] = 0.9 * noise[:, 2] + 0.1 * noise[:, 1]
    return noise + torch.tensor([1.0, -2.0, 0.0])


def test_it_has_the_mean_and_the_covariance_of_the_draws():
    found = fit_gaussian(slanted())
    assert found.mean.tolist() == pytest.approx([1, -2, 0], abs=0.03)
    assert torch.allclose(found.factor @ found.factor.T, torch.cov(slanted().T), atol=0.01)


def test_the_log_density_is_that_of_the_normal_distribution():
    found, z = fit_gaussian(slanted()), torch.randn(50, 3)
    expected = torch.distributions.MultivariateNormal(found.mean, scale_tril=found.factor).log_prob(z)
    assert torch.allclose(found.log_density(z), expected, atol=1e-3)


def test_its_draws_have_its_moments_and_repeat_with_the_seed():
    found = fit_gaussian(slanted())
    drawn = found.sample(20_000, torch.Generator().manual_seed(1))
    assert drawn.mean(dim=0).tolist() == pytest.approx([1, -2, 0], abs=0.05)
    assert torch.allclose(torch.cov(drawn.T), torch.cov(slanted().T), atol=0.05)
    assert torch.equal(drawn, found.sample(20_000, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_draws_are_enough_for_a_density(count):
    found = fit_gaussian(torch.randn(count, 16))
    assert torch.isfinite(found.log_density(torch.randn(3, 16))).all()
    assert torch.isfinite(found.sample(3)).all()


def test_extras_bring_it_back_in_half_precision():
    found = fit_gaussian(slanted())
    extras = found.to_extras()
    assert {value.dtype for value in extras.values()} == {torch.float16}
    again = FittedGaussian.from_extras(extras, torch.device("cpu"), len(found.mean))
    assert again.mean.tolist() == pytest.approx(found.mean.tolist(), abs=5e-3)
    assert torch.allclose(again.factor, found.factor, atol=5e-3)


def test_a_trained_model_samples_from_it_unless_told_otherwise(run_folder):
    model = MelodyModel.from_pretrained(run_folder)
    assert has_fitted_prior(model)

    def drawn(prior, steps=2):
        return draw_latents(model, 6, prior, torch.Generator().manual_seed(3), gibbs_steps=steps)

    assert torch.equal(drawn(None), drawn("fitted"))
    assert torch.equal(drawn("normal"), torch.randn(6, 16, generator=torch.Generator().manual_seed(3)))
    assert not torch.equal(drawn("fitted"), drawn("fitted", steps=0))
    melodies = MelodyVAE(model).sample(3, seed=0)
    assert melodies == MelodyVAE(model).sample(3, seed=0, prior="fitted")
    assert melodies != MelodyVAE(model).sample(3, seed=0, prior="normal")


def test_gibbs_steps_leave_latents_where_the_encoder_puts_melodies(run_folder):
    model = MelodyModel.from_pretrained(run_folder)
    codes = model.encode(torch.from_numpy(random_windows(400)).long())
    spread = codes.sample(torch.Generator().manual_seed(0)).detach().std(dim=0)
    drawn = draw_latents(model, 400, "fitted", torch.Generator().manual_seed(0)).std(dim=0)
    assert float((drawn / spread).log().abs().mean()) < 0.5


def test_it_keeps_to_a_scale_during_gibbs_steps(run_folder):
    model = MelodyModel.from_pretrained(run_folder)
    melodies = MelodyVAE(model).sample(8, seed=0, scale="C:major")
    assert {note.pitch % 12 for melody in melodies for note in melody.notes} <= {0, 2, 4, 5, 7, 9, 11}


def test_a_model_without_one_says_so_and_samples_from_the_normal():
    model = MelodyModel()
    assert not has_fitted_prior(model)
    with pytest.raises(PriorError, match="with prior normal"):
        draw_latents(model, 1, "fitted")
    assert draw_latents(model, 5).shape == (5, 256)

"""The fitted prior: the mixture is a density, finds what it is fitted to, and is what samples are drawn from."""

import math

import numpy as np
import pytest
import torch

from melodyvae.model import MelodyVAE
from melodyvae.prior import EXTRA, GaussianMixture, PriorError, draw_latents, fit_mixture, fit_prior, has_fitted_prior
from tests.windows import random_windows


def two_clouds(count: int = 4000) -> torch.Tensor:
    """A third at (-4, 0, 0), round; two thirds at (4, 0, 0), where the second number follows the third."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 3, generator=generator)
    is_left = torch.arange(count) % 3 == 0
    noise[~is_left, 1] = 0.9 * noise[~is_left, 2] + 0.1 * noise[~is_left, 1]
    noise[:, 0] += torch.where(is_left, -4.0, 4.0)
    return noise


def test_it_finds_two_clouds_their_shares_and_their_shapes():
    mixture = fit_mixture(two_clouds(), 2)
    left, right = mixture.means[:, 0].argsort()
    assert mixture.means[left].numpy() == pytest.approx([-4, 0, 0], abs=0.15)
    assert mixture.means[right].numpy() == pytest.approx([4, 0, 0], abs=0.15)
    assert mixture.weights[left].item() == pytest.approx(1 / 3, abs=0.02)
    covariance = mixture.factors[right] @ mixture.factors[right].T
    assert covariance[1, 2] / (covariance[1, 1] * covariance[2, 2]).sqrt() > 0.9
    assert mixture.log_density(two_clouds()).mean() > fit_mixture(two_clouds(), 1).log_density(two_clouds()).mean() + 1


def test_the_log_density_is_that_of_its_normal_distributions():
    factor = torch.tensor([[1.0, 0.0], [0.5, 2.0]])
    mixture = GaussianMixture(
        torch.tensor([0.25, 0.75]), torch.tensor([[0.0, 0.0], [1.0, -1.0]]), factor.repeat(2, 1, 1)
    )
    z = torch.randn(50, 2)
    parts = [torch.distributions.MultivariateNormal(mean, scale_tril=factor) for mean in mixture.means]
    expected = torch.logaddexp(parts[0].log_prob(z) + math.log(0.25), parts[1].log_prob(z) + math.log(0.75))
    assert torch.allclose(mixture.log_density(z), expected, atol=1e-5)


def test_its_draws_have_its_moments_and_repeat_with_the_seed():
    mixture = fit_mixture(two_clouds(), 2)
    drawn = mixture.sample(20_000, torch.Generator().manual_seed(1))
    assert drawn.mean(dim=0).tolist() == pytest.approx(two_clouds().mean(dim=0).tolist(), abs=0.1)
    own = mixture.factors @ mixture.factors.transpose(1, 2) + mixture.means.unsqueeze(2) * mixture.means.unsqueeze(1)
    mean = mixture.weights @ mixture.means
    expected = torch.einsum("k,kij->ij", mixture.weights, own) - torch.outer(mean, mean)
    assert torch.allclose(torch.cov(drawn.T), expected, atol=0.25)
    assert torch.equal(drawn, mixture.sample(20_000, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_draws_are_enough_for_a_density(count):
    mixture = fit_mixture(torch.randn(count, 16), 1)
    assert torch.isfinite(mixture.log_density(torch.randn(3, 16))).all()
    assert torch.isfinite(mixture.sample(3)).all()


def test_extras_bring_it_back_in_half_precision():
    mixture = fit_mixture(two_clouds(), 2)
    extras = mixture.to_extras()
    assert {value.dtype for value in extras.values()} == {torch.float16}
    again = GaussianMixture.from_extras(extras, torch.device("cpu"))
    assert again.means.numpy() == pytest.approx(mixture.means.numpy(), abs=5e-3)
    nats = [found.log_density(two_clouds()).mean().item() for found in (mixture, again)]
    assert nats[0] == pytest.approx(nats[1], abs=0.02)


def test_a_trained_model_samples_from_it_unless_told_otherwise(run_folder):
    model = MelodyVAE.from_pretrained(run_folder)
    assert has_fitted_prior(model)

    def drawn(prior, rounds=2):
        return draw_latents(model, 6, prior, torch.Generator().manual_seed(3), rounds=rounds)

    assert torch.equal(drawn(None), drawn("fitted"))
    assert torch.equal(drawn("normal"), torch.randn(6, 16, generator=torch.Generator().manual_seed(3)))
    assert not torch.equal(drawn("fitted"), drawn("fitted", rounds=0))
    melodies = model.sample(3, generator=torch.Generator().manual_seed(0))
    assert melodies == model.sample(3, generator=torch.Generator().manual_seed(0), prior="fitted")
    assert melodies != model.sample(3, generator=torch.Generator().manual_seed(0), prior="normal")


def test_settling_leaves_latents_where_the_encoder_puts_melodies(run_folder):
    model = MelodyVAE.from_pretrained(run_folder)
    codes = model.encode(torch.from_numpy(random_windows(400)).long())
    spread = codes.sample(torch.Generator().manual_seed(0)).detach().std(dim=0)
    settled = draw_latents(model, 400, "fitted", torch.Generator().manual_seed(0)).std(dim=0)
    assert float((settled / spread).log().abs().mean()) < 0.5


def test_it_keeps_to_a_scale_while_it_settles(run_folder):
    model = MelodyVAE.from_pretrained(run_folder)
    melodies = model.sample(8, generator=torch.Generator().manual_seed(0), scale="C:major")
    assert {note.pitch % 12 for melody in melodies for note in melody.notes} <= {0, 2, 4, 5, 7, 9, 11}


def test_few_windows_get_one_component_and_many_get_more(run_folder):
    model = MelodyVAE.from_pretrained(run_folder)
    assert len(fit_prior(model, random_windows(20)).weights) == 1
    assert len(fit_prior(model, np.concatenate([random_windows(400)] * 2)).weights) == 3


def test_a_model_without_one_says_so_and_samples_from_the_normal():
    model = MelodyVAE()
    assert not has_fitted_prior(model)
    with pytest.raises(PriorError, match="--prior normal"):
        draw_latents(model, 1, "fitted")
    assert draw_latents(model, 5).shape == (5, 256)
    assert EXTRA == "prior."

"""The latent space in NumPy is the one in torch."""

import numpy as np
import pytest
import torch

from melodyvae.models import latent as theirs
from melodyvae.network.draws import Draws
from melodyvae.network.latent import Gaussian, lerp, slerp

Z = 12


def vectors(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, Z))


def test_divergence_and_relative_gaussians():
    mean, log_variance, other, prior_log_variance = vectors(4)
    ours, prior = Gaussian(mean, log_variance), Gaussian(other, prior_log_variance)
    tensors = [torch.from_numpy(part) for part in (mean, log_variance, other, prior_log_variance)]
    torch_ours, torch_prior = theirs.DiagonalGaussian(*tensors[:2]), theirs.DiagonalGaussian(*tensors[2:4])
    np.testing.assert_allclose(ours.kl_to_standard_normal(), torch_ours.kl_to_standard_normal())
    np.testing.assert_allclose(ours.relative_to(prior).mean, torch_ours.relative_to(torch_prior).mean)


def test_draws_have_the_mean_and_the_deviation():
    drawn = Gaussian(np.full((40_000, 1), 3.0), np.full((40_000, 1), 2 * np.log(0.5))).sample(Draws(1))
    assert abs(drawn.mean() - 3) < 0.02
    assert abs(drawn.std() - 0.5) < 0.02


@pytest.mark.parametrize("end", ["other", "same", "opposite", "zero"])
def test_paths(end):
    start, other = vectors(2)
    goal = {"other": other, "same": start, "opposite": -2 * start, "zero": 0 * start}[end]
    along = np.linspace(0, 1, 7)
    tensors = [torch.from_numpy(part) for part in (start, goal, along)]
    path = slerp(start, goal, along)
    np.testing.assert_allclose(path, theirs.slerp(*tensors), atol=1e-12)
    np.testing.assert_allclose(lerp(start, goal, along), theirs.lerp(*tensors))
    assert np.array_equal(path[[0, -1]], [start, goal])

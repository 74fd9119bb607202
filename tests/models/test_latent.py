"""The diagonal Gaussian against torch.distributions, and the paths at their ends and edges."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from melodyvae.models.latent import DiagonalGaussian, lerp, slerp, standard_normal
from tests.benchmarks.rate_curve import widened_gaussian

torch64 = torch.float64


def gaussian(seed: int, batch: int = 5, size: int = 7) -> DiagonalGaussian:
    generator = torch.Generator().manual_seed(seed)
    draw = lambda: torch.randn(batch, size, generator=generator, dtype=torch64)  # noqa: E731 - two draws, one recipe
    return DiagonalGaussian(draw(), 2 * draw())


def test_kl_is_zero_at_the_standard_normal():
    assert standard_normal(3, 4, like=torch.zeros(1)).kl_to_standard_normal().tolist() == [0.0, 0.0, 0.0]


@given(st.integers(0, 10_000))
def test_kl_equals_torch_distributions(seed):
    q = gaussian(seed)
    expected = kl_divergence(Normal(q.mean, (0.5 * q.log_variance).exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(q.kl_to_standard_normal(), expected, rtol=1e-12, atol=1e-12)


@given(st.integers(0, 10_000))
def test_log_density_equals_torch_distributions(seed):
    q = gaussian(seed)
    z = torch.randn(q.mean.shape, generator=torch.Generator().manual_seed(seed), dtype=torch64)
    expected = Normal(q.mean, (0.5 * q.log_variance).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(q.log_density(z), expected, rtol=1e-12, atol=1e-12)


def test_widening_goes_from_the_gaussian_to_the_standard_normal():
    q = gaussian(2)
    torch.testing.assert_close(widened_gaussian(q, 1.0).mean, q.mean)
    torch.testing.assert_close(widened_gaussian(q, 1.0).log_variance, q.log_variance)
    assert widened_gaussian(q, 0.0).kl_to_standard_normal().abs().max() == 0
    bits = torch.stack([widened_gaussian(q, share).kl_to_standard_normal() for share in (0.0, 0.2, 0.5, 0.9, 1.0)])
    assert (bits.diff(dim=0) > 0).all()


def test_a_widened_gaussian_is_the_product_of_powers():
    q, z = gaussian(3), torch.linspace(-2, 2, 9, dtype=torch64)[:, None, None].expand(9, 5, 7)
    widened, normal = widened_gaussian(q, 0.3), standard_normal(5, 7, like=torch.zeros(1, dtype=torch64))
    powers = 0.3 * q.log_density(z) + 0.7 * normal.log_density(z)
    torch.testing.assert_close((widened.log_density(z) - powers).var(dim=0), torch.zeros(5, dtype=torch64))


def test_samples_have_the_mean_and_the_variance():
    q = DiagonalGaussian(torch.tensor([1.0, -2.0]), torch.log(torch.tensor([0.25, 4.0])))
    many = DiagonalGaussian(q.mean.expand(200_000, 2), q.log_variance.expand(200_000, 2))
    draws = many.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(0), q.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(draws.var(0), torch.tensor([0.25, 4.0]), atol=0.05, rtol=0)


def test_the_same_seed_gives_the_same_sample():
    q = gaussian(1)
    first, second = (q.sample(torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)


def test_samples_carry_gradient_to_both_parameters():
    mean = torch.zeros(4, requires_grad=True)
    log_variance = torch.zeros(4, requires_grad=True)
    DiagonalGaussian(mean, log_variance).sample(torch.Generator().manual_seed(0)).sum().backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert mean.grad.abs().min() > 0
    assert log_variance.grad.abs().min() > 0


@given(st.integers(0, 10_000), st.sampled_from([lerp, slerp]))
def test_paths_meet_their_ends_exactly(seed, path):
    start, end = gaussian(seed, batch=2).mean * torch.tensor([[0.1], [3.0]])
    points = path(start, end, torch.linspace(0, 1, 5))
    assert points.shape == (5, 7)
    assert torch.equal(points[0], start)
    assert torch.equal(points[-1], end)


@given(st.integers(0, 10_000))
def test_slerp_keeps_the_norm_of_ends_on_a_sphere(seed):
    start, end = gaussian(seed, batch=2).mean
    start, end = start / start.norm(), end / end.norm()
    norms = slerp(start, end, torch.linspace(0, 1, 9)).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(9, dtype=torch64), rtol=0, atol=1e-9)


def test_slerp_turns_at_constant_speed():
    points = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), torch.linspace(0, 1, 4))
    angles = torch.atan2(points[:, 1], points[:, 0])
    torch.testing.assert_close(angles, torch.linspace(0, torch.pi / 2, 4))


def test_slerp_of_a_point_with_itself_stays_there():
    point = torch.tensor([0.3, -1.2, 4.0])
    torch.testing.assert_close(slerp(point, point, torch.linspace(0, 1, 6)), point.expand(6, 3))


@pytest.mark.parametrize(
    ("start", "end"),
    [([1.0, 2.0], [-1.0, -2.0]), ([0.0, 0.0], [3.0, 1.0]), ([3.0, 1.0], [0.0, 0.0]), ([0.0, 0.0], [0.0, 0.0])],
    ids=["opposite", "from zero", "to zero", "zero"],
)
def test_slerp_is_a_straight_line_where_no_arc_is_defined(start, end):
    start, end, weights = torch.tensor(start), torch.tensor(end), torch.linspace(0, 1, 5)
    torch.testing.assert_close(slerp(start, end, weights), lerp(start, end, weights))

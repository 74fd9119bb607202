"""All draws come from one documented source, which other programs can have, too."""

from statistics import NormalDist

import numpy as np
import pytest

from melodyvae.network.draws import Draws, inverse_normal

WORD = 2**64 - 1


def philox(key: int, counter: int) -> list[int]:
    """Philox 4x64 with ten rounds, by its paper: the four numbers of a counter."""
    first, second = key, 0
    x = [counter, 0, 0, 0]
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
        x = [right >> 64 ^ x[1] ^ first, right & WORD, left >> 64 ^ x[3] ^ second, left & WORD]
        first, second = first + 0x9E3779B97F4A7C15 & WORD, second + 0xBB67AE8584CAA73B & WORD
    return x


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**64 - 1])
def test_uniform_numbers_are_those_of_philox(seed):
    bits = [word for counter in (1, 2, 3) for word in philox(seed, counter)]
    expected = [(word >> 11) / 2**53 for word in bits]
    draws = Draws(seed)
    assert [*draws.uniform(5), *draws.uniform(2, 3).ravel()] == expected[:11]


def test_normal_numbers_are_the_inverse_of_their_distribution():
    bits = [word >> 11 for word in philox(3, 1)]
    expected = [NormalDist().inv_cdf((word + 0.5) / 2**53) for word in bits]
    np.testing.assert_allclose(Draws(3).normal(4), expected, rtol=1e-12)


@pytest.mark.parametrize("p", [1e-300, 1e-16, 1e-9, 0.01, 0.075, 0.3, 0.5, 0.7, 0.925, 0.99, 1 - 1e-9, 1 - 2**-53])
def test_the_inverse_of_the_normal_distribution(p):
    np.testing.assert_allclose(inverse_normal(np.array(p)), NormalDist().inv_cdf(p), rtol=1e-12, atol=1e-15)


def test_choices_are_in_proportion_and_never_of_weight_zero():
    weights = np.tile(np.array([0.0, 1.0, 0.0, 3.0, 0.0], np.float32), (20_000, 1))
    chosen = Draws(1).choices(weights)
    assert set(chosen.tolist()) == {1, 3}
    assert abs((chosen == 3).mean() - 0.75) < 0.02


def test_the_last_number_below_one_chooses_the_last_place_with_a_weight(monkeypatch):
    draws = Draws(1)
    monkeypatch.setattr(draws, "uniform", lambda count: np.full(count, 1 - 2.0**-53))
    assert draws.choices(np.array([[0.1, 0.7, 0.0], [1.0, 1e-30, 0.0], [0.3, 0.3, 0.3]])).tolist() == [1, 0, 2]


def test_a_copy_draws_the_same_and_changes_nothing():
    draws = Draws(5)
    draws.uniform(3)
    copy = draws.copy()
    assert copy.normal(7).tolist() == draws.normal(7).tolist()


def test_without_a_seed_no_two_are_the_same():
    assert Draws().uniform(4).tolist() != Draws().uniform(4).tolist()

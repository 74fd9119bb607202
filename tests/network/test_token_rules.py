"""The rules in NumPy are those in torch."""

import numpy as np
import pytest
import torch

from melodyvae.models.token_rules import TokenRules as TorchRules
from melodyvae.network.token_rules import TokenRules

B, T, V = 7, 5, 90


def tables(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    allowed = generator.random((B, T, V)) < (0.1, 0.4, 0.9)[seed % 3]
    allowed[..., 0] = True
    return {
        "allowed": allowed,
        "bonus": generator.normal(size=(B, T, V)),
        "no_wide_leaps": generator.random(B) < 0.7,
        "leaps": generator.integers(0, V, (2, T, 2)),
        "before": generator.integers(0, 2, B) * generator.integers(2, V, B),
    }


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("given", [(), ("bonus",), ("no_wide_leaps", "leaps"), ("no_wide_leaps", "leaps", "before")])
@pytest.mark.parametrize("moves", [True, False])
def test_probabilities_are_the_same(seed, temperature, given, moves):
    generator = np.random.default_rng(100 + seed)
    logits, last = 3 * generator.normal(size=(B, V)), generator.integers(2, V, B)
    logits[:3, 1] = -np.inf
    arrays = {name: tables(seed)[name] for name in ("allowed", *given)}
    ours = TokenRules(**arrays, moves=moves)
    theirs = TorchRules(**{name: torch.from_numpy(array) for name, array in arrays.items()}, moves=moves)
    for step in range(T):
        wanted = theirs.log_probabilities(torch.from_numpy(logits).float(), step, temperature, torch.from_numpy(last))
        found = ours.log_probabilities(logits.astype(np.float32), step, temperature, last)
        np.testing.assert_allclose(np.exp(found), wanted.exp(), rtol=1e-5, atol=1e-6)


def test_one_row_and_one_step_hold_for_all():
    allowed = np.arange(V) % 3 == 0
    rules, logits = TokenRules.only(allowed), np.random.default_rng(0).normal(size=(B, V)).astype(np.float32)
    shares = np.exp(rules.log_probabilities(logits, 3))
    assert (shares[:, ~allowed] == 0).all()
    assert rules.rows(2, 4).allowed.shape == (1, 1, V)


def test_rows_are_parts_of_all_tables():
    rules = TokenRules(**tables(1))
    part = rules.rows(2, 5)
    assert {len(table) for table in (part.allowed, part.bonus, part.no_wide_leaps, part.before)} == {3}
    assert part.leaps is rules.leaps


def test_tables_of_another_shape_and_steps_without_a_token_are_refused():
    with pytest.raises(ValueError, match=r"it must be \(B, T, V\)"):
        TokenRules(np.ones((2, V), bool))
    with pytest.raises(ValueError, match="must allow token 0"):
        TokenRules(np.zeros((1, 1, V), bool))

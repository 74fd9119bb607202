"""The loss, and the schedules at their ends and beyond."""

import math
from dataclasses import replace

import pytest
import torch

from melodyvae.config import MelodyTrainConfig, TrainConfig
from melodyvae.models.loss import LossTerms, weighted_loss
from melodyvae.training.schedules import kl_weight, steered, teacher_forcing_share


def terms(kl: torch.Tensor) -> LossTerms:
    return LossTerms(torch.tensor([10.0, 20.0]), kl)


def test_loss_is_the_mean_over_the_batch_of_both_halves():
    assert weighted_loss(terms(torch.tensor([4.0, 8.0])), beta=0.5).item() == pytest.approx(15 + 0.5 * 6)


def test_free_nats_cost_nothing_and_pull_nothing_below_the_floor():
    kl = torch.tensor([2.0, 8.0], requires_grad=True)
    loss = weighted_loss(terms(kl), beta=1.0, free_nats=3.0)
    loss.backward()
    assert loss.item() == pytest.approx(15 + 5 / 2)
    assert kl.grad.tolist() == [0.0, 0.5]


def test_free_nats_leave_the_reported_kl_alone():
    found = terms(torch.tensor([2.0, 8.0]))
    weighted_loss(found, beta=1.0, free_nats=3.0)
    assert found.kl.tolist() == [2.0, 8.0]
    assert found.negative_elbo().tolist() == [12.0, 28.0]


@pytest.mark.parametrize(
    ("annealing", "update", "expected"),
    [
        ("constant", 0, 0.4),
        ("linear", 0, 0.0),
        ("linear", 50, 0.2),
        ("linear", 100, 0.4),
        ("linear", 10_000, 0.4),
        ("exponential", 0, 0.0),
        ("exponential", 100, 0.4 * (1 - 0.99**100)),
        ("exponential", 100_000, 0.4),
        ("cyclical", 0, 0.0),
        ("cyclical", 25, 0.2),
        ("cyclical", 50, 0.4),
        ("cyclical", 99, 0.4),
        ("cyclical", 100, 0.0),
        ("cyclical", 125, 0.2),
    ],
)
def test_beta_at_an_update(annealing, update, expected):
    config = TrainConfig(beta=0.4, annealing=annealing, anneal_updates=100, anneal_rate=0.99)
    assert kl_weight(config, update) == pytest.approx(expected)


@pytest.mark.parametrize("annealing", ["constant", "linear", "exponential", "cyclical"])
def test_beta_is_zero_until_the_annealing_begins_and_then_as_ever(annealing):
    config = TrainConfig(beta=0.4, annealing=annealing, anneal_updates=100, anneal_rate=0.99)
    late = replace(config, anneal_after_updates=30)
    assert {kl_weight(late, update) for update in range(30)} == {0.0}
    assert [kl_weight(late, update + 30) for update in range(120)] == [kl_weight(config, u) for u in range(120)]


def test_beta_is_not_steered_without_a_target_nor_before_it_is_annealed():
    steering, kl = torch.tensor(1.0), torch.tensor(50.0)
    config = TrainConfig(anneal_updates=100, anneal_after_updates=30)
    assert steered(steering, kl, config, 1000) == 1
    assert steered(steering, kl, replace(config, target_bits=10.0), 129) == 1
    assert steered(steering, kl, replace(config, target_bits=10.0), 130) > 1
    assert steered(steering, kl, replace(config, target_bits=100.0), 130) < 1


@pytest.mark.parametrize("annealing", ["constant", "linear", "exponential"])
def test_beta_never_falls_and_never_exceeds_its_end(annealing):
    config = TrainConfig(beta=0.4, annealing=annealing, anneal_updates=100, anneal_rate=0.99)
    weights = [kl_weight(config, update) for update in range(500)]
    assert weights == sorted(weights)
    assert max(weights) <= 0.4


def test_updates_before_the_first_are_refused():
    with pytest.raises(ValueError, match="update is -1"):
        kl_weight(TrainConfig(), -1)


def test_scheduled_sampling_follows_the_inverse_sigmoid():
    config = MelodyTrainConfig(scheduled_sampling_rate=100.0)
    assert teacher_forcing_share(config, 0) == pytest.approx(100 / 101)
    assert teacher_forcing_share(config, 500) == pytest.approx(100 / (100 + math.exp(5)))
    assert teacher_forcing_share(config, 10_000_000) == 0.0


def test_without_a_rate_the_decoder_is_always_teacher_forced():
    assert teacher_forcing_share(MelodyTrainConfig(), 10_000) == 1.0

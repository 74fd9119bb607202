"""Schedules: the weight of the KL, and the share of teacher forcing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from melodyvae.config import MelodyTrainConfig, TrainConfig

STEERING_RATE = 0.01  # an e-fold of beta in 100 updates at twice the target
LARGEST_STEERING = 1e4


def kl_weight(config: TrainConfig, update: int) -> float:
    """Beta at an update (0 is the first). Every schedule starts at 0 but ``constant``; none exceeds ``config.beta``.

    All of them are counted from ``anneal_after_updates``, before which beta is 0.

    - ``constant``: beta throughout.
    - ``linear``: 0 to beta in ``anneal_updates``; "Generating Sentences from a Continuous Space" (Bowman et al.,
      2016), https://arxiv.org/abs/1511.06349
    - ``exponential``: beta * (1 - anneal_rate ** update); "A Hierarchical Latent Vector Model for Learning Long-Term
      Structure in Music" (Roberts et al., 2018), https://arxiv.org/abs/1803.05428
    - ``cyclical``: each ``anneal_updates`` start again from 0, rise for the first half and stay at beta for the
      second; "Cyclical Annealing Schedule" (Fu et al., 2019), https://arxiv.org/abs/1903.10145
    """
    if update < 0:
        raise ValueError(f"update is {update}; updates are counted from 0")
    update -= config.anneal_after_updates
    if update < 0:
        return 0.0
    if config.annealing == "constant":
        return config.beta
    if config.annealing == "linear":
        return config.beta * min(update / config.anneal_updates, 1.0)
    if config.annealing == "exponential":
        return config.beta * (1.0 - config.anneal_rate**update)
    phase = (update % config.anneal_updates) / config.anneal_updates
    return config.beta * min(2.0 * phase, 1.0)


def steered(steering: Tensor, kl: Tensor, config: TrainConfig, update: int) -> Tensor:
    """The factor of beta for the next update, given this one's and the mean KL of its batch in nats (0-dimensional).

    With a target rate, beta grows while the KL lies above it and falls while it lies below: gradient ascent on the
    multiplier of the constraint KL <= target, in its logarithm. It begins where a ``linear`` or ``cyclical`` annealing
    ends. Constrained rates: "Taming VAEs" (Rezende, Viola, 2018), https://arxiv.org/abs/1810.00597
    """
    annealed = config.anneal_updates if config.annealing in ("linear", "cyclical") else 0
    if config.target_bits is None or update < config.anneal_after_updates + annealed:
        return steering
    excess = kl.detach().to(steering) / (config.target_bits * math.log(2)) - 1
    return (steering * torch.exp(STEERING_RATE * excess.clamp(-1, 1))).clamp(1 / LARGEST_STEERING, LARGEST_STEERING)


def teacher_forcing_share(config: MelodyTrainConfig, update: int) -> float:
    """The probability that a decoder step reads the true previous token and not a draw of its own.

    The inverse sigmoid k / (k + exp(update / k)) with k = ``scheduled_sampling_rate``, as in MusicVAE; always 1 when
    the rate is 0. "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks" (Bengio et al., 2015),
    https://arxiv.org/abs/1506.03099
    """
    k = config.scheduled_sampling_rate
    if k == 0:
        return 1.0
    exponent = update / k
    return k / (k + math.exp(exponent)) if exponent < 700 else 0.0

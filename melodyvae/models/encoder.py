"""A bidirectional LSTM over the whole window, read out into the posterior q(z | x).

Two read-outs:

- ``position``: every encoder step gives a few numbers; those of all steps together give mean and log-variance. Each
  note then reaches z by a path of its own, which is learned several times as fast.
- ``last-state``: MusicVAE's. The last state of each direction alone gives mean and log-variance (Roberts et al., 2018,
  section 3.1, https://arxiv.org/abs/1803.05428).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melodyvae.config import MelodyConfig
from melodyvae.models.latent import DiagonalGaussian
from melodyvae.network.token_inputs import token_inputs


class MelodyEncoder(nn.Module):
    """Token windows ``(B, T)`` to their posteriors ``(B, Z)``."""

    token_inputs: Tensor

    def __init__(self, config: MelodyConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        inputs = torch.from_numpy(token_inputs(vocabulary_size, config.pitch_inputs))  # by NumPy: see Table
        self.register_buffer("token_inputs", inputs, persistent=False)
        input_size = self.token_inputs.shape[1]
        self.lstm = nn.LSTM(input_size, config.encoder_size, config.encoder_layers, bidirectional=True)
        both_directions = 2 * config.encoder_size
        if config.readout == "position":
            self.step_features = nn.Linear(both_directions, config.encoder_features)
            read_size = config.steps * config.encoder_features
        else:
            read_size = both_directions
        self.posterior = nn.Linear(read_size, 2 * config.latent_size)

    def forward(self, tokens: Tensor) -> DiagonalGaussian:
        """The posterior of each window; ``tokens`` are integers ``(B, T)``."""
        steps = self.token_inputs[tokens.long().T]  # (T, B, I)
        outputs, (last_states, _) = self.lstm(steps)
        if self.config.readout == "position":
            read = self.step_features(outputs).transpose(0, 1).flatten(1)  # (B, T * features)
        else:
            read = torch.cat([last_states[-2], last_states[-1]], dim=-1)  # (B, 2H): forward's end, backward's start
        mean, log_variance = self.posterior(read).to(self.posterior.weight.dtype).chunk(2, dim=-1)
        return DiagonalGaussian(mean, log_variance)

"""The encoder of one level in NumPy: :class:`melodyvae.models.encoder.MelodyEncoder` says what it is."""

from __future__ import annotations

import numpy as np

from melodyvae.config import MelodyConfig
from melodyvae.network.latent import Gaussian
from melodyvae.network.lstm import LSTM
from melodyvae.network.token_inputs import token_inputs
from melodyvae.network.weights import Weights

ROWS_AT_ONCE = 256


class MelodyEncoder:
    """Token windows ``(B, T)`` to their posteriors ``(B, Z)``."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int, weights: Weights) -> None:
        self.config = config
        inputs = token_inputs(vocabulary_size, config.pitch_inputs)
        size = config.encoder_size
        self.lstm = LSTM(weights.under("lstm"), inputs.shape[1], size, config.encoder_layers, bidirectional=True)
        self.tables = [layers[0].table(inputs) for layers in (self.lstm.layers, self.lstm.backwards)]
        if config.readout == "position":
            self.step_features = weights.linear("step_features", 2 * size, config.encoder_features)
            read = config.steps * config.encoder_features
        else:
            read = 2 * size
        self.posterior = weights.linear("posterior", read, 2 * config.latent_size)

    def __call__(self, tokens: np.ndarray) -> Gaussian:
        """The posterior of each window; ``tokens`` are integers ``(B, T)``."""
        parts = [
            self._parameters(tokens[start : start + ROWS_AT_ONCE]) for start in range(0, len(tokens), ROWS_AT_ONCE)
        ]
        return Gaussian.of(np.concatenate(parts))

    def _parameters(self, tokens: np.ndarray) -> np.ndarray:
        batch, steps = tokens.shape
        forwards, backwards = self.tables
        outputs, read = self.lstm.read(
            lambda step: forwards[tokens[:, step]], lambda step: backwards[tokens[:, step]], steps, batch
        )
        if self.config.readout == "position":
            read = self.step_features(outputs).transpose(1, 0, 2).reshape(batch, -1)  # (B, T * features)
        return self.posterior(read)

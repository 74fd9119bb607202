"""Networks in torch, played as those of :mod:`melodyvae.network` are: for architectures that NumPy does not know.

Conventions: as in :mod:`melodyvae.network.network`. Each step computes the whole window anew, so a window of T steps
costs T forward passes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from melodyvae.models.latent import DiagonalGaussian
from melodyvae.models.loss import token_nats
from melodyvae.music.tokens import NOTE_OFF
from melodyvae.network.decoder import Before, Choice, Decoder
from melodyvae.network.latent import Gaussian


class TorchEncoder:
    """Token windows ``(B, T)`` to posteriors, by a network in torch."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, tokens: np.ndarray) -> Gaussian:
        """q(z | x), parameters ``(B, Z)``."""
        with torch.inference_mode():
            posterior: DiagonalGaussian = self.network(torch.from_numpy(tokens))
        return Gaussian(posterior.mean.numpy(), posterior.log_variance.numpy())


class TorchDecoder(Decoder):
    """Latent vectors ``(B, Z)`` to windows of ``steps`` steps, by a network in torch."""

    def __init__(self, network: nn.Module, steps: int) -> None:
        self.network = network
        self.steps = steps

    def logits(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """See :meth:`Decoder.logits`."""
        with torch.inference_mode():
            return np.asarray(self._logits(torch.from_numpy(z), tokens).numpy())

    def gradient(self, z: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`Decoder.gradient`."""
        with torch.enable_grad():
            at = torch.tensor(z, requires_grad=True)
            logits = self._logits(at, tokens)
            (found,) = torch.autograd.grad(token_nats(logits, torch.from_numpy(tokens).long()).sum(), at)
        return logits.detach().numpy(), found.numpy()

    def roll_out(self, z: np.ndarray, choice: Choice) -> np.ndarray:
        """See :meth:`Decoder.roll_out`."""
        tokens, before = np.zeros((len(z), self.steps), np.int64), Before.nothing(len(z))
        for step in range(self.steps):
            logits = self.logits(z, tokens)[:, step].copy()
            logits[~before.sounding, NOTE_OFF] = -np.inf
            tokens[:, step] = choice.choose(logits, step, before.last_note)
            before = before.then(tokens[:, step])
        return tokens

    def _logits(self, z: Tensor, tokens: np.ndarray) -> Tensor:
        logits: Tensor = self.network(z.float(), torch.from_numpy(tokens).long())
        return logits

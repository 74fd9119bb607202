"""The loss: reconstruction + beta * max(KL - free nats, 0).

Conventions: loss terms are in nats, one number per window (or image): summed over steps (or pixels) and over latent
dimensions. The mean over the batch is taken last, of both alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class LossTerms:
    """The two halves of the negative evidence lower bound, kept apart, each ``(B,)`` in nats.

    Attributes:
        reconstruction: -log p(x | z) at one z drawn from q(z | x).
        kl: KL(q(z | x) || N(0, I)), unclipped.
    """

    reconstruction: Tensor
    kl: Tensor

    def negative_elbo(self) -> Tensor:
        """An upper bound of -log p(x) in nats, ``(B,)``: what a VAE with beta = 1 minimises."""
        return self.reconstruction + self.kl


def token_nats(logits: Tensor, tokens: Tensor) -> Tensor:
    """-log p of each token of ``(B, T)`` under logits ``(B, T, V)``, in nats: ``(B, T)``; its sum is -log p(x | z)."""
    return F.cross_entropy(logits.transpose(1, 2), tokens.long(), reduction="none")


def weighted_loss(terms: LossTerms, beta: float | Tensor, free_nats: float = 0.0) -> Tensor:
    """The scalar that is minimised: mean over the batch of reconstruction + beta * max(kl - free_nats, 0).

    Free bits: "Improved Variational Inference with Inverse Autoregressive Flow" (Kingma et al., 2016),
    https://arxiv.org/abs/1606.04934, in the form of MusicVAE (one budget for the whole of z); beta:
    "beta-VAE" (Higgins et al., 2017), https://openreview.net/forum?id=Sy2fzU9gl.
    """
    return (terms.reconstruction + beta * (terms.kl - free_nats).clamp(min=0)).mean()

"""Long windows, segment by segment: z is the codes of the segments, each relative to a learned prior.

A flat model of one segment (:mod:`melodyvae.models.encoder`, :mod:`melodyvae.models.decoder`) codes and writes each
segment of two bars; a trained one can be taken over. Its state is reset at each segment, and it reads the previous
token across the bar line. What segments have in common is in the prior: each code is N(m, s^2) given the codes before
it, and the latent numbers are e = (code - m) / s. A draw from N(0, I) *is* a draw from the learned prior, and the KL
divergence from N(0, I) is the one from the learned prior.

Conventions: S segments of U steps each in a window of T = S * U steps; C numbers in a code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melodyvae.config import MelodyConfig
from melodyvae.models.decoder import AutoregressiveDecoder, MelodyDecoder
from melodyvae.models.encoder import MelodyEncoder
from melodyvae.models.latent import DiagonalGaussian


class CodesEncoder(nn.Module):
    """Token windows ``(B, T)`` to the codes of their segments, parameters ``(B, S, C)``: each segment by itself."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.segment_steps = config.steps // config.segments
        self.segment_encoder = MelodyEncoder(config.of_segment(), vocabulary_size)

    @property
    def posterior(self) -> nn.Linear:
        """The last layer."""
        return self.segment_encoder.posterior

    def forward(self, tokens: Tensor) -> DiagonalGaussian:
        """See the class; ``tokens`` are integers, of any number of segments."""
        segments: DiagonalGaussian = self.segment_encoder(tokens.reshape(-1, self.segment_steps))
        shape = (len(tokens), tokens.shape[1] // self.segment_steps, -1)
        return DiagonalGaussian(segments.mean.view(shape), segments.log_variance.view(shape))


class CodesPrior(nn.Module):
    """p(code of a segment | the codes before it), a Gaussian for each: an LSTM over the codes."""

    def __init__(self, config: MelodyConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(config.code_size, config.conductor_size, config.conductor_layers, batch_first=True)
        self.next = nn.Linear(config.conductor_size, 2 * config.code_size)
        nn.init.zeros_(self.next.weight)  # it starts as N(0, I), which the codes of a flat model were learned with
        nn.init.zeros_(self.next.bias)

    def forward(self, codes: Tensor) -> DiagonalGaussian:
        """The prior of each segment, parameters ``(B, S, C)``, given the codes ``(B, S, C)`` of those before."""
        before = self._nothing(codes)
        if codes.shape[1] > 1:
            before = torch.cat([before, self.lstm(codes[:, :-1])[0]], dim=1)
        return self._gaussian(before)

    def codes(self, relative: Tensor) -> Tensor:
        """The codes ``(B, S, C)`` that e ``(B, S, C)`` stands for: one after the other, as each hears those before."""
        heard, state = self._nothing(relative), None
        codes: list[Tensor] = []
        for segment in range(relative.shape[1]):
            if segment:
                heard, state = self.lstm(codes[-1], state)
            prior = self._gaussian(heard)
            codes.append(prior.mean + torch.exp(0.5 * prior.log_variance) * relative[:, segment : segment + 1])
        return torch.cat(codes, dim=1)

    def _nothing(self, like: Tensor) -> Tensor:
        return like.new_zeros(len(like), 1, self.lstm.hidden_size)

    def _gaussian(self, states: Tensor) -> DiagonalGaussian:
        return DiagonalGaussian.bounded(self.next(states).to(self.next.weight.dtype))


class CodesDecoder(AutoregressiveDecoder):
    """e ``(B, S * C)`` to windows, through the learned prior of the codes; see the module."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.code_size = config.code_size
        self.prior = CodesPrior(config)
        self.segment_decoder = MelodyDecoder(config.of_segment(), vocabulary_size)

    def relative_to_prior(self, posterior: DiagonalGaussian, tokens: Tensor) -> DiagonalGaussian:
        """q(e | x), parameters ``(B, S * C)``, from that of the codes ``(B, S, C)``; the prior hears their means."""
        return posterior.relative_to(self.prior(posterior.mean)).flattened()

    def codes(self, z: Tensor) -> Tensor:
        """The codes of the segments, ``(B, S, C)``, for e ``(B, S * C)``; as many segments as ``z`` has parts."""
        codes: Tensor = self.prior.codes(z.view(len(z), -1, self.code_size))
        return codes

    def raw_logits(self, z: Tensor, previous: Tensor) -> Tensor:
        """See :meth:`AutoregressiveDecoder.raw_logits`: the segments are independent, given the tokens before."""
        codes = self.codes(z).flatten(0, 1)
        logits = self.segment_decoder.raw_logits(codes, previous.reshape(len(codes), -1))
        return logits.reshape(*previous.shape, -1)

    def drawn(self, z: Tensor, tokens: Tensor, keep: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`AutoregressiveDecoder.drawn`."""
        written, steps = tokens[:, :0], self.segment_decoder.config.steps
        for segment, code in enumerate(self.codes(z).unbind(dim=1)):
            part = slice(segment * steps, (segment + 1) * steps)
            found = self.segment_decoder.drawn(code, tokens[:, part], keep[:, part], generator, written)
            written = torch.cat([written, found], dim=1)
        return written

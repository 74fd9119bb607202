"""An autoregressive LSTM: p(x | z) = product over steps of p(x_t | x_<t, z), over legal token sequences only.

A note off while nothing sounds is illegal and has probability 0, in training as in sampling, so every draw is a
melody, and the likelihood is that of the sampled distribution.

Two read-outs:

- ``position``: z gives each step numbers of its own, fed to the LSTM beside the previous token.
- ``last-state``: MusicVAE's. z sets the LSTM's first state through a tanh layer and is fed to every step alike
  (Roberts et al., 2018, section 3.2, https://arxiv.org/abs/1803.05428).

Two outputs: ``tokens`` has a logit for each token; ``event-then-pitch`` predicts the event, and separately the pitch of
a note on: p(note on at a pitch) = p(note on) * p(pitch | note on).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from melodyvae.config import MelodyConfig
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.token_inputs import token_inputs


@dataclass(frozen=True)
class DecoderContext:
    """All that the steps need of z, computed once per window.

    Attributes:
        features: the numbers of z that each step reads, ``(T, B, F)``.
        state: the LSTM's hidden and cell before the first step, each ``(layers, B, H)``.
    """

    features: Tensor
    state: tuple[Tensor, Tensor]


class AutoregressiveDecoder(nn.Module):
    """Base of all melody decoders for training: latent vectors ``(B, Z)`` to windows ``(B, T)``.

    A subclass gives the logits of each token given the true ones before it (:meth:`raw_logits`), and draws
    (:meth:`drawn`). Windows are written in :mod:`melodyvae.network`.
    """

    def raw_logits(self, z: Tensor, previous: Tensor) -> Tensor:
        """Logits ``(B, T, V)`` of every step, given z and the previous tokens ``(B, T)``; not yet masked."""
        raise NotImplementedError

    def drawn(self, z: Tensor, tokens: Tensor, keep: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """``tokens`` ``(B, T)`` where ``keep`` ``(B, T)`` says so, elsewhere draws given z and what comes before."""
        raise NotImplementedError

    def forward(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``(B, T, V)`` of every step, each given z and the *true* tokens before it (teacher forcing)."""
        previous = F.pad(tokens.long(), (1, -1), value=NO_EVENT)  # step t reads the token of step t - 1
        return forbid_silent_note_off(self.raw_logits(z, previous), sounding_before(tokens))

    def scheduled_sampling_logits(
        self, z: Tensor, tokens: Tensor, teacher_forcing: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Logits ``(B, T, V)`` where each step reads the true previous token with probability ``teacher_forcing``.

        Otherwise it reads a draw from its own distribution, which is not differentiated ("Scheduled Sampling for
        Sequence Prediction with Recurrent Neural Networks", Bengio et al., 2015,
        https://arxiv.org/abs/1506.03099). The masks follow the true tokens: those are what is scored.
        """
        keep = torch.rand(tokens.shape, generator=generator, device=z.device) < teacher_forcing
        # Without autocast, which would keep the weights as they were cast here, without a gradient.
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            read = self.drawn(z.to(self.dtype), tokens.long(), keep, generator)
        logits = self.raw_logits(z, F.pad(read, (1, -1), value=NO_EVENT))
        return forbid_silent_note_off(logits, sounding_before(tokens))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        return next(self.parameters()).dtype


class MelodyDecoder(AutoregressiveDecoder):
    """One LSTM that writes the whole window."""

    token_inputs: Tensor

    def __init__(self, config: MelodyConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        if config.readout == "position":
            feature_size = config.decoder_features
            self.step_features = nn.Linear(config.latent_size, config.steps * feature_size)
        else:
            feature_size = config.latent_size
            self.first_state = nn.Linear(config.latent_size, 2 * config.decoder_layers * config.decoder_size)
        inputs = torch.from_numpy(token_inputs(vocabulary_size, config.pitch_inputs))  # by NumPy: see Table
        self.register_buffer("token_inputs", inputs, persistent=False)
        input_size = self.token_inputs.shape[1] + feature_size
        self.lstm = nn.LSTM(input_size, config.decoder_size, config.decoder_layers)
        events = config.output == "event-then-pitch"  # one output more: a note on, at whatever pitch
        self.output = nn.Linear(config.decoder_size, vocabulary_size + events)

    def context(self, z: Tensor) -> DecoderContext:
        """Features of ``z`` ``(B, Z)`` at each step, and the initial state."""
        config, batch = self.config, z.shape[0]
        if config.readout == "position":
            features = self.step_features(z).view(batch, config.steps, -1).transpose(0, 1)
            zeros = features.new_zeros(config.decoder_layers, batch, config.decoder_size)
            return DecoderContext(features, (zeros, zeros))
        state = torch.tanh(self.first_state(z)).view(batch, 2, config.decoder_layers, config.decoder_size)
        hidden, cell = state.permute(1, 2, 0, 3).contiguous()
        return DecoderContext(z.expand(config.steps, -1, -1), (hidden, cell))

    def raw_logits(self, z: Tensor, previous: Tensor) -> Tensor:
        """See :meth:`AutoregressiveDecoder.raw_logits`."""
        context = self.context(z)
        inputs = torch.cat([self.token_inputs[previous.T], context.features], dim=-1)
        outputs, _ = self.lstm(inputs, context.state)
        return self._token_logits(outputs).transpose(0, 1)

    def drawn(
        self,
        z: Tensor,
        tokens: Tensor,
        keep: Tensor,
        generator: torch.Generator | None = None,
        before: Tensor | None = None,
    ) -> Tensor:
        """See :meth:`AutoregressiveDecoder.drawn`; ``before`` is what was written before this window, ``(B, t)``."""
        context = self.context(z)
        state, found = context.state, []
        written = tokens[:, :0] if before is None else before
        sounding = sounding_before(F.pad(written, (0, 1)))[:, -1]
        previous = F.pad(written, (1, 0), value=NO_EVENT)[:, -1]
        for step, features in enumerate(context.features):
            outputs, state = self.lstm(torch.cat([self.token_inputs[previous], features], dim=-1)[None], state)
            logits = forbid_silent_note_off(self._token_logits(outputs[0]), sounding)
            sums = logits.double().softmax(-1).cumsum(-1)  # drawn as Draws.choices does: multinomial's ways change
            at = torch.rand(len(sums), 1, generator=generator, device=sums.device).double()
            chosen = (sums <= at * sums[:, -1:]).sum(-1)
            previous = torch.where(keep[:, step], tokens[:, step], chosen)
            sounding = torch.where(previous == NO_EVENT, sounding, previous >= FIRST_NOTE_ON)
            found.append(previous)
        return torch.stack(found, dim=1)

    def _token_logits(self, outputs: Tensor) -> Tensor:
        """Logits ``(..., V)`` of the tokens, not yet masked, from the LSTM's outputs ``(..., H)``."""
        logits: Tensor = self.output(outputs).to(self.output.weight.dtype)
        if self.config.output == "tokens":
            return logits
        of_events, of_pitches = logits[..., : FIRST_NOTE_ON + 1], logits[..., FIRST_NOTE_ON + 1 :]
        note_on = of_events[..., FIRST_NOTE_ON:]
        # The pitches' probabilities sum to 1, so masking and normalising what follows leaves those of the events.
        return torch.cat([of_events[..., :FIRST_NOTE_ON], note_on + of_pitches.log_softmax(-1)], dim=-1)


def sounding_before(tokens: Tensor) -> Tensor:
    """Whether a note sounds just before each step: booleans ``(B, T)`` for ``tokens`` ``(B, T)``."""
    is_event = tokens != NO_EVENT
    number = is_event.cumsum(dim=1)  # of the last event, from 1; 0 before the first
    events = torch.zeros(tokens.shape[0], tokens.shape[1] + 1, dtype=torch.long, device=tokens.device)
    events.scatter_add_(1, number, torch.where(is_event, tokens.long(), 0))  # the token of each event, by number
    return F.pad(events.gather(1, number) >= FIRST_NOTE_ON, (1, -1), value=False)


def forbid_silent_note_off(logits: Tensor, sounding: Tensor) -> Tensor:
    """``logits`` ``(..., V)`` with minus infinity for a note off wherever ``sounding`` ``(...)`` is False."""
    legal = logits.clone()
    legal[..., NOTE_OFF].masked_fill_(~sounding, -torch.inf)
    return legal

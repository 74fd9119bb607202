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
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from melodyvae.config import MelodyConfig
from melodyvae.models.stepwise_lstm import DecoderContext, LSTMCalls, LSTMSteps
from melodyvae.models.token_rules import TokenRules
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.decoder import NoProbabilitiesError
from melodyvae.network.token_inputs import token_inputs

SMALL_BATCH = 16


@dataclass(frozen=True)
class Before:
    """The past of a step: the features of the tokens before it.

    Attributes:
        token: of the step just before, ``(B,)``.
        sounding: whether a note sounds then, booleans ``(B,)``.
        last_note: the last note on, ``(B,)``, 0 if there is none.
    """

    token: Tensor
    sounding: Tensor
    last_note: Tensor

    @classmethod
    def nothing(cls, batch: int, device: torch.device) -> Self:
        """Silence, before the first step."""
        tokens = torch.full((batch,), NO_EVENT, device=device)
        return cls(tokens, torch.zeros_like(tokens, dtype=torch.bool), torch.zeros_like(tokens))


@dataclass(frozen=True)
class Choice:
    """Rule by which a decoder chooses each token, step by step.

    Attributes:
        temperature: see :func:`draw`.
        generator: the source of the draws.
        true_tokens: ``(B, T)``, taken wherever ``keep_true`` ``(B, T)`` says so.
        keep_true: see there.
        rules: which tokens may come where; None allows all.
    """

    temperature: float
    generator: torch.Generator | None = None
    true_tokens: Tensor | None = None
    keep_true: Tensor | None = None
    rules: TokenRules | None = None

    def make(self, logits: Tensor, sounding: Tensor, step: int, last_note: Tensor | None = None) -> Tensor:
        """The tokens ``(B,)`` of a step, from its logits ``(B, V)``, after the note ons ``last_note`` ``(B,)``."""
        return self.choose(forbid_silent_note_off(logits, sounding), step, last_note)

    def choose(self, legal: Tensor, step: int, last_note: Tensor | None = None) -> Tensor:
        """As :meth:`make`, from logits ``(B, V)`` that forbid what is illegal already."""
        if self.rules is None:
            chosen = draw(legal, self.temperature, self.generator)
        else:
            ruled = self.rules.log_probabilities(legal, step, self.temperature, last_note)
            chosen = draw(ruled, 1.0 if self.temperature > 0 else 0.0, self.generator)
        if self.true_tokens is None or self.keep_true is None:
            return chosen
        return torch.where(self.keep_true[:, step], self.true_tokens[:, step], chosen)


class AutoregressiveDecoder(nn.Module):
    """Base of all melody decoders: latent vectors ``(B, Z)`` to windows ``(B, T)``.

    A subclass gives the logits of each token given the true ones before it (:meth:`raw_logits`), and writes a window
    step by step (:meth:`roll_out`).
    """

    def raw_logits(self, z: Tensor, previous: Tensor) -> Tensor:
        """Logits ``(B, T, V)`` of every step, given z and the previous tokens ``(B, T)``; not yet masked."""
        raise NotImplementedError

    def roll_out(self, z: Tensor, choice: Choice) -> tuple[Tensor, Tensor]:
        """Tokens ``(B, T)`` chosen one after the other, and the logits ``(B, T, V)`` that they were chosen by."""
        raise NotImplementedError

    def forward(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``(B, T, V)`` of every step, each given z and the *true* tokens before it (teacher forcing)."""
        previous = F.pad(tokens.long(), (1, -1), value=NO_EVENT)  # step t reads the token of step t - 1
        return forbid_silent_note_off(self.raw_logits(z, previous), sounding_before(tokens))

    def generate(
        self,
        z: Tensor,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        rules: TokenRules | None = None,
    ) -> Tensor:
        """Legal token windows ``(B, T)`` (int64), each step drawn given z and the tokens drawn before it.

        Args:
            z: latent vectors ``(B, Z)``.
            temperature: logits are divided by it before the draw; 0 takes the most probable token.
            generator: the source of the draws, on the device of ``z``.
            rules: which tokens may come where; None allows all.
        """
        tokens, _ = self.roll_out(z, Choice(temperature, generator, rules=rules))
        return tokens

    def fill_in(
        self,
        z: Tensor,
        tokens: Tensor,
        visible: Tensor,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        rules: TokenRules | None = None,
    ) -> Tensor:
        """``tokens`` ``(B, T)`` where ``visible`` ``(T,)``, and elsewhere drawn given z and what comes before."""
        keep = visible.expand(len(tokens), -1)
        filled, _ = self.roll_out(z, Choice(temperature, generator, tokens.long(), keep, rules))
        return filled

    def scheduled_sampling_logits(
        self, z: Tensor, tokens: Tensor, teacher_forcing: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Logits ``(B, T, V)`` where each step reads the true previous token with probability ``teacher_forcing``.

        Otherwise it reads a draw from its own distribution, which is not differentiated ("Scheduled Sampling for
        Sequence Prediction with Recurrent Neural Networks", Bengio et al., 2015,
        https://arxiv.org/abs/1506.03099). The masks follow the true tokens: those are what is scored.
        """
        keep = torch.rand(tokens.shape, generator=generator, device=z.device) < teacher_forcing
        _, logits = self.roll_out(z, Choice(1.0, generator, tokens.long(), keep))
        return forbid_silent_note_off(logits, sounding_before(tokens))


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

    def roll_out(self, z: Tensor, choice: Choice) -> tuple[Tensor, Tensor]:
        """See :meth:`AutoregressiveDecoder.roll_out`."""
        start = Before.nothing(z.shape[0], z.device)
        tokens, logits, _ = self.write(z, choice, start)
        return tokens, logits

    def write(self, z: Tensor, choice: Choice, before: Before, first_step: int = 0) -> tuple[Tensor, Tensor, Before]:
        """As :meth:`roll_out`, after the steps ``before``; this window's first step is ``first_step`` of the choice."""
        steps = self._steps(self.context(z))
        previous, sounding, last_note = before.token, before.sounding, before.last_note
        drawn, all_logits = [], []
        for step in range(self.config.steps):
            logits = self._token_logits(steps.take(previous))
            all_logits.append(logits)
            previous = choice.make(logits.detach(), sounding, first_step + step, last_note)
            sounding = torch.where(previous == NO_EVENT, sounding, previous >= FIRST_NOTE_ON)
            last_note = torch.where(previous >= FIRST_NOTE_ON, previous, last_note)
            drawn.append(previous)
        return torch.stack(drawn, dim=1), torch.stack(all_logits, dim=1), Before(previous, sounding, last_note)

    def _steps(self, context: DecoderContext) -> LSTMCalls | LSTMSteps:
        """The faster way to step: nn.LSTM's own libraries multiply large matrices better than the plain product.

        Measured by ``python -m tests.benchmarks.sampling_speed``.
        """
        device = context.features.device.type
        is_small = context.features.shape[1] <= SMALL_BATCH and device == "cpu"
        if is_small and not torch.is_grad_enabled() and not torch.is_autocast_enabled(device):
            return LSTMSteps(self.lstm, self.token_inputs, context)
        return LSTMCalls(self.lstm, self.token_inputs, context)

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


def draw(logits: Tensor, temperature: float, generator: torch.Generator | None = None) -> Tensor:
    """One token id for each row of ``logits`` ``(B, V)``; temperature 0 takes the most probable."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    if temperature != 1:
        below_best = logits - logits.amax(dim=-1, keepdim=True)  # so that no temperature, however low, overflows
        logits = below_best / max(temperature, torch.finfo(logits.dtype).tiny)
    probabilities = torch.softmax(logits, dim=-1)
    try:
        return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)
    except RuntimeError as error:
        if torch.isfinite(probabilities).all():
            raise
        raise NoProbabilitiesError() from error

"""The decoder of one level in NumPy, and what all decoders share.

:class:`melodyvae.models.decoder.MelodyDecoder` says what it is. Besides decoding, a decoder here gives the gradient of
-log p(x | z) with respect to z, which is what refining a latent vector needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from melodyvae.config import MelodyConfig
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF, sounding_before
from melodyvae.network.draws import Draws
from melodyvae.network.lstm import LSTM, State, Steps, joint_matrices
from melodyvae.network.token_inputs import token_inputs
from melodyvae.network.token_rules import TokenRules
from melodyvae.network.weights import Weights
from melodyvae.system.errors import UserError

GATES_AT_ONCE = 1024  # rows of gates, of all windows and some steps: they stay in the cache


class NoProbabilitiesError(UserError):
    """The weights of a model, such as a stranger's, overflow."""

    def __init__(self) -> None:
        super().__init__(
            "the model's weights are so large that its probabilities are not numbers; it is damaged: train it again"
        )


@dataclass(frozen=True)
class Before:
    """The past of a step: the features of the tokens before it.

    Attributes:
        token: of the step just before, ``(B,)``.
        sounding: whether a note sounds then, booleans ``(B,)``.
        last_note: the last note on, ``(B,)``, 0 if there is none.
    """

    token: np.ndarray
    sounding: np.ndarray
    last_note: np.ndarray

    @classmethod
    def nothing(cls, batch: int) -> Self:
        """Silence, before the first step."""
        return cls(np.full(batch, NO_EVENT), np.zeros(batch, bool), np.zeros(batch, np.int64))

    def then(self, token: np.ndarray) -> Before:
        """The past after one more step."""
        is_note = token >= FIRST_NOTE_ON
        return Before(
            token, np.where(token == NO_EVENT, self.sounding, is_note), np.where(is_note, token, self.last_note)
        )


@dataclass(frozen=True)
class Choice:
    """Rule by which a decoder chooses each token, step by step.

    Attributes:
        temperature: see :func:`draw`.
        draws: the source of the draws.
        true_tokens: ``(B, T)``, taken wherever ``keep_true`` ``(B, T)`` says so.
        keep_true: see there.
        rules: which tokens may come where; None allows all.
        is_open: in which steps of a bar, or of several, an event may come, booleans; in others nothing is drawn. None
            allows all.
    """

    temperature: float = 0.0
    draws: Draws | None = None
    true_tokens: np.ndarray | None = None
    keep_true: np.ndarray | None = None
    rules: TokenRules | None = None
    is_open: np.ndarray | None = None

    def opens(self, step: int) -> bool:
        """Whether an event may come at a step."""
        return self.is_open is None or bool(self.is_open[step % len(self.is_open)])

    def choose(self, legal: np.ndarray, step: int, last_note: np.ndarray | None = None) -> np.ndarray:
        """The tokens ``(B,)`` of a step, from legal logits ``(B, V)``, after the note ons ``last_note`` ``(B,)``."""
        if not self.opens(step):
            return np.full(len(legal), NO_EVENT)
        if self.rules is None:
            chosen = draw(legal, self.temperature, self.draws)
        else:
            ruled = self.rules.log_probabilities(legal, step, self.temperature, last_note)
            chosen = draw(ruled, 1.0 if self.temperature > 0 else 0.0, self.draws)
        if self.true_tokens is None or self.keep_true is None:
            return chosen
        return np.where(self.keep_true[:, step], self.true_tokens[:, step], chosen)


class Decoder:
    """Base of all melody decoders: latent vectors ``(B, Z)`` to windows ``(B, T)``."""

    def logits(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Logits ``(B, T, V)`` of every step, each given z and the true tokens before it."""
        raise NotImplementedError

    def gradient(self, z: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The logits ``(B, T, V)``, and the gradient ``(B, Z)`` of -log p(x | z), in nats, with respect to z."""
        raise NotImplementedError

    def roll_out(self, z: np.ndarray, choice: Choice) -> np.ndarray:
        """Tokens ``(B, T)`` chosen one after the other."""
        raise NotImplementedError


class MelodyDecoder(Decoder):
    """One LSTM that writes the whole window."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int, weights: Weights) -> None:
        self.config = config
        if config.readout == "position":
            self.feature_size = config.decoder_features
            self.step_features = weights.linear("step_features", config.latent_size, config.steps * self.feature_size)
        else:
            self.feature_size = config.latent_size
            states = 2 * config.decoder_layers * config.decoder_size
            self.first_state = weights.linear("first_state", config.latent_size, states)
        inputs = token_inputs(vocabulary_size, config.pitch_inputs)
        width = inputs.shape[1] + self.feature_size
        self.lstm = LSTM(weights.under("lstm"), width, config.decoder_size, config.decoder_layers)
        first = self.lstm.layers[0]
        self.table = first.table(inputs)
        self.of_features = first.of_input[inputs.shape[1] :]
        self.joint = joint_matrices(self.lstm, self.feature_size if config.readout == "position" else 0)
        self.has_events = config.output == "event-then-pitch"  # one output more: a note on, at whatever pitch
        self.output = weights.linear("output", config.decoder_size, vocabulary_size + self.has_events)

    def _context(self, z: np.ndarray) -> tuple[np.ndarray, list[State]]:
        """Features of ``z`` ``(B, Z)`` at each step, ``(T, B, F)``, and the initial state."""
        config, batch = self.config, len(z)
        if config.readout == "position":
            features = self.step_features(z).reshape(batch, config.steps, -1).transpose(1, 0, 2)
            return features, self.lstm.zeros(batch)
        state = np.tanh(self.first_state(z)).reshape(batch, 2, config.decoder_layers, config.decoder_size)
        layers = [(state[:, 0, layer], state[:, 1, layer]) for layer in range(config.decoder_layers)]
        return np.broadcast_to(z, (config.steps, *z.shape)), layers

    def _gates(self, features: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """Input of the first layer's gates from features ``(T, B, F)`` and the tokens before each step, ``(B, T)``."""
        steps, batch, size = features.shape
        if self.config.readout == "position":
            gates: np.ndarray = (features.reshape(-1, size) @ self.of_features).reshape(steps, batch, -1)
            gates += self.table[previous.T]
            return gates
        return np.asarray(self.table[previous.T] + features[0] @ self.of_features)

    def raw_logits(self, z: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """Logits ``(B, T, V)`` of every step, given z and the previous tokens ``(B, T)``; not yet masked."""
        features, state = self._context(z)
        count, parts = max(GATES_AT_ONCE // len(z), 1), []
        for start in range(0, len(features), count):
            some = slice(start, start + count)
            outputs, state, _ = self.lstm.run(self._gates(features[some], previous[:, some]), state)
            parts.append(outputs)
        outputs = np.concatenate(parts)
        return self.token_logits(self.output(outputs)).transpose(1, 0, 2)

    def raw_gradient(self, z: np.ndarray, previous: np.ndarray, legal: LegalLogits) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Decoder.gradient`, of the loss of ``legal``."""
        features, state = self._context(z)
        outputs, _, tapes = self.lstm.run(self._gates(features, previous), state, tape=True)
        outputs = self.output(outputs)
        logits = legal.of(self.token_logits(outputs).transpose(1, 0, 2))
        of_logits = legal.gradient(logits).transpose(1, 0, 2)  # (T, B, V)
        if self.has_events:
            shares = softmax(outputs[..., FIRST_NOTE_ON + 1 :])
            of_notes = of_logits[..., FIRST_NOTE_ON:]
            of_note_on = of_notes.sum(axis=-1, keepdims=True)
            parts = [of_logits[..., :FIRST_NOTE_ON], of_note_on, of_notes - shares * of_note_on]
            of_logits = np.concatenate(parts, axis=-1)
        of_gates, of_states = self.lstm.back(self.output.back(of_logits), tapes)
        if self.config.readout == "position":
            of_features = (of_gates.reshape(-1, of_gates.shape[-1]) @ self.of_features.T).reshape(*features.shape)
            return logits, self.step_features.back(of_features.transpose(1, 0, 2).reshape(len(z), -1))
        found = of_gates.sum(axis=0) @ self.of_features.T
        of_state = np.stack([np.stack([hidden, cell], axis=1) for hidden, cell in of_states], axis=2)
        first = np.stack([np.stack([hidden, cell], axis=1) for hidden, cell in state], axis=2)
        of_state = (of_state * (1 - np.square(first))).reshape(len(z), -1)
        return logits, found + self.first_state.back(of_state)

    def logits(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """See :meth:`Decoder.logits`."""
        return LegalLogits(tokens).of(self.raw_logits(z, before_each(tokens)))

    def gradient(self, z: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`Decoder.gradient`."""
        return self.raw_gradient(z, before_each(tokens), LegalLogits(tokens))

    def roll_out(self, z: np.ndarray, choice: Choice) -> np.ndarray:
        """See :meth:`Decoder.roll_out`."""
        return self.write(z, choice, Before.nothing(len(z)))[0]

    def write(self, z: np.ndarray, choice: Choice, before: Before, first_step: int = 0) -> tuple[np.ndarray, Before]:
        """As :meth:`roll_out`, after the steps ``before``; this window's first step is ``first_step`` of the choice."""
        steps = self._steps(z)
        tokens = np.empty((len(z), self.config.steps), np.int64)
        for step in range(self.config.steps):
            logits = self.token_logits(self.output(steps.take(before.token)))
            logits[~before.sounding, NOTE_OFF] = -np.inf
            tokens[:, step] = choice.choose(logits, first_step + step, before.last_note)
            before = before.then(tokens[:, step])
        return tokens, before

    def _steps(self, z: np.ndarray) -> Steps:
        """The LSTM before the first step."""
        features, state = self._context(z)
        always = None
        if self.config.readout != "position":
            always, features = features[0] @ self.of_features, features[..., :0]
        return Steps(self.lstm, self.table, features, state, self.joint, always)

    def token_logits(self, outputs: np.ndarray) -> np.ndarray:
        """Logits ``(..., V)`` of the tokens, not yet masked, from the output layer's numbers."""
        if not self.has_events:
            return outputs
        of_pitches = outputs[..., FIRST_NOTE_ON + 1 :]
        note_on = outputs[..., FIRST_NOTE_ON : FIRST_NOTE_ON + 1]
        # The pitches' probabilities sum to 1, so masking and normalising what follows leaves those of the events.
        return np.concatenate([outputs[..., :FIRST_NOTE_ON], note_on + log_softmax(of_pitches)], axis=-1)


class LegalLogits:
    """The masks and the loss of token windows ``(B, T)``."""

    def __init__(self, tokens: np.ndarray, silent: np.ndarray | None = None) -> None:
        self.tokens = tokens.astype(np.int64)
        self.silent = ~sounding_before(tokens) if silent is None else silent

    def in_parts(self, steps: int) -> LegalLogits:
        """The same of windows of ``steps`` steps, ``(B * T / steps, steps)``, which go on from one another."""
        return LegalLogits(self.tokens.reshape(-1, steps), self.silent.reshape(-1, steps))

    def of(self, logits: np.ndarray) -> np.ndarray:
        """``logits`` ``(B, T, V)`` with minus infinity for a note off while nothing sounds; changed in place."""
        logits[..., NOTE_OFF][self.silent] = -np.inf
        return logits

    def gradient(self, logits: np.ndarray) -> np.ndarray:
        """The gradient of the sum of -log p of all tokens, with respect to the legal logits ``(B, T, V)``."""
        found = softmax(logits)
        places = self.tokens[..., None]
        np.put_along_axis(found, places, np.take_along_axis(found, places, -1) - 1, -1)
        return found


def before_each(tokens: np.ndarray) -> np.ndarray:
    """The token before each step of ``(B, T)``, int64; before the first one there is no event."""
    previous = np.full(tokens.shape, NO_EVENT)
    previous[:, 1:] = tokens[:, :-1]
    return previous


def token_nats(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """-log p of each token of ``(B, T)`` under logits ``(B, T, V)``, in nats: ``(B, T)``; its sum is -log p(x | z)."""
    chosen = np.take_along_axis(logits, tokens.astype(np.int64)[..., None], -1)[..., 0]
    highest = logits.max(axis=-1)
    return np.asarray(np.log(np.exp(logits - highest[..., None]).sum(axis=-1)) + highest - chosen)


def draw(logits: np.ndarray, temperature: float, draws: Draws | None = None) -> np.ndarray:
    """One token id for each row of ``logits`` ``(B, V)``; temperature 0 takes the most probable.

    Raises:
        NoProbabilitiesError: if the logits are not numbers.
    """
    if temperature == 0:
        return np.asarray(logits.argmax(axis=1))
    below_best = logits - logits.max(axis=1, keepdims=True)  # so that no temperature, however low, overflows
    if temperature != 1:
        below_best = below_best / np.float64(max(temperature, np.finfo(logits.dtype).tiny))
    weights = np.exp(below_best)
    if not np.isfinite(weights).all():
        raise NoProbabilitiesError()
    return (draws or Draws()).choices(weights)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """The logarithms of :func:`softmax`."""
    below = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=-1, keepdims=True)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """The probabilities of logits, along the last axis."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return np.asarray(shares)

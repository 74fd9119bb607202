"""Encoder and decoder of the codes of segments in NumPy: :mod:`melodyvae.models.hierarchical` says what they are.

Conventions: S segments of U steps each in a window of T = S * U steps; C numbers in a code.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from melodyvae.config import MelodyConfig
from melodyvae.network.decoder import Before, Choice, Decoder, LegalLogits, MelodyDecoder, before_each
from melodyvae.network.encoder import MelodyEncoder
from melodyvae.network.latent import LOWEST_LOG_VARIANCE, Gaussian
from melodyvae.network.lstm import LSTM, State, Tape
from melodyvae.network.weights import Weights

Back = Callable[[np.ndarray], np.ndarray]  # from the gradient of codes to that of z


class CodesEncoder:
    """Token windows ``(B, T)`` to the codes of their segments, parameters ``(B, S, C)``: each segment by itself."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int, weights: Weights) -> None:
        self.segment_steps = config.steps // config.segments
        self.segment_encoder = MelodyEncoder(config.of_segment(), vocabulary_size, weights.under("segment_encoder"))

    def __call__(self, tokens: np.ndarray) -> Gaussian:
        """See the class; ``tokens`` are integers, of any number of segments."""
        segments = self.segment_encoder(tokens.reshape(-1, self.segment_steps))
        shape = (len(tokens), tokens.shape[1] // self.segment_steps, -1)
        return Gaussian(segments.mean.reshape(shape), segments.log_variance.reshape(shape))


class CodesPrior:
    """p(code of a segment | the codes before it), a Gaussian for each: an LSTM over the codes."""

    def __init__(self, config: MelodyConfig, weights: Weights) -> None:
        self.lstm = LSTM(weights.under("lstm"), config.code_size, config.conductor_size, config.conductor_layers)
        self.next = weights.linear("next", config.conductor_size, 2 * config.code_size)

    def __call__(self, codes: np.ndarray) -> Gaussian:
        """The prior of each segment, parameters ``(B, S, C)``, given the codes ``(B, S, C)`` of those before."""
        heard = np.zeros((len(codes), codes.shape[1], self.lstm.size), codes.dtype)
        if codes.shape[1] > 1:
            heard[:, 1:] = self.lstm(codes[:, :-1].transpose(1, 0, 2))[0].transpose(1, 0, 2)
        return Gaussian.bounded(self.next(heard))

    def codes_and_back(self, relative: np.ndarray) -> tuple[np.ndarray, Back]:
        """The codes ``(B, S, C)`` that e ``(B, S, C)`` stands for, one after the other; and the way back to e."""
        batch, segments, _ = relative.shape
        state, heard = self.lstm.zeros(batch), np.zeros((batch, self.lstm.size), relative.dtype)
        codes = np.empty_like(relative)
        deviations, is_bounded = np.empty_like(relative), np.empty(relative.shape, bool)
        tapes: list[list[Tape]] = []
        for segment in range(segments):
            if segment:
                gates = self.lstm.layers[0].gates(codes[None, :, segment - 1])
                outputs, state, kept = self.lstm.run(gates, state, tape=True)
                heard = outputs[0]
                tapes.append(kept)
            said = Gaussian.bounded(self.next(heard))
            is_bounded[:, segment] = said.log_variance <= LOWEST_LOG_VARIANCE
            deviations[:, segment] = np.exp(0.5 * said.log_variance)
            codes[:, segment] = said.mean + deviations[:, segment] * relative[:, segment]

        def back(gradient: np.ndarray) -> np.ndarray:
            later: list[State] | None = None
            of_codes = gradient.copy()
            for segment in range(segments - 1, 0, -1):
                of_mean = of_codes[:, segment]
                of_log_variance = 0.5 * deviations[:, segment] * relative[:, segment] * of_mean
                of_log_variance[is_bounded[:, segment]] = 0
                of_heard = self.next.back(np.concatenate([of_mean, of_log_variance], axis=-1))
                of_gates, later = self.lstm.back(of_heard[None], tapes[segment - 1], later)
                of_codes[:, segment - 1] += of_gates[0] @ self.lstm.layers[0].of_input.T
            return np.asarray(of_codes * deviations)

        return codes, back


class CodesDecoder(Decoder):
    """e ``(B, S * C)`` to windows, through the learned prior of the codes."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int, weights: Weights) -> None:
        self.code_size = config.code_size
        self.prior = CodesPrior(config, weights.under("prior"))
        self.segment_decoder = MelodyDecoder(config.of_segment(), vocabulary_size, weights.under("segment_decoder"))

    def relative_to_prior(self, posterior: Gaussian, tokens: np.ndarray) -> Gaussian:
        """q(e | x), parameters ``(B, S * C)``, from that of the codes ``(B, S, C)``; the prior hears their means."""
        return posterior.relative_to(self.prior(posterior.mean)).flattened()

    def codes(self, z: np.ndarray) -> np.ndarray:
        """The codes ``(B, S, C)`` for e ``(B, S * C)``; as many segments as ``z`` has parts."""
        return self.codes_and_back(z)[0]

    def codes_and_back(self, z: np.ndarray) -> tuple[np.ndarray, Back]:
        """As :meth:`codes`, and what makes the gradient of z from that of the codes."""
        codes, back = self.prior.codes_and_back(z.reshape(len(z), -1, self.code_size))
        return codes, lambda gradient: back(gradient).reshape(len(z), -1)

    def logits(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """See :meth:`Decoder.logits`: the segments are independent, given the tokens before."""
        codes = self.codes(z)
        parts = before_each(tokens).reshape(codes.shape[0] * codes.shape[1], -1)
        logits = self.segment_decoder.raw_logits(codes.reshape(len(parts), -1), parts)
        return LegalLogits(tokens).of(logits.reshape(*tokens.shape, -1))

    def gradient(self, z: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`Decoder.gradient`."""
        codes, back = self.codes_and_back(z)
        parts = before_each(tokens).reshape(codes.shape[0] * codes.shape[1], -1)
        legal = LegalLogits(tokens).in_parts(parts.shape[1])
        logits, of_codes = self.segment_decoder.raw_gradient(codes.reshape(len(parts), -1), parts, legal)
        return logits.reshape(*tokens.shape, -1), back(of_codes.reshape(codes.shape))

    def roll_out(self, z: np.ndarray, choice: Choice) -> np.ndarray:
        """See :meth:`Decoder.roll_out`."""
        before, parts, steps = Before.nothing(len(z)), [], self.segment_decoder.config.steps
        for segment, code in enumerate(self.codes(z).transpose(1, 0, 2)):
            tokens, before = self.segment_decoder.write(code, choice, before, segment * steps)
            parts.append(tokens)
        return np.concatenate(parts, axis=1)

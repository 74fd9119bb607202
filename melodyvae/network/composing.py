"""The network that composes, in NumPy: :mod:`melodyvae.models.composing` says what it is.

Conventions: S segments of U steps; W numbers of z in a segment, so e is ``(B, S * W)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from melodyvae.config import MelodyConfig
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.composing_steps import (
    BAR_NUMBER_FEATURES,
    INTERVALS,
    KNOWN_BARS,
    PLACE_FEATURES,
    POINTERS,
    SOURCE_FEATURES,
    SOURCE_KINDS,
    TOKEN_FEATURES,
    WAIT_FEATURES,
    WAIT_STEPS,
    ComposingSteps,
    Tables,
)
from melodyvae.network.conditions import BORDER_CODES, METER_CODES, STYLE_CODES, unused_steps
from melodyvae.network.decoder import Choice, Decoder, before_each, softmax
from melodyvae.network.latent import Gaussian
from melodyvae.network.look_back import COPIES, KINDS, TINY, Copying, Written
from melodyvae.network.lstm import LSTM
from melodyvae.network.plan import Plan
from melodyvae.network.token_inputs import PITCH_CLASSES
from melodyvae.network.weights import Weights

BAR_TOKEN_FEATURES = 16
BAR_CODE = 128
KEY_UNITS = 16
KNOWN_BARS_LEFT = 16  # bars until a tune closes; more count with it
ROWS_AT_ONCE = 32  # windows whose probabilities are made together: they stay in the cache
Back = Callable[[np.ndarray], np.ndarray]


class BarCodes:
    """Each bar of ``(B, T)`` as numbers ``(B, bars, 128)``, by itself."""

    def __init__(self, steps_per_bar: int, vocabulary_size: int, weights: Weights) -> None:
        self.steps_per_bar = steps_per_bar
        self.tokens = weights.take("tokens.weight", vocabulary_size, BAR_TOKEN_FEATURES)
        self.first = weights.linear("code.0", steps_per_bar * BAR_TOKEN_FEATURES, 2 * BAR_CODE)
        self.second = weights.linear("code.2", 2 * BAR_CODE, BAR_CODE)

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """See the class; ``tokens`` are integers."""
        bars = self.tokens[tokens].reshape(len(tokens), tokens.shape[1] // self.steps_per_bar, -1)
        return self.second(np.maximum(self.first(bars), 0))


class ConditionTable:
    """Vectors ``(B, bars, H)`` added for the conditions of windows: style, meter, bars from either end of a tune."""

    def __init__(self, size: int, weights: Weights) -> None:
        self.style = weights.take("tables.style.weight", STYLE_CODES, size)
        self.meter = weights.take("tables.meter.weight", METER_CODES, size)
        self.begins = weights.take("tables.begins.weight", BORDER_CODES, size)
        self.bars_left = weights.take("tables.bars_left.weight", KNOWN_BARS_LEFT + 1, size)

    def __call__(self, conditions: np.ndarray, bars: int) -> np.ndarray:
        """See the class; ``conditions`` are ``(B, 5)``, and the windows have so many bars."""
        _, style, meter, begins, closes = conditions.T
        of_all = self.style[style] + self.meter[meter] + self.begins[begins]
        left = np.minimum(np.arange(bars, 0, -1), KNOWN_BARS_LEFT)
        return np.asarray(of_all[:, None] + self.bars_left[left * closes[:, None]])


class ComposingEncoder:
    """Token windows ``(B, T)`` to q(z | x) of each segment, parameters ``(B, S, W)``."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int, weights: Weights) -> None:
        self.segment_bars = config.segment_bars or config.bars
        self.bars = BarCodes(config.steps_per_bar, vocabulary_size, weights.under("bars"))
        self.lstm = LSTM(weights.under("lstm"), BAR_CODE, config.conductor_size, bidirectional=True)
        read = self.segment_bars * (2 * config.conductor_size + BAR_CODE)
        self.posterior = weights.linear("posterior", read, 2 * (config.latent_size // config.segments))

    def __call__(self, tokens: np.ndarray) -> Gaussian:
        """See the class."""
        codes = self.bars(tokens)
        outputs = self.lstm(codes.transpose(1, 0, 2))[0].transpose(1, 0, 2)
        read = np.concatenate([outputs, codes], axis=-1)
        read = read.reshape(len(tokens), codes.shape[1] // self.segment_bars, -1)
        return Gaussian.bounded(self.posterior(read))


class ComposingPrior:
    """p(z of a segment | the bars before it), parameters ``(B, S, W)``."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int, weights: Weights) -> None:
        self.segment_bars = config.segment_bars or config.bars
        self.segment_steps = self.segment_bars * config.steps_per_bar
        self.bars = BarCodes(config.steps_per_bar, vocabulary_size, weights.under("bars"))
        self.lstm = LSTM(weights.under("lstm"), BAR_CODE, config.conductor_size)
        self.next = weights.linear("next", config.conductor_size, 2 * (config.latent_size // config.segments))
        table = ConditionTable(config.conductor_size, weights.under("conditions")) if config.conditions else None
        self.conditions = table

    def __call__(self, tokens: np.ndarray, conditions: np.ndarray | None = None, bars: int | None = None) -> Gaussian:
        """See the class; the last segment of ``tokens`` ``(B, T)`` is not read.

        ``conditions`` ``(B, 5)`` are those of windows of ``bars`` bars, which may be more than those of the tokens.
        """
        known = tokens[:, : tokens.shape[1] - self.segment_steps]
        states = np.zeros((len(tokens), 1, self.lstm.size), self.next.bias.dtype)
        if known.shape[1]:
            outputs = self.lstm(self.bars(known).transpose(1, 0, 2))[0].transpose(1, 0, 2)
            states = np.concatenate([states, outputs[:, self.segment_bars - 1 :: self.segment_bars]], axis=1)
        if self.conditions is not None and conditions is not None:
            told = self.conditions(conditions, bars or states.shape[1] * self.segment_bars)[:, :: self.segment_bars]
            states = states + told[:, : states.shape[1]]
        return Gaussian.bounded(self.next(states))


@dataclass(frozen=True)
class Free:
    """Free writing at all steps.

    Attributes:
        probabilities: ``(B, T, V)``.
        softmax: those that no pointer adds to, ``(B, T, V)``.
        shares: of the pointers and, last, of that softmax, ``(B, T, P + 1)``.
        pointed: the token of each pointer, ``(B, T, P)``; 0 where it points at none.
        in_key: what the key says of each pitch class, before its sharpness, ``(B, T, 12)``.
    """

    probabilities: np.ndarray
    softmax: np.ndarray
    shares: np.ndarray
    pointed: np.ndarray
    in_key: np.ndarray


class ComposingDecoder(Decoder):
    """e ``(B, S * W)`` to windows, hearing what is written; see the module."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int, weights: Weights) -> None:
        self.config, self.vocabulary_size = config, vocabulary_size
        self.segment_latent = config.latent_size // config.segments
        self.segment_steps = config.steps // config.segments
        self.prior = ComposingPrior(config, vocabulary_size, weights.under("prior"))
        self.step_features = weights.linear(
            "step_features", self.segment_latent, self.segment_steps * config.decoder_features
        )
        self.tokens = weights.take("tokens.weight", vocabulary_size, TOKEN_FEATURES)
        self.sources = weights.take("sources.weight", POINTERS * SOURCE_KINDS, SOURCE_FEATURES)
        self.places = weights.take("places.weight", config.steps_per_bar, PLACE_FEATURES)
        self.bar_numbers = weights.take("bar_numbers.weight", KNOWN_BARS + 1, BAR_NUMBER_FEATURES)
        self.waits = weights.take("waits.weight", 2 * (WAIT_STEPS + 1), WAIT_FEATURES)
        tables = TOKEN_FEATURES + POINTERS * SOURCE_FEATURES + PLACE_FEATURES + BAR_NUMBER_FEATURES + WAIT_FEATURES
        counted = len(KINDS) * COPIES + PITCH_CLASSES
        self.inputs = weights.linear("inputs", tables + counted + config.decoder_features + 3, config.decoder_size)
        self.lstm = LSTM(weights.under("lstm"), config.decoder_size, config.decoder_size, config.decoder_layers)
        # tokens, intervals from the last onset, gates of the pointers, sharpness of the key, intervals from the middle
        self.head_sizes = (vocabulary_size, INTERVALS, POINTERS + 1, 1, INTERVALS)
        self.output = weights.linear("output", config.decoder_size, sum(self.head_sizes))
        self.bar_output = weights.linear("bar_output", config.decoder_size, 2 * COPIES + 1)
        self.key_layers = (weights.linear("key.0", PITCH_CLASSES, KEY_UNITS), weights.linear("key.2", KEY_UNITS, 1))
        self.conditions = (
            ConditionTable(config.decoder_size, weights.under("conditions")) if config.conditions else None
        )
        self.turned = (np.arange(PITCH_CLASSES)[:, None] + np.arange(PITCH_CLASSES)) % PITCH_CLASSES

    @cached_property
    def tables(self) -> Tables:
        """Tables that are the same for all windows and steps."""
        return Tables(self)

    def relative_to_prior(
        self, posterior: Gaussian, tokens: np.ndarray, conditions: np.ndarray | None = None
    ) -> Gaussian:
        """q(e | x), parameters ``(B, S * W)``, from q(z | x) and the windows; KL to N(0, I) is that to the prior."""
        return posterior.relative_to(self.prior(tokens, conditions)).flattened()

    def key(self, heard: np.ndarray) -> np.ndarray:
        """Key features of each pitch class ``(..., 12)``, from the share of each that was heard, ``(..., 12)``."""
        first, second = self.key_layers
        return second(np.tanh(first(heard[..., self.turned])))[..., 0]

    def steps(self, z: np.ndarray, conditions: np.ndarray | None = None, plan: Plan | None = None) -> ComposingSteps:
        """Windows in the making from ``z`` ``(B, S * W)``; as many segments as ``z`` has parts."""
        return ComposingSteps(self, z, z.shape[1] // self.segment_latent * self.segment_steps, conditions, plan)

    def roll_out(
        self, z: np.ndarray, choice: Choice, conditions: np.ndarray | None = None, plan: Plan | None = None
    ) -> np.ndarray:
        """See :meth:`Decoder.roll_out`; as many segments as ``z`` has parts."""
        writing = self.steps(z, conditions, plan)
        for step in range(writing.steps):
            chosen = choice.choose(writing.log_probabilities(), step, writing.last_note)
            writing.write(writing.repeated(chosen))
        return np.ascontiguousarray(writing.tokens.T)

    def segment_features(
        self, z: np.ndarray, segment: int, tokens: np.ndarray, conditions: np.ndarray | None = None
    ) -> np.ndarray:
        """Features of z at the steps of a segment, ``(B, U, F)``, after ``tokens`` ``(B, segment * U)``."""
        ahead = np.zeros((len(tokens), self.segment_steps), tokens.dtype)
        bars = z.shape[1] // self.segment_latent * self.prior.segment_bars
        prior = self.prior(np.concatenate([tokens, ahead], axis=1), conditions, bars)
        last = Gaussian(prior.mean[:, -1:], prior.log_variance[:, -1:])
        part = z[:, segment * self.segment_latent : (segment + 1) * self.segment_latent]
        return self._segments(part, last)

    def _segments(self, z: np.ndarray, prior: Gaussian) -> np.ndarray:
        """Features of z at each step, ``(B, S * U, F)``."""
        parts = z.reshape(len(z), -1, self.segment_latent)
        features = self.step_features(prior.mean + np.exp(0.5 * prior.log_variance) * parts)
        return features.reshape(len(z), parts.shape[1] * self.segment_steps, -1)

    def logits(self, z: np.ndarray, tokens: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """See :meth:`Decoder.logits`."""
        parts = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(z), ROWS_AT_ONCE)]
        told = [None if conditions is None else conditions[part] for part in parts]
        return np.concatenate([self._all_steps(z[at], tokens[at], c)[0] for at, c in zip(parts, told, strict=True)])

    def gradient(
        self, z: np.ndarray, tokens: np.ndarray, conditions: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`Decoder.gradient`."""
        logits, back = self._all_steps(z, tokens, conditions, True)
        return logits, back()

    def _all_steps(
        self, z: np.ndarray, tokens: np.ndarray, conditions: np.ndarray | None = None, tape: bool = False
    ) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
        """Logits ``(B, T, V)``, and what gives the gradient of -log p(x | z) with respect to z ``(B, S * W)``."""
        config, tokens = self.config, tokens.astype(np.int64)
        bar, (batch, steps) = config.steps_per_bar, tokens.shape
        written = Written(tokens, bar, self.vocabulary_size)
        prior = self.prior(tokens, conditions)
        read = self._read(written, self._segments(z, prior))  # (B, T, H), before the rectifier
        if self.conditions is not None and conditions is not None:
            read = read + np.repeat(self.conditions(conditions, steps // bar), bar, axis=1)
        unused = None if conditions is None else unused_steps(conditions, steps, bar)
        inputs = np.maximum(read, 0).transpose(1, 0, 2)
        states = self.lstm.zeros(batch)
        heard, _, tapes = self.lstm.run(self.lstm.layers[0].gates(inputs), states, tape=tape)
        outputs = heard.transpose(1, 0, 2)
        components, slips = self.of_bar(outputs[:, ::bar], written.sources.available[::bar])
        slip = np.repeat(slips, bar, axis=1)  # (B, T, K)
        free = self._free(outputs, written)
        copying = Copying.of(written.sources, written.sounding, self.vocabulary_size)
        onset = np.maximum(free.probabilities[..., FIRST_NOTE_ON:].sum(axis=-1, keepdims=True), TINY)
        of_free = np.take_along_axis(free.probabilities, tokens[..., None], -1)
        is_onset = (tokens >= FIRST_NOTE_ON)[..., None]
        soft = of_free / onset * is_onset
        is_copied = tokens[..., None] == copying.token
        copied = np.where(copying.is_hard, is_copied, np.where(copying.is_soft, soft, of_free))
        came = np.concatenate([(1 - slip) * copied + slip * of_free, of_free], axis=-1)  # (B, T, C)
        if unused is not None:
            came[unused] = 1
        likelihood = np.log(np.maximum(came, TINY)).reshape(batch, -1, bar, COPIES + 1)
        sums = likelihood.cumsum(axis=2)
        weights = softmax(components[:, :, None] + sums - likelihood).reshape(batch, steps, -1)
        with np.errstate(divide="ignore"):
            logits = np.log(np.maximum(self._predict(weights, free, slip, copying, onset), TINY))
        logits[..., NOTE_OFF][~written.sounding] = -np.inf
        if unused is not None:
            logits[..., NO_EVENT + 1 :][unused] = -np.inf

        def back() -> np.ndarray:
            # log p(bar) is that of a sum over the components, whose shares in it weigh the gradient of each.
            of_bars = softmax(components + sums[:, :, -1])  # (B, bars, C)
            of_component = softmax(components) - of_bars
            share = -np.repeat(of_bars, bar, axis=1) / np.maximum(came, TINY) * (came >= TINY)  # (B, T, C)
            if unused is not None:
                share[unused] = 0
            of_copy, of_rest = share[..., :-1], share[..., -1:]
            of_slip = (of_copy * (of_free - copied)).reshape(batch, -1, bar, COPIES).sum(axis=2) * slips * (1 - slips)
            of_said = of_copy * (1 - slip)
            is_open = ~copying.is_hard & ~copying.is_soft
            soft_sum = (of_said * copying.is_soft).sum(axis=-1, keepdims=True) * is_onset
            of_chosen = (of_copy * slip + of_said * is_open).sum(axis=-1, keepdims=True) + of_rest + soft_sum / onset
            of_onset = -soft_sum * of_free / np.square(onset) * (onset > TINY)
            of_probabilities = np.zeros_like(free.probabilities)
            of_probabilities[..., FIRST_NOTE_ON:] = of_onset
            chosen = np.take_along_axis(of_probabilities, tokens[..., None], -1) + of_chosen
            np.put_along_axis(of_probabilities, tokens[..., None], chosen, -1)
            of_outputs = self.output.back(self._back_of_free(of_probabilities, free, written))
            of_outputs[:, ::bar] += self.bar_output.back(np.concatenate([of_component, of_slip], axis=-1))
            of_gates, _ = self.lstm.back(of_outputs.transpose(1, 0, 2), tapes)
            of_inputs = of_gates.reshape(-1, of_gates.shape[-1]) @ self.lstm.layers[0].of_input.T
            of_read = of_inputs.reshape(steps, batch, -1).transpose(1, 0, 2) * (read > 0)
            of_features = of_read @ self.tables.of_features.T
            segments = of_features.reshape(batch, steps // self.segment_steps, -1)
            return (self.step_features.back(segments) * np.exp(0.5 * prior.log_variance)).reshape(batch, -1)

        return logits, back

    def _read(self, written: Written, features: np.ndarray) -> np.ndarray:
        """Input of the LSTM at all steps, ``(B, T, H)``, before the rectifier; ``features`` are those of z."""
        tables, sources, tokens = self.tables, written.sources, written.tokens
        (batch, count), bar = tokens.shape, self.config.steps_per_bar
        steps = np.arange(count)
        both = np.concatenate([sources.tokens, sources.transposed], axis=-1)
        said = tables.said[written.last_onset[..., None], both] + tables.kinds
        wait = np.minimum(steps - written.last_event_step, WAIT_STEPS)
        last = written.last_onset
        extent = np.stack([last - written.lowest, last - written.middle, written.highest - last], axis=-1) / 12
        place, number = self.places[steps % bar], self.bar_numbers[np.minimum(steps // bar, KNOWN_BARS)]
        read = [
            self.tokens[before_each(tokens)],
            self.sources[said].reshape(batch, count, -1),
            np.broadcast_to(place, (batch, *place.shape)),
            np.broadcast_to(number, (batch, *number.shape)),
            self.waits[wait + written.sounding * (WAIT_STEPS + 1)],
            written.agreement(),
            np.take_along_axis(written.heard, self.turned[last % PITCH_CLASSES], -1),
            features,
            extent,
        ]
        return self.inputs(np.concatenate(read, axis=-1, dtype=features.dtype))

    def of_bar(self, outputs: np.ndarray, available: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log p of the components ``(..., C)`` and slips ``(..., K)``, from the first steps of bars ``(..., H)``.

        ``available`` ``(..., L)`` says which lags reach back.
        """
        said = self.bar_output(outputs)
        components = said[..., : COPIES + 1]
        is_possible = np.concatenate([np.tile(available, len(KINDS)), np.ones_like(available[..., :1])], axis=-1)
        components = np.where(is_possible, components, -np.inf).astype(said.dtype, copy=False)
        below = components - components.max(axis=-1, keepdims=True)
        components = below - np.log(np.exp(below).sum(axis=-1, keepdims=True))
        return components, 1 / (1 + np.exp(-said[..., COPIES + 1 :]))

    def _free(self, outputs: np.ndarray, written: Written) -> Free:
        """Free writing, from the LSTM's outputs ``(B, T, H)``."""
        tables, last = self.tables, written.last_onset
        said = self.output(outputs)
        of_tokens, of_intervals, of_gates, _, _ = self.head_sizes
        gates = said[..., of_tokens + of_intervals :][..., :of_gates]
        sharpness = said[..., of_tokens + of_intervals + of_gates, None]
        in_key = self.key(written.heard.astype(said.dtype))
        relative = np.take_along_axis(said, tables.of_interval[last], -1)
        relative += np.take_along_axis(said, tables.of_register[written.middle], -1)
        logits = said[..., :of_tokens].copy()
        logits[..., FIRST_NOTE_ON:] += (in_key * (1 + sharpness))[..., tables.pitch_class]
        logits[..., FIRST_NOTE_ON:] += relative * (last > 0)[..., None]
        logits[..., NOTE_OFF][~written.sounding] = -np.inf
        pointed = np.concatenate([written.sources.tokens, written.sources.transposed], axis=-1)
        is_there = (pointed < self.vocabulary_size) & ((pointed != NOTE_OFF) | written.sounding[..., None])
        gates[..., :-1][~is_there] = -np.inf
        shares, plain = softmax(gates), softmax(logits)
        pointed = np.where(is_there, pointed, 0)
        probabilities = plain * shares[..., -1:]
        add_at(probabilities, pointed, shares[..., :-1])
        return Free(probabilities, plain, shares, pointed, in_key)

    def _back_of_free(self, of_probabilities: np.ndarray, free: Free, written: Written) -> np.ndarray:
        """The gradient of the output layer's numbers, from that of the probabilities of free writing ``(B, T, V)``."""
        tables = self.tables
        of_tokens, of_intervals, of_gates, _, _ = self.head_sizes
        found = np.zeros((*of_probabilities.shape[:2], sum(self.head_sizes)), of_probabilities.dtype)
        whole = (of_probabilities * free.softmax).sum(axis=-1, keepdims=True)
        of_logits = free.shares[..., -1:] * free.softmax * (of_probabilities - whole)
        found[..., :of_tokens] = of_logits
        of_pitches = of_logits[..., FIRST_NOTE_ON:]
        of_shares = np.concatenate([np.take_along_axis(of_probabilities, free.pointed, -1), whole], axis=-1)
        mean = (of_shares * free.shares).sum(axis=-1, keepdims=True)
        found[..., of_tokens + of_intervals :][..., :of_gates] = free.shares * (of_shares - mean)
        of_key = (of_pitches * free.in_key[..., tables.pitch_class]).sum(axis=-1)
        found[..., of_tokens + of_intervals + of_gates] = of_key
        of_relative = of_pitches * (written.last_onset > 0)[..., None]
        add_at(found, tables.of_interval[written.last_onset], of_relative)
        add_at(found, tables.of_register[written.middle], of_relative)
        return found

    def _predict(
        self, weights: np.ndarray, free: Free, slip: np.ndarray, copying: Copying, onset: np.ndarray
    ) -> np.ndarray:
        """The mixture's probabilities ``(B, T, V)``, given the components' ``weights`` ``(B, T, C)``."""
        kept = weights[..., :-1] * (1 - slip)
        hard, soft = kept * copying.is_hard, (kept * copying.is_soft).sum(axis=-1, keepdims=True)
        rest = np.maximum(1 - hard.sum(axis=-1, keepdims=True) - soft, 0)
        predicted: np.ndarray = rest * free.probabilities
        predicted[..., FIRST_NOTE_ON:] += free.probabilities[..., FIRST_NOTE_ON:] * (soft / onset)
        add_at(predicted, copying.token, hard)
        return predicted


def add_at(array: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    """Add ``values`` to places of the last axis of ``array``, in place; several may go to one place."""
    size = array.shape[-1]
    rows = np.arange(array.size // size).reshape(*array.shape[:-1], 1) * size
    array += np.bincount((places + rows).ravel(), values.ravel(), minlength=array.size).reshape(array.shape)

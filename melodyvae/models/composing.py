"""The network that composes: a decoder that reads the bars it has written, and a z standardised by a learned prior.

z has a part for each segment. What is written so far predicts it: a learned prior N(m, s^2) given the bars before the
segment. The model's latent numbers are e = (z - m) / s, so that a draw from N(0, I) *is* a draw from the learned prior,
the KL divergence from N(0, I) is the one from the learned prior, and walks through e never leave what can follow.

- Encoder: each bar becomes a code; a bidirectional LSTM over the codes gives q(z | x), a Gaussian for each segment.
- Prior: codes of its own, an LSTM forwards over them.
- Decoder: one LSTM over all steps, whose state is not cut at segment borders, reads the previous token, the
  sources of :mod:`melodyvae.models.look_back`, the agreement of each so far, the place in the bar, the pitch classes
  heard so far, and z. Its output is the mixture described there. Pitches are also read, and predicted, as intervals:
  from the last onset, and from the middle of the tune so far.

Windows of any number of whole segments can be read: nothing here depends on the number but the shape of e.

Conventions: S segments of U steps; W numbers of z in a segment, so e is ``(B, S * W)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from melodyvae.config import MelodyConfig
from melodyvae.models.decoder import forbid_silent_note_off
from melodyvae.models.latent import DiagonalGaussian
from melodyvae.models.look_back import Copying, Written, component_weights
from melodyvae.music.notes import OCTAVE
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.composing import BAR_CODE, BAR_TOKEN_FEATURES, KEY_UNITS, KNOWN_BARS_LEFT
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
    WIDEST_INTERVAL,
)
from melodyvae.network.conditions import BORDER_CODES, METER_CODES, STYLE_CODES
from melodyvae.network.look_back import COPIES, KINDS, TINY
from melodyvae.network.token_inputs import PITCH_CLASSES

FIRST_SLIP = -3.0  # logit of the probability that a copy slips, before training


class Table(nn.Embedding):
    """An embedding that is not initialised on the meta device, on which a checkpoint's shapes are checked.

    Torch imports its compiler, for a second, to draw normal numbers there.
    """

    def reset_parameters(self) -> None:
        """Draw the rows from N(0, 1)."""
        if not self.weight.is_meta:
            super().reset_parameters()


class ConditionTable(nn.Module):
    """Vectors ``(B, bars, H)`` added for the conditions of windows: style, meter, bars from either end of a tune.

    All are zero at first, so that a model that knows no conditions goes on from where it is.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        counts = {"style": STYLE_CODES, "meter": METER_CODES, "begins": BORDER_CODES, "bars_left": KNOWN_BARS_LEFT + 1}
        self.tables = nn.ModuleDict({name: Table(count, size) for name, count in counts.items()})
        for weight in self.tables.parameters():
            if not weight.is_meta:
                nn.init.zeros_(weight)

    def forward(self, conditions: Tensor, bars: int) -> Tensor:
        """See the class; ``conditions`` are ``(B, 5)``, and the windows have so many bars."""
        _, style, meter, begins, closes = conditions.long().T
        of_all = self.tables["style"](style) + self.tables["meter"](meter) + self.tables["begins"](begins)
        left = torch.arange(bars, 0, -1, device=conditions.device).clamp(max=KNOWN_BARS_LEFT)
        of_bars: Tensor = of_all.unsqueeze(1) + self.tables["bars_left"](left * closes.unsqueeze(1))
        return of_bars


class BarCodes(nn.Module):
    """Each bar of ``(B, T)`` as numbers ``(B, bars, 128)``, by itself."""

    def __init__(self, steps_per_bar: int, vocabulary_size: int) -> None:
        super().__init__()
        self.steps_per_bar = steps_per_bar
        self.tokens = Table(vocabulary_size, BAR_TOKEN_FEATURES)
        self.code = nn.Sequential(
            nn.Linear(steps_per_bar * BAR_TOKEN_FEATURES, 2 * BAR_CODE), nn.ReLU(), nn.Linear(2 * BAR_CODE, BAR_CODE)
        )
        self.dropout = nn.Dropout(0.0)

    def forward(self, tokens: Tensor) -> Tensor:
        """See the class; ``tokens`` are integers."""
        features = self.tokens(tokens.long())
        bars = features.reshape(len(tokens), tokens.shape[1] // self.steps_per_bar, -1)
        codes: Tensor = self.dropout(self.code(bars))
        return codes


class ComposingEncoder(nn.Module):
    """Token windows ``(B, T)`` to q(z | x) of each segment, parameters ``(B, S, W)``."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.segment_bars = config.segment_bars or config.bars
        self.bars = BarCodes(config.steps_per_bar, vocabulary_size)
        self.lstm = nn.LSTM(BAR_CODE, config.conductor_size, batch_first=True, bidirectional=True)
        read = self.segment_bars * (2 * config.conductor_size + BAR_CODE)
        self.posterior = nn.Linear(read, 2 * (config.latent_size // config.segments))

    def forward(self, tokens: Tensor) -> DiagonalGaussian:
        """See the class."""
        codes = self.bars(tokens)
        outputs, _ = self.lstm(codes)
        read = torch.cat([outputs, codes], dim=-1)
        read = read.reshape(len(tokens), tokens.shape[1] // (self.segment_bars * self.bars.steps_per_bar), -1)
        return DiagonalGaussian.bounded(self.posterior(read).to(self.posterior.weight.dtype))


class ComposingPrior(nn.Module):
    """p(z of a segment | the bars before it), parameters ``(B, S, W)``."""

    def __init__(self, config: MelodyConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.segment_bars = config.segment_bars or config.bars
        self.segment_steps = self.segment_bars * config.steps_per_bar
        self.size = config.conductor_size
        self.bars = BarCodes(config.steps_per_bar, vocabulary_size)
        self.lstm = nn.LSTM(BAR_CODE, self.size, batch_first=True)
        self.next = nn.Linear(self.size, 2 * (config.latent_size // config.segments))
        self.conditions = ConditionTable(self.size) if config.conditions else None
        self.dropout = nn.Dropout(0.0)

    def forward(self, tokens: Tensor, conditions: Tensor | None = None) -> DiagonalGaussian:
        """See the class; the last segment of ``tokens`` ``(B, T)`` is not read. ``conditions`` are ``(B, 5)``."""
        before = tokens[:, : tokens.shape[1] - self.segment_steps]
        states = torch.zeros(len(tokens), 1, self.size, dtype=self.next.weight.dtype, device=tokens.device)
        if before.shape[1]:
            outputs, _ = self.lstm(self.bars(before))
            states = torch.cat([states, self.dropout(outputs)[:, self.segment_bars - 1 :: self.segment_bars]], dim=1)
        if self.conditions is not None and conditions is not None:
            bars = states.shape[1] * self.segment_bars
            states = states + self.conditions(conditions, bars)[:, :: self.segment_bars]
        return DiagonalGaussian.bounded(self.next(states).to(self.next.weight.dtype))


class ComposingDecoder(nn.Module):
    """e ``(B, S * W)`` to windows, hearing what is written; see the module."""

    of_notes: Tensor
    turned: Tensor

    def __init__(self, config: MelodyConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.segment_latent = config.latent_size // config.segments
        self.segment_steps = config.steps // config.segments
        self.prior = ComposingPrior(config, vocabulary_size)
        self.step_features = nn.Linear(self.segment_latent, self.segment_steps * config.decoder_features)
        self.tokens = Table(vocabulary_size, TOKEN_FEATURES)
        self.sources = Table(POINTERS * SOURCE_KINDS, SOURCE_FEATURES)
        self.places = Table(config.steps_per_bar, PLACE_FEATURES)
        self.bar_numbers = Table(KNOWN_BARS + 1, BAR_NUMBER_FEATURES)
        self.waits = Table(2 * (WAIT_STEPS + 1), WAIT_FEATURES)
        read = TOKEN_FEATURES + POINTERS * SOURCE_FEATURES + PLACE_FEATURES + BAR_NUMBER_FEATURES + WAIT_FEATURES
        read += len(KINDS) * COPIES + PITCH_CLASSES
        self.inputs = nn.Linear(read + config.decoder_features + 3, config.decoder_size)
        self.lstm = nn.LSTM(config.decoder_size, config.decoder_size, config.decoder_layers)
        self.conditions = ConditionTable(config.decoder_size) if config.conditions else None
        self.dropout = nn.Dropout(0.0)
        heads = {
            "tokens": vocabulary_size,
            "intervals": INTERVALS,
            "gates": POINTERS + 1,
            "key": 1,
            "register": INTERVALS,
        }
        self.head_sizes = tuple(heads.values())
        self.output = nn.Linear(config.decoder_size, sum(self.head_sizes))
        self.bar_output = nn.Linear(config.decoder_size, 2 * COPIES + 1)  # of a bar's first step: components, slips
        self.key = nn.Sequential(nn.Linear(PITCH_CLASSES, KEY_UNITS), nn.Tanh(), nn.Linear(KEY_UNITS, 1))
        with torch.no_grad():
            self.bar_output.bias[COPIES + 1 :] = FIRST_SLIP
        of_notes = torch.from_numpy(np.arange(FIRST_NOTE_ON, vocabulary_size))  # by NumPy: see Table
        turned = torch.from_numpy((np.arange(PITCH_CLASSES)[:, None] + np.arange(PITCH_CLASSES)) % PITCH_CLASSES)
        self.register_buffer("of_notes", of_notes, persistent=False)
        self.register_buffer("turned", turned, persistent=False)  # (12, 12): the classes from each one upwards

    def relative_to_prior(
        self, posterior: DiagonalGaussian, tokens: Tensor, conditions: Tensor | None = None
    ) -> DiagonalGaussian:
        """q(e | x), parameters ``(B, S * W)``, from q(z | x) and the windows; KL to N(0, I) is that to the prior."""
        return posterior.relative_to(self.prior(tokens, conditions)).flattened()

    def forward(
        self, z: Tensor, tokens: Tensor, hidden: Tensor | None = None, conditions: Tensor | None = None
    ) -> Tensor:
        """Logits ``(B, T, V)`` given the true tokens before; windows of ``hidden`` ``(B,)`` do not look back.

        ``conditions`` are those of :mod:`melodyvae.network.conditions`, ``(B, 5)``; None leaves all open.
        """
        tokens = tokens.long()
        previous = F.pad(tokens, (1, -1), value=NO_EVENT)
        written = Written(previous, self.config.steps_per_bar, self.vocabulary_size, hidden)
        return self._all_steps(self._segments(z, self.prior(tokens, conditions)), previous, written, conditions)

    @torch.no_grad()
    def turn(self, knobs: Mapping[str, float]) -> None:
        """Turn knobs of the output, in place; 0 changes nothing.

        - ``slip``: added to the log-odds that a copy leaves a step to free writing.
        - ``no_event``, ``note_off``: added to the logit of this token in free writing.
        - ``wide``: added to the logits of intervals of more than an octave.
        - ``sharpness``: multiply all free-writing logits by exp(sharpness).
        - ``key``: multiply the key's part of these logits by exp(key), in addition.
        """
        sharpness, in_key = math.exp(knobs.get("sharpness", 0.0)), math.exp(knobs.get("key", 0.0))
        self.bar_output.bias[COPIES + 1 :] += knobs.get("slip", 0.0)
        for values in (self.output.weight, self.output.bias):
            of_tokens, of_intervals, _, _, of_register = torch.split(values, list(self.head_sizes))
            for part in (of_tokens, of_intervals, of_register):
                part.mul_(sharpness)
        for values in self.key[-1].parameters():
            values.mul_(sharpness * in_key)
        of_tokens, of_intervals, *_ = torch.split(self.output.bias, list(self.head_sizes))
        of_tokens[NO_EVENT] += knobs.get("no_event", 0.0)
        of_tokens[NOTE_OFF] += knobs.get("note_off", 0.0)
        for part in (of_intervals[: WIDEST_INTERVAL - OCTAVE], of_intervals[WIDEST_INTERVAL + OCTAVE + 1 :]):
            part += knobs.get("wide", 0.0)

    def _segments(self, z: Tensor, prior: DiagonalGaussian) -> Tensor:
        """Features of z at each step, ``(B, S * U, F)``."""
        parts = z.view(len(z), -1, self.segment_latent)
        features: Tensor = self.step_features(prior.mean + torch.exp(0.5 * prior.log_variance) * parts)
        return features.reshape(len(z), parts.shape[1] * self.segment_steps, -1)

    def _all_steps(
        self, features: Tensor, previous: Tensor, written: Written, conditions: Tensor | None = None
    ) -> Tensor:
        """Logits ``(B, T, V)`` of all steps at once, given the true tokens before each."""
        bar, sources = self.config.steps_per_bar, written.sources
        inputs = self._read(previous, features, written)
        if self.conditions is not None and conditions is not None:
            bars = previous.shape[1] // bar
            inputs = inputs + self.conditions(conditions, bars).repeat_interleave(bar, dim=1)
        outputs, _ = self.lstm(self.dropout(F.relu(inputs)).transpose(0, 1))
        outputs = self.dropout(outputs.transpose(0, 1)).to(self.output.weight.dtype)
        components, slips = self.of_bar(outputs[:, ::bar], sources.available[:, ::bar])
        slips = slips.repeat_interleave(bar, dim=1)
        free = self._free(outputs, written)
        copying = Copying.of(sources, written.sounding, self.vocabulary_size)
        came = copying.likelihood(written.tokens, free, slips).log()
        unused = self._unused(written.steps, conditions)
        if unused is not None:
            came = came.masked_fill(unused.unsqueeze(-1), 0.0)
        weights = component_weights(components, came, bar)
        logits = copying.predict(weights, free, slips).clamp(min=TINY).log()
        if unused is not None:
            is_event = torch.arange(self.vocabulary_size, device=logits.device) != NO_EVENT
            logits = logits.masked_fill(unused.unsqueeze(-1) & is_event, -torch.inf)
        return forbid_silent_note_off(logits, written.sounding)

    def _unused(self, steps: Tensor, conditions: Tensor | None) -> Tensor | None:
        """Whether each step ``(B, T)`` lies beyond the places that its bar uses; None if all bars use all."""
        if conditions is None:
            return None
        places = conditions[:, :1]
        unused: Tensor = (steps % self.config.steps_per_bar >= places) & (places > 0)
        return unused if bool(unused.any()) else None

    def _read(self, previous: Tensor, features: Tensor, written: Written) -> Tensor:
        """Input of the LSTM at all steps, ``(B, T, H)``, before the rectifier."""
        batch, bar = len(previous), self.config.steps_per_bar
        sources, steps, last = written.sources, written.steps, written.last_onset
        kinds = torch.arange(POINTERS, device=previous.device) * SOURCE_KINDS
        both = torch.cat([sources.tokens, sources.transposed], dim=-1)
        interval = (both - last.unsqueeze(-1)).clamp(-WIDEST_INTERVAL, WIDEST_INTERVAL) + WIDEST_INTERVAL
        is_note = (both >= FIRST_NOTE_ON) & (both < self.vocabulary_size)
        source_tokens = torch.where(is_note, interval + FIRST_NOTE_ON + 1, both.clamp(max=FIRST_NOTE_ON))
        wait = (steps - written.last_event_step).clamp(max=WAIT_STEPS)
        read = [
            self.tokens(previous),
            self.sources(source_tokens + kinds).flatten(2),
            self.places(steps % bar).expand(batch, -1, -1),
            self.bar_numbers((steps // bar).clamp(max=KNOWN_BARS)).expand(batch, -1, -1),
            self.waits(wait + written.sounding * (WAIT_STEPS + 1)),
            written.agreement(self.output.weight.dtype),
            self._heard(written).gather(-1, self.turned[last % PITCH_CLASSES]),
            features,
            self._extent(written),
        ]
        inputs: Tensor = self.inputs(torch.cat(read, dim=-1))
        return inputs

    def _heard(self, written: Written) -> Tensor:
        """The share of each pitch class among the onsets so far, ``(B, T, 12)``; less than 1 in all at the start."""
        counts = written.pitch_classes.to(self.output.weight.dtype)
        return counts / (counts.sum(-1, keepdim=True) + 2)

    def _extent(self, written: Written) -> Tensor:
        """Distances in octaves of the last onset above the lowest and middle and below the highest: ``(B, T, 3)``."""
        last = written.last_onset
        semitones = torch.stack([last - written.lowest, last - written.middle, written.highest - last], dim=-1)
        return semitones.to(self.output.weight.dtype) / 12

    def of_bar(self, outputs: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
        """Log p of the components ``(B, bars, C)`` and slips ``(B, bars, K)``, from the first steps of bars."""
        components, slips = self.bar_output(outputs).split([COPIES + 1, COPIES], dim=-1)
        possible = F.pad(available.repeat(1, 1, COPIES // available.shape[-1]), (0, 1), value=True)
        return components.masked_fill(~possible, -torch.inf).log_softmax(-1), slips.sigmoid()

    def _free(self, outputs: Tensor, written: Written) -> Tensor:
        """The probabilities of free writing, ``(B, T, V)``, from the LSTM's outputs ``(B, T, H)``."""
        logits, intervals, gates, sharpness, register = self.output(outputs).split(self.head_sizes, dim=-1)
        sources, sounding, last = written.sources, written.sounding, written.last_onset.unsqueeze(-1)
        heard = self._heard(written)
        in_key = self.key(heard[..., self.turned]).squeeze(-1) * (1 + sharpness)  # (B, T, 12)
        apart = (self.of_notes - last).clamp(-WIDEST_INTERVAL, WIDEST_INTERVAL) + WIDEST_INTERVAL
        middle = written.middle.unsqueeze(-1)
        from_middle = (self.of_notes - middle).clamp(-WIDEST_INTERVAL, WIDEST_INTERVAL) + WIDEST_INTERVAL
        of_pitch = in_key[..., self.of_notes % PITCH_CLASSES]
        relative = intervals.gather(-1, apart) + register.gather(-1, from_middle)
        of_pitch = of_pitch + torch.where(last > 0, relative, 0.0)
        logits = forbid_silent_note_off(logits + F.pad(of_pitch, (FIRST_NOTE_ON, 0)), sounding)
        pointed = torch.cat([sources.tokens, sources.transposed], dim=-1)
        is_there = (pointed < self.vocabulary_size) & ((pointed != 1) | sounding.unsqueeze(-1))
        shares = gates.masked_fill(~F.pad(is_there, (0, 1), value=True), -torch.inf).softmax(-1)
        pointed = torch.where(is_there, pointed, 0)
        free: Tensor = (logits.softmax(-1) * shares[..., -1:]).scatter_add(-1, pointed, shares[..., :-1])
        return free

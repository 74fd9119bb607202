"""The decoder that composes, taken one step at a time: the same as its parallel pass, with little work per step.

What the steps have in common is computed once: what a token, a source, a place in the bar or a wait adds to the LSTM's
input are rows of tables, and what z adds is one product per segment.

Conventions: as in :mod:`melodyvae.network.composing` and :mod:`melodyvae.network.look_back`; records are
``(T, B, ...)``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.conditions import unused_steps
from melodyvae.network.decoder import softmax
from melodyvae.network.look_back import COPIES, KINDS, LAGS_BARS, TINY
from melodyvae.network.lstm import GATES, Matrix, by_gate, turn
from melodyvae.network.plan import FREE, NEW, Plan
from melodyvae.network.token_inputs import PITCH_CLASSES
from melodyvae.network.token_rules import added_by_place

if TYPE_CHECKING:
    from melodyvae.network.composing import ComposingDecoder

Array: TypeAlias = np.ndarray
LAGS = len(LAGS_BARS)
POINTERS = 2 * LAGS
FAR = -(10**6)  # semitones: no note
TOKEN_FEATURES = 32
SOURCE_FEATURES = 12
PLACE_FEATURES = 16
BAR_NUMBER_FEATURES = 8
WAIT_FEATURES = 8
WIDEST_INTERVAL = 24  # semitones; wider ones count with it
INTERVALS = 2 * WIDEST_INTERVAL + 1
SOURCE_KINDS = INTERVALS + FIRST_NOTE_ON + 1  # no event, note off, none; then intervals
WAIT_STEPS = 32  # steps since the last event; more count with it
KNOWN_BARS = max(LAGS_BARS)  # bars after this one are not distinguished


class Tables:
    """Tables from a decoder's weights that are the same for all windows and steps."""

    def __init__(self, decoder: ComposingDecoder) -> None:
        config = decoder.config
        sizes = [TOKEN_FEATURES, *[SOURCE_FEATURES] * POINTERS, PLACE_FEATURES, BAR_NUMBER_FEATURES, WAIT_FEATURES]
        sizes += [len(KINDS) * COPIES, PITCH_CLASSES, config.decoder_features, 3]
        of_token, *parts = np.split(decoder.inputs.weight, np.cumsum(sizes)[:-1])
        of_sources, (of_place, of_bar, of_wait, agreement, heard, of_features, extent) = parts[:-7], parts[-7:]
        per_pointer = decoder.sources.reshape(POINTERS, SOURCE_KINDS, -1)
        self.token = decoder.tokens @ of_token  # (V, H)
        self.source = np.concatenate([rows @ part for rows, part in zip(per_pointer, of_sources, strict=True)])
        self.place = decoder.places @ of_place + decoder.inputs.bias
        self.bar = decoder.bar_numbers @ of_bar
        self.wait = decoder.waits @ of_wait
        self.of_features = of_features  # (F, H)
        self.counted = np.concatenate([agreement, heard, extent])  # (36 + 12 + 3, H)
        self.layers = [
            (Matrix(np.concatenate([layer.of_input, layer.of_hidden.values])), layer.bias)
            for layer in decoder.lstm.layers
        ]
        vocabulary = decoder.vocabulary_size
        tokens, notes = np.arange(vocabulary), np.arange(FIRST_NOTE_ON, vocabulary)
        of_intervals, of_register = (sum(decoder.head_sizes[:place]) for place in (1, 4))
        apart = (notes - tokens[:, None]).clip(-WIDEST_INTERVAL, WIDEST_INTERVAL) + WIDEST_INTERVAL
        self.of_interval, self.of_register = apart + of_intervals, apart + of_register  # (V, pitches): output numbers
        self.pitch_class = notes % PITCH_CLASSES
        self.turned = (np.arange(PITCH_CLASSES)[:, None] + np.arange(PITCH_CLASSES)) % PITCH_CLASSES
        # What is read of a source, (V, V + 1), given the last onset and the source; the last one is none.
        sources = np.arange(vocabulary + 1)
        interval = (sources - tokens[:, None]).clip(-WIDEST_INTERVAL, WIDEST_INTERVAL) + WIDEST_INTERVAL
        is_note = (sources >= FIRST_NOTE_ON) & (sources < vocabulary)
        self.said = np.where(is_note, interval + FIRST_NOTE_ON + 1, np.minimum(sources, FIRST_NOTE_ON))
        self.kinds = np.arange(POINTERS) * SOURCE_KINDS
        self.lags = np.array(LAGS_BARS) * config.steps_per_bar


class ComposingSteps:
    """B windows in the making: :meth:`log_probabilities` of the next step, then :meth:`write`, in turn.

    Attributes:
        step: the step that is next.
        tokens: what is written, ``(T, B)``.
    """

    def __init__(
        self,
        decoder: ComposingDecoder,
        z: Array,
        steps: int,
        conditions: Array | None = None,
        plan: Plan | None = None,
    ) -> None:
        tables = decoder.tables
        self.decoder, self.tables, self.z, self.steps = decoder, tables, z, steps
        batch, self.bar, self.vocabulary = len(z), decoder.config.steps_per_bar, decoder.vocabulary_size
        self.dtype, self.size = tables.token.dtype, decoder.config.decoder_size
        self.rows, self.nowhere = np.arange(batch), np.zeros((batch, LAGS), bool)
        self.plan = plan
        self.conditions, self.of_conditions, self.unused = conditions, None, None
        if conditions is not None:
            self.unused = unused_steps(conditions, self.bar, self.bar).T  # (U, B)
            if decoder.conditions is not None:
                self.of_conditions = decoder.conditions(conditions, steps // self.bar)  # (B, bars, H)
        self.step = 0
        self.tokens = np.zeros((steps, batch), np.int64)
        # Just before each step, as in look_back.Written:
        self.last_onset = np.zeros((steps + 1, batch), np.int64)
        self.misses = np.zeros((steps + 1, batch, COPIES), np.int64)
        # Just before the next one:
        self.previous = np.full(batch, NO_EVENT)
        self.last_onset_step = np.full(batch, -1)
        self.last_event_step = np.full(batch, -1)
        self.is_sounding = np.zeros(batch, bool)
        self.lowest, self.highest, self.onset_sum = (np.zeros(batch, np.int64) for _ in range(3))
        self.pitch_classes = np.zeros((batch, PITCH_CLASSES), np.int64)
        self.hidden = np.zeros((len(tables.layers), batch, self.size), self.dtype)
        self.cell = np.zeros((len(tables.layers), batch, self.size), self.dtype)
        self.components = np.zeros((batch, COPIES + 1), self.dtype)
        self.slips = np.zeros((batch, COPIES), self.dtype)
        self._hear()

    def chosen(self, rows: Array, z: Array) -> Self:
        """These rows ``(N,)`` of the windows, each as often as it is named, to go on with ``z`` ``(N, S * W)``.

        To be asked for between two segments, and after :meth:`write`: the z of a segment is read at its first step.
        """
        found = copy.copy(self)
        found.z, found.rows, found.nowhere = z, np.arange(len(rows)), np.zeros((len(rows), LAGS), bool)
        for name in ("tokens", "last_onset", "misses", "hidden", "cell"):
            setattr(found, name, getattr(self, name)[:, rows])
        for name in ("previous", "last_onset_step", "last_event_step", "is_sounding", "lowest", "highest", "onset_sum"):
            setattr(found, name, getattr(self, name)[rows])
        if self.conditions is not None and self.unused is not None:
            found.conditions, found.unused = self.conditions[rows], self.unused[:, rows]
        if self.of_conditions is not None:
            found.of_conditions = self.of_conditions[rows]
        for name in ("pitch_classes", "components", "slips", "heard", "in_key", "relative"):
            setattr(found, name, getattr(self, name)[rows])
        return found

    @property
    def sounding(self) -> Array:
        """Whether a note sounds just before the next step, ``(B,)``."""
        return self.is_sounding

    @property
    def last_note(self) -> Array:
        """The token of the last onset before the next step, ``(B,)``; 0 before the first one."""
        last: Array = self.last_onset[self.step]
        return last

    def log_probabilities(self) -> Array:
        """Log probability of every token at the next step, ``(B, V)``; minus infinity of a note off in silence."""
        step, decoder = self.step, self.decoder
        in_segment = step % decoder.segment_steps
        if in_segment == 0:
            written = np.ascontiguousarray(self.tokens[:step].T)
            features = decoder.segment_features(self.z, step // decoder.segment_steps, written, self.conditions)
            self.of_z = (features @ self.tables.of_features).transpose(1, 0, 2)  # (U, B, H)
        self._look_back()
        outputs = self._turn_lstm(self._read(self.of_z[in_segment]))
        if step % self.bar == 0:
            self.components, self.slips = decoder.of_bar(outputs, np.broadcast_to(self.available, self.nowhere.shape))
            if self.plan is not None:
                self._follow(self.plan.components[:, step // self.bar])
        self.free = self._free(decoder.output(outputs))
        self._copy()
        predicted = np.log(np.maximum(self._predict(), TINY))
        predicted[~self.is_sounding, NOTE_OFF] = -np.inf
        if self.unused is not None:
            predicted[self.unused[step % self.bar], NO_EVENT + 1 :] = -np.inf
        return np.asarray(predicted)

    def _follow(self, planned: Array) -> None:
        """Take the components ``(B,)`` that are planned for this bar, where they are possible."""
        planned = np.where(planned == NEW, FREE, planned)
        is_planned = (planned >= 0) & np.isfinite(self.components[self.rows, planned])
        only = np.where(np.arange(COPIES + 1) == planned[:, None], 0, -np.inf).astype(self.dtype)
        self.components = np.where(is_planned[:, None], only, self.components)

    def repeated(self, chosen: Array) -> Array:
        """The tokens ``(B,)`` of the next step: ``chosen``, or where the plan repeats a bar those of that bar."""
        if self.plan is None:
            return chosen
        sources = self.plan.sources[:, self.step // self.bar]
        there = self.tokens[np.maximum(sources, 0) * self.bar + self.step % self.bar, self.rows]
        there = np.where((there == NOTE_OFF) & ~self.is_sounding, NO_EVENT, there)
        return np.where(sources >= 0, there, chosen)

    def write(self, chosen: Array) -> None:
        """Write the tokens ``(B,)`` of the step whose probabilities were asked for."""
        step = self.step
        likelihood = np.log(self._likelihood(chosen))
        if self.unused is not None:
            likelihood[self.unused[step % self.bar]] = 0
        self.components = self.components + likelihood
        is_onset = chosen >= FIRST_NOTE_ON
        self.misses[step + 1] = self.misses[step] + self._misses(chosen[:, None])
        self.tokens[step] = self.previous = chosen
        is_event = chosen != NO_EVENT
        self.last_event_step = np.where(is_event, step, self.last_event_step)
        self.is_sounding = np.where(is_event, is_onset, self.is_sounding)
        self.step = step + 1
        if not is_onset.any():
            self.last_onset[step + 1] = self.last_onset[step]
            return
        self.last_onset[step + 1] = np.where(is_onset, chosen, self.last_onset[step])
        self.last_onset_step = np.where(is_onset, step, self.last_onset_step)
        self.pitch_classes = self.pitch_classes.copy()
        self.pitch_classes[np.flatnonzero(is_onset), chosen[is_onset] % PITCH_CLASSES] += 1
        heights = np.where(is_onset, chosen, 0)
        self.onset_sum = self.onset_sum + heights
        self.highest = np.maximum(self.highest, heights)
        lower = is_onset & ((chosen < self.lowest) | (self.lowest == 0))
        self.lowest = np.where(lower, chosen, self.lowest)
        self._hear()

    def _hear(self) -> None:
        """Update the features that change only at an onset."""
        tables, last = self.tables, self.last_onset[self.step]
        onsets = self.pitch_classes.sum(axis=1)
        middle = (self.onset_sum + onsets // 2) // np.maximum(onsets, 1)
        extent = np.stack([last - self.lowest, last - middle, self.highest - last], axis=1) / 12
        heard = (self.pitch_classes / (onsets[:, None] + 2)).astype(self.dtype)
        from_last = np.take_along_axis(heard, tables.turned[last % PITCH_CLASSES], 1)
        self.heard = np.concatenate([from_last, extent], axis=1, dtype=self.dtype)
        self.in_key = self.decoder.key(heard)
        self.relative = np.stack([tables.of_interval[last], tables.of_register[middle]], axis=1)  # (B, 2, pitches)

    def _look_back(self) -> None:
        """See :attr:`melodyvae.network.look_back.Written.sources`; a bar's are all known when it begins."""
        none, tables, in_bar = self.vocabulary, self.tables, self.step % self.bar
        last = self.last_onset[self.step][:, None]
        if in_bar == 0:
            self.available = self.step >= tables.lags
            if self.plan is not None and (self.plan.components[:, self.step // self.bar] == NEW).all():
                self.available = np.zeros_like(self.available)
            self.available_copies = np.concatenate([self.available] * len(KINDS))
            self.not_available = ~self.available_copies
            self.at_start = self.misses[self.step]
            before = self.at_start == self.misses[max(self.step - self.bar, 0)]
            self.agreed_before = before & self.available_copies
            there = np.maximum(self.step - tables.lags, 0) + np.arange(self.bar)[:, None]  # (U, L)
            there = np.minimum(there, self.steps)
            source = np.where(self.available, self.tokens[there].transpose(0, 2, 1), none)  # (U, B, L)
            then = self.last_onset[there].transpose(0, 2, 1)
            is_note = (source >= FIRST_NOTE_ON) & (source < none)
            # A note is moved by the interval of the last onsets; far away, where that cannot be, it is none.
            shift = np.where(is_note & (then > 0), source - then, FAR)
            self.of_bar = source, np.where(is_note, none, source), is_note, shift
        self.source, otherwise, self.is_note, shift = (part[in_bar] for part in self.of_bar)
        moved = shift + np.where(last > 0, last, FAR)
        fits = (moved >= FIRST_NOTE_ON) & (moved < none)
        self.transposed = np.where(fits, moved, otherwise)
        self.both = np.concatenate([self.source, self.transposed], axis=1)
        self.is_first = self.is_note & (self.last_onset_step < self.step - in_bar)[:, None]

    def _read(self, of_z: Array) -> Array:
        """Input of the LSTM, ``(B, H)``."""
        tables, step, bar = self.tables, self.step, self.bar
        now, on = self.misses[step], self.available_copies
        fine = (now == self.at_start) & on
        recent = (1 - (now - self.misses[max(step - bar, 0)]) / bar) * on
        counted = np.concatenate([fine, recent, self.agreed_before, self.heard], axis=1, dtype=self.dtype)
        said = tables.said[self.last_onset[step][:, None], self.both]
        read = tables.token[self.previous] + tables.source[said + tables.kinds].sum(axis=1)
        read += tables.place[step % bar] + tables.bar[min(step // bar, len(tables.bar) - 1)]
        wait = np.minimum(step - self.last_event_step, WAIT_STEPS)
        read += tables.wait[wait + self.is_sounding * (WAIT_STEPS + 1)]
        read += of_z
        if self.of_conditions is not None:
            read += self.of_conditions[:, step // bar]
        read += counted @ tables.counted
        return np.asarray(np.maximum(read, 0, out=read))

    def _turn_lstm(self, inputs: Array) -> Array:
        """The top layer's output ``(B, H)``."""
        gates, scratch = np.empty((GATES, *inputs.shape), self.dtype), np.empty_like(inputs)
        for number, (matrix, bias) in enumerate(self.tables.layers):
            hidden = self.hidden[number]
            matrix.times(np.concatenate([inputs, hidden], axis=1), gates)
            gates += by_gate(bias[None])
            turn(gates, self.cell[number], hidden, scratch)
            inputs = hidden
        return inputs

    def _free(self, said: Array) -> Array:
        """See :meth:`melodyvae.network.composing.ComposingDecoder._free`."""
        tables = self.tables
        of_tokens, of_intervals, of_gates, _, _ = self.decoder.head_sizes
        logits, gates = said[:, :of_tokens], said[:, of_tokens + of_intervals :][:, :of_gates]
        sharpness = said[:, of_tokens + of_intervals + of_gates, None]
        in_key = self.in_key * (1 + sharpness)
        has_last = self.last_onset[self.step][:, None] > 0
        relative = said[self.rows[:, None, None], self.relative].sum(axis=1)
        logits[:, FIRST_NOTE_ON:] += in_key[:, tables.pitch_class] + relative * has_last
        logits[~self.is_sounding, NOTE_OFF] = -np.inf
        is_there = (self.both < self.vocabulary) & ((self.both != NOTE_OFF) | self.is_sounding[:, None])
        gates[:, :-1][~is_there] = -np.inf
        shares = softmax(gates)
        free = softmax(logits) * shares[:, -1:]
        found: Array = free + added_by_place(np.where(is_there, self.both, 0), shares[:, :-1], self.vocabulary)
        return found

    def _copy(self) -> None:
        """See :meth:`melodyvae.network.look_back.Copying.of`."""
        said = np.concatenate([self.both, self.source], axis=1)
        self.is_soft = np.concatenate([self.nowhere, self.is_first, self.is_note], axis=1)
        is_legal = (said != NOTE_OFF) | self.is_sounding[:, None]
        self.is_hard = ~self.is_soft & (said < self.vocabulary) & is_legal
        self.copied = np.where(self.is_hard, said, 0)
        self.onset = np.maximum(self.free[:, FIRST_NOTE_ON:].sum(axis=1, keepdims=True), TINY)

    def _predict(self) -> Array:
        """See :meth:`melodyvae.models.look_back.Copying.predict`."""
        kept = softmax(self.components)[:, :-1] * (1 - self.slips)
        hard, soft = kept * self.is_hard, (kept * self.is_soft).sum(axis=1, keepdims=True)
        rest = np.maximum(1 - hard.sum(axis=1, keepdims=True) - soft, 0)
        predicted: Array = rest * self.free
        predicted[:, FIRST_NOTE_ON:] += self.free[:, FIRST_NOTE_ON:] * (soft / self.onset)
        predicted += added_by_place(self.copied, hard, self.vocabulary)
        return predicted

    def _likelihood(self, chosen: Array) -> Array:
        """See :meth:`melodyvae.models.look_back.Copying.likelihood`."""
        of_free = self.free[self.rows, chosen][:, None]
        soft = of_free / self.onset * (chosen >= FIRST_NOTE_ON)[:, None]
        copied = np.where(self.is_hard, chosen[:, None] == self.copied, np.where(self.is_soft, soft, of_free))
        came = np.concatenate([(1 - self.slips) * copied + self.slips * of_free, of_free], axis=1)
        likelihood: Array = np.maximum(came, TINY).astype(self.dtype, copy=False)
        return likelihood

    def _misses(self, chosen: Array) -> Array:
        """See :meth:`melodyvae.network.look_back.Sources.misses`."""
        source = self.source
        rhythm = np.minimum(chosen, FIRST_NOTE_ON) != np.minimum(source, FIRST_NOTE_ON)
        transposed = np.where(self.is_first, rhythm, chosen != self.transposed)
        missed: Array = np.concatenate([chosen != source, transposed, rhythm], axis=1) | self.not_available
        return missed

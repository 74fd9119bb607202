"""Look-back: a mixture of copies from earlier bars and free writing.

The sources of a step are the tokens 1, 2, 4 and 8 bars before it: 94% of the bars that repeat an earlier one repeat it
at one of these lags. A source is copied in three kinds:

- ``exact``: the same token.
- ``transposed``: the same rhythm; the interval is free at the first onset of a bar, and kept until the bar's end.
- ``rhythm``: an onset where the source has one, at any pitch; otherwise the same token.

A bar either copies or it does not, so the choice is made once per bar: p(bar) is a mixture, over the kinds and lags and
over free writing, of products over the steps of the bar. It is marginalised exactly. By Bayes' rule the probability of
each component, given the steps of the bar so far, weighs its prediction of the next step. Free writing itself mixes, at
each step, a softmax with pointers to the sources ("Pointer Sentinel Mixture Models", Merity et al., 2016,
https://arxiv.org/abs/1609.07843). A step earlier than the lag has no source there.

Conventions: B windows, T steps, V tokens, L lags, K = 3 L kinds of copies (lag by lag within a kind), C = K + 1
components, the last one free writing. N is a number of consecutive steps: T in training, 1 when writing step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.look_back import COPIES, KINDS, LAGS_BARS, TINY
from melodyvae.network.token_inputs import PITCH_CLASSES


@dataclass(frozen=True)
class Sources:
    """The sources of N steps, each ``(B, N, L)``.

    Attributes:
        tokens: the token one lag before; V where there is none.
        transposed: the same, moved by the interval from the last onset then to the last onset now; V if impossible.
        began: whether this bar has an onset before the step: the interval of a transposed copy is known, ``(B, N)``.
        available: whether the lag reaches back to a step of the window.
    """

    tokens: Tensor
    transposed: Tensor
    began: Tensor
    available: Tensor

    def misses(self, tokens: Tensor) -> Tensor:
        """Whether ``tokens`` ``(B, N)`` differ from each kind of copy: ``(B, N, K)``; True where there is no source."""
        chosen = tokens.unsqueeze(-1)
        is_note = self.tokens >= FIRST_NOTE_ON
        rhythm = chosen.clamp(max=FIRST_NOTE_ON) != self.tokens.clamp(max=FIRST_NOTE_ON)
        transposed = torch.where(is_note & ~self.began.unsqueeze(-1), rhythm, chosen != self.transposed)
        differs = torch.cat([chosen != self.tokens, transposed, rhythm], dim=-1)
        return differs | ~self.available.repeat(1, 1, len(KINDS))


class Written:
    """A record of the steps of B windows that are written, and what can be derived from it.

    Index t of a record is what holds just *before* step t, so no entry depends on step t or a later one.
    """

    def __init__(self, batch: int, steps: int, steps_per_bar: int, vocabulary_size: int, device: torch.device) -> None:
        self.steps_per_bar = steps_per_bar
        self.vocabulary_size = vocabulary_size
        self.lags = torch.tensor([bars * steps_per_bar for bars in LAGS_BARS], device=device)
        self.hidden = torch.zeros(batch, dtype=torch.bool, device=device)  # windows whose sources are hidden

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(batch, steps + 1, *shape, dtype=torch.long, device=device)

        self.tokens = zeros()  # of the step itself, the only one that is not "before"
        self.last_onset = zeros()  # its token; 0 before the first one
        self.last_onset_step = zeros() - 1
        self.last_event_step = zeros() - 1
        self.sounding = zeros().bool()
        self.misses = zeros(COPIES)  # how often each kind of copy has failed so far
        self.lowest, self.highest = zeros(), zeros()  # token of an onset so far; 0 before the first one
        self.onset_sum = zeros()  # of their tokens
        self.pitch_classes = zeros(PITCH_CLASSES)  # how many onsets there were of each (of the token, modulo 12)

    @classmethod
    def of(cls, previous: Tensor, steps_per_bar: int, vocabulary_size: int, hidden: Tensor | None = None) -> Written:
        """The record of whole windows, from the token before each step, ``(B, T)``; the last step's is not known."""
        batch, steps = previous.shape
        record = cls(batch, steps, steps_per_bar, vocabulary_size, previous.device)
        if hidden is not None:
            record.hidden = hidden
        record.tokens[:, : steps - 1] = previous[:, 1:]
        tokens = record.tokens[:, :steps]
        places = torch.arange(steps, device=previous.device).expand(batch, -1)
        is_onset = tokens >= FIRST_NOTE_ON
        record.last_onset_step[:, 1:] = torch.where(is_onset, places, -1).cummax(dim=1).values
        record.last_event_step[:, 1:] = torch.where(tokens != NO_EVENT, places, -1).cummax(dim=1).values
        at = record.last_onset_step
        record.last_onset = torch.where(at >= 0, record.tokens.gather(1, at.clamp(min=0)), 0)
        at = record.last_event_step
        record.sounding = (at >= 0) & (record.tokens.gather(1, at.clamp(min=0)) >= FIRST_NOTE_ON)
        classes = F.one_hot(tokens % PITCH_CLASSES, PITCH_CLASSES) * is_onset.unsqueeze(-1)
        record.pitch_classes[:, 1:] = classes.cumsum(dim=1)
        heights = torch.where(is_onset, tokens, 0)
        record.onset_sum[:, 1:] = heights.cumsum(dim=1)
        record.highest[:, 1:] = heights.cummax(dim=1).values
        lowest = torch.where(is_onset, tokens, vocabulary_size).cummin(dim=1).values
        record.lowest[:, 1:] = torch.where(lowest < vocabulary_size, lowest, 0)
        misses = record.sources(0, steps).misses(tokens)
        record.misses[:, 1:] = misses.long().cumsum(dim=1)
        return record

    def middle(self, first: int, end: int) -> Tensor:
        """The mean token of the onsets before each step, rounded, ``(B, N)``; 0 before the first one."""
        count = self.pitch_classes[:, first:end].sum(-1)
        return (self.onset_sum[:, first:end] + count // 2) // count.clamp(min=1)

    def sources(self, first: int, end: int) -> Sources:
        """The sources of the steps from ``first`` until before ``end``."""
        steps = torch.arange(first, end, device=self.tokens.device)
        back = steps.unsqueeze(-1) - self.lags  # (N, L)
        there = back.clamp(min=0)
        available = (back >= 0) & ~self.hidden[:, None, None]
        none = self.vocabulary_size
        tokens = torch.where(available, self.tokens[:, there], none)
        now, then = self.last_onset[:, first:end, None], self.last_onset[:, there]
        moved = tokens + now - then
        fits = (now > 0) & (then > 0) & (moved >= FIRST_NOTE_ON) & (moved < none)
        is_note = (tokens >= FIRST_NOTE_ON) & available
        transposed = torch.where(is_note, torch.where(fits, moved, none), tokens)
        began = self.last_onset_step[:, first:end] >= steps // self.steps_per_bar * self.steps_per_bar
        return Sources(tokens, transposed, began, available)

    def agreement(self, first: int, end: int, sources: Sources, dtype: torch.dtype = torch.float32) -> Tensor:
        """Success of each kind of copy before each step, as shares 0 to 1: ``(B, N, 3 K)``.

        Three values: 1 if it has not failed yet in this bar; the share of the last bar's length that it got right; 1
        if it got all of the bar before right. All are 0 without a source.
        """
        steps = torch.arange(first, end, device=self.tokens.device)
        bar = self.steps_per_bar
        start = steps // bar * bar
        misses = self.misses
        now, at_start = misses[:, first:end], misses[:, start]
        fine = now == at_start
        recent = 1 - (now - misses[:, (steps - bar).clamp(min=0)]) / bar
        before = at_start == misses[:, (start - bar).clamp(min=0)]
        available = sources.available.repeat(1, 1, len(KINDS))
        return torch.cat([fine * available, recent * available, before * available], dim=-1).to(dtype)


@dataclass(frozen=True)
class Copying:
    """Prediction of each kind of copy for N steps.

    Attributes:
        token: the predicted token, ``(B, N, K)``; 0 without one.
        is_hard: where it predicts one token.
        is_soft: where it predicts an onset at any pitch. Elsewhere it predicts nothing: free writing decides.
    """

    token: Tensor
    is_hard: Tensor
    is_soft: Tensor

    @classmethod
    def of(cls, sources: Sources, sounding: Tensor, vocabulary_size: int) -> Copying:
        """The copies of ``sources``; a note off while nothing sounds (``sounding`` ``(B, N)``) is not copied."""
        tokens, transposed, kinds = sources.tokens, sources.transposed, len(KINDS)
        is_note = (tokens >= FIRST_NOTE_ON) & sources.available
        open_pitch = torch.cat([torch.zeros_like(is_note), is_note & ~sources.began.unsqueeze(-1), is_note], dim=-1)
        copies = torch.cat([tokens, transposed, tokens], dim=-1)
        is_legal = (copies != NOTE_OFF) | sounding.unsqueeze(-1)
        is_hard = ~open_pitch & (copies < vocabulary_size) & is_legal & sources.available.repeat(1, 1, kinds)
        return cls(torch.where(is_hard, copies, 0), is_hard, open_pitch)

    def likelihood(self, tokens: Tensor, free: Tensor, slip: Tensor) -> Tensor:
        """P of ``tokens`` ``(B, N)`` by each component, ``(B, N, C)``.

        Args:
            tokens: the true tokens.
            free: the probabilities of free writing, ``(B, N, V)``.
            slip: the probability that a copy leaves a step to free writing, ``(B, N, K)``.
        """
        of_free = free.gather(-1, tokens.unsqueeze(-1))
        chosen = tokens.unsqueeze(-1)
        onset = free[..., FIRST_NOTE_ON:].sum(-1, keepdim=True).clamp(min=TINY)
        soft = torch.where(chosen >= FIRST_NOTE_ON, of_free / onset, 0.0)
        copied = torch.where(self.is_hard, (chosen == self.token).to(free), torch.where(self.is_soft, soft, of_free))
        return torch.cat([(1 - slip) * copied + slip * of_free, of_free], dim=-1).clamp(min=TINY)

    def predict(self, weights: Tensor, free: Tensor, slip: Tensor) -> Tensor:
        """The mixture's probabilities ``(B, N, V)``, given the components' ``weights`` ``(B, N, C)``."""
        kept = weights[..., :-1] * (1 - slip)
        hard, soft = kept * self.is_hard, (kept * self.is_soft).sum(-1, keepdim=True)
        rest = 1 - hard.sum(-1, keepdim=True) - soft
        onset = free[..., FIRST_NOTE_ON:].sum(-1, keepdim=True).clamp(min=TINY)
        of_onsets = F.pad(free[..., FIRST_NOTE_ON:] * (soft / onset), (FIRST_NOTE_ON, 0))
        return (rest.clamp(min=0) * free + of_onsets).scatter_add(-1, self.token, hard)


def component_weights(prior: Tensor, log_likelihood: Tensor, steps_per_bar: int) -> Tensor:
    """p(component | the bar so far) just before each step, ``(B, T, C)``, by Bayes' rule.

    Args:
        prior: log p(component) of each bar, ``(B, bars, C)``.
        log_likelihood: of each step's token by each component, ``(B, T, C)``.
        steps_per_bar: T is ``bars * steps_per_bar``.
    """
    bars = log_likelihood.view(len(prior), -1, steps_per_bar, log_likelihood.shape[-1])
    before = bars.cumsum(dim=2) - bars
    weights: Tensor = (prior.unsqueeze(2) + before).softmax(dim=-1).flatten(1, 2)
    return weights

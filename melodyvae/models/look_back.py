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
components, the last one free writing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.look_back import KINDS, LAGS_BARS, TINY
from melodyvae.network.token_inputs import PITCH_CLASSES


@dataclass(frozen=True)
class Sources:
    """The sources of all steps, each ``(B, T, L)``.

    Attributes:
        tokens: the token one lag before; V where there is none.
        transposed: the same, moved by the interval from the last onset then to the last onset now; V if impossible.
        began: whether this bar has an onset before the step: the interval of a transposed copy is known, ``(B, T)``.
        available: whether the lag reaches back to a step of the window.
    """

    tokens: Tensor
    transposed: Tensor
    began: Tensor
    available: Tensor

    def misses(self, tokens: Tensor) -> Tensor:
        """Whether ``tokens`` ``(B, T)`` differ from each kind of copy: ``(B, T, K)``; True where there is no source."""
        chosen = tokens.unsqueeze(-1)
        is_note = self.tokens >= FIRST_NOTE_ON
        rhythm = chosen.clamp(max=FIRST_NOTE_ON) != self.tokens.clamp(max=FIRST_NOTE_ON)
        transposed = torch.where(is_note & ~self.began.unsqueeze(-1), rhythm, chosen != self.transposed)
        differs = torch.cat([chosen != self.tokens, transposed, rhythm], dim=-1)
        return differs | ~self.available.repeat(1, 1, len(KINDS))


class Written:
    """A record of whole windows: index t of a tensor is what holds just *before* step t, ``(B, T)`` or ``(B, T, .)``.

    Only ``tokens`` are those of the steps themselves; the last one is not known, and is no event here.

    Args:
        previous: the token before each step, int64 ``(B, T)``.
        steps_per_bar: T is a multiple of it.
        vocabulary_size: V.
        hidden: the windows ``(B,)`` whose sources are hidden; none if not given.
    """

    def __init__(
        self, previous: Tensor, steps_per_bar: int, vocabulary_size: int, hidden: Tensor | None = None
    ) -> None:
        self.steps_per_bar, self.vocabulary_size = steps_per_bar, vocabulary_size
        self.tokens = tokens = F.pad(previous[:, 1:], (0, 1), value=NO_EVENT)
        self.steps = torch.arange(tokens.shape[1], device=tokens.device)
        is_onset = tokens >= FIRST_NOTE_ON
        self.last_onset_step = before(torch.where(is_onset, self.steps, -1).cummax(dim=1).values, -1)
        self.last_event_step = before(torch.where(tokens != NO_EVENT, self.steps, -1).cummax(dim=1).values, -1)
        at = self.last_onset_step
        self.last_onset = torch.where(at >= 0, tokens.gather(1, at.clamp(min=0)), 0)
        at = self.last_event_step
        self.sounding = (at >= 0) & (tokens.gather(1, at.clamp(min=0)) >= FIRST_NOTE_ON)
        classes = F.one_hot(tokens % PITCH_CLASSES, PITCH_CLASSES) * is_onset.unsqueeze(-1)
        self.pitch_classes = before(classes.cumsum(dim=1), 0)  # how many onsets there were of each
        heights = torch.where(is_onset, tokens, 0)
        self.highest = before(heights.cummax(dim=1).values, 0)
        lowest = torch.where(is_onset, tokens, vocabulary_size).cummin(dim=1).values
        self.lowest = before(torch.where(lowest < vocabulary_size, lowest, 0), 0)
        self.sources = self._sources(hidden)
        self.misses = before(self.sources.misses(tokens).cumsum(dim=1), 0)  # how often each kind of copy has failed
        onsets = self.pitch_classes.sum(-1)
        onset_sum = before(heights.cumsum(dim=1), 0)
        self.middle = (onset_sum + onsets // 2) // onsets.clamp(min=1)  # mean token of the onsets, rounded

    def _sources(self, hidden: Tensor | None) -> Sources:
        lags = torch.tensor(LAGS_BARS, device=self.tokens.device) * self.steps_per_bar
        back = self.steps.unsqueeze(-1) - lags  # (T, L)
        there, none = back.clamp(min=0), self.vocabulary_size
        available = (back >= 0).expand(len(self.tokens), -1, -1)
        if hidden is not None:
            available = available & ~hidden[:, None, None]
        tokens = torch.where(available, self.tokens[:, there], none)
        now, then = self.last_onset.unsqueeze(-1), self.last_onset[:, there]
        moved = tokens + now - then
        fits = (now > 0) & (then > 0) & (moved >= FIRST_NOTE_ON) & (moved < none)
        is_note = (tokens >= FIRST_NOTE_ON) & available
        transposed = torch.where(is_note, torch.where(fits, moved, none), tokens)
        began = self.last_onset_step >= self.steps // self.steps_per_bar * self.steps_per_bar
        return Sources(tokens, transposed, began, available)

    def agreement(self, dtype: torch.dtype) -> Tensor:
        """Success of each kind of copy before each step, as shares 0 to 1: ``(B, T, 3 K)``.

        Three values: 1 if it has not failed yet in this bar; the share of the last bar's length that it got right; 1
        if it got all of the bar before right. All are 0 without a source.
        """
        bar, now = self.steps_per_bar, self.misses
        start = self.steps // bar * bar
        at_start = now[:, start]
        recent = 1 - (now - now[:, (self.steps - bar).clamp(min=0)]) / bar
        agreed_before = at_start == now[:, (start - bar).clamp(min=0)]
        available = self.sources.available.repeat(1, 1, len(KINDS))
        return torch.cat([(now == at_start) & available, recent * available, agreed_before & available], -1).to(dtype)


def before(after: Tensor, first: int) -> Tensor:
    """Values before each step, from those after each step, ``(B, T, ...)``, and the one before the first."""
    return torch.cat([torch.full_like(after[:, :1], first), after[:, :-1]], dim=1)


@dataclass(frozen=True)
class Copying:
    """Prediction of each kind of copy for all steps, each ``(B, T, K)``.

    Attributes:
        token: the predicted token; 0 without one.
        is_hard: where it predicts one token.
        is_soft: where it predicts an onset at any pitch. Elsewhere it predicts nothing: free writing decides.
    """

    token: Tensor
    is_hard: Tensor
    is_soft: Tensor

    @classmethod
    def of(cls, sources: Sources, sounding: Tensor, vocabulary_size: int) -> Copying:
        """The copies of ``sources``; a note off while nothing sounds (``sounding`` ``(B, T)``) is not copied."""
        tokens, transposed, kinds = sources.tokens, sources.transposed, len(KINDS)
        is_note = (tokens >= FIRST_NOTE_ON) & sources.available
        open_pitch = torch.cat([torch.zeros_like(is_note), is_note & ~sources.began.unsqueeze(-1), is_note], dim=-1)
        copies = torch.cat([tokens, transposed, tokens], dim=-1)
        is_legal = (copies != NOTE_OFF) | sounding.unsqueeze(-1)
        is_hard = ~open_pitch & (copies < vocabulary_size) & is_legal & sources.available.repeat(1, 1, kinds)
        return cls(torch.where(is_hard, copies, 0), is_hard, open_pitch)

    def likelihood(self, tokens: Tensor, free: Tensor, slip: Tensor) -> Tensor:
        """P of ``tokens`` ``(B, T)`` by each component, ``(B, T, C)``.

        Args:
            tokens: the true tokens.
            free: the probabilities of free writing, ``(B, T, V)``.
            slip: the probability that a copy leaves a step to free writing, ``(B, T, K)``.
        """
        of_free = free.gather(-1, tokens.unsqueeze(-1))
        chosen = tokens.unsqueeze(-1)
        onset = free[..., FIRST_NOTE_ON:].sum(-1, keepdim=True).clamp(min=TINY)
        soft = torch.where(chosen >= FIRST_NOTE_ON, of_free / onset, 0.0)
        copied = torch.where(self.is_hard, (chosen == self.token).to(free), torch.where(self.is_soft, soft, of_free))
        return torch.cat([(1 - slip) * copied + slip * of_free, of_free], dim=-1).clamp(min=TINY)

    def predict(self, weights: Tensor, free: Tensor, slip: Tensor) -> Tensor:
        """The mixture's probabilities ``(B, T, V)``, given the components' ``weights`` ``(B, T, C)``."""
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
    so_far = bars.cumsum(dim=2) - bars
    weights: Tensor = (prior.unsqueeze(2) + so_far).softmax(dim=-1).flatten(1, 2)
    return weights

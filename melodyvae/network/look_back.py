"""Copies from earlier bars for a composing decoder; :mod:`melodyvae.models.look_back` describes them, in torch.

Here are the records of whole windows, for their likelihood; writing step by step is in
:mod:`melodyvae.network.composing_steps`.

Conventions: B windows, T steps, V tokens, L lags, K = 3 L kinds of copies (lag by lag within a kind), C = K + 1
components, the last one free writing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.token_inputs import PITCH_CLASSES

LAGS_BARS = (1, 2, 4, 8)
KINDS = ("exact", "transposed", "rhythm")
COPIES = len(KINDS) * len(LAGS_BARS)
TINY = 1e-9


@dataclass(frozen=True)
class Sources:
    """The sources of all steps, each ``(B, T, L)``.

    Attributes:
        tokens: the token one lag before; V where there is none.
        transposed: the same, moved by the interval from the last onset then to the last onset now; V if impossible.
        began: whether this bar has an onset before the step: the interval of a transposed copy is known, ``(B, T)``.
        available: whether the lag reaches back to a step of the window, ``(T, L)``.
    """

    tokens: np.ndarray
    transposed: np.ndarray
    began: np.ndarray
    available: np.ndarray

    def misses(self, tokens: np.ndarray) -> np.ndarray:
        """Whether ``tokens`` ``(B, T)`` differ from each kind of copy: ``(B, T, K)``; True where there is no source."""
        chosen = tokens[..., None]
        is_note = self.tokens >= FIRST_NOTE_ON
        rhythm = np.minimum(chosen, FIRST_NOTE_ON) != np.minimum(self.tokens, FIRST_NOTE_ON)
        transposed = np.where(is_note & ~self.began[..., None], rhythm, chosen != self.transposed)
        found = np.concatenate([chosen != self.tokens, transposed, rhythm], axis=-1)
        return np.asarray(found | ~np.tile(self.available, len(KINDS)))


class Written:
    """A record of whole windows: index t of each array is what holds just *before* step t, ``(B, T)`` or ``(B, T, .)``.

    Args:
        tokens: the windows, int64 ``(B, T)``.
        steps_per_bar: T is a multiple of it.
        vocabulary_size: V.
    """

    def __init__(self, tokens: np.ndarray, steps_per_bar: int, vocabulary_size: int) -> None:
        self.tokens, self.steps_per_bar, self.vocabulary_size = tokens, steps_per_bar, vocabulary_size
        steps = tokens.shape[1]
        places = np.arange(steps)
        is_onset = tokens >= FIRST_NOTE_ON
        self.last_onset_step = before(np.maximum.accumulate(np.where(is_onset, places, -1), axis=1), -1)
        self.last_event_step = before(np.maximum.accumulate(np.where(tokens != NO_EVENT, places, -1), axis=1), -1)
        at = self.last_onset_step
        self.last_onset = np.where(at >= 0, np.take_along_axis(tokens, np.maximum(at, 0), axis=1), 0)
        at = self.last_event_step
        latest = np.take_along_axis(tokens, np.maximum(at, 0), axis=1)
        self.sounding = (at >= 0) & (latest >= FIRST_NOTE_ON)
        classes = (tokens[..., None] % PITCH_CLASSES == np.arange(PITCH_CLASSES)) & is_onset[..., None]
        self.pitch_classes = before(classes.cumsum(axis=1), 0)  # how many onsets there were of each
        heights = np.where(is_onset, tokens, 0)
        self.onset_sum = before(heights.cumsum(axis=1), 0)
        self.highest = before(np.maximum.accumulate(heights, axis=1), 0)
        lowest = np.minimum.accumulate(np.where(is_onset, tokens, vocabulary_size), axis=1)
        self.lowest = before(np.where(lowest < vocabulary_size, lowest, 0), 0)
        self.sources = self._sources()
        self.misses = before(self.sources.misses(tokens).cumsum(axis=1), 0)  # how often each kind of copy has failed
        onsets = self.pitch_classes.sum(axis=-1)
        self.middle = (self.onset_sum + onsets // 2) // np.maximum(onsets, 1)  # mean token of the onsets, rounded
        self.heard = self.pitch_classes / (onsets[..., None] + 2)  # the share of each pitch class

    def _sources(self) -> Sources:
        steps = np.arange(self.tokens.shape[1])
        back = steps[:, None] - np.array(LAGS_BARS) * self.steps_per_bar  # (T, L)
        there, available, none = np.maximum(back, 0), back >= 0, self.vocabulary_size
        tokens = np.where(available, self.tokens[:, there], none)
        now, then = self.last_onset[..., None], self.last_onset[:, there]
        moved = tokens + now - then
        fits = (now > 0) & (then > 0) & (moved >= FIRST_NOTE_ON) & (moved < none)
        is_note = (tokens >= FIRST_NOTE_ON) & available
        transposed = np.where(is_note, np.where(fits, moved, none), tokens)
        began = self.last_onset_step >= steps // self.steps_per_bar * self.steps_per_bar
        return Sources(tokens, transposed, began, available)

    def agreement(self) -> np.ndarray:
        """Success of each kind of copy before each step, as shares 0 to 1: ``(B, T, 3 K)``.

        Three values: 1 if it has not failed yet in this bar; the share of the last bar's length that it got right; 1
        if it got all of the bar before right. All are 0 without a source.
        """
        bar, now = self.steps_per_bar, self.misses
        steps = np.arange(now.shape[1])
        start = steps // bar * bar
        at_start = now[:, start]
        recent = 1 - (now - now[:, np.maximum(steps - bar, 0)]) / bar
        agreed_before = at_start == now[:, np.maximum(start - bar, 0)]
        available = np.tile(self.sources.available, len(KINDS))
        return np.concatenate([(now == at_start) & available, recent * available, agreed_before & available], axis=-1)


def before(after: np.ndarray, first: int) -> np.ndarray:
    """Values before each step, from those after each step, ``(B, T, ...)``, and the one before the first."""
    found = np.empty_like(after)
    found[:, 0], found[:, 1:] = first, after[:, :-1]
    return found


@dataclass(frozen=True)
class Copying:
    """Prediction of each kind of copy for all steps, each ``(B, T, K)``.

    Attributes:
        token: the predicted token; 0 without one.
        is_hard: where it predicts one token.
        is_soft: where it predicts an onset at any pitch. Elsewhere it predicts nothing: free writing decides.
    """

    token: np.ndarray
    is_hard: np.ndarray
    is_soft: np.ndarray

    @classmethod
    def of(cls, sources: Sources, sounding: np.ndarray, vocabulary_size: int) -> Copying:
        """The copies of ``sources``; a note off while nothing sounds (``sounding`` ``(B, T)``) is not copied."""
        tokens, transposed = sources.tokens, sources.transposed
        is_note = (tokens >= FIRST_NOTE_ON) & sources.available
        open_pitch = [np.zeros_like(is_note), is_note & ~sources.began[..., None], is_note]
        is_soft = np.concatenate(open_pitch, axis=-1)
        said = np.concatenate([tokens, transposed, tokens], axis=-1)
        is_legal = (said != NOTE_OFF) | sounding[..., None]
        is_hard = ~is_soft & (said < vocabulary_size) & is_legal & np.tile(sources.available, len(KINDS))
        return cls(np.where(is_hard, said, 0), is_hard, is_soft)

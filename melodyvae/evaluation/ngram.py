"""An n-gram model of token sequences: an independent measure of how usual a melody is.

Interpolated with Witten and Bell's weights: p_n(w | h) = (c(hw) + t(h) p_{n-1}(w | h')) / (c(h) + t(h)), where c counts
occurrences in the training windows, t(h) the different tokens after h, and h' is h without its oldest token; below one
token of context all tokens are equally probable. "The Zero-Frequency Problem" (Witten, Bell, 1991),
https://doi.org/10.1109/18.87000
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORDER = 5  # the tokens of a context and the one after it


@dataclass(frozen=True)
class _Counts:
    """Counts of one order: sorted (context, token) keys and their counts; sorted contexts, their counts and variety."""

    pairs: np.ndarray
    pair_counts: np.ndarray
    contexts: np.ndarray
    context_counts: np.ndarray
    variety: np.ndarray


class NgramModel:
    """p(token | the four tokens before), from windows; before a window's start stands a token of its own."""

    def __init__(self, windows: np.ndarray, vocabulary_size: int) -> None:
        """Count the windows ``(N, T)``."""
        self.vocabulary_size = vocabulary_size
        self._base = vocabulary_size + 1
        self._counts = [self._count(windows, length) for length in range(ORDER)]

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """The probability of each token of ``(N, T)`` given those before it: ``(N, T)``."""
        probabilities = np.full(windows.shape, 1 / self.vocabulary_size)
        for length, counts in enumerate(self._counts):
            contexts = self._contexts(windows, length)
            pairs = contexts * self._base + windows
            of_context, is_known = _places(counts.contexts, contexts)
            of_pair, is_seen = _places(counts.pairs, pairs)
            count = np.where(is_known, counts.context_counts[of_context], 0)
            variety = np.where(is_known, counts.variety[of_context], 0)
            seen = np.where(is_seen, counts.pair_counts[of_pair], 0)
            probabilities = np.where(
                is_known, (seen + variety * probabilities) / np.maximum(count + variety, 1), probabilities
            )
        return probabilities

    def cost(self, windows: np.ndarray) -> np.ndarray:
        """-log p of each window of ``(N, T)`` in nats per step: ``(N,)``."""
        cost: np.ndarray = -np.log(self.probabilities(windows)).mean(axis=1)
        return cost

    def _count(self, windows: np.ndarray, length: int) -> _Counts:
        contexts = self._contexts(windows, length).ravel()
        pairs, pair_counts = np.unique(contexts * self._base + windows.ravel(), return_counts=True)
        of_pairs = pairs // self._base
        firsts = np.flatnonzero(np.append(True, of_pairs[1:] != of_pairs[:-1]))
        counts = np.add.reduceat(pair_counts, firsts)
        variety = np.diff(np.append(firsts, len(pairs)))
        return _Counts(pairs, pair_counts, of_pairs[firsts], counts, variety)

    def _contexts(self, windows: np.ndarray, length: int) -> np.ndarray:
        """The ``length`` tokens before each step as one number: int64 ``(N, T)``."""
        count, steps = windows.shape
        start = np.full((count, length), self.vocabulary_size, np.int64)
        padded = np.concatenate([start, windows.astype(np.int64)], axis=1)
        contexts = np.zeros((count, steps), np.int64)
        for place in range(length):
            contexts = contexts * self._base + padded[:, place : place + steps]
        return contexts


def _places(table: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of each key in a sorted table, and whether it is there."""
    places = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return places, table[places] == keys

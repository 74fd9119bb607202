"""Structure of whole tunes: their statistics, repetition by lag, phrases of training tunes, against held-out tunes.

Conventions: windows are tokens ``(N, T)`` of whole bars; shares are 0 to 1; a lag is a number of bars; bars without an
onset are left out of all comparisons of bars. Distances are given beside their floor: the same between two halves of
the held-out windows, of different files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from melodyvae.evaluation.samples import histograms, jensen_shannon_bits
from melodyvae.music.melody import Melody
from melodyvae.music.statistics import PHRASE_BARS, Ratio, statistics_of
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary, held
from melodyvae.network.rows import random_rows

BATCH = 2000
DRAWS = 20


def distances(one: np.ndarray, other: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int) -> dict[str, float]:
    """Distances of windows ``(M, T)`` from others ``(N, T)``: ``similarity_error``, and ``js_*`` in bits.

    The similarity error is the mean absolute difference, over lags, of :func:`similarity_by_lag` ("Museformer:
    Transformer with Fine- and Coarse-Grained Attention for Music Generation", Yu et al., 2022,
    https://arxiv.org/abs/2210.10349).
    """
    gap = similarity_by_lag(one, steps_per_bar) - similarity_by_lag(other, steps_per_bar)
    ours, theirs = (histograms(windows, vocabulary, steps_per_bar) for windows in (one, other))
    js = {f"js_{name}": jensen_shannon_bits(ours[name], theirs[name]) for name in ours}
    return {"similarity_error": float(np.abs(gap).mean()) if len(gap) else 0.0} | js


def ranges_of_files(
    windows: np.ndarray,
    melodies: Sequence[Melody],
    sources: np.ndarray,
    files: int,
    count: int,
    vocabulary: Vocabulary,
    steps_per_bar: int,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Range of each metric over 20 draws of a few files: how much it depends on the choice of files.

    A draw takes ``files`` of the files of ``windows`` ``(N, T)``, whose number is ``sources`` ``(N,)``: the statistics
    of their ``melodies``, and the distances of windows of the other files from them, of up to ``count`` windows each.
    Empty if there are too few files.
    """
    names = np.unique(sources)
    if len(names) < 2 * files:
        return {}
    generator = np.random.default_rng(seed)
    statistics = statistics_of(melodies)
    values_by_name: dict[str, list[float]] = {}
    for draw in range(DRAWS):
        is_drawn = np.isin(sources, generator.choice(names, files, replace=False))
        ours, others = (random_rows(np.flatnonzero(where), count, seed + draw) for where in (is_drawn, ~is_drawn))
        values = {name: Ratio(ratio.part[ours], ratio.whole[ours]).pooled for name, ratio in statistics.items()}
        values |= distances(windows[others], windows[ours], vocabulary, steps_per_bar)
        for name, value in values.items():
            values_by_name.setdefault(name, []).append(value)
    return {name: [min(values), max(values)] for name, values in values_by_name.items()}


def similarity_by_lag(windows: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """For each lag from 1, the mean Jaccard overlap of the onsets (step in the bar and pitch) of two bars so far apart.

    Pairs of bars of which neither has an onset are left out: ``(bars - 1,)``.
    """
    bars = windows.reshape(len(windows), -1, steps_per_bar)
    is_onset = bars >= FIRST_NOTE_ON
    overlaps = []
    for lag in range(1, bars.shape[1]):
        now, then = is_onset[:, lag:], is_onset[:, :-lag]
        both = (now & then & (bars[:, lag:] == bars[:, :-lag])).sum(axis=2)
        either = now.sum(axis=2) + then.sum(axis=2) - both
        counted = np.asarray(either > 0)
        overlaps.append(float((both[counted] / either[counted]).mean()) if counted.any() else 0.0)
    return np.array(overlaps)


def self_similarity(windows: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """The mean, over windows ``(N, T)``, of the share of steps at which two bars sound alike: ``(bars, bars)``.

    Alike is the same pitch, or silence in both. Bars without an onset are like none, and are not counted.
    """
    notes = held(windows).reshape(len(windows), -1, steps_per_bar)
    has_onset = (windows.reshape(notes.shape) != NO_EVENT).any(axis=2)
    both = has_onset[:, :, None] & has_onset[:, None]
    alike = (notes[:, :, None] == notes[:, None]).mean(axis=3) * both
    return np.asarray(alike.sum(axis=0) / np.maximum(both.sum(axis=0), 1))


def known_stretches(
    windows: np.ndarray, train: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int, bars: int = PHRASE_BARS
) -> tuple[float, float]:
    """Shares of ``windows`` ``(N, T)`` that are as in one of ``train`` ``(M, T)``, in any key.

    The share of windows with ``bars`` bars in a row that are, and the share of all such stretches. Stretches with fewer
    than two onsets per bar are none of either: they match too easily.
    """
    if windows.shape[1] < bars * steps_per_bar or not len(windows) or not len(train):
        return 0.0, 0.0
    known = np.unique(np.concatenate([_stretches(part, vocabulary, steps_per_bar, bars)[0] for part in _parts(train)]))
    stretches = [_stretches(part, vocabulary, steps_per_bar, bars) for part in _parts(windows)]
    hashes, is_full = (np.concatenate(part) for part in zip(*stretches, strict=True))
    is_known = np.isin(hashes, known) & is_full
    of_window = is_known.reshape(len(windows), -1).any(axis=1)
    return float(of_window.mean()), float(is_known.sum() / max(is_full.sum(), 1))


def _parts(windows: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(windows[start : start + BATCH]) for start in range(0, len(windows), BATCH)]


def _stretches(
    windows: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int, bars: int
) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of each stretch of ``bars`` bars, the same in every key, and whether it has two onsets per bar."""
    length = bars * steps_per_bar
    stretches = np.lib.stride_tricks.sliding_window_view(windows, length, axis=1)[:, ::steps_per_bar].reshape(
        -1, length
    )
    factors = np.random.default_rng(0).integers(1, 2**63, length, dtype=np.uint64) | np.uint64(1)
    hashes = (vocabulary.normalise(stretches).astype(np.uint64) * factors).sum(axis=1, dtype=np.uint64)
    return hashes, (stretches >= FIRST_NOTE_ON).sum(axis=1) >= 2 * bars

"""Structure of whole tunes: repetition by lag, the key, leaps, range and silence, against held-out tunes.

Conventions: windows are tokens ``(N, T)`` of whole bars; shares are 0 to 1; a lag is a number of bars; bars without an
onset are left out of all comparisons of bars. Distances are given beside their floor: the same between two halves of
the held-out windows, of different files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.evaluation.keys import has_wide_leap, key_metrics
from melodyvae.evaluation.repetition import repetition_metrics
from melodyvae.evaluation.samples import histograms, jensen_shannon_bits
from melodyvae.music.keys import find_key
from melodyvae.music.notes import OCTAVE
from melodyvae.music.scales import IN_SCALE, pitch_class_weights
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary, held
from melodyvae.network.rows import random_rows

PHRASE_BARS = 4
BATCH = 2000
DRAWS = 20
OPENING_BARS = 2  # of longer windows, compared by themselves, too


@dataclass(frozen=True)
class TuneMetrics:
    """Musical statistics of windows.

    Attributes:
        shares: by name, the values of :func:`tune_metrics`.
        spectrum: share of bars equal to the bar ``lag`` before, by lag from 1, ``(bars - 1,)``.
        similarity: mean overlap of two bars ``lag`` apart, by lag from 1, ``(bars - 1,)``.
    """

    shares: dict[str, float]
    spectrum: np.ndarray
    similarity: np.ndarray


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


def opening_distances(
    one: np.ndarray, other: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int
) -> dict[str, float]:
    """``opening_js_*``: those of :func:`distances` of the first two bars; none of windows that have no more."""
    steps = OPENING_BARS * steps_per_bar
    if one.shape[1] <= steps:
        return {}
    opening = distances(one[:, :steps], other[:, :steps], vocabulary, steps_per_bar)
    return {f"opening_{name}": value for name, value in opening.items() if name.startswith("js_")}


def ranges_of_files(
    windows: np.ndarray,
    sources: np.ndarray,
    files: int,
    count: int,
    vocabulary: Vocabulary,
    steps_per_bar: int,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Range of each metric over 20 draws of a few files: how much it depends on the choice of files.

    A draw takes ``files`` of the files of ``windows`` ``(N, T)``, whose number is ``sources`` ``(N,)``: the values of
    :func:`tune_metrics` of their windows, and the distances of windows of the other files from them, of up to ``count``
    windows each. Empty if there are too few files.
    """
    names = np.unique(sources)
    if len(names) < 2 * files:
        return {}
    generator = np.random.default_rng(seed)
    values_by_name: dict[str, list[float]] = {}
    for draw in range(DRAWS):
        is_drawn = np.isin(sources, generator.choice(names, files, replace=False))
        ours, others = (random_rows(windows[where], count, seed + draw) for where in (is_drawn, ~is_drawn))
        values = tune_metrics(ours, vocabulary, steps_per_bar).shares
        for apart in (distances, opening_distances):
            values |= apart(others, ours, vocabulary, steps_per_bar)
        for name, value in values.items():
            values_by_name.setdefault(name, []).append(value)
    return {name: [min(values), max(values)] for name, values in values_by_name.items()}


def tune_metrics(windows: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int) -> TuneMetrics:
    """Musical statistics of windows ``(N, T)``, by name.

    - ``repeats_*``: see :func:`~melodyvae.evaluation.repetition.repetition_metrics`.
    - ``range_semitones``: highest minus lowest pitch of a window, mean.
    - ``leaps``: share of windows with an interval of more than an octave.
    - ``silence``: share of steps at which nothing sounds.
    - ``out_of_scale``: share of notes outside the scale (major, minor, harmonic minor, any tonic) that fits its window
      best.
    - ``outside_scale``, ``outside_scale_chance``: see :func:`~melodyvae.evaluation.keys.key_metrics`.
    - ``ends_on_triad``: share of windows whose last note belongs to the triad of their tonic, the key being found by
      :func:`~melodyvae.music.keys.find_key`.
    """
    shares = repetition_metrics(windows, vocabulary, steps_per_bar)
    ranges, outside, notes, on_triad, sounding = [], 0.0, 0, 0, held(windows) != NO_EVENT
    for row, durations in zip(windows, _durations(windows), strict=True):
        pitches = row[row >= FIRST_NOTE_ON].astype(np.int64) - FIRST_NOTE_ON + vocabulary.lowest_pitch
        if not len(pitches):
            continue
        ranges.append(int(pitches.max() - pitches.min()))
        notes += len(pitches)
        outside += len(pitches) - float((IN_SCALE @ pitch_class_weights(pitches)).max())
        key = find_key(pitches, durations)
        on_triad += key is not None and int(pitches[-1]) % OCTAVE in key.triad
    tunes = max(len(ranges), 1)
    shares |= {
        "range_semitones": float(np.mean(ranges)) if ranges else 0.0,
        "leaps": float(has_wide_leap(windows).sum()) / tunes,
        "silence": float(1 - sounding.mean()),
        "out_of_scale": outside / max(notes, 1),
        "ends_on_triad": on_triad / tunes,
    }
    in_key = key_metrics(windows, vocabulary)
    shares |= {name: in_key[name] for name in ("outside_scale", "outside_scale_chance")}
    return TuneMetrics(shares, repeats_by_lag(windows, steps_per_bar), similarity_by_lag(windows, steps_per_bar))


def repeats_by_lag(windows: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """For each lag from 1, the share of bars that are exactly the bar so long before, ``(bars - 1,)``."""
    bars = windows.reshape(len(windows), -1, steps_per_bar)
    has_onset = np.asarray((bars >= FIRST_NOTE_ON).any(axis=2))
    shares = []
    for lag in range(1, bars.shape[1]):
        alike = np.asarray((bars[:, lag:] == bars[:, :-lag]).all(axis=2))
        counted = has_onset[:, lag:]
        shares.append(float((alike & counted).sum() / max(counted.sum(), 1)))
    return np.array(shares)


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


def known_phrases(
    windows: np.ndarray, train: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int, bars: int = PHRASE_BARS
) -> float:
    """The share of ``windows`` ``(N, T)`` with ``bars`` bars running as in one of ``train`` ``(M, T)``, in any key.

    Pairs of bars with fewer than two onsets on average are left out: they match too easily.
    """
    if windows.shape[1] < bars * steps_per_bar or not len(windows) or not len(train):
        return 0.0
    known = np.unique(np.concatenate([_phrases(part, vocabulary, steps_per_bar, bars) for part in _parts(train)]))
    is_known = [np.isin(_phrases(part, vocabulary, steps_per_bar, bars), known) for part in _parts(windows)]
    per_window = (windows.shape[1] - bars * steps_per_bar) // steps_per_bar + 1
    return float(np.concatenate(is_known).reshape(len(windows), per_window).any(axis=1).mean())


def _parts(windows: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(windows[start : start + BATCH]) for start in range(0, len(windows), BATCH)]


def _phrases(windows: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int, bars: int) -> np.ndarray:
    """A 64-bit hash of each stretch of ``bars`` bars, the same in every key; a number of its own if notes are few."""
    length = bars * steps_per_bar
    stretches = np.lib.stride_tricks.sliding_window_view(windows, length, axis=1)[:, ::steps_per_bar].reshape(
        -1, length
    )
    factors = np.random.default_rng(0).integers(1, 2**63, length, dtype=np.uint64) | np.uint64(1)
    hashes = (vocabulary.normalise(stretches).astype(np.uint64) * factors).sum(axis=1, dtype=np.uint64)
    is_full = (stretches >= FIRST_NOTE_ON).sum(axis=1) >= 2 * bars
    its_own = np.random.default_rng(len(windows)).integers(2**63, size=len(hashes), dtype=np.uint64)
    return np.where(is_full, hashes, its_own)


def _durations(windows: np.ndarray) -> list[np.ndarray]:
    """Duration of each note of each window: the steps until the next event."""
    durations = []
    for row in windows:
        events = np.flatnonzero(row != NO_EVENT)
        lasts = np.diff(np.append(events, len(row)))
        durations.append(lasts[row[events] >= FIRST_NOTE_ON])
    return durations

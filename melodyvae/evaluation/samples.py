"""Similarity of samples to real melodies, by their histograms, and whether they are only copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary

LARGEST_INTERVAL = 24  # semitones; larger ones are counted with it
NEAR_COPY_STEPS = 1
QUERIES_AT_ONCE = 32


@dataclass(frozen=True)
class Origin:
    """The file that each of some queries ``(M,)``, and of the windows they are compared with ``(N,)``, is from."""

    queries: np.ndarray
    windows: np.ndarray


def sample_metrics(
    samples: np.ndarray,
    held_out: np.ndarray,
    train: np.ndarray,
    vocabulary: Vocabulary,
    steps_per_bar: int,
    origin: Origin | None = None,
) -> dict[str, float]:
    """Samples ``(M, T)`` against held-out and training windows ``(N, T)``; ``origin`` is that of the held-out ones.

    - ``js_pitch_class``, ``js_interval``, ``js_duration``, ``js_onset``, ``js_notes``: how far the samples'
      :func:`histograms` lie from the held-out windows', by :func:`jensen_shannon_bits`.
    - ``near_copies``: the share of samples that differ from a training window, moved to the same lowest note, in at
      most one step; ``near_copies_held_out``: the same of (up to as many) held-out windows, which are no copies.
    - ``distinct``: the share of samples that are different from all others in every key.
    """
    ours, theirs = histograms(samples, vocabulary, steps_per_bar), histograms(held_out, vocabulary, steps_per_bar)
    metrics = {f"js_{name}": jensen_shannon_bits(ours[name], theirs[name]) for name in ours}
    normal = vocabulary.normalise(samples)
    normal_train = vocabulary.normalise(train)
    different_train = np.unique(normal_train, axis=0)
    metrics["near_copies"] = _near_copies(fewest_differences(normal, different_train)[0])
    some = slice(None, None, max(len(held_out) // len(samples), 1))
    normal_held_out = vocabulary.normalise(held_out[some])
    if origin is None:
        nearest, _ = fewest_differences(normal_held_out, different_train)
    else:
        nearest, _ = fewest_differences(normal_held_out, normal_train, Origin(origin.queries[some], origin.windows))
    metrics["near_copies_held_out"] = _near_copies(nearest)
    metrics["distinct"] = len(np.unique(normal, axis=0)) / len(samples)
    return metrics


def histograms(windows: np.ndarray, vocabulary: Vocabulary, steps_per_bar: int) -> dict[str, np.ndarray]:
    """Counts over all notes of ``(N, T)``, by name.

    ``pitch_class`` (12); ``interval`` from a note to the next, -24 to 24 semitones; ``duration`` in steps, until the
    next event; ``onset``, the step in the bar; and over all bars ``notes``, how many begin in one.
    """
    steps = windows.shape[1]
    rows, places = np.nonzero(windows >= FIRST_NOTE_ON)
    pitches = windows[rows, places].astype(np.int64) - FIRST_NOTE_ON + vocabulary.lowest_pitch
    is_next = rows[1:] == rows[:-1]
    intervals = np.clip(np.diff(pitches)[is_next], -LARGEST_INTERVAL, LARGEST_INTERVAL) + LARGEST_INTERVAL
    event_rows, event_places = np.nonzero(windows != NO_EVENT)
    ends = np.append(np.where(event_rows[1:] == event_rows[:-1], event_places[1:], steps), steps)[: len(event_rows)]
    is_note = windows[event_rows, event_places] >= FIRST_NOTE_ON
    bars = -(-steps // steps_per_bar)
    in_bars = np.bincount(rows * bars + places // steps_per_bar, minlength=len(windows) * bars)
    return {
        "pitch_class": np.bincount(pitches % 12, minlength=12),
        "interval": np.bincount(intervals, minlength=2 * LARGEST_INTERVAL + 1),
        "duration": np.bincount((ends - event_places)[is_note], minlength=steps + 1),
        "onset": np.bincount(places % steps_per_bar, minlength=steps_per_bar),
        "notes": np.bincount(in_bars, minlength=steps_per_bar + 1),
    }


def halves_by_file(sources: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Places of windows in two halves that share no file, where ``sources`` ``(N,)`` has each window's file.

    The largest files first, equally large ones in an order drawn by ``seed``, each goes to the half that has fewer
    windows. If there is one file, the second half is empty.
    """
    _, of_file, counts = np.unique(sources, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(counts))
    in_second, sizes = np.zeros(len(counts), dtype=bool), [0, 0]
    for file in order[np.argsort(-counts[order], kind="stable")]:
        in_second[file] = sizes[1] < sizes[0]
        sizes[int(in_second[file])] += int(counts[file])
    is_second = in_second[of_file]
    return np.flatnonzero(~is_second), np.flatnonzero(is_second)


def jensen_shannon_bits(first: np.ndarray, second: np.ndarray) -> float:
    """The Jensen-Shannon divergence of two histograms ``(K,)`` in bits: 0 if they are alike, 1 if they share nothing.

    "Divergence Measures Based on the Shannon Entropy" (Lin, 1991), https://doi.org/10.1109/18.61115
    """
    p, q = first / max(first.sum(), 1), second / max(second.sum(), 1)
    middle = (p + q) / 2
    return float((_relative_entropy_bits(p, middle) + _relative_entropy_bits(q, middle)) / 2)


def fewest_differences(
    queries: np.ndarray, windows: np.ndarray, origin: Origin | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Number of steps in which each query ``(M, T)`` differs from its nearest window of ``(N, T)``, and its index.

    With ``origin``, windows from the same file as the query are excluded.

    Returns:
        Two arrays ``(M,)``; the first window among equally near ones. Where every window is excluded, T + 1 and 0.
    """
    columns = np.ascontiguousarray(windows.T)
    counts, nearest = [], []
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = queries[start : start + QUERIES_AT_ONCE]
        alike = np.zeros((len(part), len(windows)), np.int32)
        for step, column in enumerate(columns):
            alike += column == part[:, step, None]
        if origin is not None:
            alike[origin.queries[start : start + len(part), None] == origin.windows] = -1
        best = alike.argmax(axis=1)
        nearest.append(best)
        counts.append(queries.shape[1] - alike[np.arange(len(part)), best].astype(np.int64))
    return np.concatenate(counts), np.concatenate(nearest)


def _near_copies(differences: np.ndarray) -> float:
    return float((differences <= NEAR_COPY_STEPS).mean())


def _relative_entropy_bits(p: np.ndarray, q: np.ndarray) -> float:
    is_there = p > 0
    return float((p[is_there] * np.log2(p[is_there] / q[is_there])).sum())

"""Rows of an array: some of them drawn, or all of them in parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def in_parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """``rows`` ``(N, ...)`` in their order, ``size`` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def random_rows(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """``count`` of ``rows`` ``(N, ...)`` drawn by ``seed`` without repetition, in their order; all of fewer."""
    return np.asarray(rows[random_places(len(rows), count, seed)])


def random_places(of: int, count: int, seed: int) -> np.ndarray:
    """``count`` of the numbers below ``of`` drawn by ``seed`` without repetition, ascending; all of fewer."""
    return np.sort(np.random.default_rng(seed).permutation(of)[:count])

"""Mixing of 64-bit words: hashes of rows that are equal only if the rows are, and pseudo-random bijections.

Conventions: uint64 arrays of any shape; every function is one to one in each of its arguments.

The multipliers and shifts of :func:`scramble` are those of SplitMix64: "Fast Splittable Pseudorandom Number Generators"
(Steele, Lea, Flood, 2014), https://doi.org/10.1145/2660193.2660195
"""

from __future__ import annotations

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def absorb(state: np.ndarray, word: np.ndarray) -> np.ndarray:
    """The state of a hash after one more word."""
    mixed = (state ^ word) * GOLDEN
    absorbed: np.ndarray = mixed ^ mixed >> np.uint64(29)
    return absorbed


def absorb_well(state: np.ndarray, word: np.ndarray) -> np.ndarray:
    """As :func:`absorb`, with a second multiplication: for hashes of millions of rows."""
    mixed = absorb(state, word) * FIRST
    absorbed: np.ndarray = mixed ^ mixed >> np.uint64(32)
    return absorbed


def scramble(bits: np.ndarray) -> np.ndarray:
    """Words in which every bit depends on every bit of ``bits``."""
    bits = (bits ^ bits >> np.uint64(30)) * FIRST
    bits = (bits ^ bits >> np.uint64(27)) * SECOND
    scrambled: np.ndarray = bits ^ bits >> np.uint64(31)
    return scrambled

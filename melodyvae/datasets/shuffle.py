"""A pseudo-random order that takes no memory."""

from __future__ import annotations

import math

import numpy as np

from melodyvae.system.mixing import scramble


class Shuffle:
    """A pseudo-random order of the numbers from 0 to ``count`` - 1, which takes no memory, however many they are.

    Each place is computed when it is asked for: a Feistel network permutes the numbers below a power of 4, and is
    applied again to whatever falls outside, which "Ciphers with Arbitrary Finite Domains" (Black, Rogaway, 2002,
    https://ia.cr/2001/012) calls cycle walking. The rounds mix as SplitMix64 does ("Fast Splittable Pseudorandom
    Number Generators", Steele, Lea, Flood, 2014, https://doi.org/10.1145/2660193.2660195).
    """

    ROUNDS = 4

    def __init__(self, count: int, *seeds: int) -> None:
        self.count = count
        self.half_bits = np.uint64(max(math.ceil((count - 1).bit_length() / 2), 1))
        self.keys = np.random.default_rng(seeds).integers(2**64, size=self.ROUNDS, dtype=np.uint64)

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """The numbers at ``places``, int64 as they are."""
        numbers = self._permute(places.astype(np.uint64))
        while (outside := numbers >= self.count).any():
            numbers[outside] = self._permute(numbers[outside])
        return numbers.astype(np.int64)

    def _permute(self, numbers: np.ndarray) -> np.ndarray:
        low_half = (np.uint64(1) << self.half_bits) - np.uint64(1)
        left, right = numbers >> self.half_bits, numbers & low_half
        for key in self.keys:
            left, right = right, left ^ (scramble(right ^ key) & low_half)
        permuted: np.ndarray = left << self.half_bits | right
        return permuted

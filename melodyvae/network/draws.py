"""The source of all draws: the same seed gives the same numbers with every version of NumPy.

The bits are those of Philox 4x64 with ten rounds, a generator that ciphers a counter ("Parallel Random Numbers: As Easy
as 1, 2, 3", Salmon et al., 2011, https://doi.org/10.1145/2063384.2063405). The key is (seed, 0), the counter is 1 for
the first four numbers of 64 bits, 2 for the next four, and so on, so that any other program can draw the same. NumPy
guarantees its bit streams, but not what is made of them, which is therefore done here:

- ``uniform``: the upper 53 bits of a number, over 2^53, in [0, 1).
- ``normal``: the inverse of the normal distribution function at (upper 53 bits + 1/2) / 2^53.
- ``choices``: the inverse of the distribution function of each row's weights at one uniform number: the first place at
  which the running sum, in float64, is above the number times the whole sum.
"""

from __future__ import annotations

import copy

import numpy as np

BITS = 53

# Coefficients of "Algorithm AS 241: The Percentage Points of the Normal Distribution" (Wichura, 1988), PPND16, highest
# power first: https://doi.org/10.2307/2347330. Its relative error is about 1e-16.
_CENTRE = (
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852545925,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
_MIDDLE = (
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
_TAIL = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)


class Draws:
    """A source of random numbers; see the module.

    Args:
        seed: from 0 to 2^64 - 1; None takes one from the operating system.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._bits = np.random.Philox(None) if seed is None else np.random.Philox(key=seed)

    def copy(self) -> Draws:
        """A source of the same numbers from here on."""
        return copy.deepcopy(self)

    def _upper_bits(self, shape: tuple[int, ...]) -> np.ndarray:
        raw = self._bits.random_raw(int(np.prod(shape, dtype=np.int64)))
        return np.asarray(raw >> np.uint64(64 - BITS)).reshape(shape)

    def uniform(self, *shape: int) -> np.ndarray:
        """Numbers in [0, 1), float64 of that shape."""
        return np.asarray(self._upper_bits(shape) * 2.0**-BITS)

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal numbers, float64 of that shape."""
        return inverse_normal((self._upper_bits(shape) + 0.5) * 2.0**-BITS)

    def choices(self, weights: np.ndarray) -> np.ndarray:
        """A place for each row of weights ``(B, V)``, none negative, in proportion to them: int64 ``(B,)``."""
        sums = weights.cumsum(axis=1, dtype=np.float64)
        whole = sums[:, -1]
        # Rounding must not reach the whole sum, which no running sum is above.
        at = np.minimum(self.uniform(len(weights)) * whole, np.nextafter(whole, 0))
        return np.asarray((sums <= at[:, None]).sum(axis=1))


def inverse_normal(p: np.ndarray) -> np.ndarray:
    """The number below which a standard normal one lies with probability ``p``, between 0 and 1; float64."""
    q = p - 0.5
    centre = q * _ratio(_CENTRE, 0.180625 - np.square(np.clip(q, -0.425, 0.425)))
    r = np.sqrt(-np.log(np.minimum(p, 1 - p)))
    tail = np.where(r <= 5, _ratio(_MIDDLE, r - 1.6), _ratio(_TAIL, r - 5))
    return np.where(np.abs(q) <= 0.425, centre, np.copysign(tail, q))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: np.ndarray) -> np.ndarray:
    above, below = (np.polyval(np.array(part), r) for part in coefficients)
    return np.asarray(above / below)

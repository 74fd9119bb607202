"""Mixing loses nothing and spreads every bit."""

from __future__ import annotations

import numpy as np
import pytest

from melodyvae.system.mixing import absorb, absorb_well, scramble


@pytest.mark.parametrize("mix", [absorb, absorb_well])
def test_a_hash_is_one_to_one_in_the_last_word_and_in_the_state(mix) -> None:
    words = np.arange(100_000, dtype=np.uint64)
    zeros = np.zeros_like(words)
    assert len(np.unique(mix(zeros, words))) == len(words)
    assert len(np.unique(mix(words, zeros + np.uint64(7)))) == len(words)


def test_scrambling_flips_half_of_the_bits_for_each_one_flipped() -> None:
    words = np.random.default_rng(0).integers(0, 2**63, 2000).astype(np.uint64)
    for bit in range(64):
        changed = scramble(words) ^ scramble(words ^ np.uint64(1 << bit))
        share = np.unpackbits(changed.view(np.uint8)).mean()
        assert 0.45 < share < 0.55


def test_the_values_are_fixed() -> None:
    """Indexes of novelty on disk and the order of training windows hang on them."""
    ones = np.ones(1, np.uint64)
    assert int(scramble(ones)[0]) == 0x5692161D100B05E5
    assert int(absorb(ones, 2 * ones)[0]) == 0xDAA66D2AA8EC1D5C
    assert int(absorb_well(ones, 2 * ones)[0]) == 0xEAB1569B9465D5E7

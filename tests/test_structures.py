"""Damage by structure: what is taken apart comes together again, and much of what is damaged is still read."""

from __future__ import annotations

import io
import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from melodyvae.reading.midi import song_from_bytes
from tests.fuzzing import KINDS, damaged, outcome_of, seeds
from tests.reading.smf import tune
from tests.structures import damaged_array, midi_bytes, midi_file


def test_a_midi_file_taken_apart_comes_together_again() -> None:
    for data in [*seeds("midi"), tune([60, 62, 64])]:
        again = midi_bytes(midi_file(data))
        assert midi_file(again) == midi_file(data)
        ours, theirs = song_from_bytes(again), song_from_bytes(data)
        assert [part.pitches.tolist() for part in ours.parts] == [part.pitches.tolist() for part in theirs.parts]
        assert [part.ends.tolist() for part in ours.parts] == [part.ends.tolist() for part in theirs.parts]


def test_a_damaged_array_is_an_array() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(12, dtype=np.uint8).reshape(3, 4))
    found = []

    @settings(max_examples=60, database=None)
    @given(damaged_array(buffer.getvalue()))
    def one(data: bytes) -> None:
        found.append(np.load(io.BytesIO(data)))

    one()
    assert len({(array.dtype, array.shape, array.tobytes()) for array in found}) > 10


@pytest.mark.parametrize("kind", ["midi", "dataset"])
def test_some_of_what_is_damaged_is_read_and_some_refused(kind: str) -> None:
    counts: Counter[str] = Counter()

    @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(kind))
    def one(data: bytes) -> None:
        with warnings.catch_warnings():
            counts[outcome_of((kind, data)).partition(":")[0]] += 1

    one()
    assert counts["read"] >= 6
    assert counts["refused"] >= 6
    assert counts.keys() == {"read", "refused"}
    assert kind in KINDS

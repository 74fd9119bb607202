"""The share of a melody outside its best scale, beside chance."""

import numpy as np
import pytest

from melodyvae.evaluation.keys import chance_outside_scale, has_wide_leap, key_metrics, shares_outside_scale
from melodyvae.music.tokens import FIRST_NOTE_ON, Vocabulary

VOCABULARY = Vocabulary()


def row(*pitches: int) -> np.ndarray:
    tokens = np.zeros(32, np.uint8)
    tokens[: len(pitches)] = [pitch - 21 + FIRST_NOTE_ON for pitch in pitches]
    return tokens


def test_notes_outside_the_best_scale_are_counted_per_window():
    windows = np.stack([row(60, 62, 64, 65, 67, 69, 71, 61), row(57, 59, 60, 62, 64, 65, 68), row()])
    shares = shares_outside_scale(windows, VOCABULARY)
    assert shares[:2] == pytest.approx([1 / 8, 0])
    assert np.isnan(shares[2])


@pytest.mark.parametrize(("notes", "share"), [(1, 0.0), (8, 0.129), (85, 0.316)])
def test_chance_grows_with_the_number_of_notes(notes, share):
    assert chance_outside_scale(np.array([notes])) == pytest.approx(share, abs=0.006)


def test_a_leap_is_wide_above_an_octave():
    windows = np.stack([row(60, 72, 60), row(60, 62, 75), row(73, 60), row()])
    assert has_wide_leap(windows).tolist() == [False, True, True, False]


def test_the_metrics_stand_beside_chance():
    windows = np.stack([row(60, 62, 64, 65, 67, 69, 71, 61), row(60, 74), row()])
    found = key_metrics(windows, VOCABULARY)
    assert found["outside_scale"] == pytest.approx(1 / 16)
    assert found["outside_scale"] < found["outside_scale_chance"]
    assert found["wide_leaps"] == pytest.approx(1 / 3)
    assert set(key_metrics(windows[2:], VOCABULARY).values()) == {0.0}

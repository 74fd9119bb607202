"""Repetition and self-similarity on melodies whose structure is known."""

import numpy as np
import pytest

from melodyvae.evaluation.repetition import repetition_metrics, self_similarity
from melodyvae.music.tokens import Vocabulary
from tests.windows import random_windows

VOCABULARY = Vocabulary()


def bar(*events: tuple[int, int]) -> np.ndarray:
    """Sixteen steps with tokens at steps."""
    row = np.zeros(16, dtype=np.uint8)
    for step, token in events:
        row[step] = token
    return row


A, B = bar((0, 40), (4, 42), (8, 44)), bar((0, 41), (2, 45), (8, 41))
A_HIGHER, A_OTHER_PITCHES, SILENCE = bar((0, 45), (4, 47), (8, 49)), bar((0, 44), (4, 40), (8, 42)), bar()


@pytest.mark.parametrize(
    ("bars", "exact", "transposed", "rhythm"),
    [
        ([A, B, A, B], 2 / 3, 2 / 3, 2 / 3),
        ([A, A_HIGHER, A_OTHER_PITCHES, B], 0, 1 / 3, 2 / 3),
        ([A, SILENCE, SILENCE, A], 1, 1, 1),
        ([A, B, A_HIGHER, A], 1 / 3, 2 / 3, 2 / 3),
        ([SILENCE] * 4, 0, 0, 0),
    ],
)
def test_repeats(bars, exact, transposed, rhythm):
    window = np.concatenate(bars)[None]
    found = repetition_metrics(window, VOCABULARY, 16)
    assert found == pytest.approx({"repeats_exact": exact, "repeats_transposed": transposed, "repeats_rhythm": rhythm})


def test_random_walks_repeat_nothing_and_their_doubles_everything():
    windows = random_windows(50, steps=128)
    assert repetition_metrics(windows, VOCABULARY, 16)["repeats_exact"] < 0.01
    doubled = np.concatenate([windows, windows], axis=1)
    assert repetition_metrics(doubled, VOCABULARY, 16)["repeats_exact"] == pytest.approx(8 / 15, abs=0.01)


def test_self_similarity_is_one_with_itself_and_where_a_bar_comes_again():
    found = self_similarity(np.concatenate([A, B, A, SILENCE])[None], 16)
    assert found.shape == (4, 4)
    assert np.diag(found)[:3].tolist() == [1, 1, 1]
    assert found[0, 2] == 1
    assert found[0, 1] == found[1, 0] == 0
    assert found[3].tolist() == [0, 0, 0, 0]

"""Self-similarity of melodies whose structure is known."""

import numpy as np

from melodyvae.evaluation.repetition import self_similarity


def bar(*events: tuple[int, int]) -> np.ndarray:
    """Sixteen steps with tokens at steps."""
    row = np.zeros(16, dtype=np.uint8)
    for step, token in events:
        row[step] = token
    return row


A, B = bar((0, 40), (4, 42), (8, 44)), bar((0, 41), (2, 45), (8, 41))
SILENCE = bar()


def test_self_similarity_is_one_with_itself_and_where_a_bar_comes_again():
    found = self_similarity(np.concatenate([A, B, A, SILENCE])[None], 16)
    assert found.shape == (4, 4)
    assert np.diag(found)[:3].tolist() == [1, 1, 1]
    assert found[0, 2] == 1
    assert found[0, 1] == found[1, 0] == 0
    assert found[3].tolist() == [0, 0, 0, 0]

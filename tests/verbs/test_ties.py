"""Ties: the ends stay, the repeats of A go over into those of B, and every row stays legal."""

import numpy as np

from melodyvae.music.statistics import window_statistics
from melodyvae.music.tokens import FIRST_NOTE_ON, NOTE_OFF, Vocabulary
from melodyvae.verbs.ties import Ties, first_like
from tests.windows import random_windows

BAR, WINDOW = 16, 32


def tune(*bars: int, seed: int = 0) -> np.ndarray:
    """A tune of windows of two bars, made of the bars of these numbers."""
    return random_windows(12, BAR, seed)[list(bars)].ravel()


def with_onset(row: np.ndarray) -> np.ndarray:
    """The row with an onset at the start of each bar, so that any bar can follow any."""
    bars = row.reshape(-1, BAR).copy()
    bars[:, 0] = np.maximum(bars[:, 0], FIRST_NOTE_ON)
    return bars.ravel()


def test_the_first_bar_that_is_alike_is_the_source():
    assert first_like(tune(0, 1, 0, 1, 2, 0), BAR).tolist() == [-1, -1, 0, 1, -1, 0]
    assert first_like(np.zeros(4 * BAR, np.uint8), BAR).tolist() == [-1] * 4


def test_the_ends_stay_and_the_repeats_of_one_become_those_of_the_other():
    start, end = with_onset(tune(0, 1, 0, 1, 2, 3, 0, 1)), with_onset(tune(4, 4, 5, 6, 4, 4, 5, 6))
    ties = Ties.of(start, end, BAR, WINDOW)
    places = np.linspace(0, 1, 11)
    between = np.stack([with_onset(random_windows(1, 8 * BAR, seed)[0]) for seed in range(9)])
    walked = ties.tied(np.concatenate([start[None], between, end[None]]), places)
    assert np.array_equal(walked[0], start)
    assert np.array_equal(walked[-1], end)
    repeats = [window_statistics(row[None], Vocabulary(), BAR)["repeats_exact"].pooled for row in walked]
    assert repeats[0] == 4 / 7
    assert repeats[-1] == 5 / 7
    assert min(repeats) >= 2 / 7  # untied: 0
    assert window_statistics(between, Vocabulary(), BAR)["repeats_rhythm"].pooled < 0.1


def test_a_tied_bar_is_legal_wherever_it_comes():
    ties = Ties.of(tune(0, 1, 2, 0, 1, 1, 3, 2), tune(4, 5, 5, 5, 4, 4, 6, 5), BAR, WINDOW)
    legal = random_windows(160, WINDOW)
    walked = ties.tied(legal.reshape(40, -1), np.linspace(0, 1, 40)).reshape(-1, WINDOW)
    assert (walked == NOTE_OFF).any()
    assert (walked != legal).any(axis=1).sum() > 40
    for window in walked:
        Vocabulary().decode(window)  # raises if a note off comes while nothing sounds

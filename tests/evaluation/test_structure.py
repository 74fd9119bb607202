"""Structure metrics on tunes whose values can be told by hand; the two-sample test on windows alike and unlike."""

import numpy as np
import pytest
import torch

from melodyvae.cli.evaluate import _print_structure
from melodyvae.config import MelodyConfig
from melodyvae.evaluation import report
from melodyvae.evaluation.structure import (
    distances,
    known_phrases,
    ranges_of_files,
    repeats_by_lag,
    similarity_by_lag,
    tune_metrics,
)
from melodyvae.evaluation.two_sample import two_sample_accuracy
from melodyvae.models.melody import MelodyModel
from melodyvae.music.tokens import Vocabulary
from tests.windows import random_windows

BAR = 4
C, D, E, F_SHARP = (pitch - 21 + 2 for pitch in (60, 62, 64, 66))
ABAC = np.array([[C, 0, E, 0, D, 0, 0, 1, C, 0, E, 0, C, D, E, C]], np.uint8)


def test_repeats_are_found_at_their_lags():
    assert repeats_by_lag(ABAC, BAR).tolist() == pytest.approx([0, 1 / 2, 0])
    twice = np.concatenate([ABAC, ABAC], axis=1)
    assert repeats_by_lag(twice, BAR)[3] == 1.0


def test_similarity_is_the_overlap_of_onsets():
    similarity = similarity_by_lag(ABAC, BAR)
    # bars 1-2: nothing of {C@0, E@2, D@0}; 2-3 likewise; 3-4: {C@0, E@2} in {C@0, D@1, E@2, C@3}
    assert similarity.tolist() == pytest.approx([(0 + 0 + 2 / 4) / 3, (1 + 0) / 2, 2 / 4])


def test_a_tune_by_hand():
    found = tune_metrics(ABAC, Vocabulary(), BAR).shares
    assert found["repeats_exact"] == pytest.approx(1 / 3)
    assert found["range_semitones"] == 4
    assert found["leaps"] == 0
    assert found["silence"] == pytest.approx(1 / 16)
    assert found["out_of_scale"] == 0
    assert found["outside_scale"] == 0 < found["outside_scale_chance"]
    assert found["ends_on_triad"] == 1


def test_a_leap_and_a_note_outside_every_scale_are_counted():
    chromatic = np.arange(12) + C
    row = np.concatenate([chromatic, [C + 24, 0, 0, 0]]).astype(np.uint8)[None]
    found = tune_metrics(row, Vocabulary(), BAR).shares
    assert found["leaps"] == 1
    assert found["out_of_scale"] == pytest.approx(5 / 13)  # seven of the twelve, and the thirteenth can be one of them


def test_windows_without_a_note_are_no_error():
    found = tune_metrics(np.zeros((2, 16), np.uint8), Vocabulary(), BAR)
    assert found.shares["silence"] == 1
    assert found.spectrum.tolist() == [0, 0, 0]


def test_distances_from_oneself_are_nought_and_from_others_are_not():
    windows = random_windows(20, 64)
    near = distances(windows, windows, Vocabulary(), 16)
    far = distances(np.full_like(windows, C), windows, Vocabulary(), 16)
    assert set(near) == {
        "similarity_error",
        *(f"js_{n}" for n in ("pitch_class", "interval", "duration", "onset", "notes")),
    }
    assert all(value == 0 for value in near.values())
    assert all(far[name] > 0.02 for name in set(far) - {"js_onset"})  # onsets are everywhere in both


def test_phrases_are_known_in_any_key_and_at_any_bar():
    train = random_windows(3, 8 * 16)
    copied = random_windows(4, 8 * 16, seed=1)
    copied[1, 32 : 32 + 64] = train[2, 16 : 16 + 64]  # four bars, one bar later
    copied[2, :64] = Vocabulary().transpose(train[0, 64:], 3)
    copied[3, :48] = train[1, :48]  # three bars only
    copied[3, 48] = 2 + (copied[3, 48] != 2)
    assert known_phrases(copied, train, Vocabulary(), 16) == 0.5
    assert known_phrases(copied[:1, :32], train, Vocabulary(), 16) == 0.0


def test_the_floor_is_the_distance_of_two_halves():
    windows = random_windows(40, 64)
    floor = distances(windows[::2], windows[1::2], Vocabulary(), 16)["js_interval"]
    assert 0 < floor < distances(windows[:10], windows, Vocabulary(), 16)["js_interval"]


def test_a_judge_tells_what_differs_and_cannot_tell_what_does_not():
    windows = random_windows(240, 64, seed=1)
    others = random_windows(240, 64, seed=2)
    steady = others.copy()
    steady[:, 32:] = steady[:, :32]  # the second half repeats the first
    held = np.where(np.arange(64) % 4 == 0, others, 0).astype(np.uint8)
    assert two_sample_accuracy(held, windows, 90) > 0.9
    assert abs(two_sample_accuracy(others, windows, 90) - 0.5) < 0.15
    assert two_sample_accuracy(steady, windows, 90) >= 0.4


def test_too_few_windows_cannot_be_judged():
    with pytest.raises(ValueError, match="at least four"):
        two_sample_accuracy(random_windows(3), random_windows(9), 90)


def test_the_first_two_bars_of_longer_windows_are_compared_by_themselves():
    torch.manual_seed(0)
    config = MelodyConfig(bars=4, segment_bars=2, look_back=True, latent_size=8, conductor_size=8, decoder_size=16)
    windows = random_windows(40, 64)
    data = report._Data(windows, np.arange(40), windows[:10], np.arange(10), False, "")
    found = report._structure(MelodyModel(config).network(), data, lambda prior: random_windows(12, 64, seed=5), 12, 0)
    for name in ("windows", "samples"):
        assert 0.0 <= found[name]["opening_judged"] <= 1.0
        assert found[name]["opening_js_onset"] != found[name]["js_onset"]
    assert found["samples"]["opening_js_interval"] > 0
    _print_structure(report.Report({}, "test", 40, 40, 0, structure=found))


def test_training_windows_show_how_far_what_is_learned_lies_from_windows_of_other_files():
    config = MelodyConfig(bars=4, segment_bars=2, look_back=True, latent_size=8, conductor_size=8, decoder_size=16)
    windows, train = random_windows(40, 64), random_windows(10, 64, seed=7)
    network = MelodyModel(config).network()
    for overlap in (False, True):
        data = report._Data(windows, np.arange(40), train, np.arange(10), overlap, "")
        found = report._structure(network, data, lambda prior: random_windows(12, 64, seed=5), 12, 0)
        assert ("training" in found) is not overlap  # where they overlap, windows are training windows
        if not overlap:
            assert found["training"]["js_interval"] == distances(train, windows, Vocabulary(), 16)["js_interval"]
            assert "known_phrases" not in found["training"]


def test_a_few_files_may_be_quite_unlike_the_others():
    """A quarter of the files leaps at random, in the others each window is held: all of the range is seen."""
    held = np.zeros((40, 64), np.uint8)
    held[:, ::4] = 40
    windows = np.concatenate([random_windows(20, 64), held, held[:20]])
    sources = np.repeat(np.arange(8), 10)  # the first two leap
    ranges = ranges_of_files(windows, sources, 1, 30, Vocabulary(), 16)
    assert ranges["repeats_exact"][0] < 0.1 < 0.9 < ranges["repeats_exact"][1]
    assert ranges["js_interval"][0] < ranges["js_interval"][1]
    assert set(distances(held, held, Vocabulary(), 16)) < set(ranges)
    assert {"opening_js_notes", "leaps", "ends_on_triad"} < set(ranges)
    assert ranges_of_files(windows, sources, 5, 30, Vocabulary(), 16) == {}  # not twice as many


def test_the_command_shows_the_ranges_of_as_many_training_files(capsys):
    config = MelodyConfig(bars=4, segment_bars=2, look_back=True, latent_size=8, conductor_size=8, decoder_size=16)
    windows, train = random_windows(12, 64), random_windows(12, 64, seed=7)
    data = report._Data(windows, np.arange(12) // 4, train, np.arange(12), False, "")
    found = report._structure(MelodyModel(config).network(), data, lambda prior: random_windows(12, 64, seed=5), 12, 0)
    assert found["training"]["files"] == 3
    low, high = found["training"]["ranges"]["silence"]
    _print_structure(report.Report({}, "test", 12, 3, 0, structure=found))
    shown = capsys.readouterr().out
    assert f"{low:.3f} to {high:.3f}" in next(line for line in shown.splitlines() if line.startswith("silence"))
    assert "20 draws of 3 training files" in shown

"""Structure metrics on tunes whose values can be told by hand; the two-sample test on windows alike and unlike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from melodyvae.cli.evaluate import _print_structure
from melodyvae.config import MelodyConfig
from melodyvae.evaluation import report
from melodyvae.evaluation.samples import halves_by_file
from melodyvae.evaluation.structure import (
    distances,
    known_stretches,
    ranges_of_files,
    self_similarity,
    similarity_by_lag,
)
from melodyvae.evaluation.two_sample import two_sample_accuracy
from melodyvae.models.melody import MelodyModel
from melodyvae.music.statistics import STATISTICS, pooled_statistics, repeats_by_lag
from melodyvae.music.tokens import Vocabulary
from melodyvae.vae import MelodyVAE
from tests.conftest import tiny_composer
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


def test_self_similarity_is_one_with_itself_and_where_a_bar_comes_again():
    found = self_similarity(np.concatenate([ABAC[0, :12], np.zeros(4, np.uint8)])[None], BAR)  # A B A and silence
    assert np.diag(found).tolist() == [1, 1, 1, 0]
    assert found[0, 2] == found[2, 0] == 1
    assert found[0, 1] == found[1, 0] == 0
    assert found[3].tolist() == [0, 0, 0, 0]


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


def test_phrases_and_bars_are_known_in_any_key_and_at_any_bar():
    train = random_windows(3, 8 * 16)
    copied = random_windows(4, 8 * 16, seed=1)
    copied[1, 32 : 32 + 64] = train[2, 16 : 16 + 64]  # four bars, one bar later
    copied[2, :64] = Vocabulary().transpose(train[0, 64:], 3)
    copied[3, :48] = train[1, :48]  # three bars only
    copied[3, 48] = 2 + (copied[3, 48] != 2)
    phrases = known_stretches(copied, train, Vocabulary(), 16)
    assert phrases == (2 / 4, 2 / 20)
    assert known_stretches(copied, train, Vocabulary(), 16, bars=1) == (3 / 4, 11 / 31)  # one bar is sparse
    assert known_stretches(copied[:1, :32], train, Vocabulary(), 16) == (0.0, 0.0)


def test_bars_of_few_notes_are_not_known():
    held = np.zeros((2, 128), np.uint8)
    held[:, ::16] = C
    assert known_stretches(held, held, Vocabulary(), 16) == (0.0, 0.0)


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


def test_a_judge_that_learns_from_others_is_asked_about_the_real_ones():
    windows, others = random_windows(8, 64, seed=1), random_windows(100, 64, seed=2)
    held = np.where(np.arange(64) % 4 == 0, random_windows(200, 64, seed=3), 0).astype(np.uint8)
    assert two_sample_accuracy(held, windows, 90, others=others) > 0.9
    assert two_sample_accuracy(held, held[:8], 90, others=others) < 0.6  # real ones that are as samples are


def test_too_few_windows_cannot_be_judged():
    with pytest.raises(ValueError, match="at least four"):
        two_sample_accuracy(random_windows(3), random_windows(9), 90)


@pytest.fixture
def data():
    """Forty windows of twenty files and ten of five to train on; every second begins a tune."""
    begins, of_train = np.arange(40) % 2 == 0, np.arange(10) % 2 == 0
    windows, train = random_windows(40, 64), random_windows(10, 64, seed=7)
    return report._Data(windows, np.arange(40) // 2, train, np.arange(10) // 2, False, "", begins, of_train)


def structure_of(data, model, count=12):
    return report._structure(model.network(), data, lambda prior: random_windows(count, 64, seed=5), count, 0)


def test_new_tunes_are_compared_with_beginnings_of_tunes_and_so_is_the_default(data, monkeypatch):
    asked = []

    def drawn(model, count, bars, seed):
        asked.append(bars)
        return [Vocabulary().decode(row) for row in random_windows(count, 16 * bars, seed=9)]

    monkeypatch.setattr(report, "default_tunes", drawn)
    found = structure_of(data, tiny_composer())
    assert list(found) == ["4", "2"]
    assert asked == [4, 2]
    for bars, metrics in found.items():
        steps = 16 * int(bars)
        firsts, default = data.windows[::2, :steps], random_windows(12, steps, seed=9)
        assert list(metrics) == ["windows", "samples", "default", "training"]
        assert metrics["windows"]["files"] == 20
        expected = distances(default, firsts, Vocabulary(), 16)
        assert {name: metrics["default"][name] for name in expected} == expected
        melodies = [Vocabulary().decode(row) for row in default]
        assert metrics["default"].items() >= pooled_statistics(melodies).items()
        assert 0 <= metrics["default"]["judged"] <= 1
        assert (
            metrics["training"]["js_interval"]
            == (distances(data.train[::2, :steps], firsts, Vocabulary(), 16)["js_interval"])
        )
        assert "known_phrases" not in metrics["training"]


def test_copies_are_sought_among_all_windows_of_training_and_not_only_beginnings(data, monkeypatch):
    copy = [Vocabulary().decode(data.train[1]) for _ in range(12)]  # no beginning
    monkeypatch.setattr(report, "default_tunes", lambda model, count, bars, seed: [one.window(0, bars) for one in copy])
    found = structure_of(data, tiny_composer())["4"]
    assert found["default"]["known_phrases"] == found["default"]["known_bars"] == 1
    assert found["windows"]["known_phrases"] == found["samples"]["known_phrases"] == 0


def test_windows_of_a_model_that_does_not_compose_are_compared_with_all_windows(data):
    torch.manual_seed(0)
    found = structure_of(data, MelodyModel(MelodyConfig(bars=4, latent_size=8, conductor_size=8, decoder_size=16)))
    assert list(found) == ["4"]
    assert set(found["4"]) == {"windows", "samples", "training"}
    whole = distances(random_windows(12, 64, seed=5), data.windows, Vocabulary(), 16)
    assert found["4"]["samples"].items() >= whole.items()


def test_the_floor_and_its_judge_are_of_halves_that_share_no_file(data, monkeypatch):
    """Each file repeats one window, so that halves with a file in common would be nearer, and known to the judge."""
    judged = []

    def accuracy(*windows, others=None, **how):
        judged.append([{row.tobytes() for row in rows} for rows in (*windows[:2], () if others is None else others)])
        return 0.5

    monkeypatch.setattr(report, "two_sample_accuracy", accuracy)
    same = replace(data, windows=data.windows[data.sources * 2], train=data.train[data.train_sources * 2])
    model = MelodyModel(MelodyConfig(bars=4, latent_size=8, conductor_size=8, decoder_size=16))
    found = structure_of(same, model)["4"]
    (one, other, _), _, (train, _, other_train) = judged  # of windows, samples and training
    assert len(one) == len(other) == 10
    assert not one & other
    assert not train & other_train
    halves = (same.windows[half] for half in halves_by_file(same.sources, 0))
    assert found["windows"]["js_interval"] == distances(*halves, Vocabulary(), 16)["js_interval"]
    alone = structure_of(replace(same, sources=np.zeros(40, int)), model)["4"]
    assert not {"js_interval", "judged"} & set(alone["windows"])
    _print_structure(report.Report({}, "test", 40, 1, 0, structure={"4": alone}))


def test_where_windows_are_training_windows_there_is_no_column_of_training(data):
    found = structure_of(replace(data, overlap=True), tiny_composer())
    assert set(found["4"]) == {"windows", "samples", "default"}


def test_the_default_is_what_sample_writes_unasked():
    network = tiny_composer().network()
    tunes = report.default_tunes(network, 10, 8, seed=3)
    first, second = (MelodyVAE(network).sample(bars=8, seed=seed).melodies for seed in (3, 11))
    assert tunes == [*first, *second[:2]]


def test_a_few_files_may_be_quite_unlike_the_others():
    """A quarter of the files leaps at random, in the others each window is held: all of the range is seen."""
    held = np.zeros((40, 64), np.uint8)
    held[:, ::4] = 40
    windows = np.concatenate([random_windows(20, 64), held, held[:20]])
    melodies = [Vocabulary().decode(row) for row in windows]
    sources = np.repeat(np.arange(8), 10)  # the first two leap
    ranges = ranges_of_files(windows, melodies, sources, 1, 30, Vocabulary(), 16)
    assert ranges["repeats_exact"][0] < 0.1 < 0.9 < ranges["repeats_exact"][1]
    assert ranges["js_interval"][0] < ranges["js_interval"][1]
    assert set(ranges) == {*distances(held, held, Vocabulary(), 16), *STATISTICS}
    assert ranges_of_files(windows, melodies, sources, 5, 30, Vocabulary(), 16) == {}  # not twice as many


def test_the_command_shows_ranges_of_as_many_training_files_and_the_ratio_of_the_default(data, capsys):
    few = replace(data, windows=data.windows[:4], sources=data.sources[:4], begins=data.begins[:4])
    found = structure_of(few, tiny_composer())
    low, high = found["4"]["training"]["ranges"]["silence"]
    _print_structure(report.Report({}, "test", 4, 2, 0, structure=found))
    shown = capsys.readouterr().out
    assert "4 bars: beginnings of tunes of 2 files" in shown
    assert "2 bars: beginnings" in shown
    ratio = found["4"]["default"]["silence"] / found["4"]["windows"]["silence"]
    line = next(line for line in shown.splitlines() if line.startswith("silence"))
    assert f"{low:.3f} to {high:.3f}" in line
    assert f"{ratio:.2f}  steps at which" in line
    assert "20 draws of 2 training files" in shown

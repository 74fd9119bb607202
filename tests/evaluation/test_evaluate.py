"""The metrics, on models whose metrics are known."""

import hashlib
import json
import math
from unittest.mock import ANY

import numpy as np
import pytest
import torch

from data_prep.prepare import PrepOptions, prepare
from melodyvae.datasets.held_out import TrainedOnError, held_out_windows
from melodyvae.datasets.windows import open_dataset
from melodyvae.evaluation import report as report_module
from melodyvae.evaluation.interpolation import interpolation_curves
from melodyvae.evaluation.iwae import importance_weighted_bound
from melodyvae.evaluation.ngram import NgramModel
from melodyvae.evaluation.reconstruction import Ratio, note_f1, notes_right, reconstruction_metrics, window_ratios
from melodyvae.evaluation.report import evaluate
from melodyvae.evaluation.samples import (
    Origin,
    fewest_differences,
    halves_by_file,
    histograms,
    jensen_shannon_bits,
    sample_metrics,
)
from melodyvae.models.checkpoint import load_checkpoint
from melodyvae.models.melody import MelodyModel
from melodyvae.music.melody import Melody, MelodyNote
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, Vocabulary
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.presets import PRESETS
from tests.cli.test_cli import run
from tests.conftest import tune
from tests.windows import random_windows


@pytest.fixture
def silent_model():
    """A model whose decoder is certain of "no event" at every step, and whose posterior is N(0, I)."""
    torch.manual_seed(0)
    model = MelodyModel(PRESETS["tiny"].model).eval()
    with torch.no_grad():
        model.encoder.posterior.weight.zero_()
        model.encoder.posterior.bias.zero_()
        model.decoder.output.weight.zero_()
        model.decoder.output.bias.fill_(0.0)
        model.decoder.output.bias[NO_EVENT] = 30.0
    return model


def test_a_model_that_knows_nothing_gets_the_trivial_metrics(silent_model):
    windows = random_windows(40)
    metrics = reconstruction_metrics(silent_model, windows)
    share = (windows == NO_EVENT).mean()
    assert metrics["no_event_accuracy"] == pytest.approx(share)
    for name in ("teacher_forced_accuracy", "sampled_accuracy", "greedy_accuracy"):
        assert metrics[name] == pytest.approx(share)
    assert (metrics["note_f1"], metrics["exact_windows"], metrics["active_units"]) == (0, 0, 0)
    assert metrics["kl_bits"] == pytest.approx(0, abs=1e-6)


def test_the_bound_is_the_sum_of_its_halves(silent_model):
    with torch.no_grad():
        silent_model.encoder.posterior.bias[:16] = 0.5  # means; KL = 16 * 0.5^2 / 2 nats
        silent_model.decoder.output.bias.zero_()
    windows = random_windows(40)
    metrics = reconstruction_metrics(silent_model, windows)
    assert metrics["kl_bits"] == pytest.approx(2.0 / math.log(2), rel=1e-5)
    total = metrics["reconstruction_nats"] + metrics["kl_bits"] * math.log(2)
    assert metrics["negative_elbo_nats_per_step"] == pytest.approx(total / 32)
    # Uniform over 90 ids where a note sounds, over 89 where a note off is illegal.
    assert 32 * math.log(89) <= metrics["reconstruction_nats"] <= 32 * math.log(90)


def test_metrics_do_not_depend_on_the_batch_size_or_on_when_they_are_taken(monkeypatch):
    torch.manual_seed(0)
    model = MelodyModel(PRESETS["tiny"].model).eval()
    windows = random_windows(30)
    whole = reconstruction_metrics(model, windows)
    assert whole == reconstruction_metrics(model, windows)
    monkeypatch.setattr("melodyvae.evaluation.reconstruction.ROWS_AT_ONCE", 7)
    parts = reconstruction_metrics(model, windows)
    for name in ("greedy_accuracy", "note_f1", "exact_windows", "kl_bits", "no_event_accuracy"):
        assert parts[name] == pytest.approx(whole[name])


def test_note_f1_counts_onset_and_pitch():
    truth = torch.tensor([[40, 0, 42, 1]])
    assert note_f1(truth, truth) == 1
    assert note_f1(torch.tensor([[40, 0, 43, 1]]), truth) == pytest.approx(0.5)
    assert note_f1(torch.tensor([[40, 42, 0, 1]]), truth) == pytest.approx(0.5)
    assert note_f1(torch.tensor([[40, 0, 0, 0]]), truth) == pytest.approx(2 / 3)
    assert note_f1(torch.zeros(1, 4), truth) == 0


def test_note_f1_of_silence_with_silence_is_one():
    assert note_f1(torch.zeros(2, 4), torch.zeros(2, 4)) == 1


def test_nothing_to_evaluate_on_is_refused(silent_model):
    with pytest.raises(ValueError, match="no windows to evaluate on"):
        reconstruction_metrics(silent_model, np.empty((0, 32), np.uint8))


def test_the_command_prints_and_writes_the_metrics_of_the_test_split(dataset_folder, run_folder, tmp_path):
    out = tmp_path / "metrics.json"
    output = run("evaluate", dataset_folder, "--model", run_folder, "--json", out, "--metrics", "reconstruction")
    windows = open_dataset(dataset_folder).splits["test"]
    expected = reconstruction_metrics(MelodyModel.from_pretrained(run_folder), windows)
    written = json.loads(out.read_text())
    assert written["windows"] == len(windows)
    assert written["files"] == len(written["sources"])
    assert sum(source["windows"] for source in written["sources"]) == len(windows)
    assert len(written["sources"][0]["sha256"]) == 64
    weights = run_folder / "model.safetensors"
    assert written["model_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert written["model_revision"] == load_checkpoint(weights).revision
    assert set(written["versions"]) == {"melodyvae", "torch", "numpy", "python"}
    assert (written["seed"], written["split"], "command" in written) == (0, "test", True)
    metrics = {
        name: found["value"] if isinstance(found, dict) else found
        for name, found in written["reconstruction"].items()
        if name != "by_distance"
    }
    assert metrics == pytest.approx(expected)
    assert written["reconstruction"].pop("by_distance") == {"4 or more": ANY}  # the tunes are random
    for found in written["reconstruction"].values():
        if isinstance(found, dict):
            assert found["interval"][0] <= found["value"] <= found["interval"][1]
    assert f"{expected['note_f1']:.4f}" in output
    assert (windows >= FIRST_NOTE_ON).any()
    assert "exists; choose another file" in run(
        "evaluate", dataset_folder, "--model", run_folder, "--json", out, status=1
    )


def test_all_windows_are_measured_when_asked_and_were_not_trained_on(dataset_folder, run_folder):
    counts = open_dataset(dataset_folder).meta["counts"]
    options = ["--split", "all", "--metrics", "reconstruction"]
    output = run("evaluate", dataset_folder, "--model", "melody-2bar", *options)
    assert output.startswith(f"{sum(counts.values())} windows of ")
    assert "was trained on" in run("evaluate", dataset_folder, "--model", run_folder, *options, status=1)


def test_an_interval_holds_the_value_and_narrows_with_more_windows():
    generator = np.random.default_rng(0)
    widths = []
    for count in (50, 5000):
        right = (generator.random(count) < 0.8).astype(float)
        ratio = Ratio(right, np.ones(count))
        low, high = ratio.interval(0)
        assert low < ratio.value < high
        assert (low, high) == ratio.interval(0)
        widths.append(high - low)
    # The standard error of a share of 0.8 among n is 0.4 / sqrt(n); the interval is 3.92 of them wide.
    assert widths[1] == pytest.approx(3.92 * 0.4 / math.sqrt(5000), rel=0.15)
    assert widths[0] > 5 * widths[1]


def test_an_interval_of_files_knows_that_windows_of_a_file_are_alike():
    """100 files of 50 windows, each wholly right or wholly wrong: there are 100 observations, not 5,000."""
    is_right = np.random.default_rng(1).random(100) < 0.8
    ratio = Ratio(np.repeat(is_right, 50).astype(float), np.ones(5000))
    by_window, by_file = ratio.interval(), ratio.by_file(np.repeat(np.arange(100), 50)).interval()
    assert by_window[1] - by_window[0] == pytest.approx(3.92 * 0.4 / math.sqrt(5000), rel=0.2)
    assert by_file[1] - by_file[0] == pytest.approx(3.92 * 0.4 / math.sqrt(100), rel=0.2)


def test_in_the_mean_of_files_one_with_many_windows_counts_once():
    ratio = Ratio(np.array([1.0, 1, 1, 0, 0]), np.array([1.0, 1, 1, 1, 0])).by_file(np.array([7, 7, 7, 2, 5]))
    assert ratio.value == pytest.approx(3 / 4)
    assert ratio.mean == pytest.approx(1 / 2)  # of two files: in the third there is nothing to get right


def test_halves_share_no_file_and_are_as_large_as_files_allow():
    sources = np.random.default_rng(0).permutation(np.repeat(np.arange(6), [40, 10, 10, 10, 5, 5]))
    first, second = halves_by_file(sources)
    assert len(first) == len(second) == 40
    assert not set(sources[first]) & set(sources[second])
    assert sorted([*first, *second]) == list(range(80))
    assert [len(half) for half in halves_by_file(np.zeros(3))] == [3, 0]


def test_metrics_are_told_apart_by_the_distance_to_the_nearest_training_window():
    train = random_windows(20, seed=1)
    windows = np.concatenate([Vocabulary().transpose(train[:2], 1), train[2:5], random_windows(4, seed=9)])
    windows[2, 5:8] = NO_EVENT  # the third is changed in up to three steps
    model = MelodyModel(PRESETS["tiny"].model).eval()
    sources = np.arange(9) // 2
    data = report_module._Data(windows, sources, train, np.arange(20), False, "")
    found = report_module._reconstruction(model, data, 0)["by_distance"]
    changed = int((windows[2] != train[2]).sum())
    assert 2 <= changed <= 3
    assert {label: (of["windows"], of["files"]) for label, of in found.items()} == {
        "up to 1": (4, 3),
        "2 or 3": (1, 1),
        "4 or more": (4, 3),
    }
    assert found["2 or 3"]["kl_bits"]["value"] > 0


def test_the_same_noise_goes_into_z_under_every_version_of_torch():
    model = MelodyModel(PRESETS["tiny"].model).eval()
    windows = random_windows(3)
    with torch.inference_mode():
        posterior = model.encode(torch.from_numpy(windows.astype(np.int64)))
    noise = (posterior.sample(Draws(5)) - posterior.mean) / torch.exp(0.5 * posterior.log_variance)
    np.testing.assert_allclose(noise.numpy(), Draws(5).normal(3, model.config.latent_size), atol=1e-4)


def test_notes_are_right_as_a_whole_in_rhythm_and_in_pitch():
    c, d, e = (FIRST_NOTE_ON + step for step in (39, 41, 43))
    true = torch.tensor([[c, 0, d, 0, e, 1, 0, 0]])
    decoded = torch.tensor([[c, 0, e, 0, 0, d, 0, c]])
    counts = {name: int(values) for name, values in notes_right(decoded, true).items()}
    assert counts == {"note": 1, "rhythm": 2, "pitch": 3, "decoded": 4, "true": 3}


def test_what_a_decoder_does_without_z_is_told_apart(run_folder):
    model = MelodyModel.from_pretrained("melody-2bar")
    windows = random_windows(30)
    with_z, _ = window_ratios(model, windows)
    without, _ = window_ratios(model, windows, shuffle_z=True)
    assert with_z["note_f1"].value > 0.8
    assert without["note_f1"].value < 0.3
    assert with_z["kl_bits"].value == without["kl_bits"].value


class TestLanguageModel:
    def test_probabilities_sum_to_one_in_every_context(self, monkeypatch):
        monkeypatch.setattr("melodyvae.evaluation.ngram.ORDER", 3)
        windows = random_windows(200)
        model = NgramModel(windows, 90)
        for row in random_windows(3, seed=9):
            every = np.repeat(row[None, :5], 90, axis=0)
            every[:, -1] = np.arange(90)
            assert model.probabilities(every)[:, -1].sum() == pytest.approx(1)

    def test_bigrams_by_hand(self, monkeypatch):
        """After 1 came 0 twice and 2 once: c = 3, t = 2; one token of context below, then uniform over 4."""
        monkeypatch.setattr("melodyvae.evaluation.ngram.ORDER", 2)
        windows = np.array([[1, 0, 1, 2], [1, 0, 3, 3]])
        model = NgramModel(windows, 4)
        unigram_0 = (2 + 4 * 0.25) / (8 + 4)
        assert model.probabilities(np.array([[1, 0]]))[0, 1] == pytest.approx((2 + 2 * unigram_0) / (3 + 2))

    def test_what_it_was_fitted_on_is_cheaper_than_noise(self):
        windows = random_windows(300)
        model = NgramModel(windows, 90)
        noise = np.random.default_rng(0).integers(0, 90, (50, 32))
        assert model.cost(windows).mean() < 0.5 * model.cost(noise).mean()


class TestSampleFigures:
    def test_histograms_by_hand(self):
        melody = Melody((MelodyNote(0, 4, 60), MelodyNote(4, 6, 64), MelodyNote(16, 32, 55)), 32)
        found = histograms(Vocabulary().encode(melody)[None], Vocabulary(), 16)
        assert {name: np.flatnonzero(counts).tolist() for name, counts in found.items()} == {
            "pitch_class": [0, 4, 7],
            "interval": [24 - 9, 24 + 4],
            "duration": [2, 4, 16],
            "onset": [0, 4],
            "notes": [1, 2],
        }
        assert found["onset"].tolist()[:5] == [2, 0, 0, 0, 1]

    def test_divergence_of_known_histograms(self):
        assert jensen_shannon_bits(np.array([3, 5]), np.array([6, 10])) == pytest.approx(0)
        assert jensen_shannon_bits(np.array([1, 0]), np.array([0, 4])) == pytest.approx(1)
        half = jensen_shannon_bits(np.array([1, 0]), np.array([1, 1]))
        assert half == pytest.approx(0.5 * (math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)))

    def test_the_nearest_window_is_that_of_an_exhaustive_search(self):
        queries, windows = random_windows(40, seed=1), random_windows(300)
        differing, nearest = fewest_differences(queries, windows)
        brute = (queries[:, None] != windows[None]).sum(axis=2)
        assert (differing == brute.min(axis=1)).all()
        assert (brute[np.arange(40), nearest] == differing).all()

    def test_copies_in_other_keys_are_near_copies_and_not_distinct(self):
        vocabulary, train = Vocabulary(), random_windows(100)
        samples = np.stack([vocabulary.transpose(train[0], 2), vocabulary.transpose(train[0], -3), train[5]])
        found = sample_metrics(samples, random_windows(50, seed=3), train, vocabulary, 16)
        assert found["near_copies"] == 1
        assert found["near_copies_held_out"] == 0
        assert found["distinct"] == pytest.approx(2 / 3)


class TestBound:
    def test_it_is_at_most_the_negative_elbo_and_equals_it_with_one_sample(self):
        model = MelodyModel.from_pretrained("melody-2bar")
        windows = random_windows(12)
        one = np.mean([importance_weighted_bound(model, windows, 1, seed) for seed in range(8)], axis=0)
        ratios, _ = window_ratios(model, windows)
        elbo = ratios["negative_elbo_nats_per_step"].numerator
        assert one.mean() == pytest.approx(elbo.mean(), rel=0.05)
        assert importance_weighted_bound(model, windows, 50).mean() < one.mean()

    def test_of_a_model_whose_posterior_is_its_prior_it_is_the_likelihood(self, silent_model):
        with torch.no_grad():
            silent_model.decoder.output.bias.zero_()
        windows = random_windows(5)
        bounds = [importance_weighted_bound(silent_model, windows, samples) for samples in (1, 7)]
        assert bounds[0] == pytest.approx(bounds[1], rel=1e-5)
        assert (bounds[0] >= 32 * math.log(89) - 1e-3).all()


def test_interpolations_start_at_a_and_end_as_far_as_b_is():
    model = MelodyNetwork.read("melody-2bar")
    windows = random_windows(40)
    curves = interpolation_curves(model, windows, NgramModel(windows, 90), pairs=24)
    assert curves.alpha == pytest.approx(np.linspace(0, 1, 11))
    assert curves.data_hamming[0] == 0
    assert curves.latent_hamming[0] < 0.15
    assert curves.latent_hamming[-1] == pytest.approx(curves.data_hamming[-1], abs=0.1)
    assert curves.data_cost[0] == pytest.approx(1)
    assert curves.data_hamming[5] == pytest.approx(curves.data_hamming[-1] / 2, abs=0.1)


class TestHeldOut:
    def test_the_test_split_of_its_own_dataset_is_and_all_of_it_is_not(self, run_folder, dataset_folder):
        made_by, dataset = MelodyModel.from_pretrained(run_folder).provenance, open_dataset(dataset_folder)
        assert len(held_out_windows(made_by, dataset)) == len(dataset.splits["test"])
        with pytest.raises(
            TrainedOnError, match="trained on the training split of this dataset; measure on its test split"
        ):
            held_out_windows(made_by, dataset, "all")

    def test_a_folder_with_one_file_of_the_training_is_refused_and_others_are_not(
        self, run_folder, midi_folder, dataset_folder, tmp_path
    ):
        made_by = MelodyModel.from_pretrained(run_folder).provenance
        train = next(s["name"] for s in open_dataset(dataset_folder).meta["sources"] if s["split"] == "train")
        for name, strangers in (("mixed", [midi_folder / train]), ("strange", [])):
            folder = tmp_path / name
            folder.mkdir()
            for seed in (500, 501):
                tune(seed).write(folder / f"{seed}.mid")
            prepare([folder, *strangers], tmp_path / f"{name}-dataset", PrepOptions(), workers=0)
        with pytest.raises(TrainedOnError, match="trained on 1 of its 3 files"):
            held_out_windows(made_by, open_dataset(tmp_path / "mixed-dataset"), "all")
        assert len(held_out_windows(made_by, open_dataset(tmp_path / "strange-dataset"), "all"))

    def test_what_a_parent_was_trained_on_counts_too(self, run_folder, dataset_folder):
        made_by = {"fine_tuned_from": MelodyModel.from_pretrained(run_folder).provenance}
        with pytest.raises(TrainedOnError):
            held_out_windows(made_by, open_dataset(dataset_folder), "all")


def test_the_command_draws_the_interpolations_and_says_what_was_recorded(run_folder, dataset_folder, tmp_path):
    few = ["--samples", "20", "--pairs", "5", "--bound-windows", "3"]
    out = tmp_path / "curves.png"
    output = run("evaluate", dataset_folder, "--model", run_folder, *few, "--plot", out)
    for part in ("note_f1", "nearest", "importance_weighted", "js_interval", "latent_cost", "data_cost"):
        assert part in output
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "exists; choose another" in run("evaluate", dataset_folder, "--plot", out, status=1)
    recorded = run("evaluate", "--model", run_folder)
    assert "as measured on the held-out splits" in recorded
    assert "note_f1" in recorded
    matrix = tmp_path / "matrix.png"
    structure = ["--metrics", "structure", "--similarity-plot", matrix, "--json", tmp_path / "metrics.json"]
    assert "repeats_exact" in run("evaluate", dataset_folder, "--model", run_folder, *few, *structure)
    assert matrix.read_bytes().startswith(b"\x89PNG")
    found = json.loads((tmp_path / "metrics.json").read_text())["structure"]
    assert set(found["2"]) == {"windows", "samples", "training"}
    assert found["2"]["windows"]["self_similarity"][0][0] == pytest.approx(1)
    only = run("evaluate", dataset_folder, "--model", run_folder, *few, "--metrics", "samples")
    assert "js_onset" in only
    assert "note_f1" not in only


class TestReport:
    def test_the_nearest_window_is_never_the_window_itself_nor_of_its_file(self, dataset_folder):
        # Of all splits of a foreign dataset, windows of train found themselves: exact was the share of train.
        dataset = open_dataset(dataset_folder)
        torch.manual_seed(0)
        report = evaluate(MelodyModel(PRESETS["tiny"].model), dataset, "all", ("reconstruction",))
        exact = report.reconstruction["exact_windows"]["baselines"]["nearest"]
        assert exact == 0.0  # the tunes are random: no two share a window
        assert 0 < report.reconstruction["note_f1"]["baselines"]["nearest"] < 0.9
        assert report.nearest_among.endswith("tunes-dataset, from other files")
        assert "nearest_among" in report.to_dict()
        assert "bound" not in report.to_dict()

    def test_windows_of_the_same_file_are_not_looked_at(self):
        queries = random_windows(3)
        windows = np.concatenate([queries, random_windows(2, seed=1)])
        found = fewest_differences(queries, windows)
        assert [part.tolist() for part in found] == [[0, 0, 0], [0, 1, 2]]
        origin = Origin(np.array([0, 1, 1]), np.array([0, 1, 1, 2, 2]))
        differences, nearest = fewest_differences(queries, windows, origin)
        assert nearest[0] != 0
        assert set(nearest[1:]) <= {0, 3, 4}
        assert (differences > 0).all()
        alone = Origin(np.zeros(3, int), np.zeros(5, int))
        assert fewest_differences(queries, windows, alone)[0].tolist() == [33, 33, 33]

    def test_near_copies_and_the_language_model_do_not_see_the_windows_either(self, dataset_folder):
        torch.manual_seed(0)
        model = MelodyModel(PRESETS["tiny"].model)
        metrics = ("samples", "interpolations")
        report = evaluate(model, open_dataset(dataset_folder), "all", metrics, samples=40, pairs=20)
        assert report.samples["normal"]["near_copies_held_out"] == 0.0
        assert report.interpolations["data_cost"][0] == pytest.approx(1)

    def test_what_two_parts_measure_is_drawn_once(self, run_folder, dataset_folder, monkeypatch):
        drawn = []
        draw = report_module._drawn
        monkeypatch.setattr(report_module, "_drawn", lambda *given: drawn.append(given[2]) or draw(*given))
        model, dataset = MelodyModel.from_pretrained(run_folder), open_dataset(dataset_folder)
        both = evaluate(model, dataset, metrics=("samples", "structure"), samples=20)
        assert drawn == ["fitted", "normal"]
        alone = evaluate(model, dataset, metrics=("structure",), samples=20)
        assert drawn == ["fitted", "normal", "fitted"]
        assert alone.structure == both.structure

    def test_unknown_metrics_are_refused(self, dataset_folder):
        with pytest.raises(ValueError, match="there are no metrics 'beauty'; choose from reconstruction"):
            evaluate(MelodyModel(PRESETS["tiny"].model), open_dataset(dataset_folder), "all", ("beauty",))


def test_windows_in_other_meters_are_measured_in_the_model_s_bars(tmp_path):
    (tmp_path / "midi").mkdir()
    for seed in range(3):
        tune(seed, bars=9, meter=(3, 4)).write(tmp_path / "midi" / f"{seed}.mid")
    dataset = prepare([tmp_path / "midi"], tmp_path / "waltzes", PrepOptions(meter="3/4"), workers=0).output
    output = run("evaluate", dataset, "--split", "all", "--metrics", "reconstruction", "--windows", "4")
    assert "(all), melody-2bar" in output

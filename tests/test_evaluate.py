"""The figures, on models whose figures are known."""

import json
import math

import numpy as np
import pytest
import torch

from data_prep.tokens import FIRST_NOTE_ON, NO_EVENT
from melodyvae.config import PRESETS
from melodyvae.dataset import open_dataset
from melodyvae.evaluate import note_f1, reconstruction_figures
from melodyvae.model import MelodyVAE
from tests.test_cli import run
from tests.windows import random_windows


@pytest.fixture
def silent_model():
    """A model whose decoder is certain of "no event" at every step, and whose posterior is N(0, I)."""
    torch.manual_seed(0)
    model = MelodyVAE(PRESETS["tiny"].model).eval()
    with torch.no_grad():
        model.encoder.posterior.weight.zero_()
        model.encoder.posterior.bias.zero_()
        model.decoder.output.weight.zero_()
        model.decoder.output.bias.fill_(0.0)
        model.decoder.output.bias[NO_EVENT] = 30.0
    return model


def test_a_model_that_knows_nothing_gets_the_trivial_figures(silent_model):
    windows = random_windows(40)
    figures = reconstruction_figures(silent_model, windows)
    share = (windows == NO_EVENT).mean()
    assert figures["no_event_accuracy"] == pytest.approx(share)
    for name in ("teacher_forced_accuracy", "sampled_accuracy", "greedy_accuracy"):
        assert figures[name] == pytest.approx(share)
    assert (figures["note_f1"], figures["exact_windows"], figures["active_units"]) == (0, 0, 0)
    assert figures["kl_bits"] == pytest.approx(0, abs=1e-6)


def test_the_bound_is_the_sum_of_its_halves(silent_model):
    with torch.no_grad():
        silent_model.encoder.posterior.bias[:16] = 0.5  # means; KL = 16 * 0.5^2 / 2 nats
        silent_model.decoder.output.bias.zero_()
    windows = random_windows(40)
    figures = reconstruction_figures(silent_model, windows)
    assert figures["kl_bits"] == pytest.approx(2.0 / math.log(2), rel=1e-5)
    total = figures["reconstruction_nats"] + figures["kl_bits"] * math.log(2)
    assert figures["negative_elbo_nats_per_step"] == pytest.approx(total / 32)
    # Uniform over 90 ids where a note sounds, over 89 where a note off is illegal.
    assert 32 * math.log(89) <= figures["reconstruction_nats"] <= 32 * math.log(90)


def test_figures_do_not_depend_on_the_batch_size_or_on_when_they_are_taken():
    torch.manual_seed(0)
    model = MelodyVAE(PRESETS["tiny"].model).eval()
    windows = random_windows(30)
    whole = reconstruction_figures(model, windows, batch_size=30)
    assert whole == reconstruction_figures(model, windows, batch_size=30)
    parts = reconstruction_figures(model, windows, batch_size=7)
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
        reconstruction_figures(silent_model, np.empty((0, 32), np.uint8))


def test_the_command_prints_and_writes_the_figures_of_the_test_split(dataset_folder, run_folder, tmp_path):
    out = tmp_path / "figures.json"
    output = run("evaluate", dataset_folder, "--model", run_folder, "--json", out)
    windows = open_dataset(dataset_folder).splits["test"]
    expected = reconstruction_figures(MelodyVAE.from_pretrained(run_folder), windows)
    assert json.loads(out.read_text()) == pytest.approx({"windows": len(windows), **expected})
    assert f"{expected['note_f1']:.4f}" in output
    assert (windows >= FIRST_NOTE_ON).any()
    assert "exists; choose another file" in run(
        "evaluate", dataset_folder, "--model", run_folder, "--json", out, status=1
    )


def test_all_windows_are_measured_when_asked(dataset_folder, run_folder):
    counts = open_dataset(dataset_folder).meta["counts"]
    output = run("evaluate", dataset_folder, "--model", run_folder, "--split", "all")
    assert output.split()[:2] == ["windows", str(sum(counts.values()))]

"""The companions of a network are fitted to the given dataset, and the network stays as it is."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from data_prep.prepare import PrepOptions, prepare
from melodyvae.cli.main import main
from melodyvae.datasets.windows import open_dataset
from melodyvae.models.checkpoint import load_checkpoint
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.verbs.composing import compose
from melodyvae.verbs.judge import Judge
from melodyvae.verbs.novelty import NoveltyIndex
from tests.conftest import tiny_composer, tune


@pytest.fixture
def other_dataset(tmp_path):
    (tmp_path / "midi").mkdir()
    for seed in range(100, 130):
        tune(seed, bars=6).write(tmp_path / "midi" / f"{seed}.mid")
    return prepare([tmp_path / "midi"], tmp_path / "other", workers=0).output


def fit(*arguments, status=0):
    result = CliRunner().invoke(main, ["fit", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.output


def test_it_is_fitted_to_another_dataset_and_the_weights_stay(run_folder, other_dataset, tmp_path):
    out = tmp_path / "fitted.safetensors"
    output = fit(other_dataset, "--model", run_folder, "-o", out, "--windows", 50, "--measure", 7)
    assert f"Wrote {out}" in output
    before, after = load_checkpoint(run_folder), load_checkpoint(out)
    assert all(torch.equal(before.weights[name], weights) for name, weights in after.weights.items())
    assert set(after.extras) == set(before.extras)
    for name in ("prior.mean", "attributes.means", "score.quantiles"):
        assert not torch.equal(after.extras[name], before.extras[name]), name
    dataset = open_dataset(other_dataset)
    assert after.provenance["fitted_to"]["dataset_sha256"] == dataset.fingerprint
    assert after.provenance["dataset_sha256"] == before.provenance["dataset_sha256"]
    assert set(after.metrics) == {"valid", "test"}
    assert after.metrics["test"] != before.metrics["test"]
    index = NoveltyIndex.open(tmp_path / "fitted.novelty.npy", 4)
    assert index.is_near_copy(np.asarray(dataset.splits["train"])).all()
    told = CliRunner().invoke(main, ["inspect", str(out)]).output
    assert "fitted to: dataset_sha256" in told


def test_a_model_that_composes_gets_a_judge_that_knows_its_drafts_from_tunes(tmp_path):
    (tmp_path / "midi").mkdir()
    for seed in range(80):
        tune(seed, bars=6).write(tmp_path / "midi" / f"{seed}.mid")
    dataset = prepare([tmp_path / "midi"], tmp_path / "tunes", PrepOptions(bars=4), workers=0).output
    mine, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
    tiny_composer().save(mine)
    fit(dataset, "--model", mine, "-o", out, "--measure", 5)
    model = MelodyNetwork.read(out)
    judge = Judge.from_extras(model.extras)
    held_out = open_dataset(dataset).splits["test"]
    assert len(held_out) > 5
    assert judge.score([model.vocabulary.decode(row) for row in held_out]).mean() > 1
    assert judge.score(compose(model, 20, draws=Draws(7), scale="auto").melodies).mean() < -1


def test_without_an_output_the_models_own_file_is_written(run_folder, other_dataset, tmp_path):
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes((run_folder / "model.safetensors").read_bytes())
    assert f"Wrote {mine}" in fit(other_dataset, "--model", mine, "--windows", 20, "--measure", 3)
    assert "fitted_to" in load_checkpoint(mine).provenance
    assert (tmp_path / "mine.novelty.npy").is_file()


def test_nothing_shipped_and_nothing_there_is_replaced(run_folder, other_dataset, tmp_path):
    assert "melody-2bar came with melodyvae and stays" in fit(other_dataset, "--model", "melody-2bar", status=1)
    (tmp_path / "there.safetensors").write_text("mine")
    refused = fit(other_dataset, "--model", run_folder, "-o", tmp_path / "there.safetensors", status=1)
    assert "exists; choose another file" in refused
    assert (tmp_path / "there.safetensors").read_text() == "mine"


def test_windows_that_do_not_fit_the_model_are_refused(other_dataset, tmp_path):
    refused = fit(other_dataset, "--model", "melody-16bar", "-o", tmp_path / "out.safetensors", status=1)
    assert "does not fit the model" in " ".join(refused.split())
    assert not (tmp_path / "out.safetensors").exists()

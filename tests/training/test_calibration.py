"""A model that composes is turned until it writes what is like the windows, and nothing else of it changes."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from data_prep.prepare import PrepOptions, prepare
from melodyvae.cli.main import main
from melodyvae.datasets.windows import open_dataset
from melodyvae.models.checkpoint import load_checkpoint
from melodyvae.models.melody import MelodyModel
from melodyvae.network.draws import Draws
from melodyvae.training.calibration import PAIRINGS, CalibrationError, calibrate, statistics
from melodyvae.verbs.codec import decode_tokens
from tests.conftest import random_windows, tiny_composer, tune


def written(knobs):
    """Statistics of eight bars that the shipped model writes when it is turned so."""
    model = MelodyModel.from_pretrained("melody-compose")
    model.decoder.turn(knobs)
    network, draws = model.network(), Draws(1)
    drawn = decode_tokens(network, draws.normal(150, model.config.latent_size // 2).astype(np.float32), 1.0, draws)
    return statistics(drawn, model.vocabulary, model.config.steps_per_bar)


def rounds_of(rounds, windows, monkeypatch):
    monkeypatch.setattr("melodyvae.training.calibration.ROUNDS", rounds)
    monkeypatch.setattr("melodyvae.training.calibration.WINDOWS_PER_ROUND", windows)


@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda pairing: pairing.knob)
def test_each_knob_moves_its_statistic_the_way_that_its_gain_says(pairing):
    turned = 2.0 if pairing.gain > 0 else -2.0
    less, more = written({pairing.knob: -turned}), written({pairing.knob: turned})
    assert more[pairing.statistic] > less[pairing.statistic]


def test_knobs_that_are_not_turned_change_nothing():
    model, other = tiny_composer(), tiny_composer()
    model.decoder.turn({})
    assert all(torch.equal(values, other.state_dict()[name]) for name, values in model.state_dict().items())


def test_samples_come_nearer_to_the_windows(monkeypatch):
    rounds_of(10, 150, monkeypatch)
    model = tiny_composer()
    own = {name: values.clone() for name, values in model.encoder.state_dict().items()}
    turned = tiny_composer()
    turned.decoder.turn({"no_event": 1.0})
    source, draws = turned.network(), Draws(2)
    windows = decode_tokens(source, source.prior(400).sample(draws), 1.0, draws)
    told = []
    found = calibrate(model, windows, told.append)
    assert told == list(range(1, 11))
    assert abs(found.after["onsets"] - found.windows["onsets"]) < 0.5 * abs(
        found.before["onsets"] - found.windows["onsets"]
    )
    assert found.knobs["no_event"] > 0.3
    assert all(torch.equal(values, own[name]) for name, values in model.encoder.state_dict().items())
    again = tiny_composer()
    again.decoder.turn(found.knobs)
    for name, values in model.decoder.state_dict().items():
        assert torch.allclose(values, again.decoder.state_dict()[name], atol=1e-3), name


def test_the_same_windows_give_the_same_knobs(monkeypatch):
    rounds_of(3, 20, monkeypatch)
    windows = np.concatenate([random_windows(20), random_windows(20)], axis=1)
    one, other = (calibrate(tiny_composer(), windows, print) for _ in range(2))
    assert one == other


def test_a_model_that_does_not_compose_and_no_windows_are_refused():
    with pytest.raises(CalibrationError, match="does not compose"):
        calibrate(MelodyModel(), random_windows(4), print)
    with pytest.raises(CalibrationError, match="no training windows"):
        calibrate(tiny_composer(), np.zeros((0, 64), dtype=np.uint8), print)


def test_fit_calibrates_on_request_and_says_so(tmp_path, monkeypatch):
    rounds_of(2, 20, monkeypatch)
    (tmp_path / "midi").mkdir()
    for seed in range(30):
        tune(seed, bars=8).write(tmp_path / "midi" / f"{seed}.mid")
    dataset = prepare([tmp_path / "midi"], tmp_path / "dataset", PrepOptions(bars=4), workers=0).output
    mine, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
    tiny_composer().save(mine)
    said = CliRunner().invoke(
        main, ["fit", str(dataset), "--model", str(mine), "-o", str(out), "--calibrate", "--measure", "5"]
    )
    assert said.exit_code == 0, said.output
    assert "repeats_exact" in said.output
    before, after = load_checkpoint(mine), load_checkpoint(out)
    changed = {name for name, values in after.weights.items() if not torch.equal(values, before.weights[name])}
    assert changed <= {f"decoder.{name}" for name in ("output.weight", "output.bias", "bar_output.bias")} | {
        "decoder.key.2.weight",
        "decoder.key.2.bias",
    }
    assert "decoder.output.bias" in changed
    marks = after.provenance["fitted_to"]
    assert marks["dataset_sha256"] == open_dataset(dataset).fingerprint
    assert set(marks["calibrated"]) == {pairing.knob for pairing in PAIRINGS}
    assert "calibrated (slip" in CliRunner().invoke(main, ["inspect", str(out)]).output

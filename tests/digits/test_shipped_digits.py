"""The checkpoints that ship: small, with their metrics, and with where they come from."""

import pytest

from melodyvae.digits.model import DigitVAE
from melodyvae.models.checkpoint import load_checkpoint, locate, shipped_names

NAMES = [
    "digits-20d",
    "digits-2d",
    "digits-2d-kl",
    "digits-2d-plain",
    "digits-2d-reconstruction",
    "digits-5d",
    "digits-conv",
    "digits-labels",
]


def test_these_ship():
    assert [name for name in shipped_names() if name.startswith("digits")] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_tells_what_it_is(name):
    path = locate(name)
    assert path.stat().st_size < 2_000_000
    checkpoint = load_checkpoint(name)
    assert DigitVAE.from_checkpoint(checkpoint, name).config.latent_size in (2, 5, 20)
    assert checkpoint.provenance["command"].startswith("melodyvae digits train")
    assert len(checkpoint.provenance["data_sha256"]) == 64
    metrics = checkpoint.metrics["test"]
    assert {"mean_squared_error", "cross_entropy_nats", "active_units", "nearest_neighbour_accuracy"} <= set(metrics)
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert checkpoint.provenance["data_sha256"] in card
    assert f"`{checkpoint.provenance['command']}`" in card


@pytest.mark.parametrize(("name", "worst_nats"), [("digits-20d", 105), ("digits-conv", 95)])
def test_the_models_with_20_numbers_reach_their_targets(name, worst_nats):
    metrics = load_checkpoint(name).metrics["test"]
    assert metrics["importance_weighted_nats"] < metrics["negative_elbo_nats"] <= worst_nats
    assert metrics["importance_samples"] == 500
    assert metrics["nearest_neighbour_accuracy"] > 0.95


def test_two_numbers_say_less_than_five_and_five_less_than_twenty():
    bounds = [load_checkpoint(name).metrics["test"]["negative_elbo_nats"] for name in ("digits-2d", "digits-5d")]
    assert bounds[0] > bounds[1] > load_checkpoint("digits-20d").metrics["test"]["negative_elbo_nats"]

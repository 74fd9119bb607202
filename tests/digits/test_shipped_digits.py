"""The checkpoints that ship: small, with where they come from, and as good as they say, on digits drawn in code."""

import pytest
import torch

from melodyvae.digits.latent import drawn_digits
from melodyvae.digits.metrics import digit_metrics
from melodyvae.digits.model import DigitVAE
from melodyvae.models.checkpoint import load_checkpoint
from melodyvae.network.checkpoint import locate, shipped_names

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


@pytest.fixture(scope="module")
def measured():
    """The metrics of each shipped model, run on 200 digits drawn in code, which no model was trained on."""
    drawn = drawn_digits(200, torch.Generator().manual_seed(0))
    return {name: digit_metrics(DigitVAE.from_pretrained(name), drawn, importance_samples=0) for name in NAMES}


@pytest.mark.parametrize(
    ("name", "max_squared_error", "max_nats"),
    [
        ("digits-20d", 0.006, 112),
        ("digits-conv", 0.004, 113),
        ("digits-labels", 0.003, 102),
        ("digits-5d", 0.020, 135),
        ("digits-2d", 0.030, 148),
    ],
)
def test_each_gives_drawn_digits_back(measured, name, max_squared_error, max_nats):
    assert measured[name]["mean_squared_error"] < max_squared_error
    assert measured[name]["negative_elbo_nats"] < max_nats


def test_two_numbers_say_less_than_five_and_five_less_than_twenty(measured):
    by_size = [measured[name]["negative_elbo_nats"] for name in ("digits-2d", "digits-5d", "digits-20d")]
    assert by_size == sorted(by_size, reverse=True)
    assert by_size[0] > by_size[-1] + 20


def test_each_of_the_three_maps_does_what_its_name_says(measured):
    plain, kl, reconstruction = (measured[f"digits-2d-{name}"] for name in ("plain", "kl", "reconstruction"))
    assert kl["active_units"] == 0
    assert kl["mean_squared_error"] > 0.2  # it gives nothing back
    assert plain["mean_squared_error"] < 0.03
    assert "kl_nats" not in plain
    assert reconstruction["mean_squared_error"] < 0.03
    assert reconstruction["kl_nats"] > 4 * measured["digits-2d"]["kl_nats"]


@pytest.mark.parametrize(("name", "max_nats"), [("digits-20d", 105), ("digits-conv", 95)])
def test_what_the_header_says_of_the_test_digits_reaches_the_target(name, max_nats):
    metrics = load_checkpoint(name).metrics["test"]
    assert metrics["importance_weighted_nats"] < metrics["negative_elbo_nats"] <= max_nats
    assert metrics["importance_samples"] == 500
    assert metrics["nearest_neighbour_accuracy"] > 0.95

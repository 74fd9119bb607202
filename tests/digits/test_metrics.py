"""The metrics: the bounds are in the right order and agree with arithmetic that can be done by hand."""

import math

import pytest
import torch

from melodyvae.digits.config import DigitsConfig
from melodyvae.digits.data import Digits
from melodyvae.digits.metrics import (
    classifier_accuracies,
    digit_metrics,
    importance_weighted_nats,
    negative_elbos,
    posterior_means,
)
from melodyvae.digits.model import DigitVAE
from tests.digits.idx_files import blobs

SMALL = {"latent_size": 2, "hidden_size": 16}


@pytest.fixture
def digits():
    images, labels = blobs(40)
    return Digits(torch.from_numpy(images), torch.from_numpy(labels))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return DigitVAE(DigitsConfig(**SMALL)).eval()


class IgnoresZ(DigitVAE):
    """log p(x | z) is that of fair coins, whatever z."""

    def logits(self, z, labels=None):
        return torch.zeros(len(z), 28, 28)


def test_the_parts_of_the_bound_add_up(model, digits):
    found = digit_metrics(model, digits, importance_samples=0)
    assert found["negative_elbo_nats"] == pytest.approx(found["reconstruction_nats"] + found["kl_nats"])
    assert found["negative_elbo_nats"] == pytest.approx(float(negative_elbos(model, digits).mean()))
    assert "importance_weighted_nats" not in found


def test_the_elbo_does_not_depend_on_how_the_other_bound_is_estimated(model, digits):
    without, few, many = (digit_metrics(model, digits, importance_samples=n) for n in (0, 5, 900))
    assert without["negative_elbo_nats"] == few["negative_elbo_nats"] == many["negative_elbo_nats"]


def test_progress_counts_every_image(model, digits):
    done = []
    digit_metrics(model, digits, importance_samples=300, progress=done.append)
    assert sum(done) == len(digits)
    assert len(done) > 1


def test_with_one_draw_the_importance_weighted_bound_is_the_elbo_at_that_draw(model, digits):
    images = digits.grey().round()
    with torch.inference_mode():
        posterior = model.encode(images)
        z = posterior.sample(torch.Generator().manual_seed(0))
        found = importance_weighted_nats(model, images, 1, torch.Generator().manual_seed(0))
        reconstruction = -torch.distributions.Bernoulli(logits=model.logits(z)).log_prob(images).sum(dim=(1, 2))
        prior, normal = model.prior(1).log_density(z), torch.distributions.Normal
        proposal = normal(posterior.mean, (0.5 * posterior.log_variance).exp()).log_prob(z).sum(dim=1)
    torch.testing.assert_close(found, reconstruction + proposal - prior)


def test_more_draws_tighten_the_bound(model, digits):
    found = [digit_metrics(model, digits, importance_samples=n)["importance_weighted_nats"] for n in (1, 10, 1000)]
    assert found[0] > found[1] > found[2]


def test_the_importance_weighted_bound_is_exact_where_z_says_nothing(digits):
    torch.manual_seed(0)
    model = IgnoresZ(DigitsConfig(**SMALL)).eval()
    with torch.inference_mode():
        found = importance_weighted_nats(model, digits.grey().round()[:8], 5_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, torch.full((8,), 784 * math.log(2)), atol=0.2, rtol=0)


def test_a_plain_autoencoder_gets_errors_and_no_bound(digits):
    torch.manual_seed(0)
    found = digit_metrics(DigitVAE(DigitsConfig(**SMALL, variational=False)).eval(), digits)
    assert set(found) == {"mean_squared_error", "cross_entropy_nats", "active_units"}


def test_a_conditional_model_gets_its_labels(digits):
    torch.manual_seed(0)
    found = digit_metrics(DigitVAE(DigitsConfig(**SMALL, labels=True)).eval(), digits, importance_samples=3)
    assert len(found) == 7


def test_classifiers_name_what_z_separates(digits):
    pytest.importorskip("sklearn", reason="scikit-learn is of the test extra")

    class AngleAsZ(DigitVAE):
        def encode(self, images, labels=None):
            found = super().encode(images, labels)
            ink = images.flatten(1)
            found.mean[:, 0] = ink[:, :392].sum(dim=1) - ink[:, 392:].sum(dim=1)
            return found

    torch.manual_seed(0)
    model = AngleAsZ(DigitsConfig(**SMALL)).eval()
    halves = torch.zeros(40, 28, 28, dtype=torch.uint8)
    halves[::2, :14], halves[1::2, 14:] = 255, 255
    two = Digits(halves, torch.arange(40, dtype=torch.uint8) % 2)
    assert classifier_accuracies(model, two[:20], two[20:]) == {
        "nearest_neighbour_accuracy": 1.0,
        "logistic_accuracy": 1.0,
    }


def test_posterior_means_are_those_of_the_grey_images(model, digits):
    with torch.inference_mode():
        expected = model.encode(digits.grey()).mean
    torch.testing.assert_close(posterior_means(model, digits), expected)

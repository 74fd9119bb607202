"""The digit models themselves: shapes, likelihood, labels, the plain autoencoder, the checkpoint's refusals."""

import math
from dataclasses import replace

import pytest
import torch

from melodyvae.config import ConfigError, from_dict
from melodyvae.digits.config import DIGITS_PRESETS, DigitsConfig, DigitsTrainConfig
from melodyvae.digits.model import DigitVAE, bernoulli_nats
from melodyvae.models.checkpoint import read_tensors, write_tensors
from melodyvae.network.checkpoint import CheckpointError

SMALL = {"latent_size": 3, "hidden_size": 16, "channels": 4}
KINDS = [
    DigitsConfig(**SMALL),
    DigitsConfig(**SMALL, labels=True),
    DigitsConfig(**SMALL, network="conv"),
    DigitsConfig(**SMALL, network="conv", labels=True),
    DigitsConfig(**SMALL, variational=False),
]


def name_of(config: DigitsConfig) -> str:
    return f"{config.network}{'-labels' * config.labels}{'-plain' * (not config.variational)}"


@pytest.fixture(params=KINDS, ids=name_of)
def model(request):
    torch.manual_seed(0)
    return DigitVAE(request.param).double().eval()


@pytest.fixture
def images():
    return torch.rand(6, 28, 28, generator=torch.Generator().manual_seed(1), dtype=torch.float64).round()


def labels_for(model: DigitVAE) -> torch.Tensor | None:
    return torch.arange(6) if model.config.labels else None


def test_shapes(model, images):
    labels = labels_for(model)
    posterior = model.encode(images, labels)
    assert posterior.mean.shape == posterior.log_variance.shape == (6, 3)
    assert model.logits(posterior.mean, labels).shape == (6, 28, 28)
    assert model.prior(4).mean.shape == (4, 3)


def test_a_batch_is_its_rows_one_by_one(model, images):
    labels = labels_for(model)
    together = model.decode(model.encode(images, labels).mean, labels)
    rows = [(images[row : row + 1], None if labels is None else labels[row : row + 1]) for row in range(6)]
    apart = [model.decode(model.encode(*row).mean, row[1]) for row in rows]
    torch.testing.assert_close(together, torch.cat(apart))


def test_decoded_pixels_are_probabilities(model):
    labels = None if labels_for(model) is None else torch.zeros(5)
    z = 10 * torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    decoded = model.decode(z, labels)
    assert ((decoded >= 0) & (decoded <= 1)).all()


def test_labels_are_needed_where_trained_with_and_refused_elsewhere(model, images):
    other = None if model.config.labels else torch.arange(6)
    with pytest.raises(ValueError, match="labels"):
        model.encode(images, other)
    with pytest.raises(ValueError, match="labels"):
        model.logits(torch.zeros(6, 3, dtype=torch.float64), other)


def test_labels_change_what_is_decoded():
    torch.manual_seed(0)
    model = DigitVAE(DigitsConfig(**SMALL, labels=True))
    z = torch.zeros(2, 3)
    three, eight = model.decode(z, torch.tensor([3, 8]))
    assert not torch.equal(three, eight)


def test_the_likelihood_is_that_of_independent_bernoulli_pixels(images):
    logits = torch.randn(6, 28, 28, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = -torch.distributions.Bernoulli(logits=logits).log_prob(images).sum(dim=(1, 2))
    torch.testing.assert_close(bernoulli_nats(logits, images), expected)


def test_grey_chance_costs_log_2_a_pixel():
    nats = bernoulli_nats(torch.zeros(1, 28, 28), torch.ones(1, 28, 28))
    torch.testing.assert_close(nats, torch.tensor([784 * math.log(2)]))


def test_a_plain_autoencoders_z_is_a_point_without_kl(images):
    torch.manual_seed(0)
    model = DigitVAE(DigitsConfig(**SMALL, variational=False)).double()
    posterior = model.encode(images)
    assert torch.equal(posterior.sample(), posterior.mean)
    terms = model.loss_terms(images)
    assert torch.equal(terms.kl, torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(terms.reconstruction, bernoulli_nats(model.logits(posterior.mean), images))


@pytest.mark.parametrize("name", list(DIGITS_PRESETS))
def test_the_presets_make_models_under_2_megabytes_in_float16(name):
    parameters = sum(weight.numel() for weight in DigitVAE(DIGITS_PRESETS[name]).parameters())
    assert 2 * parameters < 2_000_000


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"network": "recurrent"}, "choose one of dense, conv"),
        ({"latent_size": 0}, "latent_size is 0; it must be at least 1"),
        ({"labels": 1}, "labels is 1; expected bool"),
        ({"lattent_size": 2}, "no lattent_size"),
    ],
)
def test_bad_sizes_are_refused(values, why):
    with pytest.raises(ConfigError, match=why):
        from_dict(DigitsConfig, values)


def test_a_training_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="nothing to learn"):
        DigitsTrainConfig(beta=0.0, reconstruct=False)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "digits.safetensors"
    DigitVAE(DigitsConfig(**SMALL)).save(path)
    return path


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "melody"}, "is a melody model; a digits model is needed"),
        ({"config": {"latent_size": 3, "heads": 4}}, "no heads"),
        ({"config": {"latent_size": 4, "hidden_size": 16}}, "weights that do not fit"),
    ],
)
def test_a_foreign_checkpoint_is_refused(saved, changes, why):
    tensors, header = read_tensors(saved)
    write_tensors(tensors, header | changes, saved)
    with pytest.raises(CheckpointError, match=why):
        DigitVAE.from_pretrained(saved)


def test_unlabelled_and_labelled_presets_differ_by_the_label_alone():
    plain = DIGITS_PRESETS["dense"]
    model, conditional = DigitVAE(plain), DigitVAE(replace(plain, labels=True))
    more = sum(w.numel() for w in conditional.parameters()) - sum(w.numel() for w in model.parameters())
    assert more == 2 * 10 * plain.hidden_size

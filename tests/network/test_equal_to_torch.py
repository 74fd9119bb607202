"""The networks in NumPy give what those in torch give: posteriors, logits, tokens and gradients."""

import numpy as np
import pytest
import torch

from melodyvae.models.decoder import sounding_before
from melodyvae.models.loss import token_nats
from melodyvae.models.melody import MelodyModel
from melodyvae.network import decoder as decoders
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.refine import DECAYS, LEARNING_RATE, refine_latents, sure_steps
from tests.network.models import NAMES, small_model
from tests.windows import random_windows

SHIPPED = ("melody-2bar", "melody-16bar", "melody-compose")
EXACT = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(params=NAMES)
def pair(request):
    model = small_model(request.param)
    return model, model.network()


def windows_of(model, count: int = 6) -> np.ndarray:
    windows = random_windows(count, model.config.steps).astype(np.int64)
    half = model.config.steps // 2
    windows[:2, half : 2 * half] = windows[:2, :half]  # bars that come again
    return windows


def latents(model, count: int = 6) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, model.config.latent_size))


def test_posteriors(pair):
    model, network = pair
    windows = windows_of(model)
    theirs, ours = model.encode(torch.from_numpy(windows)), network.encode(windows)
    np.testing.assert_allclose(ours.mean, theirs.mean.detach(), **EXACT)
    np.testing.assert_allclose(ours.log_variance, theirs.log_variance.detach(), **EXACT)
    np.testing.assert_allclose(ours.kl_to_standard_normal(), theirs.kl_to_standard_normal().detach(), **EXACT)


def test_logits(pair):
    model, network = pair
    z, windows = latents(model), windows_of(model)
    theirs = model.logits(torch.from_numpy(z), torch.from_numpy(windows)).detach()
    np.testing.assert_allclose(network.logits(z, windows), theirs, **EXACT)
    nats = token_nats(theirs, torch.from_numpy(windows))
    np.testing.assert_allclose(network.nats(z, windows), nats, **EXACT)


def test_many_windows_are_as_few(pair, monkeypatch):
    model, network = pair
    z, windows = latents(model), windows_of(model)
    few = network.logits(z, windows)
    monkeypatch.setattr(decoders, "GATES_AT_ONCE", 13)  # two steps of six windows
    np.testing.assert_allclose(network.logits(z, windows), few, **EXACT)


def test_greedy_tokens_are_those_of_the_highest_logits(pair):
    model, network = pair
    z = latents(model, 20)
    written = network.decode(z)
    assert len(np.unique(written)) > 3
    theirs = model.logits(torch.from_numpy(z), torch.from_numpy(written)).argmax(dim=-1)
    np.testing.assert_array_equal(written, theirs)


def test_gradients(pair):
    model, network = pair
    z, windows = latents(model), windows_of(model)
    start = torch.from_numpy(z).requires_grad_(True)
    (theirs,) = torch.autograd.grad(
        token_nats(model.logits(start, torch.from_numpy(windows)), torch.from_numpy(windows)).sum(), start
    )
    logits, ours = network.gradient(z, windows)
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(logits, network.logits(z, windows), **EXACT)


def test_what_is_visible_stays_and_the_rest_has_the_highest_logits(pair):
    model, network = pair
    z, windows = latents(model), windows_of(model)
    visible = np.arange(model.config.steps) < model.config.steps // 2 + 3
    ours = network.fill_in(z, windows, visible)
    theirs = model.logits(torch.from_numpy(z), torch.from_numpy(ours)).argmax(dim=-1).numpy()
    np.testing.assert_array_equal(ours[:, ~visible], theirs[:, ~visible])
    np.testing.assert_array_equal(ours[:, visible], windows[:, visible])


def test_drawn_tokens_are_legal_and_as_frequent_as_their_probabilities(pair):
    model, network = pair
    z = np.repeat(latents(model, 1), 400, axis=0)
    first = network.decode(z, 1.0, Draws(1))
    assert not (first == 1)[~sounding_before(torch.from_numpy(first)).numpy()].any()
    expected = np.exp(-network.nats(z[:1], np.zeros((1, model.config.steps), np.int64))[0, 0])
    share = (first[:, 0] == 0).mean()
    assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / len(first)) + 1e-9
    np.testing.assert_array_equal(network.decode(z[:50], 1.0, Draws(7)), network.decode(z[:50], 1.0, Draws(7)))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models(name):
    """In float32, where each lies by rounding from the numbers of float64."""
    model, network = MelodyModel.from_pretrained(name), MelodyNetwork.read(name)
    windows = random_windows(40, model.config.steps).astype(np.int64)
    tokens = torch.from_numpy(windows)
    with torch.inference_mode():
        z = model.encode(tokens).mean
        theirs, written = model.logits(z, tokens).softmax(dim=-1).numpy(), network.decode(z.numpy())
        logits = model.logits(z, torch.from_numpy(written)).numpy()
    np.testing.assert_allclose(network.encode(windows).mean, z, atol=1e-5)
    ours = decoders.softmax(network.logits(z.numpy(), windows))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    chosen = np.take_along_axis(logits, written[..., None], -1)[..., 0]
    assert (logits.max(axis=-1) - chosen).max() < 1e-3  # but for ties


def test_refining_brings_windows_back():
    network = MelodyNetwork.read("melody-2bar")
    windows = random_windows(60, low=85, high=101).astype(np.int64)
    means = network.encode(windows).mean
    missed = (network.decode(means) != windows).any(axis=1)
    assert 3 < missed.sum() < 50
    refined = refine_latents(network.gradient, windows, means)
    back = (network.decode(refined) == windows).all(axis=1)
    assert back[~missed].all()
    assert back[missed].mean() > 0.9


@pytest.mark.parametrize("name", ["melody-2bar", "melody-compose"])
def test_refining_moves_as_adam_in_torch(name, monkeypatch):
    monkeypatch.setattr("melodyvae.network.refine.UPDATES", 8)
    model = MelodyModel.from_pretrained(name).double()
    network, windows = model.network(), random_windows(60, low=85, high=101).astype(np.int64)
    if model.config.bars > 2:
        windows = windows[:48].reshape(6, -1)
    missed = (network.decode(network.encode(windows).mean) != windows).any(axis=1)
    windows = windows[missed][:1]
    start, tokens, right = network.encode(windows).mean, torch.from_numpy(windows), []
    z = torch.tensor(start, requires_grad=True)
    adam, places = torch.optim.Adam([z], lr=LEARNING_RATE, betas=DECAYS), []
    for _ in range(9):
        logits = model.logits(z, tokens)
        places.append(z.detach().clone().numpy())
        right.append(int(sure_steps(logits.detach().numpy(), windows)[0]))
        (z.grad,) = torch.autograd.grad(token_nats(logits, tokens).sum(), z)
        adam.step()
    best = places[int(np.argmax(right))]
    found = refine_latents(network.gradient, windows, start)
    np.testing.assert_allclose(found, best, rtol=1e-6, atol=1e-7)
    assert not np.allclose(best, start)

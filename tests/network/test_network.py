"""Models are read and played without torch, on one thread, and damaged ones are refused as torch's loader refuses."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from melodyvae.models.checkpoint import read_tensors, save_file, write_tensors
from melodyvae.models.melody import MelodyModel
from melodyvae.network import threads
from melodyvae.network.checkpoint import CheckpointError, list_models
from melodyvae.network.decoder import NoProbabilitiesError
from melodyvae.network.draws import Draws
from melodyvae.network.lstm import Matrix, by_gate
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.weights import Weights
from tests.network.models import small_model

WITHOUT_TORCH = """
import sys
import numpy as np
from melodyvae.network.latent import slerp
from melodyvae.network.draws import Draws
from melodyvae.network.network import MelodyNetwork
from melodyvae.network.refine import refine_latents

network = MelodyNetwork.read("melody-2bar")
windows = np.zeros((2, 32), np.int64)
windows[0, ::4], windows[1, ::8] = 41, 53
start, end = refine_latents(network.gradient, windows, network.encode(windows).mean)
walk = network.decode(slerp(start, end, np.linspace(0, 1, 5)))
assert (walk[[0, -1]] == windows).all() and len(np.unique(walk, axis=0)) > 2
composer = MelodyNetwork.read("melody-compose")
tune = composer.decode(composer.prior(1).sample(Draws(1)), 1.0, Draws(2))
assert (tune >= 2).any()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "scipy", "matplotlib"}))
"""


def test_a_walk_and_a_tune_need_no_torch():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, timeout=120)
    assert (done.stderr, done.stdout) == ("", "[]\n")


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "tune.safetensors"
    model = small_model("position")
    model.extras = {"prior.mean": torch.zeros(16)}
    model.save(path)
    return path


def changed(path, weights, **header):
    tensors, old = read_tensors(path)
    write_tensors({**tensors, **weights}, {**old, **header}, path)


@pytest.mark.parametrize(
    ("weights", "header"),
    [
        ({"encoder.more": torch.zeros(2)}, {}),
        ({"decoder.output.bias": torch.zeros(3)}, {}),
        ({"decoder.output.bias": torch.full((90,), torch.nan)}, {}),
        ({"extra.prior.mean": torch.full((16,), torch.inf)}, {}),
        ({}, {"kind": "digits"}),
        ({}, {"vocabulary": {"lowest_pitch": 0}}),
        ({}, {"config": {"attention_heads": 8}}),
        ({}, {"config": {"latent_size": 10**9}}),
    ],
)
def test_a_damaged_checkpoint_is_refused_in_the_same_words_as_by_torch(saved, weights, header):
    changed(saved, weights, **header)
    with pytest.raises(CheckpointError) as theirs:
        MelodyModel.from_pretrained(saved)
    with pytest.raises(CheckpointError) as ours:
        MelodyNetwork.read(saved)
    assert str(ours.value) == str(theirs.value)


def test_a_checkpoint_without_a_part_is_refused(saved):
    tensors, header = read_tensors(saved)
    del tensors["decoder.output.bias"]
    write_tensors(tensors, header, saved)
    with pytest.raises(CheckpointError, match=r"do not fit its own configuration: it lacks 'decoder\.output\.bias'"):
        MelodyNetwork.read(saved)


def test_numbers_that_numpy_lacks_are_refused(tmp_path):
    save_file({"w": torch.zeros(2, dtype=torch.bfloat16)}, tmp_path / "odd.safetensors", metadata={"melodyvae": "{}"})
    with pytest.raises(CheckpointError, match="holds w as BF16, which is not read here; save the model in float16"):
        MelodyNetwork.read(tmp_path / "odd.safetensors")


def test_what_a_checkpoint_tells_comes_with_it(saved):
    for name in (saved, *list_models()):
        network, model = MelodyNetwork.read(name), MelodyModel.from_pretrained(name)
        assert (network.config, network.vocabulary) == (model.config, model.vocabulary)
        assert (network.metrics, network.provenance, network.path) == (model.metrics, model.provenance, model.path)
        assert network.extras.keys() == model.extras.keys()
        assert all(np.array_equal(network.extras[key], model.extras[key]) for key in model.extras)


def test_a_network_does_not_change_with_the_model_that_it_was_made_of():
    model = small_model("position")
    network = model.network()
    before = network.decode(np.ones((1, 16)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    assert np.array_equal(network.decode(np.ones((1, 16))), before)


def test_weights_that_overflow_are_told_in_a_sentence():
    model = small_model("position").float()
    with torch.no_grad():
        model.decoder.output.weight.fill_(3e38)
    with pytest.raises(NoProbabilitiesError, match="so large that its probabilities are not numbers"):
        model.network().decode(np.ones((2, 16), np.float32), 1.0, Draws(1))


def test_no_weight_may_be_left():
    weights = Weights({"a.b": np.zeros(2), "c": np.zeros(1)})
    assert weights.under("a").take("b", 2).shape == (2,)
    with pytest.raises(CheckpointError, match="it has 'c'"):
        weights.check_all_taken()


@pytest.mark.parametrize("inputs", [8, 256, 512])
def test_a_product_in_blocks_is_the_product(inputs):
    generator = np.random.default_rng(0)
    matrix = Matrix(generator.normal(size=(inputs, 4 * 192)))
    for count in (1, 2, 16, 17, 48, 49, 140):
        rows, out = generator.normal(size=(count, inputs + 3))[:, 3:], np.empty((4, count, 192))
        matrix.times(rows, out)
        np.testing.assert_allclose(out, by_gate(rows @ matrix.values), atol=1e-10)


def test_one_thread_while_a_network_plays_and_as_many_as_before_afterwards(monkeypatch):
    count = [6]
    monkeypatch.setattr(threads, "openblas", lambda: (lambda: count[0], lambda value: count.__setitem__(0, value)))
    with threads.one_thread():
        with threads.one_thread():
            assert count == [1]
        assert count == [1]
    assert count == [6]

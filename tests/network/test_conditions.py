"""Conditions of tunes: the same in NumPy and torch, and taken from where the windows of a dataset lie."""

import numpy as np
import pytest
import torch

from melodyvae.models.melody import MelodyModel
from melodyvae.music.bars import lay
from melodyvae.music.tokens import NO_EVENT
from melodyvae.network.conditions import Condition, conditions_of, meter_code, unused_steps
from melodyvae.network.draws import Draws
from tests.conftest import tiny_composer
from tests.windows import random_windows

CONDITIONS = np.array([[12, 2, 3, 1, 1], [16, 0, 1, 0, 0], [12, 14, 4, 0, 1], [8, 1, 2, 1, 0], [9, 3, 5, 1, 1]])


@pytest.fixture(scope="module")
def model() -> MelodyModel:
    """A composer that is told conditions, in double precision, with tables that are not zero."""
    torch.manual_seed(1)
    told = tiny_composer().with_conditions().double().eval()
    with torch.no_grad():
        for name, values in told.named_parameters():
            if "conditions" in name:
                values.normal_(0, 0.5)
    return told


def windows() -> np.ndarray:
    """A window of four bars for each of the conditions, in the places that it uses."""
    rows = [lay(random_windows(1, 4 * places), places, 16)[0] for places in CONDITIONS[:, 0]]
    return np.stack(rows).astype(np.int64)


def test_what_is_told_changes_nothing_at_first():
    plain, told = tiny_composer(), tiny_composer().with_conditions()
    tokens, z = torch.from_numpy(random_windows(3, 64).astype(np.int64)), torch.zeros(3, 8)
    conditions = torch.from_numpy(CONDITIONS[[1, 1, 1]])
    assert torch.equal(plain.logits(z, tokens), told.logits(z, tokens, conditions))
    assert torch.equal(plain.encode(tokens).mean, told.encode(tokens, conditions).mean)


def test_numpy_is_torch(model):
    tokens, network = windows(), model.network()
    given = torch.from_numpy(tokens), torch.from_numpy(CONDITIONS)
    posterior = model.encode(*given)
    prior = network.decoder.prior(tokens, CONDITIONS)
    np.testing.assert_allclose(prior.mean, model.decoder.prior(*given).mean.detach(), atol=1e-12)
    z = posterior.mean.detach()
    theirs = model.logits(z, *given).detach().numpy()
    np.testing.assert_allclose(network.decoder.logits(z.numpy(), tokens, CONDITIONS), theirs, atol=1e-9)
    start = z.clone().requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(model.logits(start, *given).transpose(1, 2), given[0], reduction="sum")
    (gradient,) = torch.autograd.grad(loss, start)
    np.testing.assert_allclose(network.decoder.gradient(z.numpy(), tokens, CONDITIONS)[1], gradient, atol=1e-7)
    writing = network.decoder.steps(z.numpy(), CONDITIONS)
    for step in range(tokens.shape[1]):
        np.testing.assert_allclose(writing.log_probabilities(), theirs[:, step], atol=1e-9)
        writing.write(tokens[:, step])


def test_nothing_begins_in_places_that_a_bar_does_not_use(model):
    network, unused = model.network(), unused_steps(CONDITIONS, 64, 16)
    writing = network.decoder.steps(Draws(0).normal(5, 8), CONDITIONS)
    for step in range(64):
        logits = writing.log_probabilities()
        assert np.isneginf(logits[unused[:, step], NO_EVENT + 1 :]).all()
        writing.write(logits.argmax(axis=1))
    theirs = model.logits(torch.zeros(5, 8).double(), torch.from_numpy(windows()), torch.from_numpy(CONDITIONS))
    assert torch.isneginf(theirs[torch.from_numpy(unused)][:, NO_EVENT + 1 :]).all()


def test_a_network_in_a_meter_tells_itself_so(model):
    network = model.network()
    assert network.conditions(2).tolist() == [[16, 0, 1, 0, 0]] * 2
    told = network.in_meter((6, 8)).told(np.array([2, 3]), begins=True)
    assert told.conditions(2).tolist() == [[12, 2, 4, 1, 0], [12, 3, 4, 1, 0]]
    assert network.in_meter((12, 8)).conditions(1)[0, :3].tolist() == [12, 0, 4]  # two bars of 6/8
    assert network.in_meter((9, 8), 2).conditions(1)[0, :3].tolist() == [9, 0, 5]
    assert tiny_composer().network().conditions(1) is None


def test_conditions_are_read_from_where_windows_lie():
    places = np.zeros(
        6,
        [
            *(("source", "u4"), ("track", "u2"), ("speed", "u1"), ("first_bar", "u4"), ("phase", "u2")),
            *(("meter", "u1", (2,)), ("style", "u1")),
        ],
    )
    places["meter"] = [(3, 4), (3, 4), (3, 4), (4, 4), (9, 8), (7, 8)]
    places["source"], places["first_bar"] = [0, 0, 0, 1, 2, 3], [1, 4, 9, 0, 5, 0]
    places["style"], places["phase"] = [6, 6, 6, 1, 3, 0], [0, 0, 0, 0, 0, 4]
    found = [Condition(*row) for row in conditions_of(places, 4, 16).tolist()]
    assert found == [
        Condition(12, 6, 3, begins=1, closes=0),
        Condition(12, 6, 3, begins=0, closes=0),
        Condition(12, 6, 3, begins=1, closes=1),  # eight bars later, and the last
        Condition(16, 1, 1, begins=1, closes=0),  # alone: where its tune ends is not known
        Condition(9, 3, 5, begins=1, closes=0),
        Condition(14, 0, 0, begins=0, closes=0),  # not on a bar line, in a meter without a code
    ]
    assert meter_code((5, 4)) == 0

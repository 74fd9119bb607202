"""The network that composes: causality, stepwise equals parallel, and a z standardised by a learned prior."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from melodyvae.config import ConfigError, MelodyConfig
from melodyvae.models.composing import ComposingDecoder
from melodyvae.models.decoder import sounding_before
from melodyvae.models.melody import MelodyModel
from melodyvae.music.tokens import NOTE_OFF
from melodyvae.network.draws import Draws
from melodyvae.presets import PRESETS
from tests.windows import random_windows

STEPS = 160  # ten bars: the longest lag is eight
CONFIG = MelodyConfig(
    bars=10, segment_bars=2, look_back=True, latent_size=20, conductor_size=12, decoder_size=24, decoder_features=6
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MelodyModel(CONFIG).double().eval()


@pytest.fixture
def tokens():
    windows = torch.from_numpy(random_windows(4, STEPS)).long()
    windows[:2, 64:128] = windows[:2, :64]  # bars that come again
    return windows


def latents(count: int, size: int = 20) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_preset_is_such_a_model():
    assert isinstance(MelodyModel(PRESETS["melody-compose"].model).decoder, ComposingDecoder)


@pytest.mark.parametrize("wrong", [{"segment_bars": None}, {"readout": "last-state"}, {"latent_size": 21}])
def test_a_configuration_that_cannot_look_back_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"look_back|latent_size"):
        replace(CONFIG, **wrong)


@pytest.mark.parametrize("changed", [0, 15, 16, 70, 159])
def test_a_token_changes_nothing_before_or_at_its_own_step(model, tokens, changed):
    z = latents(4)
    other = tokens.clone()
    other[:, changed] = torch.where(tokens[:, changed] == 50, 51, 50)
    before, after = model.logits(z, tokens), model.logits(z, other)
    torch.testing.assert_close(before[:, : changed + 1], after[:, : changed + 1])
    assert changed == STEPS - 1 or not torch.allclose(before[:, changed + 1], after[:, changed + 1])


def test_a_note_is_heard_across_all_segment_borders(model, tokens):
    other = tokens.clone()
    other[:, 0] = torch.where(tokens[:, 0] == 50, 51, 50)
    z = latents(4)
    changed = (model.logits(z, tokens) - model.logits(z, other)).nan_to_num().abs().amax(dim=2) > 0
    assert changed[:, 33:].any(dim=1).all()


def test_what_is_written_goes_on_in_chosen_rows(model, tokens):
    """Two segments written once, and gone on with three times, are as when they are written three times."""
    z, rows, written = latents(3).numpy(), np.array([1, 0, 1]), tokens.numpy()
    two, network = latents(2).numpy(), model.network()
    writing = network.decoder.steps(two)
    for step in range(64):
        writing.log_probabilities()
        writing.write(written[:2, step])
    writing = writing.chosen(rows, z)
    found = []
    for step in range(64, STEPS):
        found.append(writing.log_probabilities())
        writing.write(written[rows, step])
    whole = model.logits(torch.from_numpy(np.concatenate([two[rows, :8], z[:, 8:]], axis=1)), tokens[rows]).detach()
    np.testing.assert_allclose(np.stack(found, axis=1), whole[:, 64:], rtol=1e-6, atol=1e-6)


def test_a_batch_is_its_rows_one_by_one(model, tokens):
    z = latents(4)
    rows = [model.logits(z[i : i + 1], tokens[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(model.logits(z, tokens), torch.cat(rows))
    torch.testing.assert_close(model.encode(tokens).mean, torch.cat([model.encode(row[None]).mean for row in tokens]))


def test_the_probabilities_sum_to_one_and_no_note_off_comes_in_silence(model, tokens):
    probabilities = model.logits(latents(4), tokens).exp()
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(4, STEPS, dtype=torch.float64), atol=1e-6, rtol=0)
    assert (probabilities[..., NOTE_OFF][~sounding_before(tokens)] == 0).all()


def test_the_divergence_from_the_standard_normal_is_the_one_from_the_learned_prior(model, tokens):
    posterior, prior = model.encoder(tokens), model.decoder.prior(tokens)
    expected = kl_divergence(*(Normal(d.mean, (0.5 * d.log_variance).exp()) for d in (posterior, prior)))
    torch.testing.assert_close(model.encode(tokens).kl_to_standard_normal(), expected.sum((1, 2)))


def test_the_prior_of_a_segment_reads_the_bars_before_it_alone(model, tokens):
    other = tokens.clone()
    other[:, 64] = torch.where(tokens[:, 64] == 50, 51, 50)  # in the third segment
    before, after = model.decoder.prior(tokens).mean, model.decoder.prior(other).mean
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_gradient_reaches_every_parameter(model, tokens):
    terms = model.loss_terms(tokens, torch.Generator().manual_seed(0), look_back_hidden=0.3)
    terms.negative_elbo().mean().backward()
    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []


def test_a_hidden_window_is_not_copied_from(model, tokens):
    z = latents(4)
    everything = torch.ones(4, dtype=torch.bool)
    seen, hidden = model.decoder(z, tokens), model.decoder(z, tokens, everything)
    torch.testing.assert_close(seen[:, :16], hidden[:, :16])  # the first bar has nothing to copy
    assert not torch.allclose(seen[:, 16:], hidden[:, 16:])
    torch.testing.assert_close(seen, model.decoder(z, tokens, ~everything))


def test_any_number_of_segments_is_written(model):
    network = model.network()
    longer = network.decode(latents(2, 4 * 8).numpy(), 1.0, Draws(0))
    assert longer.shape == (2, 8 * 32)
    assert network.encode(longer).mean.shape == (2, 32)
    assert network.decode(latents(2, 4).numpy(), 1.0, Draws(0)).shape == (2, 32)


def test_it_learns_to_copy():
    """Windows whose second bar is the first: after some updates the second bar costs next to nothing."""
    torch.manual_seed(0)
    model = MelodyModel(replace(CONFIG, bars=4, latent_size=8))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for update in range(60):
        bars = torch.from_numpy(random_windows(16, 16, seed=update)).long()
        bars[:, 0] = bars[:, 0].clamp(min=40)  # a bar that begins with an onset can follow any bar
        logits = model.logits(torch.zeros(16, 8), bars.repeat(1, 4))
        nats = torch.nn.functional.cross_entropy(logits.transpose(1, 2), bars.repeat(1, 4), reduction="none")
        optimizer.zero_grad()
        nats.sum(1).mean().backward()
        optimizer.step()
    first, *repeated = nats.unflatten(1, (4, 16)).sum(2).mean(0).tolist()
    assert first > 20
    assert max(repeated) < 0.3 * first

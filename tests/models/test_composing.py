"""The network that composes: causality, stepwise equals parallel, and a z standardised by a learned prior."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from melodyvae.config import ConfigError, MelodyConfig
from melodyvae.models.composing import ComposingDecoder
from melodyvae.models.decoder import Choice, sounding_before
from melodyvae.models.melody import MelodyModel
from melodyvae.models.token_rules import TokenRules
from melodyvae.music.tokens import FIRST_NOTE_ON, NOTE_OFF
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


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_stepwise_equals_parallel(model, temperature):
    z = latents(4)
    drawn = model.decode(z, temperature, torch.Generator().manual_seed(0))
    parallel = model.logits(z, drawn)
    stepwise = model.decoder.scheduled_sampling_logits(z, drawn, teacher_forcing=1.0)
    torch.testing.assert_close(stepwise, parallel)
    assert temperature or torch.equal(parallel.argmax(-1), drawn)


def all_allowed_but(*forbidden: int) -> TokenRules:
    allowed = torch.ones(90, dtype=torch.bool)
    allowed[list(forbidden)] = False
    return TokenRules.only(allowed)


@pytest.mark.parametrize(("temperature", "rules"), [(0.0, None), (1.0, None), (0.7, all_allowed_but(30, 33, 50))])
def test_the_fast_steps_write_the_same_tokens_with_the_same_probabilities(model, tokens, temperature, rules):
    """Without a gradient the record of what is written is NumPy's: the same tokens for a seed as with one."""
    z, keep = latents(4), (torch.arange(STEPS) < 40).expand(4, -1)

    def written():
        choice = Choice(temperature, torch.Generator().manual_seed(0), tokens, keep, rules)
        return model.decoder.roll_out(z, choice)

    slow, slow_logits = written()
    with torch.no_grad():
        fast, fast_logits = written()
    assert slow_logits.requires_grad
    assert not fast_logits.requires_grad
    assert torch.equal(slow, fast)
    assert (slow[:, 40:] >= FIRST_NOTE_ON).any()
    torch.testing.assert_close(fast_logits, slow_logits.detach())


def test_what_is_written_goes_on_in_chosen_rows(model, tokens):
    """Two segments written once, and gone on with three times, are as when they are written three times."""
    z, rows = latents(3), np.array([1, 0, 1])
    with torch.no_grad():
        writing = model.decoder.steps(latents(2))
        for step in range(64):
            writing.log_probabilities()
            writing.write(tokens[:2, step])
        writing = writing.chosen(rows, z)
        found = []
        for step in range(64, STEPS):
            found.append(writing.log_probabilities())
            writing.write(tokens[rows, step])
        whole = model.logits(torch.cat([latents(2)[rows, :8], z[:, 8:]], dim=1), tokens[rows])
    torch.testing.assert_close(torch.stack(found, dim=1), whole[:, 64:])


def test_a_batch_is_its_rows_one_by_one(model, tokens):
    z = latents(4)
    rows = [model.logits(z[i : i + 1], tokens[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(model.logits(z, tokens), torch.cat(rows))
    torch.testing.assert_close(model.encode(tokens).mean, torch.cat([model.encode(row[None]).mean for row in tokens]))


def test_the_probabilities_sum_to_one_and_no_note_off_comes_in_silence(model, tokens):
    probabilities = model.logits(latents(4), tokens).exp()
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(4, STEPS, dtype=torch.float64), atol=1e-6, rtol=0)
    assert (probabilities[..., NOTE_OFF][~sounding_before(tokens)] == 0).all()
    drawn = model.decode(3 * latents(4), 1.0, torch.Generator().manual_seed(0))
    assert not (~sounding_before(drawn) & (drawn == NOTE_OFF)).any()


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
    longer = model.decode(latents(2, 4 * 8), 1.0, torch.Generator().manual_seed(0))
    assert longer.shape == (2, 8 * 32)
    assert model.encode(longer).mean.shape == (2, 32)
    shorter = model.decode(latents(2, 4), 1.0, torch.Generator().manual_seed(0))
    assert shorter.shape == (2, 32)


def test_what_is_visible_stays(model, tokens):
    visible = torch.arange(STEPS) < 96
    filled = model.fill_in(latents(4), tokens, visible, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(filled[:, :96], tokens[:, :96])
    assert not torch.equal(filled, tokens)


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

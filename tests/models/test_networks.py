"""Encoders and decoders, of one code and of several: batching, causality, stepwise equals teacher-forced, legality."""

import math
from dataclasses import replace

import pytest
import torch

from melodyvae.config import READOUTS, ConfigError
from melodyvae.models.decoder import forbid_silent_note_off, sounding_before
from melodyvae.models.melody import MelodyModel
from melodyvae.music.tokens import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF
from melodyvae.network.token_inputs import token_inputs
from melodyvae.presets import PRESETS
from tests.benchmarks.conversion import with_event_then_pitch
from tests.windows import random_windows

OTHER_TOKENS = {"output": "event-then-pitch", "pitch_inputs": True}
SEGMENTS = {"segment_bars": 1, "segment_codes": True, "code_size": 8}
KINDS = [*({"readout": readout} for readout in READOUTS), SEGMENTS]
KINDS += [kind | OTHER_TOKENS for kind in ({}, SEGMENTS)]


@pytest.fixture(params=KINDS, ids=str)
def model(request):
    return small_model(**request.param)


def small_model(**changes) -> MelodyModel:
    torch.manual_seed(0)
    sizes = {"conductor_size": 20, "conductor_layers": 2}
    config = replace(PRESETS["tiny"].model, decoder_layers=2, **sizes, **changes)
    model = MelodyModel(config).double().eval()
    if config.segment_codes:  # a new prior hears nothing
        torch.nn.init.normal_(model.decoder.prior.next.weight, std=0.1)
    if config.output == "event-then-pitch":  # a pitch is as likely as no event, as in a new model of the other output
        decoder = model.decoder if config.segment_bars is None else model.decoder.segment_decoder
        with torch.no_grad():
            decoder.output.bias[FIRST_NOTE_ON] += math.log(88) + 1
    return model


@pytest.fixture
def tokens():
    return torch.from_numpy(random_windows(6)).long()


def latents(model: MelodyModel, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, model.config.latent_size, generator=generator, dtype=torch.float64)


def test_shapes(model, tokens):
    posterior = model.encode(tokens)
    assert posterior.mean.shape == posterior.log_variance.shape == (6, 16)
    assert model.decoder(latents(model, 6), tokens).shape == (6, 32, 90)


def test_a_batch_is_its_rows_one_by_one(model, tokens):
    together = model.encode(tokens).mean
    apart = torch.cat([model.encode(row.unsqueeze(0)).mean for row in tokens])
    torch.testing.assert_close(together, apart)
    z = latents(model, 6)
    logits = model.decoder(z, tokens)
    rows = [model.decoder(z[i : i + 1], tokens[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(logits, torch.cat(rows))


@pytest.mark.parametrize("changed", [0, 7, 15, 31])
def test_a_token_changes_nothing_before_or_at_its_own_step(model, tokens, changed):
    z = latents(model, 6)
    other = tokens.clone()
    other[:, changed] = torch.where(tokens[:, changed] == 50, 51, 50)
    before, after = model.decoder(z, tokens), model.decoder(z, other)
    assert torch.equal(before[:, : changed + 1], after[:, : changed + 1])
    if changed < 31:
        assert not torch.equal(before[:, changed + 1 :], after[:, changed + 1 :])


def test_gradient_reaches_every_parameter(model, tokens):
    terms = model.loss_terms(tokens, torch.Generator().manual_seed(0))
    terms.negative_elbo().mean().backward()
    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    # of two segments the prior of the codes hears one, so that its state is never carried on
    assert [name for name in silent if "prior.lstm.weight_hh" not in name] == []


def test_the_first_token_reaches_the_posterior_and_so_does_the_last(model, tokens):
    for step in (0, 31):
        other = tokens.clone()
        other[:, step] = torch.where(tokens[:, step] == 50, 51, 50)
        assert (model.encode(tokens).mean != model.encode(other).mean).any(dim=1).all()


def test_whatever_is_drawn_is_legal_and_as_common_as_it_is_likely(model):
    z = latents(model, 1).expand(4000, -1)
    nothing = torch.zeros(4000, 32, dtype=torch.long)
    with torch.no_grad():
        drawn = model.decoder.drawn(
            z, nothing, torch.zeros(4000, 32, dtype=torch.bool), torch.Generator().manual_seed(0)
        )
        logits = model.decoder(z, drawn)
    assert (drawn == NOTE_OFF).any()
    assert not (~sounding_before(drawn) & (drawn == NOTE_OFF)).any()
    for token in (NO_EVENT, NOTE_OFF):
        expected = logits.softmax(-1)[..., token].mean(dim=0)
        torch.testing.assert_close((drawn == token).double().mean(dim=0), expected, atol=0.04, rtol=0)


def test_what_is_kept_stays_and_is_heard(model, tokens):
    keep = (torch.arange(32) < 20).expand(6, -1)
    with torch.no_grad():
        drawn = model.decoder.drawn(latents(model, 6), tokens, keep, torch.Generator().manual_seed(0))
    assert torch.equal(drawn[:, :20], tokens[:, :20])
    assert not torch.equal(drawn[:, 20:], tokens[:, 20:])
    assert not (~sounding_before(drawn) & (drawn == NOTE_OFF)).any()


def test_the_probabilities_of_legal_continuations_sum_to_one(model, tokens):
    probabilities = model.decoder(latents(model, 6), tokens).softmax(-1)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(6, 32, dtype=torch.float64))
    silent = ~sounding_before(tokens)
    assert silent.any()
    assert (probabilities[..., NOTE_OFF][silent] == 0).all()


def test_scheduled_sampling_with_a_teacher_alone_is_teacher_forcing(model, tokens):
    z = latents(model, 6)
    torch.testing.assert_close(model.decoder.scheduled_sampling_logits(z, tokens, 1.0), model.decoder(z, tokens))


def test_the_gradient_of_scheduled_sampling_reaches_every_parameter_in_bf16_too(model, tokens):
    model.float()
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled):
            terms = model.loss_terms(tokens, torch.Generator().manual_seed(0), teacher_forcing=0.3)
        terms.negative_elbo().mean().backward()
        silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
        assert [name for name in silent if "prior.lstm.weight_hh" not in name] == []


def test_scheduled_sampling_without_teacher_reads_its_own_draws(model, tokens):
    z = latents(model, 6)
    free = model.decoder.scheduled_sampling_logits(z, tokens, 0.0, torch.Generator().manual_seed(0))
    other_truth = torch.full_like(tokens, 40)
    free_again = model.decoder.scheduled_sampling_logits(z, other_truth, 0.0, torch.Generator().manual_seed(0))
    notes = torch.arange(90) != NOTE_OFF  # the masks follow the truth, which differs
    assert torch.equal(free[..., notes], free_again[..., notes])


def test_loss_terms_are_one_number_a_window_and_the_kl_is_the_posteriors(model, tokens):
    terms = model.loss_terms(tokens, torch.Generator().manual_seed(0))
    assert terms.reconstruction.shape == terms.kl.shape == (6,)
    torch.testing.assert_close(terms.kl, model.encode(tokens).kl_to_standard_normal())


def test_reconstruction_is_the_sum_over_steps_of_minus_log_likelihood(model, tokens):
    terms = model.loss_terms(tokens, torch.Generator().manual_seed(0))
    z = model.encode(tokens).sample(torch.Generator().manual_seed(0))
    log_p = model.decoder(z, tokens).log_softmax(-1).gather(2, tokens.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(terms.reconstruction, -log_p.sum(1))


def test_sounding_before_follows_the_melody():
    #               rest  on  held off  rest  on  on
    tokens = torch.tensor([[0, 40, 0, 1, 0, 41, 42]])
    assert sounding_before(tokens).tolist() == [[False, False, True, True, False, False, True]]


def test_forbidding_touches_note_off_only():
    logits = torch.zeros(2, 5)
    masked = forbid_silent_note_off(logits, torch.tensor([True, False]))
    assert masked[0].tolist() == [0.0] * 5
    assert masked[1, NOTE_OFF] == -torch.inf
    assert masked[1].isfinite().sum() == 4


@pytest.fixture
def codes():
    torch.manual_seed(0)
    sizes = {"bars": 8, "segment_bars": 2, "code_size": 16, "latent_size": 64, "segment_codes": True}
    model = MelodyModel(replace(PRESETS["tiny"].model, **sizes)).eval()
    torch.nn.init.normal_(model.decoder.prior.next.weight, std=0.3)
    torch.nn.init.normal_(model.decoder.prior.next.bias, std=0.3)
    return model


def test_the_token_before_the_bar_line_is_read_after_it_and_the_state_is_not(codes):
    tokens = torch.from_numpy(random_windows(5, steps=128)).long()
    z = torch.randn(5, 64)
    other = tokens.clone()
    other[:, 31] = torch.where(tokens[:, 31] == 50, 51, 50)  # the last step of the first of four segments
    before, after = (codes.decoder.raw_logits(z, torch.roll(given, 1, dims=1)) for given in (tokens, other))
    assert not torch.allclose(before[:, 32], after[:, 32])
    torch.testing.assert_close(before[:, 64:], after[:, 64:])


def test_codes_told_relative_to_their_prior_come_back(codes):
    tokens = torch.from_numpy(random_windows(5, steps=128)).long()
    posterior = codes.encode(tokens)
    assert posterior.mean.shape == (5, 64)
    torch.testing.assert_close(codes.decoder.codes(posterior.mean), codes.encoder(tokens).mean, atol=1e-5, rtol=1e-4)


def test_the_kl_of_codes_is_that_from_their_learned_prior(codes):
    tokens = torch.from_numpy(random_windows(5, steps=128)).long()
    own = codes.encoder(tokens)
    prior = codes.decoder.prior(own.mean)
    pairs = [torch.distributions.Normal(g.mean, (0.5 * g.log_variance).exp()) for g in (own, prior)]
    expected = torch.distributions.kl_divergence(*pairs).sum((1, 2))
    torch.testing.assert_close(codes.encode(tokens).kl_to_standard_normal(), expected)


def test_the_prior_of_a_code_hears_only_the_codes_before_it(codes):
    given = torch.randn(2, 4, 16)
    other = given.clone()
    other[:, 2] += 1
    before, after = (codes.decoder.prior(rows).mean for rows in (given, other))
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])


def test_codes_of_a_flat_model_are_first_told_as_they_are(run_folder):
    flat = MelodyModel.from_pretrained(run_folder)
    sizes = {"bars": 8, "segment_bars": 2, "code_size": 16, "latent_size": 64, "segment_codes": True}
    model = MelodyModel(replace(PRESETS["tiny"].model, **sizes))
    model.take_segments_from(flat)
    tokens = torch.from_numpy(random_windows(5, steps=128)).long()
    of_parts = [flat.encode(part) for part in tokens.split(32, dim=1)]
    torch.testing.assert_close(model.encode(tokens).mean, torch.cat([part.mean for part in of_parts], dim=1))
    z = torch.randn(5, 64)
    network, z = model.network(), torch.randn(5, 64).numpy()
    assert (network.decode(z)[:, :32] == flat.network().decode(z[:, :16])).all()
    assert network.decode(torch.randn(3, 96).numpy()).shape == (3, 192)  # twelve bars: any number of segments


@pytest.mark.parametrize("wrong", [{"latent_size": 63}, {"segment_bars": None}, {"look_back": True}])
def test_segment_codes_of_impossible_sizes_are_refused(wrong):
    sizes = {"bars": 8, "segment_bars": 2, "code_size": 16, "latent_size": 64, "segment_codes": True} | wrong
    with pytest.raises(ConfigError, match="segment_codes"):
        replace(PRESETS["tiny"].model, **sizes)


def test_a_lower_level_of_other_sizes_is_refused(run_folder):
    flat = MelodyModel.from_pretrained(run_folder)
    model = MelodyModel(
        replace(PRESETS["tiny"].model, bars=8, segment_bars=2, segment_codes=True, code_size=20, latent_size=80)
    )
    with pytest.raises(ConfigError, match="cannot be taken from a model of 2 bars with a z of 16"):
        model.take_segments_from(flat)
    with pytest.raises(ConfigError, match="cannot be taken"):
        flat.take_segments_from(flat)


def test_a_model_of_shorter_bars_starts_with_what_the_longer_one_knows_of_the_same_steps():
    torch.manual_seed(0)
    longer = MelodyModel(PRESETS["tiny"].model).eval()
    shorter = MelodyModel(replace(longer.config, meter=(3, 4))).eval()
    shorter.take_steps_from(longer)
    z = torch.randn(5, longer.config.latent_size)
    assert (shorter.network().decode(z.numpy()) == longer.network().decode(z.numpy())[:, :24]).all()
    with torch.inference_mode():
        features = longer.encoder.step_features(torch.randn(24, 3, 2 * longer.config.encoder_size))
        read = features.transpose(0, 1).flatten(1)
        padded = torch.nn.functional.pad(read, (0, 8 * longer.config.encoder_features))
        assert torch.allclose(shorter.encoder.posterior(read), longer.encoder.posterior(padded), atol=1e-6)
    with pytest.raises(ConfigError, match="a model of 24 steps per window cannot be taken for one of 32"):
        longer.take_steps_from(shorter)


def test_a_token_is_read_as_itself_and_as_its_pitch_class_and_octave():
    read = torch.from_numpy(token_inputs(90, pitch_inputs=True))
    assert read.shape == (90, 90 + 12 + 8)
    assert torch.equal(read[:, :90], torch.from_numpy(token_inputs(90, pitch_inputs=False)))
    assert not read[:FIRST_NOTE_ON, 90:].any()
    assert torch.equal(read[FIRST_NOTE_ON:, 90:102].sum(1), torch.ones(88))
    low, octave_higher = read[FIRST_NOTE_ON + 3, 90:], read[FIRST_NOTE_ON + 15, 90:]
    assert torch.equal(low[:12], octave_higher[:12])
    assert (low[12:].argmax(), octave_higher[12:].argmax()) == (0, 1)


def test_the_note_on_head_says_that_a_note_comes_and_the_others_which():
    model = small_model(**OTHER_TOKENS)
    z, tokens = latents(model, 6), torch.from_numpy(random_windows(6)).long()
    before = model.decoder(z, tokens).softmax(-1)
    with torch.no_grad():
        model.decoder.output.bias[FIRST_NOTE_ON] += 2.0
    after = model.decoder(z, tokens).softmax(-1)
    comes, came = (p[..., FIRST_NOTE_ON:].sum(-1) for p in (after, before))
    torch.testing.assert_close(comes.logit() - came.logit(), torch.full_like(comes, 2.0))
    pitch, pitch_before = (
        p[..., FIRST_NOTE_ON:] / p[..., FIRST_NOTE_ON:].sum(-1, keepdim=True) for p in (after, before)
    )
    torch.testing.assert_close(pitch, pitch_before)


@pytest.mark.parametrize("pitch_inputs", [False, True])
def test_a_converted_model_says_the_same_pitches_and_nearly_the_same_events(pitch_inputs):
    flat = small_model(pitch_inputs=pitch_inputs)
    windows = random_windows(64)
    made = with_event_then_pitch(flat, windows)
    tokens = torch.from_numpy(windows).long()
    z = flat.encode(tokens).mean
    torch.testing.assert_close(made.encode(tokens).mean, z)
    before, after = (model.decoder(z, tokens).softmax(-1) for model in (flat, made))
    notes = [p[..., FIRST_NOTE_ON:] / p[..., FIRST_NOTE_ON:].sum(-1, keepdim=True) for p in (before, after)]
    torch.testing.assert_close(notes[0], notes[1])
    rest = [p[..., NOTE_OFF] / p[..., NO_EVENT] for p in (before, after)]
    torch.testing.assert_close(rest[0], rest[1])
    torch.testing.assert_close(after, before, atol=2e-3, rtol=0)


def test_only_a_flat_model_of_tokens_is_converted():
    for changes in (SEGMENTS, {"output": "event-then-pitch"}):
        with pytest.raises(ConfigError, match="only a model of one level with the output tokens"):
            with_event_then_pitch(small_model(**changes), random_windows(4))

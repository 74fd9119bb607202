"""Configurations refuse what they do not know."""

import json

import pytest

from melodyvae.config import ConfigError, MelodyConfig, MelodyTrainConfig, TrainConfig, from_dict, override, to_dict
from melodyvae.presets import PRESETS


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_survive_json(name):
    preset = PRESETS[name]
    through_json = json.loads(json.dumps(to_dict(preset.model)))
    assert from_dict(MelodyConfig, through_json) == preset.model
    assert from_dict(MelodyTrainConfig, json.loads(json.dumps(to_dict(preset.training)))) == preset.training


def test_the_presets_are_those_that_are_documented():
    assert set(PRESETS) == {
        "melody-2bar",
        "musicvae-small",
        "melody-16bar",
        "melody-compose",
        "tiny",
    }


def test_new_two_bar_models_say_the_event_first_and_a_checkpoint_that_does_not_say_so_does_not():
    new, old = PRESETS["melody-2bar"].model, from_dict(MelodyConfig, {"latent_size": 256})
    assert (new.output, new.pitch_inputs) == ("event-then-pitch", True)
    assert (old.output, old.pitch_inputs) == ("tokens", False)
    with pytest.raises(ConfigError, match="output is 'pitch'; choose one of tokens, event-then-pitch"):
        MelodyConfig(output="pitch")


def test_musicvae_small_has_magentas_sizes():
    model = PRESETS["musicvae-small"].model
    assert (model.readout, model.encoder_size, model.decoder_size, model.decoder_layers, model.latent_size) == (
        "last-state",
        512,
        256,
        2,
        256,
    )


@pytest.mark.parametrize("segment_bars", [0, 3, 32])
def test_segments_must_fill_the_window(segment_bars):
    with pytest.raises(ConfigError, match=f"segment_bars is {segment_bars}, which does not divide 16 bars"):
        MelodyConfig(bars=16, segment_bars=segment_bars, look_back=True)


def test_a_misspelt_key_is_an_error_that_lists_the_keys():
    with pytest.raises(ConfigError, match=r"MelodyConfig has no latent_sise; it has .*latent_size"):
        from_dict(MelodyConfig, {"latent_sise": 3})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"latent_size": "big"}, "latent_size is 'big'; expected int"),
        ({"latent_size": True}, "latent_size is True; expected int"),
        ({"latent_size": 0}, "latent_size is 0; it must be at least 1"),
        ({"readout": "middle"}, "readout is 'middle'; choose one of position, last-state"),
        ({"meter": [4]}, r"meter is \(4,\)"),
        ({"meter": [4, 0]}, "a bar of 4/0"),
        ({"meter": [3, 32]}, "a bar of 3/32 is not a whole number of steps"),
    ],
)
def test_bad_model_values_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(MelodyConfig, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        ({"annealing": "sometimes"}, "annealing is 'sometimes'"),
        ({"anneal_rate": 1.0}, "anneal_rate is 1.0"),
        ({"max_minutes": -1.0}, "max_minutes is -1.0"),
        ({"beta": -0.1}, "beta is -0.1"),
        ({"max_minutes": float("nan")}, "max_minutes is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
    ],
)
def test_bad_training_values_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(TrainConfig, values)


def test_override_leaves_what_is_none():
    config = override(TrainConfig(), beta=0.7, seed=None)
    assert (config.beta, config.seed) == (0.7, TrainConfig().seed)


@pytest.mark.parametrize(("meter", "steps"), [((4, 4), 32), ((3, 4), 24), ((6, 8), 24)])
def test_steps_follow_from_the_meter(meter, steps):
    assert MelodyConfig(meter=meter).steps == steps

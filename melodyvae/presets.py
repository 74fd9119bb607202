"""The named presets: a melody model and the training that suits it, under one name."""

from __future__ import annotations

from dataclasses import dataclass, field

from melodyvae.config import ConfigError, MelodyConfig, MelodyTrainConfig


@dataclass(frozen=True)
class Preset:
    """A melody model and the training that suits it, under one name."""

    model: MelodyConfig = field(default_factory=MelodyConfig)
    training: MelodyTrainConfig = field(default_factory=MelodyTrainConfig)
    segments_from: str | None = None  # the trained model of one segment whose weights it starts with


PRESETS: dict[str, Preset] = {
    "melody-2bar": Preset(
        MelodyConfig(output="event-then-pitch", pitch_inputs=True),  # the shipped weights have neither
        MelodyTrainConfig(
            beta=0.1,
            anneal_updates=4000,
            max_minutes=60.0,
            changed_windows=0.5,
            anticipation=0.6,
            rests=0.5,
        ),
    ),
    # Sizes, read-out, annealing and sampling schedule of Magenta's cat-mel_2bar_small (2018):
    # https://github.com/magenta/magenta/blob/main/magenta/models/music_vae/configs.py
    "musicvae-small": Preset(
        MelodyConfig(readout="last-state"),
        MelodyTrainConfig(
            learning_rate=1e-3,
            beta=0.2,
            annealing="exponential",
            scheduled_sampling_rate=1000.0,
            transpose_up=5,
            max_minutes=60.0,
        ),
    ),
    "melody-16bar": Preset(
        MelodyConfig(bars=16, segment_bars=2, segment_codes=True, latent_size=2048, conductor_size=384),
        MelodyTrainConfig(
            batch_size=32,
            learning_rate=1e-3,
            warmup_updates=30,
            beta=0.4,
            annealing="constant",
            max_minutes=30.0,
            evaluate_every=200,
            evaluate_windows=128,
        ),
        segments_from="melody-2bar",
    ),
    "melody-compose": Preset(
        MelodyConfig(
            bars=16,
            segment_bars=2,
            look_back=True,
            latent_size=192,
            conductor_size=160,
            decoder_layers=1,
            decoder_features=32,
            conditions=True,
        ),
        MelodyTrainConfig(
            batch_size=32,
            learning_rate=4e-3,
            warmup_updates=100,
            beta=1.0,
            anneal_updates=400,
            target_bits=30.0,
            max_minutes=90.0,
            evaluate_every=200,
            evaluate_windows=256,
            look_back_hidden=0.05,
            dropout=0.2,
            tune_share=0.65,
            half_windows=0.2,
            changed_windows=0.1,
            anticipation=0.5,
            rests=0.3,
        ),
    ),
    "tiny": Preset(
        MelodyConfig(
            latent_size=16,
            encoder_size=32,
            encoder_features=8,
            decoder_size=32,
            decoder_layers=1,
            decoder_features=16,
        ),
        MelodyTrainConfig(
            batch_size=32,
            learning_rate=1e-2,
            warmup_updates=10,
            anneal_updates=100,
            max_updates=200,
            evaluate_every=50,
            evaluate_windows=64,
        ),
    ),
}


def preset_named(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ConfigError: if there is none.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]

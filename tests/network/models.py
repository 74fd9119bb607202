"""Small models of every kind, in float64, for tests: a torch model with random weights, and the same in NumPy."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from melodyvae.config import MelodyConfig
from melodyvae.models.melody import MelodyModel
from melodyvae.music.tokens import FIRST_NOTE_ON
from melodyvae.presets import PRESETS

KINDS = {
    "position": {},
    "last-state": {"readout": "last-state"},
    "two encoder layers": {"encoder_layers": 2},
    "event then pitch": {"output": "event-then-pitch", "pitch_inputs": True},
    "codes": {"bars": 4, "segment_bars": 1, "segment_codes": True, "latent_size": 48},
}
COMPOSING = MelodyConfig(
    bars=10, segment_bars=2, look_back=True, latent_size=20, conductor_size=12, decoder_size=24, decoder_features=6
)
NAMES = [*KINDS, "composing"]


def small_model(name: str) -> MelodyModel:
    """The model of a kind, with random weights."""
    torch.manual_seed(0)
    if name == "composing":
        return MelodyModel(COMPOSING).double().eval()
    sizes = {"code_size": 12, "conductor_size": 20, "conductor_layers": 2}
    config = replace(PRESETS["tiny"].model, decoder_layers=2, **sizes, **KINDS[name])
    model = MelodyModel(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)  # so that the tokens say something
        if name == "codes":
            model.decoder.prior.next.weight.normal_(0, 0.3)  # a new one hears nothing
        if config.output == "event-then-pitch":
            model.decoder.output.bias[FIRST_NOTE_ON] += math.log(88) + 1
    return model

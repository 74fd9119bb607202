"""Count the multiplications and additions of a model's matrix products, from its sizes.

Conventions: a product of (m, k) and (k, n) counts 2 m k n. Training counts each product three times (forward, gradient
of the weights, gradient of the inputs), but twice where nothing needs the latter: the encoder's one-hot tokens, and a
first state that is always 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from melodyvae.config import MelodyConfig
from melodyvae.music.tokens import VOCABULARY_SIZE


@dataclass(frozen=True)
class Recurrent:
    """The sizes of one LSTM of a flat model."""

    input_size: int
    size: int
    layers: int = 1
    directions: int = 1
    input_needs_gradient: bool = True
    first_state_needs_gradient: bool = False


def recurrent_layers(config: MelodyConfig) -> dict[str, Recurrent]:
    """The LSTMs of a flat model."""
    vocabulary = VOCABULARY_SIZE
    of_z = config.decoder_features if config.readout == "position" else config.latent_size
    return {
        "encoder": Recurrent(vocabulary, config.encoder_size, config.encoder_layers, 2, input_needs_gradient=False),
        "decoder": Recurrent(
            vocabulary + of_z,
            config.decoder_size,
            config.decoder_layers,
            first_state_needs_gradient=config.readout == "last-state",
        ),
    }


def layer_flops(layer: Recurrent, steps: int) -> int:
    """Of one window's way forward through an LSTM."""
    above = (layer.layers - 1) * (layer.directions + 1) * layer.size
    return 2 * 4 * layer.size * (layer.input_size + layer.size + above) * layer.directions * steps


def layer_training_flops(layer: Recurrent, steps: int) -> int:
    """Of one window's way forward and back."""
    in_the_gates = 2 * 4 * layer.size * layer.directions
    of_input, of_first_states = in_the_gates * layer.input_size * steps, in_the_gates * layer.size * layer.layers
    spared = of_input * (not layer.input_needs_gradient) + of_first_states * (not layer.first_state_needs_gradient)
    return 3 * layer_flops(layer, steps) - spared


def _linear_flops(config: MelodyConfig) -> dict[str, int]:
    """Of the layers beside the LSTMs, forward, a window."""
    vocabulary, both = VOCABULARY_SIZE, 2 * config.encoder_size
    output = config.steps * config.decoder_size * vocabulary
    if config.readout == "last-state":
        to_z = both * 2 * config.latent_size
        from_z = config.latent_size * 2 * config.decoder_layers * config.decoder_size
    else:
        read = config.steps * config.encoder_features
        to_z = both * read + read * 2 * config.latent_size
        from_z = config.latent_size * config.steps * config.decoder_features
    return {"to z": 2 * to_z, "from z": 2 * from_z, "output": 2 * output}


def training_flops(config: MelodyConfig) -> int:
    """Of one window's way through a flat model, forward and back."""
    of_lstms = sum(layer_training_flops(layer, config.steps) for layer in recurrent_layers(config).values())
    return of_lstms + 3 * sum(_linear_flops(config).values())

"""The melody VAE as a network: encoder, latent and decoder over token windows, and its loss.

The generative story is MusicVAE's: z ~ N(0, I), then x ~ p(x | z) step by step. Training maximises the evidence lower
bound E_q(z|x)[log p(x | z)] - beta * KL(q(z | x) || N(0, I)).

"A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music" (Roberts, Engel, Raffel, Hawthorne, Eck,
2018): https://arxiv.org/abs/1803.05428
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Self, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn

from melodyvae.config import ConfigError, MelodyConfig
from melodyvae.models.checkpoint import CheckpointedModel
from melodyvae.models.composing import ComposingDecoder, ComposingEncoder
from melodyvae.models.decoder import AutoregressiveDecoder, MelodyDecoder
from melodyvae.models.encoder import MelodyEncoder
from melodyvae.models.hierarchical import CodesDecoder, CodesEncoder
from melodyvae.models.latent import DiagonalGaussian
from melodyvae.models.loss import LossTerms, token_nats
from melodyvae.models.playing import TorchDecoder, TorchEncoder
from melodyvae.music.tokens import NO_EVENT, Vocabulary
from melodyvae.network.network import DEFAULT, KIND, MelodyNetwork

Encoder: TypeAlias = MelodyEncoder | CodesEncoder | ComposingEncoder
Decoder: TypeAlias = MelodyDecoder | CodesDecoder | ComposingDecoder


def _kinds(config: MelodyConfig) -> tuple[type[Encoder], type[Decoder]]:
    if config.look_back:
        return ComposingEncoder, ComposingDecoder
    return (CodesEncoder, CodesDecoder) if config.segment_codes else (MelodyEncoder, MelodyDecoder)


class MelodyModel(CheckpointedModel):
    """A variational autoencoder of melodies of a fixed number of bars: the network."""

    KIND = KIND
    CONFIG = MelodyConfig
    DEFAULT = DEFAULT
    config: MelodyConfig

    def __init__(self, config: MelodyConfig | None = None) -> None:
        super().__init__(config or MelodyConfig())
        self.room = self.config
        self.vocabulary = Vocabulary()
        self.encoder, self.decoder = self.networks()

    def networks(self) -> tuple[nn.Module, AutoregressiveDecoder | ComposingDecoder]:
        """New networks of the configuration's sizes: windows ``(B, T)`` to posteriors, and z ``(B, Z)`` to logits.

        A subclass with networks of its own gives them here: see ``docs/extending.md``.
        """
        encoder, decoder = _kinds(self.config)
        return encoder(self.config, self.vocabulary.size), decoder(self.config, self.vocabulary.size)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def token_table(self) -> dict[str, Any]:
        """The meaning of the token ids."""
        return self.vocabulary.to_dict()

    def network(self) -> MelodyNetwork:
        """The model as it is now, in NumPy, as the verbs use it."""
        if self.ARCHITECTURE:
            encoder, decoder = copy.deepcopy(self.encoder).cpu(), copy.deepcopy(self.decoder).cpu()
            made = MelodyNetwork(self.room, TorchEncoder(encoder), TorchDecoder(decoder, self.room.steps))
        else:
            weights = {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.state_dict().items()}
            made = MelodyNetwork.of_weights(self.room, weights)
        made = made if self.config is self.room else made.in_meter(self.config.meter, self.config.steps_per_quarter)
        made.extras = {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.extras.items()}
        made.metrics, made.provenance, made.path = self.metrics, self.provenance, self.path
        return made

    def in_meter(self, meter: tuple[int, int], steps_per_quarter: int | None = None) -> Self:
        """The same model, measured on windows in another meter: see :meth:`melodyvae.network.network.MelodyNetwork`.

        Raises:
            ConfigError: if the bars of that meter do not fit the network's.
        """
        found = copy.copy(self)
        found.config = self.room.in_meter(meter, steps_per_quarter)
        return found

    def laid(self, tokens: Tensor) -> Tensor:
        """Tokens ``(B, T)`` of this meter in the network's own bars."""
        if self.config is self.room:
            return tokens
        found = tokens.new_full((len(tokens), self.room.steps), NO_EVENT)
        found[:, self._steps] = tokens
        return found

    @property
    def _steps(self) -> Tensor:
        """The network's own step of each step of a window, ``(T,)``."""
        place = self.room.room_for(self.config.meter, self.config.steps_per_quarter)
        assert place is not None
        return torch.from_numpy(place.lift(np.arange(self.room.steps))).to(self.device)

    def encode(self, tokens: Tensor, conditions: Tensor | None = None) -> DiagonalGaussian:
        """q(z | x), parameters ``(B, Z)``, of token windows ``(B, T)``, and of conditions ``(B, 5)`` of a composer."""
        tokens = self.laid(tokens)
        posterior: DiagonalGaussian = self.encoder(tokens)
        if isinstance(self.decoder, ComposingDecoder):
            return self.decoder.relative_to_prior(posterior, tokens, conditions)
        if isinstance(self.decoder, CodesDecoder):
            return self.decoder.relative_to_prior(posterior, tokens)
        return posterior

    def logits(self, z: Tensor, tokens: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Logits ``(B, T, V)`` of each step of ``(B, T)`` given z ``(B, Z)`` and the true tokens before it."""
        more = {"conditions": conditions} if isinstance(self.decoder, ComposingDecoder) else {}
        logits = cast(Tensor, self.decoder(z, self.laid(tokens), **more))
        return logits if self.config is self.room else logits[:, self._steps]

    def set_dropout(self, share: float) -> None:
        """Set this share of numbers to 0 in training, where the network has places for it."""
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = share

    def loss_terms(
        self,
        batch: Tensor,
        generator: torch.Generator | None = None,
        teacher_forcing: float = 1.0,
        look_back_hidden: float = 0.0,
        conditions: Tensor | None = None,
    ) -> LossTerms:
        """Reconstruction and KL of token windows ``(B, T)``, each ``(B,)`` in nats, at one z drawn from q(z | x).

        With ``teacher_forcing`` below 1 the decoder reads draws of its own at that share of the steps (scheduled
        sampling), but for one that looks back, which may not copy in a share ``look_back_hidden`` of the windows.
        """
        posterior = self.encode(batch, conditions)
        z = posterior.sample(generator)
        if isinstance(self.decoder, ComposingDecoder):
            hidden = None
            if look_back_hidden:
                hidden = torch.rand(len(batch), generator=generator, device=batch.device) < look_back_hidden
            logits = self.decoder(z, batch, hidden, conditions)
        elif teacher_forcing < 1:
            logits = self.decoder.scheduled_sampling_logits(z, batch, teacher_forcing, generator)
        else:
            logits = self.decoder(z, batch)
        return LossTerms(token_nats(logits, batch).sum(dim=1), posterior.kl_to_standard_normal())

    def with_conditions(self) -> MelodyModel:
        """A composing model that has the same weights and is told conditions; at first they change nothing."""
        told = MelodyModel(replace(self.config, conditions=True))
        told.load_state_dict(told.state_dict() | self.state_dict())
        told.provenance = self.provenance
        return told

    def take_segments_from(self, flat: MelodyModel) -> None:
        """Start the lower level with the weights of a flat model of one segment.

        Raises:
            ConfigError: if there are no two levels here, or the sizes differ.
        """
        try:
            self.encoder.get_submodule("segment_encoder").load_state_dict(flat.encoder.state_dict())
            self.decoder.get_submodule("segment_decoder").load_state_dict(flat.decoder.state_dict())
        except (AttributeError, RuntimeError) as error:
            raise ConfigError(
                f"the lower level cannot be taken from a model of {flat.config.bars} bars with a z of "
                f"{flat.config.latent_size}; it must be flat, of {self.config.segment_bars} bars, with a z of "
                f"{self.config.code_size}, and of the same read-out and LSTM sizes"
            ) from error

    def take_steps_from(self, longer: MelodyModel) -> None:
        """Start with the weights of a model whose windows have more steps, of the same sizes otherwise.

        The read-out of each step is taken from the step of the same number, counted from the window's start.

        Raises:
            ConfigError: if the sizes differ in anything but bars and meter.
        """
        ours, theirs = self.state_dict(), longer.state_dict()
        of_steps = ("encoder.posterior.weight", "decoder.step_features.weight", "decoder.step_features.bias")
        sizes = replace(longer.config, bars=self.config.bars, meter=self.config.meter)
        if sizes != self.config or self.config.readout != "position" or longer.config.steps < self.config.steps:
            raise ConfigError(
                f"the weights of a model of {longer.config.steps} steps per window cannot be taken for one of "
                f"{self.config.steps}: both must have the position read-out and the same sizes, and the first no fewer "
                "steps"
            )
        for name in of_steps:
            theirs[name] = theirs[name][tuple(slice(size) for size in ours[name].shape)]
        self.load_state_dict(theirs)

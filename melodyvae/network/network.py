"""A trained melody model as the verbs use it.

The arithmetic is NumPy's, in the precision of the weights, which is float32 for a checkpoint; it needs no torch.
:mod:`melodyvae.models` has the same networks for training.

Conventions: B windows, T steps, V tokens, Z latent; tokens are integers, int64 where they are given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from melodyvae.config import MelodyConfig
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.architectures import architecture_named
from melodyvae.network.checkpoint import check_finite, locate, read_checkpoint
from melodyvae.network.composing import ComposingDecoder, ComposingEncoder
from melodyvae.network.decoder import Choice, Decoder, MelodyDecoder, token_nats
from melodyvae.network.draws import Draws
from melodyvae.network.encoder import MelodyEncoder
from melodyvae.network.hierarchical import CodesDecoder, CodesEncoder
from melodyvae.network.latent import Gaussian
from melodyvae.network.refine import UPDATES, refine_latents
from melodyvae.network.threads import one_thread
from melodyvae.network.token_rules import TokenRules
from melodyvae.network.weights import Weights

KIND = "melody"
DEFAULT = "melody-2bar"
Encoder: TypeAlias = Callable[[np.ndarray], Gaussian]


class MelodyNetwork:
    """Encoder and decoder of a trained model.

    Attributes:
        config: the model's sizes.
        vocabulary: the meaning of the token ids.
        encoder: windows to posteriors.
        decoder: latent vectors to windows.
        extras: what was fitted to the trained network afterwards, name to array, such as a prior.
        metrics: held-out metrics by name.
        provenance: what made it.
        path: of the checkpoint that it is from.
        revision: of the checkpoint: the beginning of its hash.
    """

    def __init__(self, config: MelodyConfig, encoder: Encoder, decoder: Decoder) -> None:
        self.config = config
        self.vocabulary = Vocabulary(config.lowest_pitch, config.highest_pitch)
        self.extras: dict[str, np.ndarray] = {}
        self.metrics: dict[str, Any] = {}
        self.provenance: dict[str, Any] = {}
        self.path: Path | None = None
        self.revision = ""
        self.encoder = encoder
        self.decoder = decoder

    @classmethod
    def of_weights(cls, config: MelodyConfig, weights: Mapping[str, np.ndarray], name: str = "the checkpoint") -> Self:
        """The networks of a configuration, with weights by their names in the checkpoint; errors call it ``name``."""
        kinds = _kinds(config)
        given, size = Weights(weights, name), Vocabulary(config.lowest_pitch, config.highest_pitch).size
        encoder, decoder = (
            kinds[0](config, size, given.under("encoder")),
            kinds[1](config, size, given.under("decoder")),
        )
        given.check_all_taken()
        return cls(config, encoder, decoder)

    @classmethod
    def read(cls, name_or_path: str | Path | None = None) -> Self:
        """The model of a shipped name, a checkpoint file or a run folder.

        Raises:
            CheckpointError: if there is no such checkpoint or it is not one of a melody model.
            ArchitectureError: if it is one of an architecture that is not known here.
        """
        chosen = DEFAULT if name_or_path is None else name_or_path
        checkpoint, name = read_checkpoint(chosen), str(chosen)
        if checkpoint.architecture:
            made: Self = architecture_named(checkpoint.architecture).from_pretrained(chosen).network()
            made.revision = checkpoint.revision
            return made
        config = checkpoint.config_as(KIND, MelodyConfig, name)
        network = cls.of_weights(config, checkpoint.weights, name)
        checkpoint.check_vocabulary(network.vocabulary.to_dict(), name)
        for key, array in checkpoint.extras.items():
            check_finite(array, key, name)
        network.extras, network.metrics, network.provenance = (
            checkpoint.extras,
            checkpoint.metrics,
            checkpoint.provenance,
        )
        network.path, network.revision = locate(chosen), checkpoint.revision
        return network

    @property
    def signature(self) -> str:
        """The name of its checkpoint, or of the run folder, and its revision."""
        if self.path is None:
            return "an unsaved model"
        name = self.path.parent.name if self.path.stem == "model" else self.path.stem
        return f"{name}, revision {self.revision}" if self.revision else name

    def encode(self, tokens: np.ndarray) -> Gaussian:
        """q(z | x), parameters ``(B, Z)``, of token windows ``(B, T)``."""
        tokens = tokens.astype(np.int64)
        with _playing():
            posterior = self.encoder(tokens)
            if isinstance(self.decoder, CodesDecoder | ComposingDecoder):
                return self.decoder.relative_to_prior(posterior, tokens)
        return posterior

    def decode(
        self,
        z: np.ndarray,
        temperature: float = 0.0,
        draws: Draws | None = None,
        rules: TokenRules | None = None,
    ) -> np.ndarray:
        """Legal token windows ``(B, T)`` for ``z`` ``(B, Z)``; greedy at temperature 0, drawn otherwise.

        ``rules`` say which tokens may come where; None allows all.

        Raises:
            NoProbabilitiesError: if the weights overflow.
        """
        return self._roll_out(z, Choice(temperature, draws or Draws(), rules=rules))

    def fill_in(
        self,
        z: np.ndarray,
        tokens: np.ndarray,
        visible: np.ndarray,
        temperature: float = 0.0,
        draws: Draws | None = None,
        rules: TokenRules | None = None,
    ) -> np.ndarray:
        """Windows ``(B, T)``: ``tokens`` where ``visible`` ``(T,)``, elsewhere drawn given z ``(B, Z)``."""
        keep = np.broadcast_to(visible, tokens.shape)
        return self._roll_out(z, Choice(temperature, draws or Draws(), tokens.astype(np.int64), keep, rules))

    def _roll_out(self, z: np.ndarray, choice: Choice) -> np.ndarray:
        with _playing():
            return self.decoder.roll_out(z, choice)

    def logits(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Logits ``(B, T, V)`` of each step of ``(B, T)`` given z ``(B, Z)`` and the true tokens before it."""
        with _playing():
            return self.decoder.logits(z, tokens)

    def nats(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """-log p(x | z) of each step of ``(B, T)``, in nats: ``(B, T)``."""
        return token_nats(self.logits(z, tokens), tokens)

    def gradient(self, z: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`logits`, and the gradient ``(B, Z)`` of -log p(x | z), in nats, with respect to z."""
        with _playing():
            return self.decoder.gradient(z, tokens)

    def refine(self, z: np.ndarray, tokens: np.ndarray, updates: int = UPDATES) -> np.ndarray:
        """Latent vectors near ``z`` ``(B, Z)`` from which the windows ``(B, T)`` come back, as far as possible."""
        return refine_latents(self.gradient, tokens, z, updates)

    def prior(self, count: int) -> Gaussian:
        """N(0, I), parameters ``(count, Z)``."""
        return Gaussian.standard(count, self.config.latent_size)


@contextmanager
def _playing() -> Iterator[None]:
    """One thread, and no warnings: weights that overflow raise NoProbabilitiesError where tokens are drawn."""
    with one_thread(), np.errstate(over="ignore", invalid="ignore"):
        yield


def _kinds(
    config: MelodyConfig,
) -> tuple[
    type[MelodyEncoder | CodesEncoder | ComposingEncoder], type[MelodyDecoder | CodesDecoder | ComposingDecoder]
]:
    if config.look_back:
        return ComposingEncoder, ComposingDecoder
    return (CodesEncoder, CodesDecoder) if config.segment_codes else (MelodyEncoder, MelodyDecoder)

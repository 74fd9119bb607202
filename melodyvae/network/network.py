"""A trained melody model as the verbs use it.

The arithmetic is NumPy's, in the precision of the weights, which is float32 for a checkpoint; it needs no torch.
:mod:`melodyvae.models` has the same networks for training.

Windows may be in another meter than the network's own (:meth:`MelodyNetwork.in_meter`): tokens are then laid into its
bars before it reads them, and lifted out of them once it has written them (:mod:`melodyvae.music.bars`).

Conventions: B windows, T steps, V tokens, Z latent; tokens are integers, int64 where they are given back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from melodyvae.config import MelodyConfig
from melodyvae.music.bars import Room
from melodyvae.music.styles import OPEN
from melodyvae.music.tokens import Vocabulary
from melodyvae.network.architectures import architecture_named
from melodyvae.network.checkpoint import check_finite, locate, read_checkpoint
from melodyvae.network.composing import ComposingDecoder, ComposingEncoder
from melodyvae.network.conditions import Condition, meter_code
from melodyvae.network.decoder import Choice, Decoder, MelodyDecoder, token_nats
from melodyvae.network.draws import Draws
from melodyvae.network.encoder import MelodyEncoder
from melodyvae.network.hierarchical import CodesDecoder, CodesEncoder
from melodyvae.network.latent import Gaussian
from melodyvae.network.plan import Plan
from melodyvae.network.threads import one_thread
from melodyvae.network.token_rules import TokenRules
from melodyvae.network.weights import Weights

KIND = "melody"
DEFAULT = "melody-2bar"
Encoder: TypeAlias = Callable[[np.ndarray], Gaussian]


class MelodyNetwork:
    """Encoder and decoder of a trained model.

    Attributes:
        config: the model's sizes; its meter, bars and steps are those of the windows it takes.
        room: the same of the network itself, which are others once it is :meth:`in_meter`.
        condition, styles: what it is told of the tunes; see :meth:`told`.
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
        self.config = self.room = config
        self.condition, self.styles = Condition(), np.array(OPEN)
        self.place: Room | None = None  # of a bar of another meter in those of the network
        self.vocabulary = Vocabulary()
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
        given, size = Weights(weights, name), Vocabulary().size
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

    def in_meter(self, meter: tuple[int, int], steps_per_quarter: int | None = None) -> Self:
        """The same model with windows in another meter: see :meth:`melodyvae.config.MelodyConfig.in_meter`.

        Raises:
            ConfigError: if the bars of that meter do not fit the network's.
        """
        found = copy.copy(self)
        found.config = self.room.in_meter(meter, steps_per_quarter)
        place = self.room.room_for(meter, steps_per_quarter)
        found.place = None if place is None or place.is_open.all() else place
        return found

    @property
    def bar(self) -> tuple[int, int]:
        """The meter of what lies in one bar of the network: 6/8 of a bar of 12/8, which takes two; 0/0 without one."""
        (numerator, denominator), place = self.config.meter, self.place
        if place is None or place.bars == 1:
            return numerator, denominator
        is_even = place.steps == place.bars * place.places and numerator % place.bars == 0
        return (numerator // place.bars, denominator) if is_even else (0, 0)

    @property
    def places(self) -> int:
        """Number of steps that are in use of each bar of the network, from its first on."""
        return self.room.steps_per_bar if self.place is None else self.place.places

    def laid(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens ``(..., T)`` of this meter in the network's own bars."""
        return tokens if self.place is None else self.place.lay(tokens)

    def lifted(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens in the network's own bars in bars of this meter; the inverse of :meth:`laid`."""
        return tokens if self.place is None else self.place.lift(tokens)

    def choice(self, temperature: float, draws: Draws | None, rules: TokenRules | None = None) -> Choice:
        """The rule by which the decoder chooses tokens in the network's own bars; ``rules`` are of this meter's."""
        laid = None if rules is None else rules.at(self.laid)
        is_open = None if self.place is None else self.place.is_open
        return Choice(temperature, draws or Draws(), rules=laid, is_open=is_open)

    def told(self, styles: int | np.ndarray = OPEN, begins: bool = False, closes: bool = False) -> Self:
        """The same model of tunes of a style, that begin or close with their windows, if it knows such conditions.

        The style's code may be another one for each window, ``(B,)``.
        """
        found = copy.copy(self)
        found.styles, found.condition = np.asarray(styles), Condition(begins=int(begins), closes=int(closes))
        return found

    def conditions(self, count: int) -> np.ndarray | None:
        """The conditions of ``count`` windows of this meter, ``(count, 5)``; None of a model that knows none."""
        if not self.room.conditions:
            return None
        told = self.condition._replace(places=self.places, meter=meter_code(self.bar))
        conditions = np.tile(told, (count, 1))
        conditions[:, Condition._fields.index("style")] = self.styles
        return conditions

    def encode(self, tokens: np.ndarray) -> Gaussian:
        """q(z | x), parameters ``(B, Z)``, of token windows ``(B, T)``."""
        tokens = self.laid(tokens.astype(np.int64))
        with _playing():
            posterior = self.encoder(tokens)
            if isinstance(self.decoder, ComposingDecoder):
                return self.decoder.relative_to_prior(posterior, tokens, self.conditions(len(tokens)))
            if isinstance(self.decoder, CodesDecoder):
                return self.decoder.relative_to_prior(posterior, tokens)
        return posterior

    def decode(
        self,
        z: np.ndarray,
        temperature: float = 0.0,
        draws: Draws | None = None,
        rules: TokenRules | None = None,
        plan: Plan | None = None,
    ) -> np.ndarray:
        """Legal token windows ``(B, T)`` for ``z`` ``(B, Z)``; greedy at temperature 0, drawn otherwise.

        ``rules`` say which tokens may come where; None allows all. A composing model follows a ``plan``.

        Raises:
            NoProbabilitiesError: if the weights overflow.
        """
        return self._roll_out(z, self.choice(temperature, draws, rules), plan)

    def fill_in(
        self,
        z: np.ndarray,
        tokens: np.ndarray,
        visible: np.ndarray,
        temperature: float = 0.0,
        draws: Draws | None = None,
        rules: TokenRules | None = None,
        plan: Plan | None = None,
    ) -> np.ndarray:
        """Windows ``(B, T)``: ``tokens`` where ``visible`` ``(T,)``, elsewhere drawn given z ``(B, Z)``."""
        tokens, keep = self.laid(tokens.astype(np.int64)), self.laid(np.broadcast_to(visible, tokens.shape))
        choice = self.choice(temperature, draws, rules)
        return self._roll_out(z, replace(choice, true_tokens=tokens, keep_true=keep), plan)

    def _roll_out(self, z: np.ndarray, choice: Choice, plan: Plan | None) -> np.ndarray:
        with _playing():
            if isinstance(self.decoder, ComposingDecoder):
                return self.lifted(self.decoder.roll_out(z, choice, self.conditions(len(z)), plan))
            return self.lifted(self.decoder.roll_out(z, choice))

    def _told_decoder(self, count: int) -> dict[str, np.ndarray]:
        conditions = self.conditions(count)
        return {} if conditions is None else {"conditions": conditions}

    def logits(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Logits ``(B, T, V)`` of each step of ``(B, T)`` given z ``(B, Z)`` and the true tokens before it."""
        with _playing():
            return self._lifted_logits(self.decoder.logits(z, self.laid(tokens), **self._told_decoder(len(z))))

    def nats(self, z: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """-log p(x | z) of each step of ``(B, T)``, in nats: ``(B, T)``."""
        return token_nats(self.logits(z, tokens), tokens)

    def gradient(self, z: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`logits`, and the gradient ``(B, Z)`` of -log p(x | z), in nats, with respect to z.

        The places of the network's bars that are left over count in it, too.
        """
        with _playing():
            logits, gradient = self.decoder.gradient(z, self.laid(tokens), **self._told_decoder(len(z)))
        return self._lifted_logits(logits), gradient

    def _lifted_logits(self, logits: np.ndarray) -> np.ndarray:
        return logits if self.place is None else logits[:, self.lifted(np.arange(logits.shape[1]))]

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

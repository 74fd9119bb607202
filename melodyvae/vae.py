"""MelodyVAE: encoder, latent and decoder in one model, over token windows.

The generative story is MusicVAE's: z ~ N(0, I), then x ~ p(x | z) step by step. Training maximises the evidence lower
bound E_q(z|x)[log p(x | z)] - beta * KL(q(z | x) || N(0, I)).

"A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music" (Roberts, Engel, Raffel, Hawthorne, Eck,
2018): https://arxiv.org/abs/1803.05428
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from data_prep.melody import Melody
from melodyvae.config import ConfigError, MelodyConfig
from melodyvae.datasets.windows import vocabulary_of
from melodyvae.generation import inpainting as completion
from melodyvae.generation import morph as morphing
from melodyvae.generation import sampling as generate
from melodyvae.generation import scoring
from melodyvae.generation import variation as walks
from melodyvae.generation.interpolation import WalkOptions, pick_ends, walk
from melodyvae.generation.novelty import NOVELTY_FILE, NoveltyIndex
from melodyvae.generation.prior import Prior
from melodyvae.generation.sampling import MelodySource
from melodyvae.generation.scales import Scale
from melodyvae.models.checkpoint import CheckpointedModel, beside
from melodyvae.models.decoder import MelodyDecoder
from melodyvae.models.encoder import MelodyEncoder
from melodyvae.models.hierarchical import HierarchicalDecoder, HierarchicalEncoder
from melodyvae.models.latent import DiagonalGaussian, standard_normal
from melodyvae.models.loss import LossTerms

NATS_A_CODE_NAT = 0.2  # of the notes' likelihood: about the beta that weighed the two when the codes were learned


class MelodyVAE(CheckpointedModel):
    """A variational autoencoder of melodies of a fixed number of bars."""

    KIND = "melody"
    CONFIG = MelodyConfig
    DEFAULT = "melody-2bar"
    config: MelodyConfig

    def __init__(self, config: MelodyConfig | None = None) -> None:
        super().__init__(config or MelodyConfig())
        self.vocabulary = vocabulary_of(self.config)
        two_levels = self.config.segment_bars is not None
        encoder = HierarchicalEncoder if two_levels and self.config.readout == "position" else MelodyEncoder
        decoder = HierarchicalDecoder if two_levels else MelodyDecoder
        self.encoder: MelodyEncoder | HierarchicalEncoder = encoder(self.config, self.vocabulary.size)
        self.decoder: MelodyDecoder | HierarchicalDecoder = decoder(self.config, self.vocabulary.size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.encoder.posterior.weight.device

    @cached_property
    def novelty(self) -> NoveltyIndex | None:
        """What tells how near a melody is to the training windows; None of a model that came without."""
        index = beside(self.path, NOVELTY_FILE) if self.path else None
        return NoveltyIndex.open(index, self.config.steps_per_quarter) if index and index.is_file() else None

    def token_table(self) -> dict[str, Any]:
        """The meaning of the token ids."""
        return self.vocabulary.to_dict()

    def encode(self, tokens: Tensor) -> DiagonalGaussian:
        """q(z | x), parameters ``(B, Z)``, of token windows ``(B, T)``."""
        posterior: DiagonalGaussian = self.encoder(tokens)
        return posterior

    def decode(
        self,
        z: Tensor,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        allowed_tokens: Tensor | None = None,
    ) -> Tensor:
        """Legal token windows ``(B, T)`` for ``z`` ``(B, Z)``; greedy at temperature 0, drawn otherwise.

        Only tokens of ``allowed_tokens``, booleans ``(V,)``, come if it is given.
        """
        return self.decoder.generate(z, temperature, generator, allowed_tokens)

    def logits(self, z: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``(B, T, V)`` of each step of ``(B, T)`` given z ``(B, Z)`` and the true tokens before it."""
        logits: Tensor = self.decoder(z, tokens)
        return logits

    def fill_in(
        self,
        z: Tensor,
        tokens: Tensor,
        visible: Tensor,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Windows ``(B, T)``: ``tokens`` where ``visible`` ``(T,)``, elsewhere drawn given z ``(B, Z)``."""
        return self.decoder.fill_in(z, tokens, visible, temperature, generator)

    def prior(self, count: int) -> DiagonalGaussian:
        """N(0, I), parameters ``(count, Z)``."""
        return standard_normal(count, self.config.latent_size, like=self.encoder.posterior.weight)

    def loss_terms(
        self,
        batch: Tensor,
        generator: torch.Generator | None = None,
        teacher_forcing: float = 1.0,
    ) -> LossTerms:
        """Reconstruction and KL of token windows ``(B, T)``, each ``(B,)`` in nats, at one z drawn from q(z | x).

        With ``teacher_forcing`` below 1 the decoder reads draws of its own at that share of the steps (scheduled
        sampling).
        """
        posterior = self.encode(batch)
        z = posterior.sample(generator)
        if teacher_forcing < 1:
            logits = self.decoder.scheduled_sampling_logits(z, batch, teacher_forcing, generator)
        else:
            logits = self.decoder(z, batch)
        return LossTerms(_cross_entropy(logits, batch).sum(dim=1), posterior.kl_to_standard_normal())

    def code_loss_terms(self, batch: Tensor, generator: torch.Generator | None = None) -> LossTerms:
        """As :meth:`loss_terms`, for the upper level of two alone, whose data are the codes of the segments.

        Reconstruction is then the KL divergence, over all segments, of the posterior of a code from a Gaussian of the
        same variance around what z gives back, times :data:`NATS_A_CODE_NAT`: a number of a code matters as much as
        the lower level took care to tell it. A VAE over the codes of a VAE: "Diagnosing and Enhancing VAE Models"
        (Dai, Wipf, 2019), https://arxiv.org/abs/1903.05789
        """
        encoder, decoder = self.encoder, self.decoder
        if not (isinstance(encoder, HierarchicalEncoder) and isinstance(decoder, HierarchicalDecoder)):
            raise ConfigError("only a model with two levels, of the position read-out, has codes to learn from")
        with torch.no_grad():
            codes = encoder.codes(batch)
        posterior = encoder.read(codes.mean)
        given_back = decoder.codes(posterior.sample(generator))
        nats = 0.5 * ((given_back - codes.mean).square() * torch.exp(-codes.log_variance)).sum(dim=(1, 2))
        return LossTerms(NATS_A_CODE_NAT * nats, posterior.kl_to_standard_normal())

    def take_segments_from(self, flat: MelodyVAE) -> None:
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

    def sample(
        self,
        count: int = 8,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        *,
        scale: str | None = None,
        prior: Prior | None = None,
    ) -> list[Melody]:
        """``count`` new melodies, in ``scale`` (such as ``G:major``) only if it is given.

        See :func:`melodyvae.generation.sampling.sample`.
        """
        allowed = None if scale is None else morphing.tokens_in(self, Scale.parse(scale))
        return generate.sample(self, count, temperature, generator, allowed, prior)

    def reconstruct(
        self,
        source: MelodySource,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        track: str = "auto",
    ) -> Melody:
        """A melody of any length as the model remembers it; see :func:`melodyvae.generation.sampling.reconstruct`.

        Args:
            source: a MIDI file, a ``PrettyMIDI`` object or a melody.
            temperature: 0 takes the most probable notes.
            generator: the source of the draws when ``temperature`` is above 0.
            track: ``auto``, a track's number (from 1) or its name.
        """
        melody = generate.read_source(source, self.config, track).melody
        return generate.reconstruct(self, melody, temperature, generator)

    def interpolate(
        self,
        start: MelodySource,
        end: MelodySource,
        count: int = 8,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        tracks: tuple[str, str] = ("auto", "auto"),
        first_bars: tuple[int | None, int | None] = (None, None),
        bars: int | None = None,
        **options: Any,
    ) -> list[Melody]:
        """``count`` melodies from ``start`` to ``end``, both included; see :mod:`melodyvae.generation.interpolation`.

        Args:
            start: a MIDI file, a ``PrettyMIDI`` object or a melody.
            end: likewise.
            count: how many melodies, at least 2.
            temperature: 0 takes the most probable notes.
            generator: the source of the draws when ``temperature`` is above 0.
            tracks: of ``start`` and ``end``: ``auto``, a track's number (from 1) or its name.
            first_bars: the first bar (from 1) to take from ``start`` and ``end``; None takes the first good one.
            bars: how many bars to take of each; a window of the model by default.
            options: the rest of :class:`~melodyvae.generation.interpolation.WalkOptions`: ``ends``, ``spacing``,
                ``key``, ``tempo``.
        """
        asked = WalkOptions(count, temperature, **options)
        sources = [
            generate.read_source(source, self.config, track) for source, track in zip((start, end), tracks, strict=True)
        ]
        ends = pick_ends(self, (sources[0], sources[1]), first_bars, bars, asked)
        return list(walk(self, ends.windows[0].melody, ends.windows[1].melody, asked, generator, ends.keys).melodies)

    def morph(
        self,
        source: MelodySource,
        count: int = 5,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        track: str = "auto",
        bar: int | None = None,
        scale: str | None = None,
        candidates: int = morphing.CANDIDATES,
        **amounts: float,
    ) -> list[Melody]:
        """``count`` melodies from ``source`` as it is to ``source`` with its character moved.

        For example ``model.morph("a.mid", density=+1, range=-1, syncopation_8=+0.5)``; see
        :func:`melodyvae.generation.morph.morph`.

        Args:
            source: a MIDI file, a ``PrettyMIDI`` object or a melody.
            count: how many melodies, at least 2.
            temperature: 0 takes the most probable notes.
            generator: the source of all draws.
            track: ``auto``, a track's number (from 1) or its name.
            bar: the first bar (from 1) to take; None takes the first good one.
            scale: such as ``G:major``: no note outside it comes.
            candidates: how many melodies are tried for each one written; 1 takes the bare directions.
            amounts: by attribute (:data:`melodyvae.generation.attributes.ATTRIBUTES`, with ``_`` for ``-``), in
                standard deviations of the training windows.
        """
        window = generate.pick_window(generate.read_source(source, self.config, track), self.config, bar).melody
        wanted = {name.replace("_", "-"): amount for name, amount in amounts.items()}
        chosen = None if scale is None else Scale.parse(scale)
        return morphing.morph(self, window, wanted, count, temperature, generator, chosen, candidates)

    def vary(
        self,
        source: MelodySource,
        count: int = 8,
        amount: float = 0.3,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        track: str = "auto",
        first_bar: int | None = None,
    ) -> list[Melody]:
        """``count`` melodies near a window of ``source``; see :func:`melodyvae.generation.variation.vary`."""
        return walks.vary(self, self._window(source, track, first_bar), count, amount, temperature, generator)

    def grid(self, sources: Sequence[MelodySource], count: int = 5) -> list[list[Melody]]:
        """``count`` rows of ``count`` melodies between windows of four sources."""
        return walks.grid(self, [self._window(source) for source in sources], count)

    def arithmetic(self, sources: Sequence[MelodySource], signs: Sequence[int]) -> Melody:
        """The melody at the sum of the sources' windows, times 1 or -1; see :mod:`melodyvae.generation.variation`."""
        return walks.arithmetic(self, [self._window(source) for source in sources], signs)

    def complete(
        self,
        source: MelodySource,
        hidden_bars: Collection[int],
        count: int = 1,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        track: str = "auto",
    ) -> list[Melody]:
        """``source`` with bars (from 0) filled in anew; see :func:`melodyvae.generation.inpainting.complete`."""
        melody = generate.read_source(source, self.config, track).melody
        return completion.complete(self, melody, hidden_bars, count, temperature, generator)

    def score(self, source: MelodySource, *, track: str = "auto") -> list[scoring.WindowScore]:
        """How unusual each window of ``source`` is; see :func:`melodyvae.generation.scoring.score`."""
        return scoring.score(self, generate.read_source(source, self.config, track).melody)

    def _window(self, source: MelodySource, track: str = "auto", first_bar: int | None = None) -> Melody:
        return generate.pick_window(generate.read_source(source, self.config, track), self.config, first_bar).melody


def _cross_entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    """-log softmax(logits)[token] in nats, ``(B, T)``."""
    return F.cross_entropy(logits.transpose(1, 2), tokens.long(), reduction="none")

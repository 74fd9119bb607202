"""MelodyVAE: what can be done with a trained model, one method for each thing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch

from data_prep.melody import Melody
from melodyvae.generation import inpainting as completion
from melodyvae.generation import morph as morphing
from melodyvae.generation import sampling as generate
from melodyvae.generation import scoring
from melodyvae.generation import variation as walks
from melodyvae.generation.interpolation import WalkOptions, pick_ends, walk
from melodyvae.generation.novelty import NoveltyIndex, find_index
from melodyvae.generation.prior import Prior
from melodyvae.generation.scales import Scale
from melodyvae.generation.sources import MelodySource, pick_window, read_source
from melodyvae.models.melody import MelodyModel


class MelodyVAE:
    """A trained model of melodies of a fixed number of bars, and what can be done with it.

    Attributes:
        model: the network.
    """

    def __init__(self, model: MelodyModel) -> None:
        self.model = model

    @classmethod
    def from_pretrained(cls, name: str | Path | None = None, device: str | torch.device = "cpu") -> Self:
        """A shipped model, a checkpoint file or a run folder, ready for use.

        Raises:
            CheckpointError: if there is none of that name, or it cannot be used.
        """
        return cls(MelodyModel.from_pretrained(name).to(device))

    @cached_property
    def novelty(self) -> NoveltyIndex | None:
        """What tells how near a melody is to the training windows; None of a model that came without."""
        return find_index(self.model)

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
        rules = None if scale is None else morphing.rules_of(self.model, Scale.parse(scale))
        return generate.sample(self.model, count, temperature, generator, rules, prior)

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
        melody = read_source(source, self.model.config, track).melody
        return generate.reconstruct(self.model, melody, temperature, generator)

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
            read_source(source, self.model.config, track) for source, track in zip((start, end), tracks, strict=True)
        ]
        ends = pick_ends(self.model, (sources[0], sources[1]), first_bars, bars, asked)
        return list(
            walk(self.model, ends.windows[0].melody, ends.windows[1].melody, asked, generator, ends.keys).melodies
        )

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
        window = pick_window(read_source(source, self.model.config, track), self.model.config, bar).melody
        wanted = {name.replace("_", "-"): amount for name, amount in amounts.items()}
        chosen = None if scale is None else Scale.parse(scale)
        return morphing.morph(self.model, window, wanted, count, temperature, generator, chosen, candidates)

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
        return walks.vary(self.model, self._window(source, track, first_bar), count, amount, temperature, generator)

    def grid(self, sources: Sequence[MelodySource], count: int = 5) -> list[list[Melody]]:
        """``count`` rows of ``count`` melodies between windows of four sources."""
        return walks.grid(self.model, [self._window(source) for source in sources], count)

    def arithmetic(self, sources: Sequence[MelodySource], signs: Sequence[int]) -> Melody:
        """The melody at the sum of the sources' windows, times 1 or -1; see :mod:`melodyvae.generation.variation`."""
        return walks.arithmetic(self.model, [self._window(source) for source in sources], signs)

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
        melody = read_source(source, self.model.config, track).melody
        return completion.complete(self.model, melody, hidden_bars, count, temperature, generator)

    def score(self, source: MelodySource, *, track: str = "auto") -> list[scoring.WindowScore]:
        """How unusual each window of ``source`` is; see :func:`melodyvae.generation.scoring.score`."""
        return scoring.score(self.model, read_source(source, self.model.config, track).melody)

    def _window(self, source: MelodySource, track: str = "auto", first_bar: int | None = None) -> Melody:
        return pick_window(read_source(source, self.model.config, track), self.model.config, first_bar).melody
